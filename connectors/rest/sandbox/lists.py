"""The order of a kind's records, in memory, so that a page does not cost a look at all of them."""

import threading
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from threadline.testing.sandbox import Document, Shelf

_Row = tuple[str, str, int, str]
"""Times of change and of creation, id and status."""
_ORDERS: Mapping[str, Callable[[_Row], tuple[Any, ...]]] = {
    "id": itemgetter(2, 3),
    "modified": itemgetter(0, 2),
    "date": itemgetter(1, 2),
}


class Lists:
    """Ids of one kind: by the time of change or creation, or by themselves, and by status."""

    def __init__(self, shelf: Shelf, kind: str) -> None:
        self._lock = threading.Lock()
        self._rows: dict[int, _Row] = {document["id"]: _row(document) for document in shelf.all(kind)}
        self._asked: tuple[str, ...] | None = None
        self._found: list[int] = []

    def put(self, document: Document) -> None:
        """Take note of a document that is new or has changed."""
        with self._lock:
            self._rows[document["id"]] = _row(document)
            self._asked = None

    def drop(self, identity: int) -> None:
        """Forget a document."""
        with self._lock:
            self._rows.pop(identity, None)
            self._asked = None

    def ids(self, wanted: Mapping[str, str]) -> list[int]:
        """Return the ids that the parameters of a list want; they exclude both bounds of the time of change."""
        after, before = wanted.get("modified_after", ""), wanted.get("modified_before", "9999")
        status, by, direction = wanted.get("status", "any"), wanted.get("orderby", "date"), wanted.get("order", "desc")
        asked = (after, before, status, by, direction)
        with self._lock:
            # The pages of one list come one after another.
            if asked != self._asked:
                rows = [row for row in self._rows.values() if after < row[0] < before and _in(row[3], status.split(","))]
                rows.sort(key=_ORDERS.get(by, _ORDERS["date"]), reverse=direction == "desc")
                self._asked, self._found = asked, [row[2] for row in rows]
            return self._found


def _row(document: Document) -> _Row:
    return document["date_modified_gmt"], document["date_created_gmt"], document["id"], document.get("status", "")


def _in(status: str, statuses: list[str]) -> bool:
    return status in statuses or ("any" in statuses and status != "trash")
