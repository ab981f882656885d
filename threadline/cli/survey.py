"""Looks at a list of somebody's JSON API, and finds out by a few calls where its records are and how its pages are reached."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from threadline.sdk.yamlfile import is_list, is_mapping

KEYS = ("id", "_id", "uuid", "uid", "guid", "key", "number", "code", "slug", "username", "login", "name")
WRAPPERS = {"node", "resource", "record", "item", "doc", "document", "object", "entity", "data"}
SIZES = ("limit", "per_page", "page_size", "size", "pageSize", "perPage", "_limit", "_size", "page[size]", "count", "$top", "rows")
OFFSETS = ("offset", "skip", "start", "_start", "startAt", "from", "page[offset]", "$skip")
PAGES = ("page", "_page", "page[number]", "pageNumber", "p", "@page_index")
CURSORS = ("cursor", "after", "page_token", "pageToken", "starting_after", "page[after]", "continuation", "since", "from")
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


class Place(Struct, frozen=True):
    """Where the records of an answer are, in the words of an API file: `records`, `shape` and `each`."""

    records: str | None = None
    shape: str | None = None
    each: str | None = None


class Paging(Struct, frozen=True):
    """How further pages are reached, in the words of an API file."""

    parameters: Mapping[str, str]
    paging: str | None


class Survey(Struct, frozen=True):
    """What was found: the records of the first answer, where they are, their key (and what lies deeper and is one), the pages."""

    place: Place
    records: Sequence[Mapping[str, Any]]
    key: str | None
    add: Mapping[str, str]
    paging: Paging


def survey(ask: Ask) -> Survey | None:
    """Look at a list; None where the answer has no records."""
    first = ask({})
    place = find_place(first.body) if first else None
    if not first or not place:
        return None
    records = elements(first.body, place)
    key, add = find_key(records)
    return Survey(place, records, key, add, _Pages(ask, place, add.get(key or "", key), first).find())


def yaml_text(value: str) -> str:
    """Write a text so that YAML takes it for one, also among others in braces."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value) and value.lower() not in ("null", "true", "false", "yes", "no", "on", "off")
    return value if plain else msgspec.json.encode(value).decode()


# Where records are


def find_place(body: Any) -> Place | None:
    """Return where the most objects stand: in an array, in the rows of a table, or as the values of an object."""
    lists = sorted(_lists(body), key=lambda found: (-len(found[1]), found[0].count(".")))
    for path, found in lists:
        if all(map(is_mapping, found)):
            return Place(path or None, None, _wrapped(found))
        if columns := _columns(body, path, found):
            return Place(path or None, f"{{kind: table, columns: {columns}}}")
    for path, value in _objects(body):
        if len(value) > 1 and all(is_mapping(each) and len(each) > 1 for each in value.values()):
            return Place(path or None, "{kind: keyed}")
    return None


def _lists(value: Any, path: str = "", depth: int = 3) -> Iterator[tuple[str, list[Any]]]:
    if is_list(value) and value and all(is_mapping(each) or is_list(each) for each in value):
        yield path, value
    elif is_mapping(value) and depth:
        for name, inner in value.items():
            yield from _lists(inner, f"{path}.{name}" if path else name, depth - 1)


def _objects(value: Any, path: str = "", depth: int = 2) -> Iterator[tuple[str, dict[str, Any]]]:
    if is_mapping(value):
        yield path, value
        for name, inner in value.items() if depth else ():
            yield from _objects(inner, f"{path}.{name}" if path else name, depth - 1)


def _columns(body: Any, path: str, rows: list[Any]) -> str | None:
    """Return where the names of a table's columns stand: beside it."""
    above = look_up(body, path.rpartition(".")[0])
    for name, value in above.items() if is_mapping(above) else ():
        if is_list(value) and len(value) == len(rows[0]) and all(isinstance(each, str) for each in value):
            return f"{path.rpartition('.')[0]}.{name}".lstrip(".")
    return None


def _wrapped(found: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the name under which each element holds the record itself: the only object in it, or one called as such objects are."""
    inner = {name for each in found for name, value in each.items() if is_mapping(value)}
    names = inner if len(inner) == 1 else inner & WRAPPERS
    fit = [name for name in names if all(is_mapping(each.get(name)) and _identified(each[name]) for each in found)]
    return fit[0] if fit and not any(_identified(each) for each in found) else None


def _identified(record: Mapping[str, Any]) -> bool:
    return any(name in record for name in KEYS[:5])


def elements(body: Any, place: Place) -> list[Mapping[str, Any]]:
    """Return the records that stand at a place, decoded."""
    found = look_up(body, place.records or "")
    if place.shape and "table" in place.shape:
        names = look_up(body, place.shape.rpartition(" ")[2].rstrip("}"))
        return [dict(zip(names, row, strict=False)) for row in found if is_list(row)] if is_list(found) and is_list(names) else []
    if is_mapping(found):
        return [{"id": name, **each} for name, each in found.items() if is_mapping(each)]
    inner = [look_up(each, place.each or "") for each in found] if is_list(found) else []
    return [each for each in inner if is_mapping(each)]


def look_up(value: Any, path: str) -> Any:
    """Return what stands at names joined by dots; a name that has dots itself is found at the top."""
    if is_mapping(value) and path in value:
        return value[path]
    for name in path.split(".") if path else ():
        value = value.get(name) if is_mapping(value) else None
    return value


def find_key(records: Sequence[Mapping[str, Any]]) -> tuple[str | None, Mapping[str, str]]:
    """Return the field that tells the records apart, and where it stands if that is deeper inside."""
    names = dict.fromkeys([*KEYS, *(name for record in records[:1] for name in record if name.lower().endswith("id"))])
    for name in names:
        if _tells_apart(records, name):
            return name, {}
    for above, value in records[0].items() if records else ():
        for name in [*KEYS, *(name for name in value if name.lower().endswith("id"))] if is_mapping(value) else ():
            if _tells_apart(records, f"{above}.{name}"):
                return name, {name: f"{above}.{name}"}
    return None, {}


def _tells_apart(records: Sequence[Mapping[str, Any]], path: str) -> bool:
    values = [look_up(record, path) for record in records]
    plain = all(isinstance(value, str | int) and not isinstance(value, bool) and value != "" for value in values)
    return bool(values) and plain and len(set(values)) == len(values)


# How pages are reached


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
