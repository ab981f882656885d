"""The folders of an account: how the server names them, and which of them the settings mean.

Names are in modified UTF-7 (RFC 3501, 5.1.3). Some servers and old clients write other bytes: the name that was listed is kept
beside the readable one, so that every folder can be opened.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors.email.settings import EmailSettings, is_glob
from threadline.sdk import RetryableError

_NOT_MAIL = {b"\\noselect", b"\\nonexistent"}
_NOT_CORRESPONDENCE = {b"\\all", b"\\flagged", b"\\important", b"\\junk", b"\\trash", b"\\drafts"}
_SENT = "Sent"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder by its readable name and by the server's; `attributes` are in lower case, `delimiter` stands before folders within it."""

    name: str
    path: bytes
    delimiter: str = ""
    attributes: frozenset[bytes] = frozenset()

    @property
    def quoted(self) -> bytes:
        """The server's name as an argument of a command."""
        return b'"%b"' % self.path.replace(b"\\", b"\\\\").replace(b'"', b'\\"')

    @property
    def holds_mail(self) -> bool:
        """Whether it can be opened at all."""
        return not self.attributes & _NOT_MAIL

    @property
    def holds_correspondence(self) -> bool:
        """Whether it is no view over other folders, and neither junk, trash nor drafts (RFC 6154)."""
        return not self.attributes & _NOT_CORRESPONDENCE


class Folders:
    """What a server has listed."""

    def __init__(self, lines: Iterable[Any]) -> None:
        self._by_name = {folder.name: folder for folder in map(_read, lines)}

    def names(self) -> list[str]:
        """Return the names of all folders."""
        return list(self._by_name)

    def find(self, name: str) -> Folder | None:
        """Return the folder that somebody means by a name; None when there is none.

        Where all folders are within INBOX (Courier, Cyrus), `Sent` is INBOX.Sent; it is also the one that is marked as such,
        whatever that is called there.
        """
        if name.upper() == "INBOX":
            return next((folder for folder in self._by_name.values() if folder.name.upper() == "INBOX"), Folder("INBOX", b"INBOX"))
        marked = (folder for folder in self._by_name.values() if name == _SENT and b"\\sent" in folder.attributes)
        return self._by_name.get(name) or self._by_name.get(f"{self._inside}{name}") or next(marked, None)

    def chosen(self, settings: EmailSettings) -> list[str]:
        """Return the names of the folders to read, INBOX first. A glob leaves out what is no correspondence; a name reads it."""
        found = {folder.name for name in settings.folders if not is_glob(name) and (folder := self.find(name)) and folder.holds_mail}
        for folder in self._by_name.values():
            if folder.holds_mail and folder.holds_correspondence and settings.wants(folder.name):
                found.add(folder.name)
        return sorted(found, key=lambda name: (name.upper() != "INBOX", name))

    def is_named(self, folder: str, settings: EmailSettings) -> bool:
        """Say whether the settings mean a folder by its name, and not by a glob."""
        return any(not is_glob(name) and (found := self.find(name)) and found.name == folder for name in settings.folders)

    def within_inbox(self, name: str) -> str:
        """Return what a new folder of this name is called where folders are within INBOX."""
        return f"{self._inside}{name}"

    @property
    def _inside(self) -> str:
        inbox = next((folder for folder in self._by_name.values() if folder.name.upper() == "INBOX"), None)
        return f"{inbox.name}{inbox.delimiter}" if inbox and inbox.delimiter else ""


def _read(line: Any) -> Folder:
    from imapclient.response_parser import parse_response

    parse: Any = parse_response
    try:
        attributes, delimiter, path, *_ = parse([line])
        # A name of digits alone comes as a number.
        raw = path if isinstance(path, bytes) else str(path).encode("ascii")
        return Folder(readable(raw), raw, (delimiter or b"").decode("ascii"), frozenset(each.lower() for each in attributes))
    except (ValueError, TypeError, AttributeError):
        raise RetryableError("the IMAP server's list of folders cannot be read") from None


def readable(path: bytes) -> str:
    """Return a folder's name as people read it, whichever way it is written."""
    from imapclient.imap_utf7 import decode

    try:
        name = decode(path) if path.isascii() else path.decode("utf-8")
        name.encode("utf-8")
    except ValueError:
        return path.decode("latin-1")
    return name


def written(name: str) -> Folder:
    """Return a folder that was not listed, to be made."""
    from imapclient.imap_utf7 import encode

    return Folder(name, encode(name))
