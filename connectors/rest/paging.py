"""How a list is read page by page."""

from typing import Any

from requests.utils import parse_header_links

from connectors.rest.counted import Numbered, Slices
from connectors.rest.declaration import StreamFile
from connectors.rest.documents import Fields
from connectors.rest.pager import Answer, Ask, At, Found, Pager
from connectors.rest.pagings import CursorPaging, Keyset, Link, NextUrl, Offset, PageNumber, Position
from connectors.rest.request import texts_of
from connectors.rest.template import placeholders
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.yamlfile import is_list, is_mapping


class Single(Pager[None]):
    """There is one page."""

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read it."""
        answer = ask({})
        return Found(answer.records, None, False, answer)


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
            return Found(answer.records, None, False, answer)
        if isinstance(found, bool) or is_list(found) or is_mapping(found):
            raise ConfigError(f"{self.name}: {self._at} of the answer is no {self._key}")
        following = {self._key: answer.address(found) if self._key == "url" else found}
        more = self._goes_on(answer)
        if more and following == at:
            if answer.records:
                raise RetryableError(f"{self.name} says that there is more, but leads to the same page again")
            more = False
        return Found(answer.records, following, more, answer)

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


class Keysets(Pager[Keyset]):
    """Each page begins at the last record of the one before; where the API includes that record, it comes twice."""

    def __init__(self, name: str, declared: Keyset) -> None:
        super().__init__(name, declared)
        self.keys = frozenset({"last", "tie"} if declared.tie else {"last"})
        self._field = Fields((declared.field, *([declared.tie] if declared.tie else [])))

    def read(self, ask: Ask, at: At | None) -> Found:
        """Read a page; the list ends with one that brings nothing beyond its beginning."""
        place = {"last": self.declared.start, "tie": self.declared.tie_start, **(at or {})}
        answer = ask({**place, "size": self.declared.size})
        records = answer.records
        if not records:
            return Found(records, at, False, answer)
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
        return Found(records, following, more, answer)

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
        case PageNumber() if "size" not in placeholders(texts_of(stream)):
            return Numbered(name, stream.paging, stream.keys)
        case PageNumber() | Offset():
            return Slices(name, stream.paging, stream.keys)
        case _:
            return Chain(name, stream.paging, kept=isinstance(stream.cursor, Position))
