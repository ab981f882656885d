"""Looking into JSON without decoding the rest of it."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import msgspec

from connectors.rest.paths import look_up_steps, names_before_picks, steps
from threadline.sdk.yamlfile import is_mapping

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Fields:
    """Reads what stands at some paths of a document; None where nothing does."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._decode = msgspec.json.Decoder(shaped(dict.fromkeys(paths, Any))).decode

    def read(self, document: bytes) -> list[Any]:
        """Return the value at each path, all None when the document is not readable."""
        try:
            found = self._decode(document)
        except UNREADABLE:
            return [None for _ in self._paths]
        return [walk(found, path) for path in self._paths]


def decoded(document: bytes) -> Any:
    """Return a document's value; None for what is not readable JSON."""
    try:
        return msgspec.json.decode(document)
    except UNREADABLE:
        return None


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
    except UNREADABLE:
        return record
    return msgspec.json.encode({name: value for name, value in fields.items() if name not in names})


Tree: TypeAlias = dict[str, Any]


def shaped(paths: Mapping[str, Any]) -> Any:
    """Return a type that holds what stands at these paths, each of the type that is given for it; `walk` finds it there."""
    return _shape(_tree(paths))


def _tree(paths: Mapping[str, Any]) -> Tree:
    root: Tree = {}
    # Shorter paths first: what is read whole is not read in parts.
    for path in sorted(paths, key=lambda path: path.count(".")):
        *above, name = names_before_picks(path) or (path,)
        node: Any = root
        for part in above:
            node = node.setdefault(part, {}) if is_mapping(node) else None
        if is_mapping(node):
            node.setdefault(name, paths[path])
    # A name that has dots itself.
    return {**root, **{path: kind for path, kind in paths.items() if "." in path}}


def _shape(tree: Tree) -> Any:
    entries = [(name, _shape(node) if is_mapping(node) else node) for name, node in tree.items()]
    return msgspec.defstruct("Part", [(f"f{_number(name)}", kind | None, msgspec.field(name=name, default=None)) for name, kind in entries])


@cache
def _number(name: str) -> str:
    """A field of any name as part of an attribute's name."""
    return name.encode().hex()


def walk(value: Any, path: str) -> Any:
    """Return what stands at a path of a document that was decoded as `shaped` says."""
    dotted = getattr(value, f"f{_number(path)}", None)
    if dotted is not None:
        return dotted
    names = names_before_picks(path)
    for number, name in enumerate(names):
        if not isinstance(value, msgspec.Struct):
            return look_up_steps(value, steps(path)[number:])
        value = getattr(value, f"f{_number(name)}", None)
    return look_up_steps(value, steps(path)[len(names) :])
