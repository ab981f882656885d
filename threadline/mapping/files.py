"""Reads whole mapping files: the blocks that each target takes, checked against the canonical model."""

from collections.abc import Mapping
from typing import Any, get_args

from msgspec.structs import replace

from threadline.mapping.convert import MAKES
from threadline.mapping.language import ChildBlock, Expression, Identifiers, PartyBlock, Tree
from threadline.mapping.reader import VERIFIED, Reader
from threadline.model.entities import MAPPED, Entity, Party, Role
from threadline.model.schema import ENGINE_FIELDS, Field, Kind, fields_of
from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, nearest

_COMMON = ("source", "target", "version", "when", "fields", "extensions", "examples")
DOCUMENTS = ("profile", "interaction")
"""The canonical documents that a push mapping may start from."""


def mappable(entity: type[Entity], parent: str | None = None) -> Mapping[str, Field]:
    """Return the fields that a mapping file sets; what is derived, and a child's reference to its parent, is set by the engine."""
    return {
        field.name: field
        for field in fields_of(entity)
        if field.name not in ENGINE_FIELDS
        and not field.derived
        and not (parent and field.reference == parent)
        and not (entity is not Party and field.reference == "party")
    }


def read_pull(document: Document) -> Tree:
    """Read `mappings/<system>/<stream>.yaml`."""
    reader = Reader(document)
    head = _mapping(document, reader)
    target = str(head.get("target"))
    if target not in MAPPED:
        what = f"no canonical entity named {target!r}" if "target" in head else "a mapping needs 'target'"
        raise reader.error(("target",), f"{what}{nearest(target, MAPPED)}")
    entity = MAPPED[target]
    blocks = (
        *_COMMON,
        *entity.children,
        *(("parties",) if entity.has_parties else ()),
        *(("identifiers",) if has_identifiers(target) else ()),
    )
    keys = reader.keys((), document.value, blocks, f"a mapping to {target}", required=("source", "fields"))
    return Tree(
        name=document.name,
        source=str(keys["source"]),
        target=target,
        version=_version(reader, keys),
        when=reader.condition(("when",), keys["when"]) if "when" in keys else None,
        fields=_fields(reader, ("fields",), keys["fields"], entity, None),
        # Of who somebody is only the source's own record of them can be sure.
        identifiers=_identifiers(reader, (), keys, (VERIFIED,) if entity is Party else ()) if has_identifiers(target) else (),
        parties=_parties(reader, keys.get("parties")),
        children={name: _children(reader, name, keys[name], child, target) for name, child in entity.children.items() if name in keys},
        extensions=reader.expressions(("extensions",), keys.get("extensions")),
        examples=reader.examples(("examples",), keys.get("examples")),
    )


def read_push(document: Document) -> Tree:
    """Read `mappings/<system>/push/<object>.yaml`."""
    reader = Reader(document)
    head = _mapping(document, reader)
    keys = reader.keys((), head, (*_COMMON, "address"), "a push mapping", required=("source", "target", "fields"))
    if keys["source"] not in DOCUMENTS:
        raise reader.error(("source",), f"no canonical document named {keys['source']!r}{nearest(str(keys['source']), DOCUMENTS)}")
    if "extensions" in keys:
        raise reader.error(("extensions",), "a push mapping writes fields only")
    fields, address = (reader.expressions((block,), keys.get(block)) for block in ("fields", "address"))
    _check_outputs(reader, [*((("fields", name), name) for name in fields), *((("address", name), name) for name in address)])
    return Tree(
        name=document.name,
        source=keys["source"],
        target=str(keys["target"]),
        version=_version(reader, keys),
        when=reader.condition(("when",), keys["when"]) if "when" in keys else None,
        fields=fields,
        address=address,
        examples=reader.examples(("examples",), keys.get("examples")),
    )


def _check_outputs(reader: Reader, places: list[tuple[Location, str]]) -> None:
    """Refuse names of a push mapping that cannot stand in one record."""
    seen: dict[tuple[str, ...], str] = {}
    for at, name in places:
        path = reader.path(at, name)
        for other, written in seen.items():
            if path[: len(other)] == other[: len(path)]:
                raise reader.error(at, f"{name!r} and {written!r} cannot both be written: one is the other, or inside of it")
        seen[path] = name


def _mapping(document: Document, reader: Reader) -> Mapping[str, Any]:
    if not is_mapping(document.value):
        raise reader.error((), "a mapping file is a mapping: it begins with `source:` and `target:`")
    return document.value


def has_identifiers(target: str) -> bool:
    """Whether a mapping to this entity says which party it is about."""
    return MAPPED[target] is Party or any(field.reference == "party" for field in fields_of(MAPPED[target]))


def _version(reader: Reader, keys: Mapping[str, Any]) -> int:
    version = keys.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise reader.error(("version",), "`version` is a whole number from 1")
    return version


def _fields(
    reader: Reader, at: Location, value: Any, entity: type[Entity], parent: str | None, inside: str = "$"
) -> Mapping[str, Expression]:
    known = mappable(entity, parent)
    found = reader.expressions(at, value, inside)
    for name, expression in found.items():
        if name not in known:
            raise reader.error((*at, name), f"{entity.__name__} has no field {name!r}{nearest(name, known)}")
        if expression.optional and not known[name].nullable:
            raise reader.error((*at, name), f"{name} must have a value: say what it is by default instead of `optional`")
        _check_kind(reader, (*at, name), expression, known[name].kind)
    for field in known.values():
        if field.required and field.name not in found:
            raise reader.error(at, f"{entity.__name__} needs the field {field.name!r}: {field.about}")
    return found


_KINDS: Mapping[Kind, str] = {
    "id": "a text", "text": "a text", "integer": "a whole number", "boolean": "true or false", "time": "a time", "date": "a date",
    "money": "an amount of money", "list": "a list of texts", "real": "a decimal number",
}  # fmt: skip


def _check_kind(reader: Reader, at: Location, expression: Expression, kind: Kind) -> None:
    made = MAKES[expression.convert] if expression.convert else kind
    if made != kind and not (made == "text" and kind in ("id", "list")):
        raise reader.error(at, f"{at[-1]} is {_KINDS[kind]}, and `as: {expression.convert}` makes {_KINDS[made]}")
    if expression.each and kind != "list":
        raise reader.error(at, f"{at[-1]} is {_KINDS[kind]}, and `each` gives a list")


def _identifiers(reader: Reader, at: Location, keys: Mapping[str, Any], more: tuple[str, ...] = ()) -> Identifiers:
    block = keys.get("identifiers")
    found = reader.identifiers((*at, "identifiers") if block else at, block, more)
    for kind, expression in found:
        # A party may have several values of a kind: each element of `each` is one.
        _check_kind(reader, (*at, "identifiers", kind), replace(expression, each=None), "text")
    return found


def _parties(reader: Reader, value: Any) -> tuple[PartyBlock, ...]:
    if value is None:
        return ()
    if not is_list(value):
        raise reader.error(("parties",), "parties are a list: each begins with `- role:`")
    return tuple(_party(reader, ("parties", index), entry) for index, entry in enumerate(value))


def _party(reader: Reader, at: Location, value: Any) -> PartyBlock:
    keys = reader.keys(at, value, ("role", "when", "identifiers", "fields"), "a party", required=("role",))
    if keys["role"] not in get_args(Role):
        raise reader.error((*at, "role"), f"no role named {keys['role']!r}; known: {', '.join(get_args(Role))}")
    fields = _fields(reader, (*at, "fields"), keys.get("fields"), Party, None)
    if "role" in fields:
        raise reader.error((*at, "fields", "role"), "the role stands beside the fields")
    return PartyBlock(
        reader.document.at(at),
        keys["role"],
        _identifiers(reader, at, keys),
        fields,
        reader.condition((*at, "when"), keys["when"]) if "when" in keys else None,
    )


def _children(reader: Reader, name: str, value: Any, entity: type[Entity], parent: str) -> tuple[ChildBlock, ...]:
    if not is_list(value):
        return (_child(reader, (name,), value, entity, parent),)
    if not value:
        raise reader.error((name,), f"`{name}` is a block, or a list of at least one")
    return tuple(_child(reader, (name, index), entry, entity, parent) for index, entry in enumerate(value))


def _child(reader: Reader, at: Location, value: Any, entity: type[Entity], parent: str) -> ChildBlock:
    name = at[0]
    keys = reader.keys(at, value, ("each", "key", "when", "fields"), f"`{name}`", required=("fields",))
    if "key" in keys and "each" not in keys:
        raise reader.error((*at, "key"), "`key` is a path in the elements of `each`")
    each = Expression(reader.document.at((*at, "each")), reader.path((*at, "each"), keys["each"])) if "each" in keys else None
    inside = f"{each.shown}[*]" if each else "$"
    return ChildBlock(
        _fields(reader, (*at, "fields"), keys["fields"], entity, parent, inside),
        reader.condition((*at, "when"), keys["when"]) if "when" in keys else None,
        each,
        reader.expression((*at, "key"), keys["key"], inside) if "key" in keys else None,
    )


__all__ = ["DOCUMENTS", "has_identifiers", "mappable", "read_pull", "read_push"]
