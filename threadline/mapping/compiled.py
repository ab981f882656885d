"""Compiled mappings: bytes of a source's record in, rows of canonical tables out; and back for pushes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from xxhash import xxh3_128_digest

from threadline.mapping.codegen import Code, Functions, Wanted
from threadline.mapping.convert import Number, encode_json
from threadline.mapping.errors import unreadable
from threadline.mapping.language import WHOLE, Tree
from threadline.mapping.rows import PartyMention, Rows, row_columns
from threadline.mapping.shape import Shape
from threadline.model.entities import MAPPED, Party

_GENERATION = b"2"
"""Part of every fingerprint: raise it when the same file would be mapped differently by newer code."""


class MappedRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one record becomes: a row of its entity's table, rows of child tables, and the parties that it speaks of.

    `row` is None where the entity is the party itself, whose row is its mention's. Rows hold their table's columns in order.
    """

    row: tuple[Any, ...] | None
    children: Sequence[tuple[str, Sequence[tuple[Any, ...]]]]
    parties: Sequence[PartyMention]
    canonical: bytes
    """The digest of all this, whichever run it was."""


class PullMapping:
    """One mapping file compiled for one source."""

    def __init__(self, tree: Tree, source: str, text: bytes, *, region: str | None, functions: Functions) -> None:
        self.tree = tree
        self.text = text.decode()
        self.entity = MAPPED[tree.target]
        self.label = f"{tree.name}@{tree.version}"
        self.fingerprint = _fingerprint(text, region or "", source)
        self._shape = _shape(tree)
        self._decode = _decoder(self._shape)
        self._apply = _compile_pull(self, self._shape, source, region, functions)

    def __call__(self, raw: bytes, key: str, record_id: bytes, run_id: bytes) -> MappedRecord | None:
        """Map one record; None when the mapping's `when` leaves it out, MappingError when it does not fit."""
        try:
            return self._apply(self._decode(raw), raw, key, record_id, run_id)
        except (ValueError, RecursionError) as error:
            raise unreadable(self.tree, error) from None

    def keyed(self, names: Sequence[str]) -> "Keyed | None":
        """Return what reads a key of these fields and maps with one decode; None where the mapping looks into them, or reads odd names."""
        shape = self._shape.along_with(names)
        if shape.odd or not all(shape.parts[name].plain for name in names):
            return None
        return Keyed(_decoder(shape), [shape.attribute(name) for name in names], self._apply)


class Keyed:
    """Maps records from the same decode that their key is read from. Its errors are bare: `PullMapping` says what they mean."""

    def __init__(self, decode: Callable[[bytes], Any], key: Sequence[str], apply: Callable[..., MappedRecord | None]) -> None:
        self._decode = decode
        self._key = key
        self.apply = apply

    def read(self, raw: bytes) -> tuple[Any, list[Any]]:
        """Return a record as `apply` takes it, and the values of its key."""
        record = self._decode(raw)
        return record, [getattr(record, name) for name in self._key]


class PushMapping:
    """One push mapping file, compiled: canonical documents in, records for a target's API out."""

    def __init__(self, tree: Tree, text: bytes, *, region: str | None, functions: Functions) -> None:
        self.tree = tree
        self.label = f"{tree.name}@{tree.version}"
        self.fingerprint = _fingerprint(text, region or "")
        self._address = [_output(name) for name in tree.address]
        shape = Shape()
        if tree.when:
            shape.note_condition(tree.when)
        written = {**tree.fields, **tree.address}
        for expression in written.values():
            shape.note(expression)
        code = Code(shape, region, functions)
        if tree.when:
            code.put(f"if not ({code.condition(tree.when, code.record)}): return None")
        pairs = [f"({code.constant(_output(name))}, {code.value(one, Wanted('any'), code.record)})" for name, one in written.items()]
        self._decode = _decoder(shape)
        self._apply = code.function("r, raw", f"[{', '.join(pairs)}]")

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Make the target's record; None when `when` leaves the document out, MappingError when it does not fit."""
        try:
            raw = encode_json(document)
            pairs: list[tuple[tuple[str, ...], Any]] | None = self._apply(self._decode(raw), raw)
        except (ValueError, RecursionError) as error:
            raise unreadable(self.tree, error) from None
        if pairs is None:
            return None
        result: dict[str, Any] = {}
        for path, value in pairs:
            if value is not None:
                here = result
                for name in path[:-1]:
                    here = here.setdefault(name, {})
                here[path[-1]] = value
        return result

    def compared(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a record decides whether it is due again: not how the target finds it."""
        rest = dict(record)
        for path in self._address:
            rest = _without(rest, path)
        return rest


_pack = msgspec.msgpack.Encoder().encode_into
_ROOM = 1_000
"""Bytes that most records' content has room in: to grow costs more."""


def _digest(content: Sequence[Any]) -> bytes:
    packed = bytearray(_ROOM)
    _pack(content, packed)
    return xxh3_128_digest(packed)


def _fingerprint(text: bytes, *circumstances: str) -> bytes:
    return xxh3_128_digest(b"\x1f".join((_GENERATION, text, *(one.encode() for one in circumstances))))


def _output(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))


def _without(record: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    name, *deeper = path
    inner = _without(record[name], tuple(deeper)) if deeper and name in record else None
    return {key: inner if key == name else value for key, value in record.items() if key != name or inner}


def _compile_pull(
    mapping: PullMapping, shape: Shape, source: str, region: str | None, functions: Functions
) -> Callable[..., MappedRecord | None]:
    tree, entity = mapping.tree, mapping.entity
    code = Code(shape, region, functions)
    rows = Rows(code, source, mapping.label)
    if tree.when:
        code.put(f"if not ({code.condition(tree.when, code.record)}): return None")
    code.put(f"parties = []; content = [{rows.label}]")
    for block in tree.parties:
        rows.party(block)
    if tree.identifiers:
        rows.subject(tree, entity)
    row = "None" if entity is Party else rows.entity(tree, entity)
    children = [rows.children(name, entity.children[name], blocks, tree.target) for name, blocks in tree.children.items()]
    digest = f"{code.constant(_digest)}(content)"
    return code.function(
        "r, raw, key, record_id, run_id", f"{code.constant(MappedRecord)}({row}, [{', '.join(children)}], parties, {digest})"
    )


def _decoder(shape: Shape) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(shape.record(), float_hook=Number).decode


def _shape(tree: Tree) -> Shape:
    shape = Shape()
    for condition in tree.conditions():
        shape.note_condition(condition)
    for expression in tree.values():
        shape.note(expression)
    for child in tree.blocks:
        inner = shape.array(child.each.source or WHOLE) if child.each else shape
        for expression in (*child.fields.values(), *((child.key,) if child.key else ())):
            inner.note(expression)
    return shape


__all__ = ["MappedRecord", "PartyMention", "PullMapping", "PushMapping", "encode_json", "row_columns"]
