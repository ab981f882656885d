"""Sources that keep the reader's place themselves."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from threadline.sdk.contract import JSON, Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import foreign_cursor
from threadline.sdk.errors import RetryableError


class Following(msgspec.Struct, frozen=True):
    """What follows a position: `next` is the position behind it (None: the old one stays), `more` says whether to go on at once."""

    records: Sequence[bytes]
    next: JSON
    more: bool
    rejected: Sequence[Rejected] = ()


class Opaque(Kind, frozen=True):
    """What the vendor says has changed since a position that the vendor gave: as complete as the vendor's promise.

    Assumes that a position stays good after the last page, and that records which change or appear late come after it.
    `name` is the vendor's word for the position.
    """

    name: str

    def __str__(self) -> str:
        return f"by the source's own {self.name}"

    def scan(self, saved: Cursor | None, fetch: Callable[[JSON], Following | None]) -> Iterator[Page]:
        """Yield what follows the saved position; `fetch` is given None for the beginning, and returns None for "nothing yet"."""
        if saved and list(saved) != [self.name]:
            raise foreign_cursor(self)
        position = saved[self.name] if saved else None
        while found := fetch(position):
            yield Page(found.records, None if found.next is None else {self.name: found.next}, found.rejected)
            if not found.more:
                return
            if found.next in (None, position):
                raise RetryableError(f"the source says that there is more, but does not get past its {self.name}; larger pages may help")
            position = found.next
