"""The IMAP side (RFC 9051): log in, find folders, read them without a trace, file a mail.

Folders are opened with EXAMINE and bodies fetched with BODY.PEEK, so that nothing is ever marked as read.
"""

import logging
import socket
import ssl
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.email.settings import EmailSettings
from threadline.sdk import ConfigError, RetryableError

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0
PAGE_MESSAGES = 50
PAGE_BYTES = 16_000_000
"""Bytes of mail in one fetch, unless a single message has more."""
HEAD_BYTES = 64_000
"""Bytes of the header fields that are kept of a message too large to download."""

_NOT_MAIL = {b"\\noselect", b"\\nonexistent"}
_NOT_CORRESPONDENCE = {b"\\all", b"\\flagged", b"\\important", b"\\junk", b"\\trash", b"\\drafts"}
_TEMPORARY = ("UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "CONTACTADMIN")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message of the open folder; `raw` is None when it is larger than the limit, and `head` then has its first bytes."""

    uid: int
    received_at: datetime
    size: int
    raw: bytes | None
    head: bytes = b""


def tls_context(settings: EmailSettings) -> ssl.SSLContext:
    """Return a context that verifies certificate and host name."""
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigError(f"ca_file {settings.ca_file}: not a readable PEM file of certificates") from None


def _library() -> Any:
    try:
        import imapclient
    except ImportError:
        raise ConfigError("the email connector needs IMAPClient: pip install 'threadline[email]'") from None
    # At DEBUG it writes addresses and lines of mail.
    logging.getLogger("imapclient").setLevel(logging.WARNING)
    return imapclient


class Mailbox:
    """A logged-in IMAP session."""

    def __init__(self, settings: EmailSettings, client: Any) -> None:
        self._settings = settings
        self._client = client

    def folders(self) -> list[str]:
        """Return the folders to read, INBOX first. A glob leaves out junk, trash, drafts and views over other folders."""
        found: list[str] = []
        for flags, _, name in self._client.list_folders():
            marks = {bytes(flag).lower() for flag in flags}
            named = name in self._settings.folders
            if self._settings.wants(name) and not marks & _NOT_MAIL and (named or not marks & _NOT_CORRESPONDENCE):
                found.append(name)
        return sorted(found, key=lambda name: (name.upper() != "INBOX", name))

    def names(self) -> list[str]:
        """Return every folder of the account."""
        return [name for _, _, name in self._client.list_folders()]

    def absent(self) -> list[str]:
        """Return the folders that the settings name but the server does not have."""
        names = set(self.names())
        literal = [name for name in self._settings.folders if not set("*?[") & set(name) and name.upper() != "INBOX"]
        return [name for name in literal if name not in names]

    def examine(self, folder: str) -> int | None:
        """Open a folder for reading and return its UIDVALIDITY; None when it has gone since it was listed."""
        try:
            return int(self._client.select_folder(folder, readonly=True).get(b"UIDVALIDITY", 0))
        except self._client.AbortError:
            raise
        except self._client.Error as error:
            if self._client.folder_exists(folder):
                raise _refused(error, f"folder {folder!r}") from None
            logger.warning("folder %r has gone; it is skipped", folder)
            return None

    def uids_from(self, first: int) -> list[int]:
        """Return the UIDs of the open folder from `first` on, ascending."""
        # "n:*" always holds the last message, also when its UID is below n.
        return sorted(uid for uid in self._client.search(["UID", f"{first}:*"]) if uid >= first)

    def fetch(self, uids: Sequence[int]) -> Iterator[list[Fetched]]:
        """Yield the messages in order, in lists bounded by number and bytes; those deleted meanwhile are left out."""
        for start in range(0, len(uids), PAGE_MESSAGES):
            chunk = uids[start : start + PAGE_MESSAGES]
            sizes = self._client.fetch(chunk, ["RFC822.SIZE", "INTERNALDATE"])
            for group in self._groups([uid for uid in chunk if uid in sizes], sizes):
                yield self._bodies(group, sizes)

    def _groups(self, uids: list[int], sizes: Any) -> Iterator[list[int]]:
        group: list[int] = []
        total = 0
        for uid in uids:
            size = min(sizes[uid][b"RFC822.SIZE"], self._settings.max_message_bytes)
            if group and total + size > PAGE_BYTES:
                yield group
                group, total = [], 0
            group.append(uid)
            total += size
        if group:
            yield group

    def _bodies(self, uids: list[int], sizes: Any) -> list[Fetched]:
        large = {uid for uid in uids if sizes[uid][b"RFC822.SIZE"] > self._settings.max_message_bytes}
        bodies = self._client.fetch([uid for uid in uids if uid not in large], ["BODY.PEEK[]"])
        heads = self._client.fetch(sorted(large), [f"BODY.PEEK[HEADER]<0.{HEAD_BYTES}>"])
        found: list[Fetched] = []
        for uid in uids:
            size, received_at = sizes[uid][b"RFC822.SIZE"], _utc(sizes[uid][b"INTERNALDATE"])
            if uid in bodies:
                found.append(Fetched(uid, received_at, size, bytes(bodies[uid][b"BODY[]"] or b"")))
            elif uid in heads:
                found.append(Fetched(uid, received_at, size, None, bytes(heads[uid][b"BODY[HEADER]<0>"] or b"")))
        return found

    def has(self, folder: str, message_id: str) -> bool:
        """Say whether a folder holds a mail with this Message-ID; a folder that does not exist holds none."""
        if not self._client.folder_exists(folder) or self.examine(folder) is None:
            return False
        return bool(self._client.search(["HEADER", "Message-ID", message_id]))

    def file(self, folder: str, raw: bytes) -> None:
        """Put a mail into a folder as one that was read; the folder is made where it is missing."""
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
        self._client.append(folder, raw, flags=(b"\\Seen",), msg_time=datetime.now(UTC))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _refused(error: Exception, what: str) -> ConfigError | RetryableError:
    if any(f"[{code}" in str(error).upper() for code in _TEMPORARY):
        return RetryableError(f"the IMAP server cannot open {what} now")
    return ConfigError(f"the IMAP server refuses {what}; check what the account may read")


@contextmanager
def open_mailbox(settings: EmailSettings) -> Generator[Mailbox]:
    """Log in, and log out at the end; errors of the connection become ConfigError or RetryableError."""
    library = _library()
    where = "IMAP at {}:{}".format(*settings.imap)
    client: Any = None
    try:
        client = _connect(library, settings, where)
        _login(library, client, settings, where)
        yield Mailbox(settings, client)
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(f"{where}: its certificate is not trusted ({error.verify_message}); set ca_file, or correct imap_host") from None
    except ssl.SSLError:
        raise ConfigError(f"{where} does not speak TLS there; check tls and imap_port") from None
    except library.exceptions.IMAPClientAbortError:
        raise RetryableError(f"{where} ended the session") from None
    except library.exceptions.IMAPClientError as error:
        raise RetryableError(f"{where} refused a command ({type(error).__name__})") from None
    except OSError:
        raise RetryableError(f"{where} cannot be reached, or stopped answering; check imap_host, imap_port and the network") from None
    finally:
        if client is not None:
            _leave(library, client)


def _connect(library: Any, settings: EmailSettings, where: str) -> Any:
    host, port = settings.imap
    timeout = library.SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    context = None if settings.tls == "none" else tls_context(settings)
    client = library.IMAPClient(host, port, ssl=settings.tls == "tls", ssl_context=context, timeout=timeout)
    # A search goes out in two writes, of which Nagle's delay would hold back the second.
    client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Otherwise times come without a zone, in that of this machine.
    client.normalise_times = False
    if settings.tls == "starttls":
        try:
            client.starttls(context)
        except library.exceptions.CapabilityError:
            _drop(client)
            raise ConfigError(f"{where} does not offer STARTTLS; check tls and imap_port") from None
        except BaseException:
            _drop(client)
            raise
    return client


def _login(library: Any, client: Any, settings: EmailSettings, where: str) -> None:
    try:
        client.login(settings.user, settings.password.get_secret_value())
    except library.exceptions.LoginError as error:
        # A session that breaks off during the login says nothing about the password.
        if isinstance(error.__context__, library.exceptions.IMAPClientAbortError):
            raise RetryableError(f"{where} ended the session during the login") from None
        if any(f"[{code}" in str(error).upper() for code in _TEMPORARY):
            raise RetryableError(f"{where} cannot log anyone in now") from None
        raise ConfigError(f"{where} refused the login; check user and password (many providers ask for an app password)") from None


def _leave(library: Any, client: Any) -> None:
    try:
        client.logout()
    except (library.exceptions.IMAPClientError, OSError):
        _drop(client)


def _drop(client: Any) -> None:
    # The socket of a session that broke off may be closed already.
    with suppress(OSError):
        client.shutdown()
