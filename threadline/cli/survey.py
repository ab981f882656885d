"""Looks at a list of somebody's JSON API, and finds out by a few calls where its records are and how its pages are reached."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from threadline.cli.survey_records import Changed, Place, elements, find_changed, find_key, find_place, look_up
from threadline.sdk.yamlfile import is_list, is_mapping

SIZES = ("limit", "per_page", "page_size", "size", "pageSize", "perPage", "_limit", "_size", "page[size]", "count", "$top", "rows")
OFFSETS = ("offset", "skip", "start", "_start", "startAt", "from", "page[offset]", "$skip")
PAGES = ("page", "_page", "page[number]", "pageNumber", "p", "@page_index")
CURSORS = ("cursor", "after", "page_token", "pageToken", "starting_after", "page[after]", "continuation", "since", "from")
SINCE = ("updated_since", "modified_since", "changed_since", "since", "updated_after", "modified_after", "updated_from", "updatedSince")
SINCE_ENDS = ("_gte", "__gte", "[gte]", "_min", "_after", "_from", "_since", ".gte")
_FAR = (datetime(1971, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC))
_TIMES = {
    "rfc3339": [time.strftime("%Y-%m-%dT%H:%M:%SZ") for time in _FAR],
    "unix": [str(int(time.timestamp())) for time in _FAR],
    "unix_ms": [str(int(time.timestamp()) * 1000) for time in _FAR],
}
_LEADS_ON = re.compile(r"next|cursor|after|token|continu|bookmark|scroll|end|last", re.IGNORECASE)
_TOTAL = re.compile(r"total|count|matched", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://|[/?]")
_MOST = 100
"""Records that are asked for at once, where the API gives as many."""


class Answer(Struct, frozen=True):
    """One answer: the body, and its headers by their names in small letters."""

    body: Any
    headers: Mapping[str, str]


Ask = Callable[[Mapping[str, str]], Answer | None]
"""Asks for the list with parameters; None where the API refuses them."""


class Paging(Struct, frozen=True):
    """How further pages are reached, in the words of an API file."""

    parameters: Mapping[str, str]
    paging: str | None


class Survey(Struct, frozen=True):
    """What was found: the records of the first answer, where they are, their key (and what lies deeper and is one), the pages.

    `since` is a parameter that takes a time for a bound.
    """

    place: Place
    records: Sequence[Mapping[str, Any]]
    key: str | None
    add: Mapping[str, str]
    paging: Paging
    changed: Changed | None = None
    since: str | None = None


def survey(first: Answer, ask: Ask) -> Survey | None:
    """Look at a list, whose answer without parameters is the first; None where that has no records."""
    place = find_place(first.body)
    if not place:
        return None
    records = elements(first.body, place)
    key, add = find_key(records)
    pages = _Pages(ask, place, add.get(key or "", key), first)
    changed = find_changed(records)
    return Survey(place, records, key, add, pages.find(), changed, pages.since(changed) if changed else None)


def yaml_text(value: str) -> str:
    """Write a text so that YAML takes it for one, also among others in braces."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value) and value.lower() not in ("null", "true", "false", "yes", "no", "on", "off")
    return value if plain else msgspec.json.encode(value).decode()


class _Pages:
    """Tries ways to reach further pages: one counts only when its answers are what it would give."""

    def __init__(self, ask: Ask, place: Place, key: str | None, first: Answer) -> None:
        self._ask = ask
        self._place = place
        self._key = key
        self._first = first
        self._ids = self._ids_of(first)

    def find(self) -> Paging:
        """Return the first way that works; without paging where none does."""
        return self.way() or self._of_smaller_pages() or Paging({}, None)

    def way(self) -> Paging | None:
        """Return the first way that works with pages as they come."""
        return next((found for way in (self._links, self._cursors, self._offsets, self._pages) if (found := way())), None)

    def _of_smaller_pages(self) -> Paging | None:
        """Some APIs give all at once until they are asked for less, and only then say how it goes on."""
        size, _ = self._size()
        if not size or len(self._ids) < 6:
            return None
        fewer = {size: str(min(10, len(self._ids) // 2))}
        answer = self._ask(fewer)
        pages = _Pages(lambda given: self._ask({**fewer, **given}), self._place, self._key, answer) if answer else None
        return pages.way() if pages else None

    def since(self, changed: Changed) -> str | None:
        """Return the parameter that bounds the list by a time: nothing is later than one to come, everything than one long ago."""
        times = _TIMES[changed.form] if changed.form in _TIMES else [time.strftime(changed.form) for time in _FAR]
        name = changed.field.rpartition(".")[2]
        for parameter in (*SINCE, *(f"{name}{end}" for end in SINCE_ENDS)):
            later = self._ask({parameter: times[1]})
            if later and not self._ids_of(later) and self._asked(**{parameter: times[0]}) == self._ids:
                return parameter
        return None

    def _ids_of(self, answer: Answer | None) -> list[Any]:
        records = elements(answer.body, self._place) if answer else []
        return [look_up(record, self._key) if self._key else str(record) for record in records]

    def _asked(self, **parameters: str) -> list[Any]:
        return self._ids_of(self._ask(parameters))

    def _goes_on(self, ids: Sequence[Any]) -> bool:
        return bool(ids) and set(ids).isdisjoint(self._ids)

    def _around(self, value: Any = None, path: str = "") -> Iterator[tuple[str, Any]]:
        """Yield what stands around the records, and its path."""
        value = self._first.body if not path else value
        if path and path == self._place.records:
            return
        if is_mapping(value):
            for name, inner in value.items():
                yield from self._around(inner, f"{path}.{name}" if path else name)
        elif is_list(value):
            for each in value:
                relation = next((name for name in ("rel", "relation") if is_mapping(each) and each.get(name) == "next"), None)
                for name in ("href", "url") if relation else ():
                    if name in each:
                        yield f"{path}[{relation}=next].{name}", each[name]
        elif path:
            yield path, value

    def _links(self) -> Paging | None:
        if re.search(r'rel="?next"?', self._first.headers.get("link", "")):
            return self._sized("{kind: link, size: SIZE}", {})
        for path, value in self._around():
            if "next" in path.lower() and isinstance(value, str) and _ADDRESS.match(value):
                return self._sized(f"{{kind: next_url, at: {yaml_text(path)}, size: SIZE}}", {})
        for name, value in self._first.headers.items():
            if "next" in name and _ADDRESS.match(value):
                return self._sized(f"{{kind: next_url, header: {name}, size: SIZE}}", {})
        return None

    def _cursors(self) -> Paging | None:
        found = [(f"at: {yaml_text(path)}", path, value) for path, value in self._around()]
        found += [(f"header: {name}", name, value) for name, value in self._first.headers.items()]
        for place, name, value in found:
            last = re.split(r"[.\-]", name)[-1]
            if not _LEADS_ON.search(name) or not isinstance(value, str | int) or isinstance(value, bool) or value == "":
                continue
            for parameter in dict.fromkeys([re.sub(r"^next_?", "", last, flags=re.IGNORECASE) or "next", last, *CURSORS]):
                if self._goes_on(self._asked(**{parameter: str(value)})):
                    return self._sized(f"{{kind: cursor, {place}, size: SIZE}}", {parameter: "{cursor}"})
        return None

    def _offsets(self) -> Paging | None:
        if len(self._ids) < 2:
            return None
        for parameter in OFFSETS:
            moved = self._asked(**{parameter: "1"})
            if moved[: len(self._ids) - 1] == self._ids[1:] and self._asked(**{parameter: "0"}) == self._ids:
                return self._sized(f"{{kind: offset, size: SIZE{self._total()}}}", {parameter: "{offset}"})
        return None

    def _pages(self) -> Paging | None:
        for parameter in PAGES:
            for first in (1, 0):
                following = self._asked(**{parameter: str(first + 1)})
                if self._goes_on(following) and self._asked(**{parameter: str(first)}) == self._ids:
                    return self._numbered(parameter, first)
        return None

    def _numbered(self, parameter: str, first: int) -> Paging:
        start = f", first: {first}" if first != 1 else ""
        size, most = self._size()
        # Pages of any size up to the most are needed to make them overlap.
        if size and most >= 25 and self._asked(**{parameter: str(first + 1), size: "2"}) == self._ids[2:4]:
            return Paging({parameter: "{page}", size: "{size}"}, f"{{kind: page, size: {most}{start}{self._total()}}}")
        return Paging({parameter: "{page}"}, f"{{kind: page{start}}}")

    def _sized(self, paging: str, parameters: Mapping[str, str]) -> Paging:
        size, _ = self._size()
        if size:
            return Paging({**parameters, size: "{size}"}, paging.replace("SIZE", str(_MOST)))
        return Paging(parameters, paging.replace(", size: SIZE", "").replace("size: SIZE, ", "").replace("size: SIZE", f"size: {_MOST}"))

    def _size(self) -> tuple[str | None, int]:
        """Return the parameter that says how many records are on a page, and how many came of those that were asked for."""
        for parameter in SIZES if len(self._ids) > 2 else ():
            if self._asked(**{parameter: "2"}) == self._ids[:2]:
                return parameter, len(self._asked(**{parameter: str(_MOST)}))
        return None, 0

    def _total(self) -> str:
        for path, value in self._around():
            if isinstance(value, int) and not isinstance(value, bool) and value > len(self._ids) and _TOTAL.search(path):
                return f", total: {yaml_text(path)}"
        for name, value in self._first.headers.items():
            if "total" in name and value.isdecimal() and int(value) > len(self._ids):
                return f", total_header: {name}"
        return ""
