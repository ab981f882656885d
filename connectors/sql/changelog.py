"""How far a table of changes has been read, though its entries become visible in another order than they are numbered in.

An entry is numbered when it is written, and seen when its transaction commits: below any number that was seen, others may
still come to light. So each scan begins where the last one could be sure that none would.
"""

import logging
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec.structs import replace

from threadline.sdk import JSON, Cursor, Page
from threadline.sdk.cursors import Position, Rows
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import read_cursor, write_cursor

logger = logging.getLogger(__name__)

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_MARKS = 16
"""Into how many steps the marks divide the overlap."""


class Transactions(msgspec.Struct, frozen=True):
    """What a database that numbers its transactions says of them: the number of the next one, and of the oldest still under way."""

    next: int
    oldest: int


class Look(msgspec.Struct, frozen=True):
    """The last entry (None: there is none), and then the transactions and the time, read in this order."""

    last: JSON
    transactions: Transactions | None
    now: datetime


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The last entry that was there at a time, and which transactions may have numbered an entry below it."""

    at: _Moment
    last: JSON
    next: int | None = None


class Log(Protocol):
    """A table and the table of its changes; entries are named by their order, as a position writes it."""

    def look(self) -> Look:
        """Say how far the entries reach now."""
        ...

    def holds(self, entry: JSON) -> bool:
        """Whether entries from this one on are there, as far as that can be seen: some up to it, and some from it on."""
        ...

    def rows(self, after: Position | None) -> Rows:
        """Return rows of the table in the order of its key."""
        ...

    def changed(self, above: JSON, upto: JSON, after: Position | None) -> Rows:
        """Return the rows that entries above one (None: from the first) and up to another tell of, in the entries' order."""
        ...


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that was visible when the last scan began has been read, once `whole`.

    Up to `settled` no entry came to light after that moment; `marks` may become so. With `part` a scan is under way.
    """

    whole: bool = False
    settled: JSON = None
    marks: list[Mark] = []
    part: Literal["table", "log"] | None = None
    above: JSON = None
    upto: JSON = None
    at: Position | None = None


class ChangeLog(Kind, frozen=True):
    """What a table of changes tells of: every row ends at its latest version, and rows that are gone are told of.

    The first scan reads the table. Each later one reads the entries above those that were settled when the one before it began:
    an entry is settled `overlap` after it was seen last, and once all transactions that began before have ended, where the
    database says so. Assumes that entries are numbered upwards, and seen within `overlap` of that where it does not say.
    Where entries that are needed are gone, the table is read again.
    """

    lists_all = True

    name: str
    overlap: timedelta

    def __str__(self) -> str:
        return f"by the changes in {self.name}"

    def scan(self, saved: Cursor | None, log: Log) -> Iterator[Page]:
        """Yield the rest of a scan that was broken off, then what has changed."""
        place = read_cursor(self, saved, _Place)
        if place.part == "log":
            place = self._unbroken(place, place.at[0] if place.at else place.above, log)
        if place.part:
            place = yield from _pages(place, log)
        place = self._unbroken(place, place.settled, log)
        yield from _pages(self._begun(place, log.look()), log)

    def _unbroken(self, place: _Place, entry: JSON, log: Log) -> _Place:
        """Return the place, or the beginning of all where the entries that follow it are gone."""
        if entry is None or log.holds(entry):
            return place
        logger.warning(
            "%s no longer holds the changes since the last pull, so the table is read again: threadline reconcile finds what was deleted",
            self.name,
        )
        return _Place()

    def _begun(self, place: _Place, look: Look) -> _Place:
        """Begin a scan of all that is visible now."""
        marks = self._marks(place, look)
        settled = place.settled
        while marks and self._is_settled(marks[0], look):
            settled = marks.pop(0).last
        if place.whole:
            return _Place(place.whole, settled, marks, "log", place.settled, look.last)
        return _Place(place.whole, settled, marks, "table")

    def _marks(self, place: _Place, look: Look) -> list[Mark]:
        """Add a mark, unless it says nothing new; of those that are close together the older one is enough."""
        newest = place.marks[-1] if place.marks else None
        if look.last is None or look.last == (newest.last if newest else place.settled):
            return [*place.marks]
        if newest and look.now - newest.at < self.overlap / _MARKS:
            return [*place.marks]
        return [*place.marks, Mark(look.now, look.last, look.transactions.next if look.transactions else None)]

    def _is_settled(self, mark: Mark, look: Look) -> bool:
        if look.now - mark.at < self.overlap:
            return False
        known = look.transactions
        # A number that is still to be given out is another server's: a copy of the database does not go on with them.
        return mark.next is None or known is None or mark.next <= known.oldest or mark.next > known.next


def _pages(place: _Place, log: Log) -> Generator[Page, None, _Place]:
    """Read a scan from its place on; return the place that it ends at."""
    more = True
    while more:
        rows = log.rows(place.at) if place.part == "table" else log.changed(place.above, place.upto, place.at)
        more = rows.more
        place = replace(place, at=rows.last) if more else _Place(True, place.settled, place.marks)
        yield Page(rows.records, write_cursor(place), rows.rejected)
    return place
