"""Lists that can only be asked for by offset or page number, while rows come and go."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import msgspec

from threadline.sdk.contract import JSON, Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import read_cursor, write_cursor
from threadline.sdk.errors import RetryableError


class Slice(msgspec.Struct, frozen=True):
    """What is asked for: `size` rows from `offset` (from 0) on; with `numbered` that is page `offset // size`, counted from 0."""

    offset: int
    size: int


class Sliced(msgspec.Struct, frozen=True):
    """What was there: `ids` has one for every row in the list's order, also for rejected ones; `more` says whether rows follow."""

    records: Sequence[bytes]
    ids: Sequence[str | int]
    more: bool
    rejected: Sequence[Rejected] = ()


_REPEATS = 10

Fetch: TypeAlias = Callable[[Slice], Sliced]


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The scan has read as far as `row`, and `ids` are those of its last page; empty after a whole scan."""

    row: int = 0
    ids: list[JSON] = []


class Offsets(Kind, frozen=True):
    """All rows with every scan, in pages that overlap: none that is there throughout is missed, however others come and go.

    A page counts only if it holds a row of the page before it, or begins the list; otherwise rows have moved up, and the
    scan steps back until it meets them. Assumes that rows keep their order among themselves, so sort by an id or by the
    time of creation, never by a time of change, and that one page is one look at the list.
    With `numbered` the source takes only page numbers: pages then overlap by their sizes, any of which up to `size` it must take.
    """

    lists_all = True

    size: int = 100
    numbered: bool = False

    def __post_init__(self) -> None:
        least = 25 if self.numbered else 2
        if self.size < least:
            raise ValueError(f"pages of {self.size} rows cannot overlap everywhere and get on; take {least} or more")

    def __str__(self) -> str:
        return f"as a whole each time, by {'page number' if self.numbered else 'offset'} in overlapping pages"

    def scan(self, saved: Cursor | None, fetch: Fetch) -> Iterator[Page]:
        """Yield the rest of a scan that was broken off, then all rows."""
        place = read_cursor(self, saved, _Saved)
        if place.ids:
            yield from self._pages(place.row, place.ids, fetch)
        yield from self._pages(0, [], fetch)

    def _pages(self, row: int, known: list[JSON], fetch: Fetch) -> Iterator[Page]:
        """Read on from the row that was the last one of `known`."""
        more, repeated = True, 0
        while more:
            asked = self._around(row)
            found = fetch(asked)
            if asked.offset and set(known).isdisjoint(found.ids):
                row = max(0, asked.offset - self.size + 1)
                continue
            more = found.more
            # Rows that came in above may move a page down as a whole, but hardly again and again.
            repeated = repeated + 1 if list(found.ids) == known else 0
            if (more and not found.ids) or repeated == _REPEATS:
                raise RetryableError("the source says that there are more rows, but another offset does not lead to them")
            known, row = list(found.ids), asked.offset + len(found.ids) - 1
            if repeated and len(known) > 1 and not more:
                # What is on both sides of more rows is an answer to another question.
                more = True
                continue
            yield Page(found.records, write_cursor(_Saved(row, known) if more else _Saved()), found.rejected)

    def _around(self, row: int) -> Slice:
        """Return the page that holds `row` and reaches furthest beyond it."""
        if not self.numbered:
            return Slice(row, self.size)
        size = max(range(1, self.size + 1), key=lambda size: (row // size + 1) * size)
        return Slice(row // size * size, size)
