"""Works the mailbox for the conformance kit."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.email.sandbox.mails import OWN_ADDRESS
from threadline.testing.rig import Rig, WaivedError
from threadline.testing.sandbox import Sandbox

if TYPE_CHECKING:
    from connectors.email.sandbox.server import EmailSandbox

_FOLDER = "INBOX"


class EmailRig(Rig):
    """Mails in INBOX, and answers. The server files what it submits, as Gmail and Exchange Online do."""

    small_pages: ClassVar[Mapping[str, Any]] = {"page_messages": 3}
    tell_of_deletes: ClassVar[Collection[str]] = {"messages"}
    sandbox: "EmailSandbox"

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.sandbox.files_sent = True
        self._uids: dict[int, int] = {}

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """See `Rig`."""
        return {"imap": ("127.0.0.1", self.sandbox.imap_port), "smtp": ("127.0.0.1", self.sandbox.smtp_port)}

    def settings_at(self, ports: Mapping[int, int]) -> Mapping[str, Any]:
        """See `Rig`."""
        imap, smtp = self.sandbox.imap_port, self.sandbox.smtp_port
        return {**self.sandbox.settings, "imap_port": ports.get(imap, imap), "smtp_port": ports.get(smtp, smtp)}

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        return self._delivered(number, _mail(number, at), at)

    def put_many(self, stream: str, numbers: Iterable[int], at: Callable[[int], datetime]) -> None:
        """See `Rig`; a delivery for each would take long."""
        given = list(numbers)
        uids = self.sandbox.deliver_all((_mail(number, at(number)), at(number)) for number in given)
        self._uids |= dict(zip(given, uids, strict=True))

    def _delivered(self, number: int, raw: bytes, at: datetime) -> str:
        uid = self._uids[number] = self.sandbox.deliver(raw, folder=_FOLDER, at=at)
        return f"{_FOLDER}:{self.sandbox.store.make(_FOLDER)['uidvalidity']}:{uid}"

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        raise WaivedError("a mail never changes (RFC 9051, 2.3.1.1); new flags are told by servers with CONDSTORE (RFC 7162) alone")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self.sandbox.expunge(_FOLDER, self._uids[number])

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`; parts in parts in parts are beyond what the connector reads."""
        if number % 2:
            return self._delivered(number, b"To: support@shop.example\r\nSubject: Who am I?\r\n\r\nNo sender.\r\n", at)
        nested = "".join(f"Content-Type: multipart/mixed; boundary=p{depth}\r\n\r\n--p{depth}\r\n" for depth in range(60))
        return self._delivered(number, f"From: ana@example.org\r\n{nested}\r\nHere.\r\n".encode(), at)

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        raise WaivedError("IMAP and SMTP have no rate limit that says how long to wait (RFC 9051, 5321)")

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("IMAP asks for credentials when a session begins, and never again (RFC 9051, 6.2)")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        return {
            "to": f"ana{number}@example.org",
            "subject": f"Order {number}",
            "text": f"Answer {number}.",
            "in_reply_to": f"m{number}@example.org",
        }

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        self.sandbox.refuse["nobody@example.org"] = "550 5.1.1 No such user here"
        return {**self.payload(object, number), "to": "nobody@example.org"}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        return sum(f"Answer {number}." in sent["raw"] for sent in self.sandbox.shelf.all("reply"))


def _mail(number: int, at: datetime) -> bytes:
    head = {
        "From": f"Ana Lima {number} <ana{number}@example.org>", "To": OWN_ADDRESS, "Subject": f"Order {number}",
        "Date": format_datetime(at), "Message-ID": f"<m{number}@example.org>",
    }  # fmt: skip
    fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{fields}\r\n{'It has not come. ' * 50}\r\n".encode()
