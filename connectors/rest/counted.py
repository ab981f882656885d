"""Lists whose pages or records are counted, while records come and go."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from connectors.rest.documents import Fields
from connectors.rest.pager import Answer, Ask, At, Found, Pager
from connectors.rest.pagings import Offset, PageNumber
from threadline.sdk import ConfigError, Offsets, RetryableError
from threadline.sdk.cursors import Slice, Sliced

_FAR = 1000
"""Pages; a list does not grow by so many between two calls."""


class Counted(Pager[PageNumber | Offset]):
    """Pages or records are counted."""

    keys = frozenset({"row", "ids"})

    def __init__(self, name: str, declared: PageNumber | Offset, key: tuple[str, ...]) -> None:
        super().__init__(name, declared)
        self._pages = declared.pages if isinstance(declared, PageNumber) else None
        self.around = tuple(path for path in (declared.total, declared.more, self._pages) if path)
        self._key = Fields(key)

    def ids(self, answer: Answer) -> list[str]:
        """Return what the records are known by."""
        return [self._id(record) for record in answer.records]

    def _id(self, record: bytes) -> str:
        values = self._key.read(record)
        return blake2b(record, digest_size=12).hexdigest() if None in values else ":".join(map(str, values))

    def more(self, answer: Answer, read: int, page: int) -> bool | None:
        """Whether the answer says that there is more behind so many records, and pages; None when it does not say."""
        if self.declared.more:
            return answer.around.get(self.declared.more) not in (None, False, "", 0, [], {})
        if self._pages:
            return page < self._number(answer, self._pages, answer.around.get(self._pages))
        if header := self.declared.total_header:
            return read < self._number(answer, f"header {header}", answer.headers.get(header.lower()))
        if self.declared.total:
            return read < self._number(answer, self.declared.total, answer.around.get(self.declared.total))
        return None

    def _number(self, answer: Answer, place: str, given: Any) -> int:
        try:
            return int(str(given))
        except ValueError:
            if not answer.records:
                return 0
            raise RetryableError(f"{self.name}: {place} is no number") from None


class Slices(Counted):
    """Pages overlap, so that what slips over the edge of one is noticed."""

    def __init__(self, name: str, declared: PageNumber | Offset, key: tuple[str, ...]) -> None:
        super().__init__(name, declared, key)
        self._answer = Answer(())
        self._ids: list[str] = []
        self._offsets = Offsets(declared.size, numbered=isinstance(declared, PageNumber))

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page, and before it those that another one has slipped into."""
        page = next(self._offsets.scan(at, lambda asked: self._slice(ask, asked)))
        before = set(at["ids"]) if at else ()
        records = [record for record, identity in zip(page.records, self._ids, strict=True) if identity not in before]
        return Found(records, page.cursor or None, bool(page.cursor), self._answer)

    def _slice(self, ask: Ask, asked: Slice) -> Sliced:
        answer = ask(self._values(asked))
        count = len(answer.records)
        more = self.more(answer, asked.offset + count, asked.offset // asked.size + 1)
        if more is None:
            # A short page may be the last one, or as much as the API gives at once.
            more = count == asked.size or bool(count and self._behind(ask, asked, count))
        if more and count < asked.size and isinstance(self.declared, PageNumber):
            raise ConfigError(
                f"{self.name}: of {asked.size} records on a page {count} came, and there are more: lower paging.size, or take {{size}} "
                "out of the parameters, where the API makes its pages as it likes"
            )
        self._answer, self._ids = answer, self.ids(answer)
        return Sliced(answer.records, self._ids, more)

    def _behind(self, ask: Ask, asked: Slice, count: int) -> Sequence[bytes]:
        offset = asked.offset + (asked.size if isinstance(self.declared, PageNumber) else count)
        return ask(self._values(Slice(offset, asked.size))).records

    def _values(self, asked: Slice) -> Mapping[str, Any]:
        if isinstance(self.declared, PageNumber):
            return {"page": self.declared.first + asked.offset // asked.size, "size": asked.size}
        return {"offset": asked.offset, "size": asked.size}


class Numbered(Counted):
    """Pages are as large as the API makes them: after each, the one before it is looked at again, for what has slipped into it.

    So nothing is missed while records go and others are added at one end of the list.
    """

    declared: PageNumber

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page; `row` is its number, and `ids` are those of the page before it."""
        number, known = (at["row"], set(at["ids"])) if at else (0, set[str]())
        answer = ask({"page": self.declared.first + number})
        ids = self.ids(answer)
        more = self.more(answer, 0, number + 1) if not self._totals else None
        if more is None:
            more = bool(answer.records) and not (at and ids == at["ids"] and self._repeats(ask, number, ids))
        found = [*self._slipped(ask, number, known), *answer.records]
        return Found(found, {"row": number + 1, "ids": ids} if more else None, more, answer)

    def _repeats(self, ask: Ask, number: int, ids: list[str]) -> bool:
        """Whether whatever is beyond the last page is the last one again; new records in front can only move the list by some pages."""
        return self.ids(ask({"page": self.declared.first + number + _FAR})) == ids

    @property
    def _totals(self) -> bool:
        # How many came before is not known for pages of any size: the list ends with an empty page.
        return not (self.declared.more or self.declared.pages)

    def _slipped(self, ask: Ask, number: int, known: set[str]) -> list[bytes]:
        """Return what moved up while the list was read: as far back as a page has nothing that was read before."""
        slipped: list[bytes] = []
        while known and number > 0:
            number -= 1
            answer = ask({"page": self.declared.first + number})
            ids = self.ids(answer)
            slipped = [record for record, identity in zip(answer.records, ids, strict=True) if identity not in known] + slipped
            if not known.isdisjoint(ids):
                break
        return slipped
