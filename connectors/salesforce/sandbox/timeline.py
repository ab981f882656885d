"""An object's records in the order (SystemModstamp, Id), so that a page of 100,000 records costs no look at all of them."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from threadline.testing.sandbox import Document, Shelf

_AT_ONCE = 1_000
_LAST = "~"
"""Above every id."""


class Timeline:
    """Follows a shelf, which outlives it."""

    def __init__(self, shelf: Shelf, sobject: str) -> None:
        self._shelf = shelf
        self._sobject = sobject
        self._order: list[tuple[str, str]] = []
        self._stamps: dict[str, str] = {}
        self._seen = 0

    def between(self, lower: str, upper: str) -> Iterator[Document]:
        """Yield the records with lower <= SystemModstamp <= upper, both written as responses write them."""
        self._catch_up()
        first, end = bisect_left(self._order, (lower, "")), bisect_right(self._order, (upper, _LAST))
        for at in range(first, end):
            record = self._shelf.get(self._sobject, self._order[at][1])
            if record is not None:
                yield record

    def _catch_up(self) -> None:
        while changed := self._shelf.after(self._sobject, self._seen, _AT_ONCE):
            for seq, record in changed:
                self._place(record["Id"], record["SystemModstamp"])
                self._seen = seq

    def _place(self, identity: str, stamp: str) -> None:
        before = self._stamps.get(identity)
        if before == stamp:
            return
        if before is not None:
            del self._order[bisect_left(self._order, (before, identity))]
        self._stamps[identity] = stamp
        insort(self._order, (stamp, identity))
