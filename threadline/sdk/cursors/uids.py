"""Numbers that only grow, for as long as a folder keeps its numbering (IMAP: RFC 9051, 2.3.1.1)."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from threadline.sdk.contract import Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import read_cursor, write_cursor
from threadline.sdk.errors import RetryableError


class _Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    uidvalidity: int
    uid: int


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folders: dict[str, _Position] = {}


class Numbered(msgspec.Struct, frozen=True):
    """Some records of a folder, in the order of their UIDs; `last` is the highest UID that has been looked at."""

    records: Sequence[bytes]
    last: int
    rejected: Sequence[Rejected] = ()


class Uids(Kind, frozen=True):
    """What has a higher UID than any read before, folder by folder: every record that is added is read once.

    A folder whose UIDVALIDITY has changed is numbered anew, and read again. Folders may come and go; their positions stay.
    Assumes that records are added with ascending UIDs and never change. That one is deleted is not seen.
    """

    lists_all = True

    def __str__(self) -> str:
        return "by UID, folder by folder"

    def scan(
        self,
        saved: Cursor | None,
        folders: Iterable[str],
        examine: Callable[[str], int | None],
        fetch: Callable[[str, int, int], Iterable[Numbered]],
    ) -> Iterator[Page]:
        """Yield what is new in the folders.

        `examine` opens a folder and returns its UIDVALIDITY (None: it has gone); `fetch` is given folder, UIDVALIDITY and
        the first UID that is wanted.
        """
        positions = dict(read_cursor(self, saved, _Saved).folders)
        for folder in folders:
            uidvalidity = examine(folder)
            if uidvalidity is None:
                continue
            known = positions.get(folder)
            last = known.uid if known and known.uidvalidity == uidvalidity else 0
            for found in fetch(folder, uidvalidity, last + 1):
                if found.last <= last:
                    raise RetryableError(f"the UIDs of folder {folder!r} do not ascend")
                last = found.last
                positions[folder] = _Position(uidvalidity, last)
                yield Page(found.records, write_cursor(_Saved(positions)), found.rejected)
