"""Finds the records in an answer of an API, what tells them apart, and when they changed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from threadline.sdk.yamlfile import is_list, is_mapping

KEYS = ("id", "_id", "uuid", "uid", "guid", "key", "number", "code", "slug", "username", "login", "name")
WRAPPERS = {"node", "resource", "record", "item", "doc", "document", "object", "entity", "data"}
_CHANGED = re.compile(r"updated|modified|changed|last_?activity", re.IGNORECASE)


class Place(Struct, frozen=True):
    """Where the records of an answer are, in the words of an API file: `records`, `shape` and `each`."""

    records: str | None = None
    shape: str | None = None
    each: str | None = None


class Changed(Struct, frozen=True):
    """A field that seems to move with changes, and how its times are written, as `format` of an API file."""

    field: str
    form: str


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


def find_changed(records: Sequence[Mapping[str, Any]]) -> Changed | None:
    """Return the field that seems to say when a record changed."""
    for path, value in leaves_of(records[0]) if records else ():
        if _CHANGED.search(path) and isinstance(value, str | int) and not isinstance(value, bool) and (form := _form(value)):
            return Changed(path, form)
    return None


def _form(value: str | int) -> str | None:
    if isinstance(value, int):
        return "unix_ms" if value > 10**11 else "unix" if value > 10**8 else None
    known = {r"\d{4}-\d\d-\d\dT.*": "rfc3339", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "%Y-%m-%d %H:%M:%S", r"\d{4}-\d\d-\d\d": "%Y-%m-%d"}
    return next((form for pattern, form in known.items() if re.fullmatch(pattern, value)), None)


def leaves_of(value: Mapping[str, Any], above: str = "", depth: int = 2) -> Iterator[tuple[str, Any]]:
    """Yield a record's plain values, and their paths; a name that has dots itself cannot be told in a path."""
    for name, inner in value.items():
        if "." in name:
            continue
        if is_mapping(inner) and depth:
            yield from leaves_of(inner, f"{above}{name}.", depth - 1)
        else:
            yield f"{above}{name}", inner
