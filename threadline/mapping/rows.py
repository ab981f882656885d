"""The rows that a mapping makes, as lines of its function."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from threadline.mapping.codegen import Base, Code, Wanted
from threadline.mapping.convert import encode_json, to_real
from threadline.mapping.language import WHOLE, ChildBlock, Expression, PartyBlock, Tree
from threadline.mapping.naming import Naming, nobody
from threadline.model.entities import Derived, Entity, Party
from threadline.model.identifiers import Identifier
from threadline.model.ids import entity_id
from threadline.model.schema import Field, Kind, fields_of

_CONVERT: Mapping[Kind, str] = {
    "text": "text", "integer": "integer", "boolean": "boolean", "time": "time", "date": "date", "money": "money",
    "list": "list", "id": "text", "json": "any", "real": "decimal",
}  # fmt: skip

_MOST_ELEMENTS = 50_000
"""Elements of an array that make rows: about a second's work."""


class PartyMention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A party that a record speaks of: named by its first identifier, with the row that it would have if it were new."""

    role: str
    id: bytes
    identifiers: Sequence[Identifier]
    row: tuple[Any, ...]


def row_columns(entity: type[msgspec.Struct]) -> list[str]:
    """Return the names of an entity's columns in the order of its rows; money takes two, amount and currency."""
    columns: list[str] = []
    for field in fields_of(entity):
        columns += [f"{field.name}_amount", f"{field.name}_currency"] if field.kind == "money" else [field.name]
    return columns


_ORIGIN = frozenset({"id", "source", "mapping", "record_id", "run_id", "mentioned"})
"""Columns that say where a row comes from: they follow from its record, its mapping and its run."""


class Rows:
    """Emits the rows of one mapping, and the same values once more into the list `content`: all that a record was mapped to.

    Content is written so that it can be told apart: a table's name, then as many values as its rows have.
    """

    def __init__(self, code: Code, source: str, label: str) -> None:
        self.code = code
        self.naming = Naming(code, source)
        self.label = code.constant(label)
        self.source_name = code.constant(source)
        self.entity_id = code.constant(entity_id)
        self.encode = code.constant(encode_json)

    def entity(self, tree: Tree, entity: type[Entity]) -> str:
        """Emit the row of the record's own entity."""
        identity = f"{self.entity_id}({self.source_name}, {self.code.constant(tree.target)}, key)"
        own = {"party": "parties_first"} if tree.identifiers else {}
        row = self._row(entity, tree.fields, identity, "key", extensions=tree.extensions, given=own)
        if entity.needs_any:
            self.code.put(f"if not ({self._says_something(entity, row)}): return None")
        return row

    def subject(self, tree: Tree, entity: type[Entity]) -> None:
        """Emit the mention of the party that the record is about; a preference without one is an error."""
        name, found = self.naming.identifiers(tree.identifiers)
        self.code.put(f"if not {found}: raise {self.code.constant(nobody)}({self.code.constant(tree.identifiers)})")
        self.code.put(f"parties_first = {name}")
        if entity is Party:
            row = self._row(Party, tree.fields, name, f"{found}[0].value", extensions=tree.extensions)
        else:
            row = self._mentioned(name, found, {}, {})
        role = f"{row}[{row_columns(Party).index('role')}]"
        self._mention(role, name, found, row)

    def party(self, block: PartyBlock) -> None:
        """Emit the mention of a party that takes part, where it is there."""
        if block.when:
            self.code.put(f"if {self.code.condition(block.when, self.code.record)}:")
            self.code.indent()
        name, found = self.naming.identifiers(block.identifiers)
        self.code.put(f"if {found}:")
        self.code.indent()
        role = self.code.constant(block.role)
        row = self._mentioned(name, found, block.fields, {"role": role})
        self._mention(role, name, found, row)
        self.code.indent(-2 if block.when else -1)

    def _mentioned(self, name: str, found: str, fields: Mapping[str, Expression], given: Mapping[str, str]) -> str:
        # Many records speak of the party, and each may write its id otherwise.
        return self._row(Party, fields, name, f"{found}[0].normalized", given={**given, "mentioned": self.code.constant(True)})

    def _mention(self, role: str, identity: str, found: str, row: str) -> None:
        self.code.put(f"content.append({found})")
        self.code.put(f"parties.append({self.code.constant(PartyMention)}({role}, {identity}, {found}, {row}))")

    def children(self, name: str, entity: type[Entity], blocks: Sequence[ChildBlock], parent: str) -> str:
        """Emit the rows of the blocks inside the record: one of each, or one for each element of an array."""
        rows = self.code.local()
        self.code.put(f"{rows} = []")
        owner = "parties_first" if parent == "party" else f"{self.entity_id}({self.source_name}, {self.code.constant(parent)}, key)"
        given = {field.name: owner for field in fields_of(entity) if field.reference == parent}
        for number, block in enumerate(blocks):
            key = "key"
            if number:
                key = self.code.local()
                self.code.put(f"{key} = f'{{key}}:{number}'")
            if block.when:
                self.code.put(f"if {self.code.condition(block.when, self.code.record)}:")
                self.code.indent()
            if block.each:
                self._each(name, entity, block, rows, given, key)
            else:
                self._child(name, entity, block, rows, given, key, self.code.record)
            if block.when:
                self.code.indent(-1)
        return f"({self.code.constant(entity.table)}, {rows})"

    def _child(
        self, name: str, entity: type[Entity], block: ChildBlock, rows: str, given: Mapping[str, str], key: str, base: Base
    ) -> None:  # fmt: skip
        identity = f"{self.entity_id}({self.source_name}, {self.code.constant(name)}, {key})"
        row = self._row(entity, block.fields, identity, key, given=given, base=base)
        self.code.put(f"if {self._says_something(entity, row)}: {rows}.append({row})")

    def _says_something(self, entity: type[Entity], row: str) -> str:
        """Return the condition that a row has any of the fields without which it would say nothing."""
        columns = row_columns(entity)
        return " or ".join(f"{row}[{columns.index(name)}]" for name in entity.needs_any) or "True"

    def _each(self, name: str, entity: type[Entity], block: ChildBlock, rows: str, given: Mapping[str, str], parent: str) -> None:
        assert block.each  # noqa: S101 - the caller has looked
        code, index, key, seen = self.code, self.code.local(), self.code.local(), self.code.local()
        code.blame(block.each)
        array, shape = code.elements(block.each.source or WHOLE, code.record)
        element = Base(code.local(), shape)
        code.put(f"{seen} = set()")
        code.put(f"for {index}, {element.name} in enumerate({array}):")
        code.indent()
        part = code.value(block.key, Wanted("text", nullable=False), element) if block.key else index
        code.put(f"{code.constant(_add)}({seen}, {part})")
        code.put(f"{key} = f'{{{parent}}}:{{{part}}}'")
        self._child(name, entity, block, rows, given, key, element)
        code.indent(-1)

    def _row(
        self, entity: type[Entity], fields: Mapping[str, Expression], identity: str, external_id: str, *,
        extensions: Mapping[str, Expression] | None = None, given: Mapping[str, str] | None = None,
        base: Base | None = None,
    ) -> str:  # fmt: skip
        """Emit a row; return the name of the tuple."""
        known = {
            "id": identity, "source": self.source_name, "external_id": external_id, "mapping": self.label,
            "record_id": "record_id", "run_id": "run_id", "extensions": self._extensions(extensions or {}), **(given or {}),
        }  # fmt: skip
        cells: list[str] = []
        content: list[str] = []
        cell_of: dict[str, str] = {}
        for field in fields_of(entity):
            if field.derived:
                made = [self._derived(field.derived, cell_of, fields)]
            elif field.name in known:
                made = [known[field.name]]
            elif field.name in fields:
                made = self._cells(field, fields[field.name], base or self.code.record)
            else:
                made = ["None", "None"] if field.kind == "money" else [self.code.constant(field.default)]
            cell_of[field.name] = made[0]
            cells += made
            if field.name not in _ORIGIN:
                content += made
        name = self.code.local()
        self.code.put(f"{name} = ({', '.join(cells)},)")
        self.code.put(f"content += ({self.code.constant(entity.table)}, {', '.join(content)})")
        return name

    def _derived(self, derived: Derived, cell_of: Mapping[str, str], fields: Mapping[str, Expression]) -> str:
        """Emit the value of a field that follows from others; return the local that holds it."""
        if blamed := next((fields[name] for name in derived.fields if name in fields), None):
            self.code.blame(blamed)
        name = self.code.local()
        self.code.put(f"{name} = {self.code.constant(derived.function)}({', '.join(cell_of[field] for field in derived.fields)})")
        return name

    def _cells(self, field: Field, expression: Expression, base: Base) -> list[str]:
        wanted = Wanted(_CONVERT[field.kind], field.nullable, field.choices, many=field.kind == "list")
        value = self.code.value(expression, wanted, base)
        if field.kind == "money":
            return [f"{value} and {value}[0]", f"{value} and {value}[1]"]
        if field.kind == "real":
            self.code.put(f"if {value} is not None: {value} = {self.code.constant(to_real)}({value})")
        if field.kind == "list":
            self.code.put(f"if {value} is not None: {value} = {self.encode}({value}).decode()")
        if field.reference:
            kind = self.code.constant(field.reference)
            self.code.put(f"if {value} is not None: {value} = {self.entity_id}({self.source_name}, {kind}, {value})")
        return [value]

    def _extensions(self, extensions: Mapping[str, Expression]) -> str:
        if not extensions:
            return "None"
        code, held = self.code, self.code.local()
        code.put(f"{held} = {{}}")
        for name, expression in extensions.items():
            value = code.value(expression, Wanted("any"), code.record)
            code.put(f"if {value} is not None: {held}[{code.constant(name)}] = {value}")
        code.put(f"{held} = {self.encode}({held}).decode() if {held} else None")
        return held


def _add(seen: set[Any], key: Any) -> None:
    if key in seen:
        raise ValueError("two elements have the same key")
    if len(seen) == _MOST_ELEMENTS:
        raise ValueError(f"more than {_MOST_ELEMENTS:,} elements; at most so many make rows")
    seen.add(key)
