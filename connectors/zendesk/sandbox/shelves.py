"""Reading the shelf in the order of changes, from any place or time, at the cost of what is read."""

from bisect import bisect_left
from collections.abc import Iterator

from connectors.zendesk.sandbox.records import Record
from threadline.testing.sandbox import Shelf


def changes(shelf: Shelf, kind: str, after: int, at_once: int) -> Iterator[tuple[int, Record]]:
    """Yield (place, document) of what changed after a place."""
    while rows := shelf.after(kind, after, at_once):
        yield from rows
        after = rows[-1][0]


def place_before(shelf: Shelf, kind: str, start: int) -> int:
    """Return a place right before the first document whose generated_timestamp is `start` or later."""

    def reached(place: int) -> bool:
        following = shelf.after(kind, place, 1)
        return not following or following[0][1]["generated_timestamp"] >= start

    beyond = 1
    while not reached(beyond):
        beyond *= 2
    return bisect_left(range(beyond + 1), x=True, key=reached)


def outside_exports(document: Record) -> Record:
    """Return a document as the rest of the API shows it."""
    return {name: value for name, value in document.items() if name != "generated_timestamp"}
