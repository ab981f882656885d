"""Numbers that only grow, for as long as a folder keeps its numbering (IMAP: RFC 9051, 2.3.1.1)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from threadline.sdk.contract import Attachment, Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.ranges import Ranges
from threadline.sdk.cursors.saved import foreign_cursor, read_cursor, write_cursor
from threadline.sdk.errors import RetryableError

_MOST_PIECES = 2_000
"""Gaps among the UIDs of a folder that a cursor remembers; it is stored with every page."""


class _Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    uidvalidity: int
    uid: int
    present: str | None = None
    modseq: int | None = None


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    folders: dict[str, _Position] = {}


class Before(msgspec.Struct, frozen=True):
    """What earlier scans saw of a folder: its numbering, the highest UID, which UIDs were there, and the server's modification sequence.

    `present` is None where that is not known, or has more gaps than a cursor carries.
    """

    uidvalidity: int
    uid: int = 0
    present: Ranges | None = Ranges()
    modseq: int | None = None


class Numbered(msgspec.Struct, frozen=True):
    """Some records of a folder, in the order of their UIDs; `last` is the highest UID that has been looked at, `uids` are those found."""

    records: Sequence[bytes]
    last: int
    rejected: Sequence[Rejected] = ()
    uids: Sequence[int] = ()
    attachments: Sequence[Attachment] = ()


class Noticed(msgspec.Struct, frozen=True):
    """What has become of mails that were read: records that say so, and which UIDs are `gone` (ascending).

    `modseq` is what the server's modification sequence was when it was asked; None while there is more to come.
    """

    records: Sequence[bytes] = ()
    gone: Sequence[int] = ()
    modseq: int | None = None
    rejected: Sequence[Rejected] = ()
    attachments: Sequence[Attachment] = ()


_Found: TypeAlias = Numbered | Noticed


class Uids(Kind, frozen=True):
    """What has a higher UID than any read before, folder by folder: every record that is added is read once.

    A folder whose UIDVALIDITY has changed is numbered anew, and read again. Folders may come and go; their positions stay.
    Assumes that records are added with ascending UIDs. That one has changed or is gone is told where the connector looks back.
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
        look_back: Callable[[str, int, Before], Iterable[Noticed]] | None = None,
    ) -> Iterator[Page]:
        """Yield what is new in the folders, and what has become of what was there.

        `examine` opens a folder and returns its UIDVALIDITY (None: it has gone); `fetch` is given folder, UIDVALIDITY and
        the first UID that is wanted. `look_back` is given folder, UIDVALIDITY and what was seen before, maybe under another
        UIDVALIDITY: then all of that is gone.
        """
        places = {folder: self._before(position) for folder, position in read_cursor(self, saved, _Saved).folders.items()}
        for folder in folders:
            uidvalidity = examine(folder)
            if uidvalidity is None:
                continue
            begin = places.get(folder)
            for found in self._folder(places, folder, uidvalidity, fetch, look_back):
                yield Page(found.records, _cursor(places), found.rejected, found.attachments)
                begin = places[folder]
            if places.get(folder) != begin:
                yield Page((), _cursor(places))

    def _folder(
        self,
        places: dict[str, Before],
        folder: str,
        uidvalidity: int,
        fetch: Callable[[str, int, int], Iterable[Numbered]],
        look_back: Callable[[str, int, Before], Iterable[Noticed]] | None,
    ) -> Iterator[_Found]:
        fresh = Before(uidvalidity, present=Ranges() if look_back else None)
        place = places.get(folder, fresh)
        for noticed in look_back(folder, uidvalidity, place) if look_back else ():
            place = places[folder] = _after(place, noticed)
            if noticed.records or noticed.rejected:
                yield noticed
        if place.uidvalidity != uidvalidity:
            place = Before(uidvalidity, 0, fresh.present, place.modseq)
        for found in fetch(folder, uidvalidity, place.uid + 1):
            if found.last <= place.uid:
                raise RetryableError(f"the UIDs of folder {folder!r} do not ascend")
            present = None if place.present is None else place.present.followed_by(found.uids)
            place = places[folder] = _bounded(Before(uidvalidity, found.last, present, place.modseq))
            yield found

    def _before(self, position: _Position) -> Before:
        try:
            present = None if position.present is None else Ranges.parse(position.present)
        except ValueError:
            raise foreign_cursor(self) from None
        return Before(position.uidvalidity, position.uid, present, position.modseq)


def _after(place: Before, noticed: Noticed) -> Before:
    present = None if place.present is None else place.present.without(noticed.gone)
    return _bounded(Before(place.uidvalidity, place.uid, present, noticed.modseq or place.modseq))


def _bounded(place: Before) -> Before:
    if place.present is None or place.present.pieces <= _MOST_PIECES:
        return place
    return Before(place.uidvalidity, place.uid, None, place.modseq)


def _cursor(places: dict[str, Before]) -> Cursor:
    positions = {
        folder: _Position(place.uidvalidity, place.uid, None if place.present is None else str(place.present), place.modseq)
        for folder, place in places.items()
    }
    return write_cursor(_Saved(positions))
