"""Cutting a response into its records, whatever shape it has, without decoding them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from connectors.rest.declaration import Keyed, Lines, One, Shape, Table
from connectors.rest.documents import UNREADABLE, decoded, shaped, walk, with_fields
from connectors.rest.paths import Step, has, look_up, names_before_picks, steps
from threadline.sdk import ConfigError, RetryableError, split_records
from threadline.sdk.yamlfile import is_list, is_mapping

_arrays_of: msgspec.json.Decoder[list[Raw] | None] = msgspec.json.Decoder(list[Raw] | None)
_objects_of: msgspec.json.Decoder[dict[str, Raw] | None] = msgspec.json.Decoder(dict[str, Raw] | None)
_NAME = re.compile(r"[A-Za-z_]\w{0,30}", re.ASCII)
_EMPTY = (b"null", b"[]", b"{}")


class Cut(Struct, frozen=True):
    """Where the records of a response are: `records`, `shape`, `each` and `may_lack` of a stream."""

    records: str | None = None
    shape: Shape | None = None
    each: str | None = None
    may_lack: bool = False


class Body:
    """Cuts a response into its records, and reads what stands around them; an array of objects in one pass."""

    def __init__(self, cut: Cut, around: tuple[str, ...] = ()) -> None:
        self._cut = cut
        self._around = around
        paths = [cut.records, *around] if cut.records else []
        plain = cut.shape is None and cut.each is None and all(names_before_picks(path) for path in paths)
        self._plain = plain and (cut.records is None or names_before_picks(cut.records) == steps(cut.records))
        kinds: dict[str, Any] = dict.fromkeys(around, Any)
        self._decode = msgspec.json.Decoder(shaped({**kinds, cut.records: list[Raw]}) if cut.records else list[Raw]).decode

    def read(self, body: bytes) -> tuple[list[bytes], Mapping[str, Any]]:
        """Return the records and the values around them.

        ConfigError where the answer has another shape than the API file says, RetryableError where it is no JSON.
        """
        if not self._plain:
            return self._parts(body)
        try:
            found: Any = self._decode(body)
        except UNREADABLE:
            return self._salvaged(body)
        raw = walk(found, self._cut.records) if self._cut.records else found
        if raw is None:
            return self._salvaged(body)
        return [bytes(each) for each in raw], {path: walk(found, path) for path in self._around} if self._cut.records else {}

    def _salvaged(self, body: bytes) -> tuple[list[bytes], Mapping[str, Any]]:
        """One record that is not readable, or an empty list where an object is meant, must not hold up the page."""
        value = decoded(body)
        if value is not None:
            return self._parts(body)
        records = split_records(body, *(self._cut.records.split(".") if self._cut.records else ()))
        for record in records:
            if decoded(record) is None:
                body = body.replace(record, b"null", 1)
        value = decoded(body)
        return records, {path: look_up(value, path) for path in self._around}

    def _parts(self, body: bytes) -> tuple[list[bytes], Mapping[str, Any]]:
        """Go to the records step by step."""
        if isinstance(self._cut.shape, Lines):
            return self._inner([line for line in body.splitlines() if line.strip()]), {}
        value = decoded(body)
        if value is None:
            raise RetryableError("the response is not JSON, or was cut off")
        found = _at(Raw(body), self._cut.records)
        try:
            records = self._elements(found, value) if found is not None else self._none(value)
        except UNREADABLE:
            raise ConfigError(f"{self._place()} of the answer does not have the shape that the API file says{_hint(value)}") from None
        return self._inner(records), {path: look_up(value, path) for path in self._around}

    def _elements(self, found: Raw, whole: Any) -> list[bytes]:
        if bytes(found).strip() in _EMPTY:
            return []
        match self._cut.shape:
            case One():
                return [bytes(found)]
            case Keyed(name):
                return [with_fields(bytes(raw), {name: key}) for key, raw in _object(found).items()]
            case Table(columns):
                return _rows(_array(found), look_up(whole, columns) or "" if isinstance(columns, str) else columns and list(columns))
            case _:
                return [bytes(raw) for raw in _array(found)]

    def _inner(self, elements: list[bytes]) -> list[bytes]:
        if not self._cut.each:
            return elements
        return [bytes(found) for each in elements if (found := _at(Raw(each), self._cut.each)) is not None]

    def _none(self, value: Any) -> list[bytes]:
        if self._cut.may_lack:
            return []
        raise ConfigError(f"the answer has nothing at {self._place()}{_hint(value)}")

    def _place(self) -> str:
        return f"`records: {self._cut.records}`" if self._cut.records else "its top, where an array should be,"


def _array(document: Raw) -> list[Raw]:
    return _arrays_of.decode(document) or []


def _object(document: Raw) -> dict[str, Raw]:
    return _objects_of.decode(document) or {}


def _rows(rows: Sequence[Raw], columns: Any) -> list[bytes]:
    """Make objects of arrays; names may be texts, or objects with a `name`."""
    if columns is None:
        columns, rows = (msgspec.json.decode(rows[0]), rows[1:]) if rows else ([], [])
    if not is_list(columns):
        raise msgspec.ValidationError("no names of columns")
    names = [str(each.get("name") if is_mapping(each) else each) for each in columns]
    return [msgspec.json.encode(dict(zip(names, _array(row), strict=False))) for row in rows]


def _at(document: Raw, path: str | None) -> Raw | None:
    """Return what stands at a path, undecoded; None where nothing does."""
    found: Raw | None = document
    try:
        if path and "." in path and (named := _object(document).get(path)) is not None:
            return named
    except UNREADABLE:
        pass
    for step in steps(path) if path else ():
        try:
            found = _inside(found, step) if found is not None else None
        except UNREADABLE:
            return None
    return found


def _inside(document: Raw, step: Step) -> Raw | None:
    if isinstance(step, str):
        return _object(document).get(step)
    elements = _array(document)
    if isinstance(step, int):
        return elements[step] if -len(elements) <= step < len(elements) else None
    return next((each for each in elements if has(decoded(each), step)), None)


def _hint(value: Any) -> str:
    """Say where arrays are; names that may be data are left out."""
    places = [place for place in _arrays(value) if place]
    if is_list(value):
        return "; the answer is an array itself: leave `records` out"
    return f"; arrays stand at {', '.join(places[:5])}" if places else "; it has no array, see `shape`"


def _arrays(value: Any, above: str = "", depth: int = 3) -> Iterator[str]:
    if is_list(value):
        yield above
    elif is_mapping(value) and depth and len(value) <= 20:
        for name, inner in value.items():
            if _NAME.fullmatch(name):
                yield from _arrays(inner, f"{above}.{name}" if above else name, depth - 1)
