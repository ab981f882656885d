"""The IMAP side (RFC 9051): open folders, read them without a trace, file a mail.

Folders are opened with EXAMINE and bodies fetched with BODY.PEEK, so that nothing is ever marked as read. Commands go through
the standard library's client where IMAPClient's reading of the answer refuses what servers send.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.email.folders import Folder, Folders, written
from connectors.email.idle import Idle
from connectors.email.settings import EmailSettings, is_glob
from threadline.sdk import ConfigError, ConnectorError, RetryableError
from threadline.sdk.cursors.ranges import Ranges

PAGE_BYTES = 16_000_000
"""Bytes of mail in one fetch, unless a single message has more."""
HEAD_BYTES = 64_000
"""Bytes of the header fields that are kept of a message too large to download."""
TEMPORARY = ("UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "CONTACTADMIN")
"""Response codes of a refusal that may pass (RFC 5530)."""

_UNTOLD_FLAGS = {b"\\seen", b"\\recent", b"\\deleted"}
"""That somebody has looked at a mail says nothing about it, and that it will be deleted is told when it is."""
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""The arrival of a mail of which the server does not know it."""
_REFUSED = b"refused"
"""Stands among what is known of a mail for all that the server did not tell."""
_UIDVALIDITY = re.compile(rb"UIDVALIDITY (\d+)", re.IGNORECASE)
_UID = re.compile(rb"\bUID (\d+)", re.IGNORECASE)
_COUNTED = re.compile(rb"\bMODSEQ \((\d+)\)", re.IGNORECASE)
_MODSEQ = re.compile(rb"\(MODSEQ \d+\)", re.IGNORECASE)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message of the open folder.

    `raw` is None when it is larger than the limit, and `head` then has its first bytes; or when it is `refused`: the server has it and
    does not hand it out.
    """

    uid: int
    received_at: datetime
    size: int
    raw: bytes | None
    head: bytes = b""
    flags: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    """The folder that is open: how many messages it had, and the modification sequence of a server that counts one (RFC 7162)."""

    exists: int | None = None
    uidnext: int | None = None
    modseq: int | None = None


class Mailbox:
    """A logged-in IMAP session."""

    def __init__(self, settings: EmailSettings, client: Any) -> None:
        self._settings = settings
        self._client = client
        self._imap = client._imap  # noqa: SLF001 - it has no other name
        self._listed: Folders | None = None
        self._opened = _Opened()
        self._newest: tuple[int, list[int]] | None = None

    def folders(self) -> list[str]:
        """Return the names of the folders to read, INBOX first."""
        return self._folders().chosen(self._settings)

    def names(self) -> list[str]:
        """Return every folder of the account."""
        return self._folders().names()

    def absent(self) -> list[str]:
        """Return the folders that the settings name but the server does not have."""
        return [name for name in self._settings.folders if not is_glob(name) and self._folders().find(name) is None]

    def _folders(self, *, anew: bool = False) -> Folders:
        if self._listed is None or anew:
            self._listed = Folders(self._answer("LIST", *self._imap.list('""', "*")))
        return self._listed

    def _answer(self, command: str, kind: str, lines: list[Any]) -> list[Any]:
        if kind != "OK":
            raise RetryableError(f"the IMAP server refused a command ({command})")
        return [line for line in lines if line]

    def examine(self, folder: str) -> int | None:
        """Open a folder for reading and return its UIDVALIDITY; None when it has gone since it was listed, or cannot be opened."""
        place = self._folders().find(folder)
        if place is None:
            return None
        kind, said = self._imap.select(place.quoted, readonly=True)
        if kind != "OK":
            self._leave_out(folder, said)
            return None
        told = self._imap.untagged_responses
        self._newest = None
        # A server without CONDSTORE, or a folder that keeps no modification sequences, gives none, or 0.
        self._opened = _Opened(_number(told, "EXISTS"), _number(told, "UIDNEXT"), _number(told, "HIGHESTMODSEQ") or None)
        uidvalidity = _number(told, "UIDVALIDITY")
        return self._uidvalidity(place) if uidvalidity is None else uidvalidity

    def _leave_out(self, folder: str, said: Sequence[Any]) -> None:
        if self._folders(anew=True).find(folder) is None:
            logger.warning("folder %r has gone; it is skipped", folder)
        elif refused := _refused(said, f"folder {folder!r}", named=self._folders().is_named(folder, self._settings)):
            raise refused
        else:
            logger.warning("folder %r cannot be opened; it is skipped", folder)

    def _uidvalidity(self, folder: Folder) -> int:
        """Ask for it: some servers do not tell it when a folder is opened. One that never does has never changed it."""
        found = _UIDVALIDITY.search(self.status(folder.name, "UIDVALIDITY"))
        return int(found[1]) if found else 0

    def status(self, folder: str, items: str) -> bytes:
        """Return what the server says of a folder without opening it, as it says it; nothing where it has gone or says nothing."""
        place = self._folders().find(folder)
        if place is None:
            return b""
        kind, lines = self._imap.status(place.quoted, f"({items})")
        # The folder's name may come as a literal before it.
        return b" ".join(line for line in lines if isinstance(line, bytes)).rpartition(b"(")[2] if kind == "OK" else b""

    @property
    def modseq(self) -> int | None:
        """The modification sequence of the open folder when it was opened; None where the server counts none."""
        return self._opened.modseq

    @property
    def state(self) -> object:
        """What tells the open folder from what it was, or will be, when something has changed in it."""
        return self._opened

    @property
    def status_items(self) -> str:
        """What `status` is asked for, to the same end."""
        counted = " HIGHESTMODSEQ" if self.can("CONDSTORE") else ""
        return f"UIDVALIDITY UIDNEXT MESSAGES{counted}"

    def can(self, capability: str) -> bool:
        """Whether the server offers an extension."""
        return bool(self._client.has_capability(capability))

    def idle(self) -> Idle:
        """Listen to the open folder."""
        return Idle(self._imap)

    def uids_from(self, first: int) -> list[int]:
        """Return the UIDs of the open folder from `first` on, ascending; asked again, what they were."""
        if self._newest is None or self._newest[0] != first:
            # "n:*" always holds the last message, also when its UID is below n.
            self._newest = first, [uid for uid in self._search("UID", f"{first}:*") if uid >= first]
        return self._newest[1]

    def gone(self, present: Ranges, last: int) -> list[int]:
        """Return which of the UIDs up to `last` the open folder has no longer, ascending; one search at most, and only if any are."""
        if not present or len(present) + len(self.uids_from(last + 1)) == self._opened.exists:
            return []
        held = set[int]() if self._opened.exists == 0 else set(self._search("UID", f"1:{last}"))
        return [uid for uid in present if uid not in held]

    def changed(self, modseq: int, last: int) -> list[int]:
        """Return the UIDs up to `last` whose flags have changed since a modification sequence, ascending.

        A server that counts modifications, and then takes neither of the two commands that ask for them, is asked for none.
        """
        if not last:
            return []
        try:
            return self._search("UID", f"1:{last}", "MODSEQ", str(modseq + 1))
        except self._imap.abort:
            raise
        except (self._imap.error, RetryableError):
            return self._changed_since(modseq, last)

    def _changed_since(self, modseq: int, last: int) -> list[int]:
        try:
            kind, lines = self._imap.uid("FETCH", f"1:{last}", "(FLAGS MODSEQ)", f"(CHANGEDSINCE {modseq})")
            told = self._answer("FETCH", kind, lines)
        except self._imap.abort:
            raise
        except (self._imap.error, RetryableError):
            logger.warning("the IMAP server counts modifications, and does not say which mails they are of: flags stay as they were read")
            return []
        # Some servers pass over the condition, and answer for every mail.
        found = ((_UID.search(line), _COUNTED.search(line)) for line in told if isinstance(line, bytes))
        return sorted({int(uid[1]) for uid, counted in found if uid and (counted is None or int(counted[1]) > modseq)})

    def _search(self, *criteria: str) -> list[int]:
        found = set[int]()
        # A long answer may come in several lines, and an empty one may hold nothing but the modification sequence.
        for line in self._answer("SEARCH", *self._imap.uid("SEARCH", *criteria)):
            words = _MODSEQ.sub(b"", line).split()
            if not all(word.isdigit() for word in words):
                raise RetryableError("the IMAP server's answer to a search is no list of UIDs")
            found.update(map(int, words))
        return sorted(found) or self._extended()

    def _extended(self) -> list[int]:
        """Read the answer of a server that answers every search as IMAP4rev2 does (ESEARCH: RFC 4731)."""
        _, lines = self._imap.response("ESEARCH")
        words = b" ".join(line for line in lines if line).split()
        if b"ALL" not in words:
            return []
        try:
            return list(Ranges.parse(words[words.index(b"ALL") + 1].decode("ascii")))
        except (ValueError, IndexError):
            raise RetryableError("the IMAP server's answer to a search is no set of UIDs") from None

    def fetch(self, uids: Sequence[int]) -> Iterator[list[Fetched]]:
        """Yield the messages in order, in lists bounded by number and bytes; those deleted meanwhile are left out."""
        for start in range(0, len(uids), self._settings.page_messages):
            chunk = uids[start : start + self._settings.page_messages]
            about = self._fetch(chunk, ["RFC822.SIZE", "INTERNALDATE", "FLAGS"])
            for group in self._groups([uid for uid in chunk if about.get(uid)], about):
                yield self._bodies(group, about)

    def _fetch(self, uids: Sequence[int], items: Sequence[str]) -> dict[int, dict[bytes, Any]]:
        """Ask for all at once; where that is refused one by one, so that a mail that the server cannot read stops no other.

        While it refuses every one, that is the server's trouble, and may pass.
        """
        try:
            return dict(self._client.fetch(uids, items))
        except self._imap.abort:
            raise
        except self._imap.error as error:
            if is_temporary(str(error)):
                raise
            found = {uid: self._fetch_one(uid, items) for uid in uids}
            if all(_REFUSED in one for one in found.values()):
                raise
            return {uid: one for uid, one in found.items() if one}

    def _fetch_one(self, uid: int, items: Sequence[str]) -> dict[bytes, Any]:
        try:
            return dict(self._client.fetch([uid], items).get(uid, {}))
        except self._imap.abort:
            raise
        except self._imap.error:
            return {_REFUSED: True}

    def _groups(self, uids: list[int], about: Any) -> Iterator[list[int]]:
        group: list[int] = []
        total = 0
        for uid in uids:
            size = min(_size(about[uid]), self._settings.max_message_bytes)
            if group and total + size > PAGE_BYTES:
                yield group
                group, total = [], 0
            group.append(uid)
            total += size
        if group:
            yield group

    def _bodies(self, uids: list[int], about: Any) -> list[Fetched]:
        large = {uid for uid in uids if _size(about[uid]) > self._settings.max_message_bytes}
        bodies = self._fetch([uid for uid in uids if uid not in large], ["BODY.PEEK[]"])
        heads = self._fetch(sorted(large), [f"BODY.PEEK[HEADER]<0.{HEAD_BYTES}>"])
        found: list[Fetched] = []
        for uid in uids:
            size, received_at, flags = _size(about[uid]), _utc(about[uid].get(b"INTERNALDATE")), _flags(about[uid])
            if (raw := _section(bodies.get(uid, {}), b"BODY[]")) is not None:
                found.append(Fetched(uid, received_at, size, raw, flags=flags))
            elif (head := _section(heads.get(uid, {}), b"BODY[HEADER]")) is not None:
                found.append(Fetched(uid, received_at, size, None, head, flags))
            elif any(_REFUSED in each.get(uid, ()) for each in (about, bodies, heads)):
                found.append(Fetched(uid, received_at, size, None, flags=flags, refused=True))
        return found

    def has(self, folder: str, message_id: str) -> bool:
        """Say whether a folder holds a mail with this Message-ID; a folder that does not exist holds none."""
        if self._folders(anew=True).find(folder) is None or self.examine(folder) is None:
            return False
        quoted = message_id.replace("\\", "\\\\").replace('"', '\\"')
        return bool(self._search("HEADER", "Message-ID", f'"{quoted}"'))

    def file(self, folder: str, raw: bytes) -> None:
        """Put a mail into a folder as one that was read; the folder is made where it is missing."""
        place = self._folders().find(folder) or self._made(folder)
        self._answer("APPEND", *self._imap.append(place.quoted, r"(\Seen)", datetime.now(UTC), raw))

    def _made(self, folder: str) -> Folder:
        place = written(folder)
        if self._imap.create(place.quoted)[0] != "OK":
            # Some servers take new folders within INBOX alone.
            place = written(self._folders().within_inbox(folder))
            self._answer("CREATE", *self._imap.create(place.quoted))
        self._listed = None
        return place


def _number(told: Mapping[str, list[Any]], name: str) -> int | None:
    """Return the last number that was told under a name."""
    return next((int(value) for value in reversed(told.get(name, [])) if value and value.isdigit()), None)


def _size(data: Any) -> int:
    size = data.get(b"RFC822.SIZE")
    return size if isinstance(size, int) else 0


def _section(data: Mapping[bytes, Any], name: bytes) -> bytes | None:
    """Return a part of a message; not every server repeats from where on it was wanted."""
    return next((bytes(value or b"") for key, value in data.items() if key.startswith(name)), None)


def _flags(data: Any) -> tuple[str, ...]:
    """Return what somebody has marked a mail with: answered, flagged, forwarded, and keywords."""
    marks = [str(flag).encode() if isinstance(flag, int) else bytes(flag) for flag in data.get(b"FLAGS") or ()]
    return tuple(sorted(mark.decode("utf-8", "replace") for mark in marks if mark.lower() not in _UNTOLD_FLAGS))


def _utc(moment: datetime | None) -> datetime:
    if moment is None:
        return _UNDATED
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def is_temporary(said: str) -> bool:
    """Say whether a refusal may pass by itself: by its response code, or because it names a number of sessions."""
    return any(f"[{code}" in said.upper() for code in TEMPORARY) or "too many" in said.lower()


def _refused(said: Sequence[Any], what: str, *, named: bool) -> ConnectorError | None:
    """Return the error for a folder that is there and cannot be opened; None for one that nobody has named."""
    if is_temporary(str(said)):
        return RetryableError(f"the IMAP server cannot open {what} now")
    return ConfigError(f"the IMAP server refuses {what}; check what the account may read") if named else None
