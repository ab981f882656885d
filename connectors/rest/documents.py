"""Looking into JSON without decoding the rest of it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import msgspec

from connectors.rest.template import look_up
from threadline.sdk import split_records
from threadline.sdk.yamlfile import is_mapping

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Fields:
    """Reads what stands at some paths of a document; None where nothing does."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._decode = msgspec.json.Decoder(_shape(_tree(dict.fromkeys(paths, Any)))).decode

    def read(self, document: bytes) -> list[Any]:
        """Return the value at each path, all None when the document is not readable."""
        try:
            shaped = self._decode(document)
        except _UNREADABLE:
            return [None for _ in self._paths]
        return [_walk(shaped, path) for path in self._paths]


class Body:
    """Cuts a response into its records, undecoded, and reads what stands around them, in one pass."""

    def __init__(self, records: str | None, around: tuple[str, ...]) -> None:
        self._records = records
        self._around = around
        kinds: dict[str, Any] = dict.fromkeys(around, Any)
        shape = _shape(_tree({**kinds, records: list[msgspec.Raw]})) if records else list[msgspec.Raw]
        self._decode = msgspec.json.Decoder(shape).decode

    def read(self, body: bytes) -> tuple[list[bytes], Mapping[str, Any]]:
        """Return the records and the values around them; RetryableError when there is no array of records."""
        try:
            shaped: Any = self._decode(body)
        except _UNREADABLE:
            return self._salvage(body)
        raw = _walk(shaped, self._records) if self._records else shaped
        if raw is None:
            return self._salvage(body)
        around = {path: _walk(shaped, path) for path in self._around} if self._records else {}
        return [bytes(each) for each in raw], around

    def _salvage(self, body: bytes) -> tuple[list[bytes], Mapping[str, Any]]:
        """One record that is not readable, or an empty list where an object is meant, must not hold up the page."""
        records = split_records(body, *(self._records.split(".") if self._records else ()))
        for record in records:
            if not _readable(record):
                body = body.replace(record, b"null", 1)
        value = decoded(body)
        return records, {path: look_up(value, path) for path in self._around}


def decoded(document: bytes) -> Any:
    """Return a document's value; None for what is not readable JSON."""
    try:
        return msgspec.json.decode(document)
    except _UNREADABLE:
        return None


def _readable(record: bytes) -> bool:
    try:
        msgspec.json.decode(record)
    except _UNREADABLE:
        return False
    return True


def with_fields(record: bytes, added: Mapping[str, Any]) -> bytes:
    """Put fields at the beginning of a record; what is no JSON object stays as it is."""
    start = record.lstrip()
    if not added or not start.startswith(b"{"):
        return record
    rest = start[1:].lstrip()
    return msgspec.json.encode(added)[:-1] + (rest if rest.startswith(b"}") else b"," + rest)


def without_fields(record: bytes, names: Sequence[str]) -> bytes:
    """Take top-level fields out of a record; what is no readable JSON object stays as it is."""
    try:
        fields = _decode_fields(record)
    except _UNREADABLE:
        return record
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in names})


Tree: TypeAlias = dict[str, Any]


def _tree(paths: Mapping[str, Any]) -> Tree:
    root: Tree = {}
    # Shorter paths first: what is read whole is not read in parts.
    for path in sorted(paths, key=lambda path: path.count(".")):
        *above, name = path.split(".")
        node: Any = root
        for part in above:
            node = node.setdefault(part, {}) if is_mapping(node) else None
        if is_mapping(node):
            node.setdefault(name, paths[path])
    return root


def _shape(tree: Tree) -> Any:
    entries = [(name, _shape(node) if is_mapping(node) else node) for name, node in tree.items()]
    return msgspec.defstruct("Part", [(f"f{_number(name)}", kind | None, msgspec.field(name=name, default=None)) for name, kind in entries])


@cache
def _number(name: str) -> str:
    """A field of any name as part of an attribute's name."""
    return name.encode().hex()


def _walk(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = getattr(value, f"f{_number(name)}") if isinstance(value, msgspec.Struct) else look_up(value, name)
    return value
