"""Compiled mappings: bytes of a source's record in, rows of canonical tables out; and back for pushes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from xxhash import xxh3_128_digest

from threadline.mapping.codegen import Code, Functions, note, note_condition
from threadline.mapping.errors import MappingError
from threadline.mapping.language import ChildBlock, Expression, PartyBlock, Tree
from threadline.mapping.shape import Shape
from threadline.model.entities import MAPPED, Entity, Party
from threadline.model.identifiers import Identifier, identify, normalize_email, normalize_handle, normalize_phone
from threadline.model.ids import entity_id, parse_id
from threadline.model.schema import ENGINE_FIELDS, Field, Kind, fields_of

_CONVERT: Mapping[Kind, str] = {
    "text": "text", "integer": "integer", "boolean": "boolean", "time": "time", "date": "date", "money": "money",
    "list": "list", "id": "text", "json": "any", "real": "decimal",
}  # fmt: skip
_GENERATION = b"1"
"""Part of every fingerprint: raise it when the same file would be mapped differently by newer code."""

encode_json = msgspec.json.Encoder().encode


class PartyMention(NamedTuple):
    """A party that a record speaks of: named by its first identifier, with the row that it would have if it were new."""

    role: str
    id: bytes
    identifiers: Sequence[Identifier]
    row: tuple[Any, ...]


class MappedRecord(NamedTuple):
    """What one record becomes: a row of its entity's table, rows of child tables, and the parties that it speaks of.

    `row` is None where the entity is the party itself, whose row is its mention's. Rows hold their table's columns in order.
    """

    row: tuple[Any, ...] | None
    children: Sequence[tuple[str, Sequence[tuple[Any, ...]]]]
    parties: Sequence[PartyMention]


class PullMapping:
    """One mapping file compiled for one source."""

    def __init__(self, tree: Tree, source: str, text: bytes, *, region: str | None, functions: Functions) -> None:
        self.tree = tree
        self.entity = MAPPED[tree.target]
        self.label = f"{tree.name}@{tree.version}"
        self.fingerprint = xxh3_128_digest(b"\x1f".join((_GENERATION, text, (region or "").encode(), source.encode())))
        self._decode, self._apply = _compile_pull(self, source, region, functions)

    def __call__(self, raw: bytes, key: str, record_id: bytes, run_id: bytes) -> MappedRecord | None:
        """Map one record; None when the mapping's `when` leaves it out, MappingError when it does not fit."""
        try:
            record = self._decode(raw)
        except msgspec.ValidationError as error:
            raise self._misshapen(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MappingError(f"not valid JSON: {error}", path="$", site=f"{self.tree.name}:1") from None
        except RecursionError:
            raise MappingError("nested too deeply", path="$", site=f"{self.tree.name}:1") from None
        return self._apply(record, raw, key, record_id, run_id)

    def _misshapen(self, error: msgspec.ValidationError) -> MappingError:
        message, _, path = str(error).partition(" - at `")
        return MappingError(message, path=path.rstrip("`") or "$", site=f"{self.tree.name}:1")


class PushMapping:
    """One push mapping file, compiled: canonical documents in, records for a target's API out."""

    def __init__(self, tree: Tree, text: bytes, *, region: str | None, functions: Functions) -> None:
        self.tree = tree
        self.label = f"{tree.name}@{tree.version}"
        self.fingerprint = xxh3_128_digest(_GENERATION + text)
        shape = Shape()
        if tree.when:
            note_condition(shape, tree.when)
        written = {**tree.fields, **tree.address}
        for expression in written.values():
            note(shape, expression, "any")
        code = Code(shape, region, functions)
        if tree.when:
            code.put(f"if not ({code.condition(tree.when)}): return None")
        pairs = [f"({code.constant(tuple(name.split('.')))}, {code.value(value, 'any')})" for name, value in written.items()]
        self._decode = msgspec.json.Decoder(shape.struct() if not shape.whole else Any).decode
        self._apply = code.function("r, raw", f"[{', '.join(pairs)}]")

    def __call__(self, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Make the target's record; None when `when` leaves the document out, MappingError when it does not fit."""
        raw = encode_json(document)
        pairs: list[tuple[tuple[str, ...], Any]] | None = self._apply(self._decode(raw), raw)
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
        return {name: value for name, value in record.items() if name not in self.tree.address}


def row_columns(entity: type[msgspec.Struct]) -> list[str]:
    """Return the names of an entity's columns in the order of its rows; money takes two, amount and currency."""
    columns: list[str] = []
    for field in fields_of(entity):
        columns += [f"{field.name}_amount", f"{field.name}_currency"] if field.kind == "money" else [field.name]
    return columns


def _compile_pull(
    mapping: PullMapping, source: str, region: str | None, functions: Functions
) -> tuple[Callable[[bytes], Any], Callable[..., MappedRecord | None]]:
    tree, entity = mapping.tree, mapping.entity
    shape = Shape()
    _note_tree(shape, tree, entity)
    code = Code(shape, region, functions)
    rows = _Rows(code, source, mapping.label)
    if tree.when:
        code.put(f"if not ({code.condition(tree.when)}): return None")
    parties = [rows.party(block) for block in tree.parties]
    if tree.identifiers:
        parties.append(rows.subject(tree, entity))
    row = "None" if entity is Party else rows.entity(tree, entity)
    children = [rows.child(name, entity.children[name], block, tree.target) for name, block in tree.children.items()]
    code.put(f"parties = [p for p in ({', '.join(parties)}{',' if parties else ''}) if p is not None]")
    apply = code.function("r, raw, key, record_id, run_id", f"{code.constant(MappedRecord)}({row}, [{', '.join(children)}], parties)")
    return msgspec.json.Decoder(shape.struct() if not shape.whole else Any).decode, apply


def _note_tree(shape: Shape, tree: Tree, entity: type[Entity]) -> None:
    conditions = [tree.when, *(block.when for block in tree.parties), *(child.when for child in tree.children.values())]
    for condition in conditions:
        if condition:
            note_condition(shape, condition)
    _note_fields(shape, tree.fields, entity)
    for expression in [*tree.identifiers.values(), *(e for block in tree.parties for e in block.identifiers.values())]:
        note(shape, expression, "text")
    for expression in tree.extensions.values():
        note(shape, expression, "any")
    for block in tree.parties:
        _note_fields(shape, block.fields, Party)
    for name, child in tree.children.items():
        inner = shape.array(child.each) if child.each else shape
        _note_fields(inner, child.fields, entity.children[name])
        if child.key:
            inner.value(child.key)


def _note_fields(shape: Shape, fields: Mapping[str, Expression], entity: type[Entity]) -> None:
    kinds: dict[str, Kind] = {field.name: field.kind for field in fields_of(entity)}
    for name, expression in fields.items():
        note(shape, expression, _CONVERT[kinds[name]])


class _Rows:
    """Emits the rows of one mapping."""

    def __init__(self, code: Code, source: str, label: str) -> None:
        self.code = code
        self.source = source
        self.label = code.constant(label)
        self.source_name = code.constant(source)
        self.entity_id = code.constant(entity_id)

    def entity(self, tree: Tree, entity: type[Entity]) -> str:
        """Emit the row of the record's own entity."""
        identity = f"{self.entity_id}({self.source_name}, {self.code.constant(tree.target)}, key)"
        own = {"party": "parties_first"} if tree.identifiers else {}
        return self._row(entity, tree.fields, identity, "key", extensions=tree.extensions, given=own)

    def subject(self, tree: Tree, entity: type[Entity]) -> str:
        """Emit the mention of the party that the record is about; a preference without one is an error."""
        nothing: Mapping[str, Expression] = {}
        fields, extensions = (tree.fields, tree.extensions) if entity is Party else (nothing, nothing)
        name, found = self._identifiers(tree.identifiers)
        site = next(iter(tree.identifiers.values()))
        self.code.put(f"if not {found}: raise missing({self.code.constant(site)})")
        self.code.put(f"parties_first = {name}")
        row = self._row(Party, fields, name, f"{found}[0].value", extensions=extensions)
        role = f"{row}[{row_columns(Party).index('role')}]"
        mention = self.code.local()
        self.code.put(f"{mention} = {self.code.constant(PartyMention)}({role}, {name}, {found}, {row})")
        return mention

    def party(self, block: PartyBlock) -> str:
        """Emit the mention of a party that takes part; None when it is not there."""
        mention = self.code.local()
        self.code.put(f"{mention} = None")
        if block.when:
            self.code.put(f"if {self.code.condition(block.when)}:")
            self.code.indent()
        name, found = self._identifiers(block.identifiers)
        self.code.put(f"if {found}:")
        self.code.indent()
        role = self.code.constant(block.role)
        row = self._row(Party, block.fields, name, f"{found}[0].value", given={"role": role})
        self.code.put(f"{mention} = {self.code.constant(PartyMention)}({role}, {name}, {found}, {row})")
        self.code.indent(-2 if block.when else -1)
        return mention

    def child(self, name: str, entity: type[Entity], block: ChildBlock, parent: str) -> str:
        """Emit the rows of a block inside the record: one, or one for each element of an array."""
        rows = self.code.local()
        self.code.put(f"{rows} = []")
        if block.when:
            self.code.put(f"if {self.code.condition(block.when)}:")
            self.code.indent()
        owner = "parties_first" if parent == "party" else f"{self.entity_id}({self.source_name}, {self.code.constant(parent)}, key)"
        given = {field.name: owner for field in fields_of(entity) if field.reference == parent}
        if block.each:
            self._each(name, entity, block, rows, given)
        else:
            identity = f"{self.entity_id}({self.source_name}, {self.code.constant(name)}, key)"
            self.code.put(f"{rows}.append({self._row(entity, block.fields, identity, 'key', given=given)})")
        if block.when:
            self.code.indent(-1)
        return f"({self.code.constant(entity.table)}, {rows})"

    def _each(self, name: str, entity: type[Entity], block: ChildBlock, rows: str, given: Mapping[str, str]) -> None:
        array = self.code.read(block.each or ())
        elements = self.code.shape.at(block.each or ()).elements
        index, element, key = self.code.local(), self.code.local(), self.code.local()
        self.code.put(f"for {index}, {element} in enumerate({array} or ()):")
        self.code.indent()
        part = self.code.read(block.key, element, elements) if block.key else index
        self.code.put(f"{key} = f'{{key}}:{{{part}}}'")
        identity = f"{self.entity_id}({self.source_name}, {self.code.constant(name)}, {key})"
        row = self._row(entity, block.fields, identity, key, given=given, base=element, shape=elements)
        self.code.put(f"{rows}.append({row})")
        self.code.indent(-1)

    def _identifiers(self, identifiers: Mapping[str, Expression]) -> tuple[str, str]:
        """Emit a list of identifiers; return the names of the party's id and of the list."""
        code, found = self.code, self.code.local()
        code.put(f"{found} = []")
        for kind, expression in identifiers.items():
            value = code.value(expression, "text")
            normalize = code.constant(_normalizer(kind, code))
            identity = f"{code.constant(identify)}({code.constant(kind)}, {value}, {normalize}({value}), {self.source_name})"
            code.put(f"if {value} is not None:")
            code.indent()
            if expression.optional:
                # Junk in an optional field (a phone "n/a") names nobody; it must not cost the record.
                code.put(f"try: {found}.append({identity})")
                code.put("except ValueError: pass")
            else:
                code.put(f"{found}.append({identity})")
            code.indent(-1)
        name = code.local()
        code.put(f"{name} = {self.entity_id}({self.source_name}, {found}[0].kind, {found}[0].normalized) if {found} else None")
        return name, found

    def _row(
        self, entity: type[Entity], fields: Mapping[str, Expression], identity: str, external_id: str, *,
        extensions: Mapping[str, Expression] | None = None, given: Mapping[str, str] | None = None,
        base: str = "r", shape: Shape | None = None,
    ) -> str:  # fmt: skip
        """Emit a row; return the name of the tuple."""
        known = {
            "id": identity, "source": self.source_name, "external_id": external_id, "mapping": self.label,
            "record_id": "record_id", "run_id": "run_id", "extensions": self._extensions(extensions or {}), **(given or {}),
        }  # fmt: skip
        cells: list[str] = []
        for field in fields_of(entity):
            if field.name in known:
                cells.append(known[field.name])
            elif field.name in fields:
                cells += self._cells(field, fields[field.name], base, shape)
            else:
                cells += ["None", "None"] if field.kind == "money" else [self.code.constant(field.default)]
        name = self.code.local()
        self.code.put(f"{name} = ({', '.join(cells)},)")
        return name

    def _cells(self, field: Field, expression: Expression, base: str, shape: Shape | None) -> list[str]:
        assert field.name not in ENGINE_FIELDS  # noqa: S101 - the reader of files has refused it
        value = self.code.value(expression, _CONVERT[field.kind], nullable=field.nullable, choices=field.choices, base=base, shape=shape)
        if field.kind == "money":
            return [f"{value} and {value}[0]", f"{value} and {value}[1]"]
        if field.kind == "list":
            return [f"None if {value} is None else {self.code.constant(_encode_list)}({value})"]
        if field.reference:
            return [f"None if {value} is None else {self.entity_id}({self.source_name}, {self.code.constant(field.reference)}, {value})"]
        return [value]

    def _extensions(self, extensions: Mapping[str, Expression]) -> str:
        if not extensions:
            return "None"
        pairs = ", ".join(f"({self.code.constant(name)}, {self.code.value(value, 'any')})" for name, value in extensions.items())
        return f"{self.code.constant(_encode_pairs)}(({pairs},))"


def _normalizer(kind: str, code: Code) -> Callable[[str], str]:
    special: Mapping[str, Callable[[str], str]] = {
        "email": normalize_email,
        "phone": code.converters["phone"],
        "handle": normalize_handle,
        "threadline": _profile_id,
    }
    return special.get(kind, str.strip)


def _profile_id(value: str) -> str:
    if parse_id(value) is None:
        raise ValueError("not a profile id of threadline")
    return value.upper()


def _encode_list(value: list[Any]) -> str:
    return encode_json(value).decode()


def _encode_pairs(pairs: tuple[tuple[str, Any], ...]) -> str | None:
    held = {name: value for name, value in pairs if value is not None}
    return encode_json(held).decode() if held else None


__all__ = ["MappedRecord", "PartyMention", "PullMapping", "PushMapping", "normalize_phone", "row_columns"]
