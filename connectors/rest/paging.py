"""How a list is read page by page. A position in it is JSON, so that a scan that broke off can go on there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import blake2b
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import urljoin

from msgspec import Struct, field
from requests.utils import parse_header_links

from connectors.rest.declaration import CursorPaging, Keyset, Link, NextUrl, Offset, PageNumber, Position, StreamFile
from connectors.rest.documents import Fields
from threadline.sdk import JSON, ConfigError, Offsets, RetryableError
from threadline.sdk.cursors import Slice, Sliced
from threadline.sdk.yamlfile import is_list, is_mapping

At: TypeAlias = Mapping[str, JSON]
"""Where a page begins."""
DeclaredT = TypeVar("DeclaredT")


class Answer(Struct, frozen=True):
    """One response: its records, what was asked for of the body around them, and headers by their names in small letters."""

    records: Sequence[bytes]
    around: Mapping[str, Any] = field(default_factory=dict[str, Any])
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Found(Struct, frozen=True):
    """One page: `at` is where the next one begins (None: nowhere), `more` says whether there is one by now."""

    records: Sequence[bytes]
    at: At | None
    more: bool


class Ask(Protocol):
    """Makes one call: the stream's own with these placeholders, or to the address that the last answer led to."""

    def __call__(self, values: Mapping[str, Any], url: str | None = None) -> Answer: ...  # noqa: D102


class Pager(ABC, Generic[DeclaredT]):
    """One kind of paging. `around` are the paths of a body that it has to see, `keys` what a position consists of."""

    around: tuple[str, ...] = ()
    keys: AbstractSet[str] = frozenset()

    def __init__(self, name: str, declared: DeclaredT) -> None:
        self.name = name
        self.declared = declared

    @abstractmethod
    def read(self, ask: Ask, at: At | None) -> Found:
        """Read the page at a position, None: the first one."""


class Single(Pager[None]):
    """There is one page."""

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read it."""
        return Found(ask({}).records, None, more=False)


class Chain(Pager[Link | NextUrl | CursorPaging]):
    """Each answer leads to the next one, by an address (`url`) or a cursor (`cursor`)."""

    def __init__(self, name: str, declared: Link | NextUrl | CursorPaging, *, kept: bool) -> None:
        super().__init__(name, declared)
        self._key = "cursor" if isinstance(declared, CursorPaging) else "url"
        self.keys = {self._key}
        self._at = None if isinstance(declared, Link) else declared.at
        self._header = None if isinstance(declared, Link) else declared.header
        self._more = None if isinstance(declared, Link) else declared.more
        self._done = None if isinstance(declared, Link) else declared.done
        # A position that is kept for the next read never runs out: an empty page is then the last one.
        self._ends_empty = kept and not self._more and not self._done
        self.around = tuple(path for path in (self._at, self._more, self._done) if path)

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page; the list ends where there is no link or cursor, or where the body says so."""
        position = at or {}
        answer = ask({"cursor": position.get("cursor"), "size": self.declared.size}, url=position.get("url"))
        found = self._next(answer)
        # Some languages write [] for an object that is empty.
        if found is None or found is False or found in ("", [], {}):
            if self._more and answer.around.get(self._more):
                raise RetryableError(f"{self.name} says that there is more, but not where ({self._at or self._header} is missing)")
            return Found(answer.records, None, more=False)
        if isinstance(found, bool) or is_list(found) or is_mapping(found):
            raise ConfigError(f"{self.name}: {self._at} of the answer is no {self._key}")
        following = {self._key: urljoin(answer.url, str(found)) if self._key == "url" else found}
        more = self._goes_on(answer)
        if more and following == at:
            if answer.records:
                raise RetryableError(f"{self.name} says that there is more, but leads to the same page again")
            more = False
        return Found(answer.records, following, more)

    def _next(self, answer: Answer) -> Any:
        if self._at:
            return answer.around.get(self._at)
        if self._header:
            return answer.headers.get(self._header.lower())
        return _next_link(answer.headers.get("link", ""))

    def _goes_on(self, answer: Answer) -> bool:
        if self._more:
            return bool(answer.around.get(self._more))
        if self._done:
            return not answer.around.get(self._done)
        return bool(answer.records) or not self._ends_empty


def _next_link(header: str) -> str | None:
    # RFC 8288: rel may name several relations.
    links = parse_header_links(header)
    return next((link["url"] for link in links if "next" in link.get("rel", "").lower().split()), None)


class Slices(Pager[PageNumber | Offset]):
    """Pages or records are counted; pages overlap, so that what slips over the edge of one is noticed."""

    keys = frozenset({"row", "ids"})

    def __init__(self, name: str, declared: PageNumber | Offset, key: tuple[str, ...]) -> None:
        super().__init__(name, declared)
        self.around = (declared.total,) if declared.total else ()
        self._key = Fields(key)
        self._ids: list[str] = []
        self._offsets = Offsets(declared.size, numbered=isinstance(declared, PageNumber))

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page, and before it those that another one has slipped into."""
        page = next(self._offsets.scan(at, lambda asked: self._slice(ask, asked)))
        before = set(at["ids"]) if at else ()
        records = [record for record, identity in zip(page.records, self._ids, strict=True) if identity not in before]
        return Found(records, page.cursor or None, more=bool(page.cursor))

    def _slice(self, ask: Ask, asked: Slice) -> Sliced:
        answer = ask(self._values(asked))
        count = len(answer.records)
        total = self._total(answer)
        # Without a total, a short page may be the last one, or as much as the API gives at once.
        more = asked.offset + count < total if total is not None else count == asked.size or bool(count and self._behind(ask, asked, count))
        if more and count < asked.size and isinstance(self.declared, PageNumber):
            raise ConfigError(f"{self.name}: of {asked.size} records on a page {count} came, and there are more: lower paging.size")
        self._ids = [self._id(record) for record in answer.records]
        return Sliced(answer.records, self._ids, more)

    def _behind(self, ask: Ask, asked: Slice, count: int) -> Sequence[bytes]:
        offset = asked.offset + (asked.size if isinstance(self.declared, PageNumber) else count)
        return ask(self._values(Slice(offset, asked.size))).records

    def _values(self, asked: Slice) -> Mapping[str, Any]:
        if isinstance(self.declared, PageNumber):
            return {"page": self.declared.first + asked.offset // asked.size, "size": asked.size}
        return {"offset": asked.offset, "size": asked.size}

    def _id(self, record: bytes) -> str:
        values = self._key.read(record)
        return blake2b(record, digest_size=12).hexdigest() if None in values else ":".join(map(str, values))

    def _total(self, answer: Answer) -> int | None:
        header, path = self.declared.total_header, self.declared.total
        if not header and not path:
            return None
        given = answer.headers.get(header.lower()) if header else answer.around.get(str(path))
        try:
            return int(str(given))
        except ValueError:
            if not answer.records:
                return 0
            raise RetryableError(f"{self.name}: {f'header {header}' if header else path} is no number of records") from None


class Keysets(Pager[Keyset]):
    """Each page begins at the last record of the one before; where the API includes that record, it comes twice."""

    def __init__(self, name: str, declared: Keyset) -> None:
        super().__init__(name, declared)
        self.keys = frozenset({"last", "tie"} if declared.tie else {"last"})
        self._field = Fields((declared.field, *([declared.tie] if declared.tie else [])))

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page; the list ends with one that brings nothing beyond its beginning."""
        place = {"last": self.declared.start, "tie": self.declared.tie_start, **(at or {})}
        records = ask({**place, "size": self.declared.size}).records
        if not records:
            return Found(records, at, more=False)
        first, last = (self._field.read(record) for record in (records[0], records[-1]))
        self._require_order(first[0], last[0])
        following: dict[str, Any] = dict(zip(("last", "tie"), last, strict=False))
        if following.get("tie", "") is None:
            raise ConfigError(f"{self.name}: paging.tie {self.declared.tie!r} is missing in a record")
        more = following != at
        if not more and len(records) >= self.declared.size:
            raise ConfigError(
                f"{self.name}: more than a page of records have the same {self.declared.field}; ask for larger pages, page by another "
                "field, or say with `tie` what those are in order of"
            )
        return Found(records, following, more)

    def _require_order(self, first: Any, last: Any) -> None:
        by = self.declared.field
        if not isinstance(last, str | int | float) or type(first) is not type(last):
            raise ConfigError(f"{self.name}: paging.field {by!r} is missing in a record, or not of one kind in all")
        if not _ascending(first, last):
            raise ConfigError(f"{self.name}: the records are not in ascending order of {by}; add the parameter that sorts them")


def _ascending(first: Any, last: Any) -> bool:
    if isinstance(first, str) and first.isdecimal() and last.isdecimal():
        first, last = int(first), int(last)
    return bool(first <= last)


def make_pager(name: str, stream: StreamFile) -> Pager[Any]:
    """Return the pager of a stream."""
    match stream.paging:
        case None:
            return Single(name, None)
        case Keyset():
            return Keysets(name, stream.paging)
        case PageNumber() | Offset():
            return Slices(name, stream.paging, stream.keys)
        case _:
            return Chain(name, stream.paging, kept=isinstance(stream.cursor, Position))
