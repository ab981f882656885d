"""The IMAP side (RFC 9051): find folders, read them without a trace, file a mail.

Folders are opened with EXAMINE and bodies fetched with BODY.PEEK, so that nothing is ever marked as read.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.email.settings import EmailSettings
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.cursors.ranges import Ranges

PAGE_BYTES = 16_000_000
"""Bytes of mail in one fetch, unless a single message has more."""
HEAD_BYTES = 64_000
"""Bytes of the header fields that are kept of a message too large to download."""
TEMPORARY = ("UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "CONTACTADMIN")
"""Response codes of a refusal that may pass (RFC 5530)."""

_NOT_MAIL = {b"\\noselect", b"\\nonexistent"}
_NOT_CORRESPONDENCE = {b"\\all", b"\\flagged", b"\\important", b"\\junk", b"\\trash", b"\\drafts"}
_UNTOLD_FLAGS = {b"\\seen", b"\\recent", b"\\deleted"}
"""That somebody has looked at a mail says nothing about it, and that it will be deleted is told when it is."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message of the open folder; `raw` is None when it is larger than the limit, and `head` then has its first bytes."""

    uid: int
    received_at: datetime
    size: int
    raw: bytes | None
    head: bytes = b""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Opened:
    """The folder that is open: how many messages it had, and the modification sequence of a server that counts one (RFC 7162)."""

    exists: int = 0
    modseq: int | None = None


class Mailbox:
    """A logged-in IMAP session."""

    def __init__(self, settings: EmailSettings, client: Any) -> None:
        self._settings = settings
        self._client = client
        self._opened = _Opened()
        self._newest: tuple[int, list[int]] | None = None

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
            found = self._client.select_folder(folder, readonly=True)
        except self._client.AbortError:
            raise
        except self._client.Error as error:
            if self._client.folder_exists(folder):
                raise _refused(error, f"folder {folder!r}") from None
            logger.warning("folder %r has gone; it is skipped", folder)
            return None
        # A server without CONDSTORE, or a folder that keeps no modification sequences, gives none, or 0.
        self._newest = None
        self._opened = _Opened(int(found[b"EXISTS"]), int(found.get(b"HIGHESTMODSEQ", 0)) or None)
        return int(found.get(b"UIDVALIDITY", 0))

    @property
    def modseq(self) -> int | None:
        """The modification sequence of the open folder when it was opened; None where the server counts none."""
        return self._opened.modseq

    def uids_from(self, first: int) -> list[int]:
        """Return the UIDs of the open folder from `first` on, ascending; asked again, what they were."""
        if self._newest is None or self._newest[0] != first:
            # "n:*" always holds the last message, also when its UID is below n.
            self._newest = first, [uid for uid in self._search(["UID", f"{first}:*"]) if uid >= first]
        return self._newest[1]

    def gone(self, present: Ranges, last: int) -> list[int]:
        """Return which of the UIDs up to `last` the open folder has no longer, ascending; one search at most, and only if any are."""
        if not present or len(present) + len(self.uids_from(last + 1)) == self._opened.exists:
            return []
        held = set(self._search(["UID", f"1:{last}"])) if self._opened.exists else set[int]()
        return [uid for uid in present if uid not in held]

    def changed(self, modseq: int, last: int) -> list[int]:
        """Return the UIDs up to `last` whose flags have changed since a modification sequence, ascending."""
        return self._search(["UID", f"1:{last}", "MODSEQ", str(modseq + 1)]) if last else []

    def _search(self, criteria: Sequence[str]) -> list[int]:
        try:
            found = list(self._client.search(criteria))
        except ValueError:
            raise RetryableError("the IMAP server's answer to a search is no list of UIDs") from None
        return sorted(set(found)) or self._extended()

    def _extended(self) -> list[int]:
        """Read the answer of a server that answers every search as IMAP4rev2 does (ESEARCH: RFC 4731), which the library skips."""
        _, lines = self._client._imap.response("ESEARCH")  # noqa: SLF001 - the library has no other way to untagged responses
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
            sizes = self._client.fetch(chunk, ["RFC822.SIZE", "INTERNALDATE", "FLAGS"])
            for group in self._groups([uid for uid in chunk if b"RFC822.SIZE" in sizes.get(uid, ())], sizes):
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
            size, received_at, flags = sizes[uid][b"RFC822.SIZE"], _utc(sizes[uid][b"INTERNALDATE"]), _flags(sizes[uid])
            if b"BODY[]" in bodies.get(uid, ()):
                found.append(Fetched(uid, received_at, size, bytes(bodies[uid][b"BODY[]"] or b""), flags=flags))
            elif b"BODY[HEADER]<0>" in heads.get(uid, ()):
                found.append(Fetched(uid, received_at, size, None, bytes(heads[uid][b"BODY[HEADER]<0>"] or b""), flags))
        return found

    def has(self, folder: str, message_id: str) -> bool:
        """Say whether a folder holds a mail with this Message-ID; a folder that does not exist holds none."""
        if not self._client.folder_exists(folder) or self.examine(folder) is None:
            return False
        return bool(self._search(["HEADER", "Message-ID", message_id]))

    def file(self, folder: str, raw: bytes) -> None:
        """Put a mail into a folder as one that was read; the folder is made where it is missing."""
        if not self._client.folder_exists(folder):
            self._client.create_folder(folder)
        self._client.append(folder, raw, flags=(b"\\Seen",), msg_time=datetime.now(UTC))


def _flags(data: Any) -> tuple[str, ...]:
    """Return what somebody has marked a mail with: answered, flagged, forwarded, and keywords."""
    told = [bytes(flag) for flag in data.get(b"FLAGS", ()) if bytes(flag).lower() not in _UNTOLD_FLAGS]
    return tuple(sorted(flag.decode("utf-8", "replace") for flag in told))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _refused(error: Exception, what: str) -> ConfigError | RetryableError:
    if any(f"[{code}" in str(error).upper() for code in TEMPORARY):
        return RetryableError(f"the IMAP server cannot open {what} now")
    return ConfigError(f"the IMAP server refuses {what}; check what the account may read")
