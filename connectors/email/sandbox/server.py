"""A mail server on loopback: IMAP by pymap, submission by aiosmtpd."""

import asyncio
import logging
import socket
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from connectors.email.sandbox.mails import OWN_ADDRESS, OWN_NAME, garbled, ordinary
from connectors.email.sandbox.rig import EmailRig
from connectors.email.sandbox.store import MailStore
from threadline.testing.sandbox import Document, Sandbox, Shelf
from threadline.testing.story import Event, Garbled, Mailed

if TYPE_CHECKING:
    from connectors.email.sandbox.imap import KeptMailboxes

# aiosmtpd warns about itself at each login, and pymap writes down every line that passes.
logging.getLogger("mail.log").setLevel(logging.ERROR)
logging.getLogger("pymap").setLevel(logging.ERROR)

USER = "support"
_OPEN_TO_ALL = "open-for-everybody-here"


class EmailSandbox(Sandbox):
    """One mailbox, `support@shop.example`, with INBOX and Sent.

    What is submitted goes to INBOX where it is addressed to the mailbox itself, and counts as pushed where it is not.
    `fail_next` queues replies to DATA ("451 4.3.0 later") that are sent instead of taking the mail, `lose_next` is how many
    mails are taken without a reply, and `refuse` maps an address (or "to" and an address: as a receiver) to the reply that refuses it.
    `smtputf8` says whether addresses beyond ASCII are taken (RFC 6531), `files_sent` whether what is submitted is filed in Sent.
    SMTP listens on the port after IMAP's, or on any free one.
    """

    name: ClassVar[str] = "email"
    role = "mail"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.shelf = Shelf(folder / "shelf.db" if folder else None)
        self.store = MailStore(self.shelf)
        for each in ("INBOX", "Sent"):
            self.store.make(each)
        self.fail_next: deque[str] = deque()
        self.lose_next = 0
        self.smtputf8 = True
        self.files_sent = False
        self.refuse: dict[str, str] = {}
        self.imap_port = self.smtp_port = 0
        self._mailboxes: KeptMailboxes | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        """The connector's settings that reach this sandbox."""
        return {
            "imap_host": "127.0.0.1", "imap_port": self.imap_port, "tls": "none",
            "smtp_host": "127.0.0.1", "smtp_port": self.smtp_port,
            "own_addresses": [OWN_ADDRESS], "from_name": OWN_NAME,
        }  # fmt: skip

    @property
    def secrets(self) -> Mapping[str, str]:
        """The credentials that it accepts."""
        return {"user": USER, "password": _OPEN_TO_ALL}

    def start(self, port: int = 0) -> None:
        """Serve from a thread of this process."""
        listeners = [_listener(port), _listener(port + 1 if port else 0)]
        self.imap_port, self.smtp_port = (listener.getsockname()[1] for listener in listeners)
        ready = threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._serve(listeners, ready))
            except BaseException as error:
                failure.append(error)
                ready.set()

        self._thread = threading.Thread(target=run, name="sandbox-email", daemon=True)
        self._thread.start()
        ready.wait()
        if failure:
            raise RuntimeError(f"the email sandbox did not start on port {self.imap_port}") from failure[0]

    async def _serve(self, listeners: list[socket.socket], ready: threading.Event) -> None:
        from connectors.email.sandbox.imap import serve_imap

        loop = asyncio.get_running_loop()
        imap, self._mailboxes = await serve_imap(listeners[0], self.store, USER, _OPEN_TO_ALL)
        smtp = await loop.create_server(lambda: _submission(self, loop), sock=listeners[1])
        self._loop, self._stopping = loop, asyncio.Event()
        async with imap, smtp:
            ready.set()
            await self._stopping.wait()

    def stop(self) -> None:
        """Stop the servers' thread."""
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=5)
            self._loop = self._thread = self._mailboxes = None
        self.shelf.close()

    def tell(self, event: Event) -> None:
        """Put an e-mail of the story into INBOX or Sent."""
        match event:
            case Mailed(direction="outbound"):
                self._once(event.mail, "Sent", event.at, ordinary(event), ("\\Seen",))
            case Mailed():
                self._once(event.mail, "INBOX", event.at, ordinary(event), ())
            case Garbled():
                self._once(f"garbled {event.number}", "INBOX", event.at, garbled(event), ())
            case _:
                raise ValueError(f"a mailbox has no place for {type(event).__name__}; it takes Mailed and Garbled")

    def _once(self, what: str, folder: str, at: datetime, raw: bytes, flags: Iterable[str]) -> None:
        with self.shelf.together():
            if self.shelf.get("told", what):
                return
            self.shelf.put("told", what, {"folder": folder})
        self.deliver(raw, folder=folder, at=at, flags=flags)

    def deliver(self, raw: bytes, *, folder: str = "INBOX", at: datetime | None = None, flags: Iterable[str] = ()) -> int:
        """Put any bytes into a folder, as a delivery agent does; return the UID."""
        moment = at or datetime.now(UTC)
        if self._loop and self._mailboxes:
            return asyncio.run_coroutine_threadsafe(self._mailboxes.deliver(folder, raw, moment, flags), self._loop).result()
        return self.store.add(folder, moment, flags, raw)

    def deliver_all(self, mails: Iterable[tuple[bytes, datetime]], folder: str = "INBOX") -> list[int]:
        """Put many into a folder at once, each received at its time; return their UIDs."""
        loop, mailboxes = self._loop, self._mailboxes
        if not loop or not mailboxes:
            return [self.store.add(folder, at, (), raw) for raw, at in mails]

        async def deliver() -> list[int]:
            return [await mailboxes.deliver(folder, raw, at, ()) for raw, at in mails]

        return asyncio.run_coroutine_threadsafe(deliver(), loop).result()

    def expunge(self, folder: str, uid: int) -> None:
        """Delete a mail for good, as somebody else's mail program does."""
        if self._loop and self._mailboxes:
            asyncio.run_coroutine_threadsafe(self._mailboxes.expunge(folder, uid), self._loop).result()
        else:
            self.store.forget(folder, [uid])

    def renumber(self, folder: str) -> None:
        """Give a folder a new UIDVALIDITY and its mails new UIDs, as a restored backup does."""
        self.store.renumber(folder)
        if self._loop and self._mailboxes:
            asyncio.run_coroutine_threadsafe(self._mailboxes.load(), self._loop).result()

    def rig(self) -> EmailRig:
        """Return what the conformance kit works this stand-in with."""
        return EmailRig(self)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return the mails that were submitted to others, oldest first."""
        if object != "reply":
            raise ValueError(f"email takes no {object!r}; it takes reply")
        return [_shown(sent) for sent in self.shelf.all("reply")]

    async def take(self, envelope: Envelope) -> str:
        """Deliver a submitted mail; return the reply to DATA."""
        if self.fail_next:
            return self.fail_next.popleft()
        raw = cast("bytes", envelope.content)
        receivers = [receiver.casefold() for receiver in envelope.rcpt_tos]
        if OWN_ADDRESS in receivers and self._mailboxes:
            await self._mailboxes.deliver("INBOX", raw, datetime.now(UTC), ())
        others = [receiver for receiver in receivers if receiver != OWN_ADDRESS]
        if others:
            with self.shelf.together():
                number = self.shelf.count("reply") + 1
                self.shelf.put("reply", str(number), {"receivers": others, "raw": raw.decode("utf-8", "replace")})
        if self.files_sent and self._mailboxes:
            await self._mailboxes.deliver("Sent", raw, datetime.now(UTC), ("\\Seen",))
        return "250 2.0.0 OK"


def _listener(port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def _shown(sent: Document) -> Document:
    mail = message_from_bytes(sent["raw"].encode(), policy=default)
    return {
        "receivers": sent["receivers"],
        "message_id": str(mail["Message-ID"]).strip("<>"),
        "in_reply_to": str(mail["In-Reply-To"] or "").strip("<>") or None,
        "references": [each.strip("<>") for each in str(mail["References"] or "").split()],
        "from": str(mail["From"]),
        "to": str(mail["To"]),
        "subject": str(mail["Subject"]),
        "text": mail.get_content().replace("\r\n", "\n"),
        "headers": {name: str(value) for name, value in mail.items()},
    }


class _Submission:
    """aiosmtpd's hooks: mail is taken only after a login (RFC 6409, 4.3)."""

    def __init__(self, sandbox: EmailSandbox) -> None:
        self._sandbox = sandbox

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if address in self._sandbox.refuse:
            return self._sandbox.refuse[address]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        for refused in (address, f"to {address}"):
            if refused in self._sandbox.refuse:
                return self._sandbox.refuse[refused]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        reply = await self._sandbox.take(envelope)
        if self._sandbox.lose_next and server.transport:
            self._sandbox.lose_next -= 1
            server.transport.close()
        return reply


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: Any) -> AuthResult:
    right = isinstance(credentials, LoginPassword) and (credentials.login, credentials.password) == (USER.encode(), _OPEN_TO_ALL.encode())
    return AuthResult(success=right, handled=False)


def _submission(sandbox: EmailSandbox, loop: asyncio.AbstractEventLoop) -> SMTP:
    return SMTP(
        _Submission(sandbox),
        hostname="localhost",
        loop=loop,
        enable_SMTPUTF8=sandbox.smtputf8,
        auth_require_tls=False,
        authenticator=_authenticate,
    )
