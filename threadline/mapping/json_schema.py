"""A JSON Schema (draft 2020-12) of mapping files, for editors: it follows from the canonical model, and from nothing else.

`threadline map check` says more: it also knows the connector's functions, and runs the examples.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias, get_args

from threadline.mapping.convert import MAKES
from threadline.mapping.files import DOCUMENTS, has_identifiers, mappable
from threadline.mapping.reader import VERIFIED
from threadline.model.entities import MAPPED, Entity, Party, Role
from threadline.model.identifiers import SHARED_KINDS
from threadline.model.schema import Field, Kind

Schema: TypeAlias = dict[str, Any]

_NAME = r"(?!\$(\.|$))[^.]+"
_PATH = rf"^(\$|{_NAME}(\.{_NAME})*)$"
_LITERALS: Mapping[Kind, tuple[str, ...]] = {
    "text": ("string", "number", "boolean"), "id": ("string", "number"), "integer": ("integer", "string"),
    "boolean": ("boolean", "string", "integer"), "time": ("string", "number"), "date": ("string",), "money": ("number", "string"),
    "list": ("array", "string", "number"), "real": ("number", "string"),
}  # fmt: skip
_KINDS = {
    "email": "an e-mail address", "phone": "a phone number", "handle": "network:name, such as x:mara_lq",
    "threadline": "a profile id that threadline itself wrote into the system",
}  # fmt: skip


def schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(mapping_schema(), indent=2, ensure_ascii=False) + "\n"


def mapping_schema() -> Schema:
    """Return the schema of pull and push mappings; a source without a dot tells a push mapping."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A mapping file of threadline",
        "type": "object",
        "required": ["source", "target", "fields"],
        "if": {"properties": {"source": {"pattern": r"^[^.]*$"}}},
        "then": _ref("push"),
        "else": _ref("pull"),
        "$defs": {
            "push": _push(),
            "pull": _pull(),
            **{f"to_{name}": _to(name) for name in MAPPED},
            **{f"{target}_{name}": _child(kind, target) for target, entity in MAPPED.items() for name, kind in entity.children.items()},
            **_values(),
            **_common(),
        },
    }


def _ref(name: str, about: str | None = None) -> Schema:
    return {**({"description": about} if about else {}), "$ref": f"#/$defs/{name}"}


def _object(properties: Mapping[str, Any], *, required: Iterable[str] = (), rest: Any = False, **more: Any) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(required), "additionalProperties": rest, **more}


def _common() -> Schema:
    scalars = ["string", "number", "boolean", "null"]
    paths = {"pattern": _PATH}
    return {
        "path": {
            "description": "names joined by dots, or a list of names; $ is the whole record",
            "anyOf": [{"type": "string", **paths}, {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}],
        },
        "condition": {
            "description": 'a path that is there, or {path: value}, {path: [one, of, these]}, {path: null} (missing), {path: "*"} (there)',
            "anyOf": [_ref("path"), _object({}, rest={"type": [*scalars, "array"]}, propertyNames=paths, minProperties=1)],
        },
        "where": _object({}, rest={}, propertyNames=paths, minProperties=1),
        "version": {"type": "integer", "minimum": 1, "description": "raised with each change: stored records are then mapped again"},
        "identifiers": _identifiers("identifier"),
        "own_identifiers": _identifiers("own_identifier"),
        "examples": {
            "type": "array",
            "description": "records, and what becomes of them (null: it is filtered)",
            "items": _object({"given": {"type": "object"}, "gives": {"type": ["object", "null"]}}, required=("given", "gives")),
        },
        "extensions": _object({}, rest=_ref("any"), description="kept as they are, under these names"),
        "parties": {"type": "array", "items": _party(), "description": "who takes part"},
        "together": _together(),
    }


def _identifiers(value: str) -> Schema:
    return _object(
        {kind: _ref(value, _KINDS[kind]) for kind in sorted(SHARED_KINDS)},
        rest=_ref(value),
        minProperties=1,
        description="what names the party; kinds of other names are ids within the source",
    )


def _together() -> Schema:
    """Return which verbs go together."""
    return {
        "anyOf": [{"required": [name]} for name in ("from", "template", "each", "default")],
        "dependentRequired": {"otherwise": ["lookup"], "call": ["from"]},
        "dependentSchemas": {
            "where": {"anyOf": [{"required": ["from"]}, {"required": ["each"]}]},
            "take": {"anyOf": [{"required": ["where"]}, {"required": ["each"]}]},
            "template": {"not": {"anyOf": [{"required": ["from"]}, {"required": ["each"]}]}},
            "each": {"not": {"anyOf": [{"required": ["from"]}, {"required": ["lookup"]}]}},
        },
    }


def _values() -> Schema:
    """Return one definition for each kind of value that the fields of the model have."""
    entities = dict.fromkeys(kind for entity in MAPPED.values() for kind in (entity, *entity.children.values()))
    fields = {_kind(entity, field): field for entity in entities for field in mappable(entity).values()}
    return {
        "any": _value(list(MAKES), {}, money=True),
        "text": _value(_conversions("text"), _TEXT, each=False),
        "identifier": _one_or_more("place"),
        "place": _value(_conversions("text"), _TEXT),
        "own_identifier": _one_or_more("own_place"),
        "own_place": _value(_conversions("text"), _TEXT, verified=True),
        "currency": _value(_conversions("text"), {"type": "string", "pattern": "^[A-Za-z]{3}$"}, nullable=False, each=False),
        **{name: _of(field) for name, field in fields.items() if name != "text"},
    }


_TEXT: Schema = {"type": [*_LITERALS["text"], "null"]}


def _one_or_more(name: str) -> Schema:
    return {"anyOf": [_ref(name), {"type": "array", "items": _ref(name), "minItems": 1}]}


def _kind(entity: type[Entity], field: Field) -> str:
    if field.choices:
        return f"{entity.__name__.lower()}_{field.name}"
    return {"id": "text"}.get(field.kind, field.kind) + ("" if field.nullable else "_needed")


def _of(field: Field) -> Schema:
    literal: Schema = {"enum": list(field.choices)} if field.choices else {"type": list(_LITERALS[field.kind])}
    if field.nullable:
        literal = {"enum": [*field.choices, None]} if field.choices else {"type": [*_LITERALS[field.kind], "null"]}
    is_money, is_list = field.kind == "money", field.kind == "list"
    value = _value(_conversions(field.kind), literal, nullable=field.nullable, money=is_money, each=is_list)
    if is_money:
        # A bare path has no currency.
        return {**value["anyOf"][1], "required": ["currency"]}
    return value


def _conversions(kind: Kind) -> list[str]:
    return [name for name, made in MAKES.items() if made == kind or (made == "text" and kind in ("id", "list"))]


def _value(
    conversions: list[str], literal: Schema, *, nullable: bool = True, money: bool = False, each: bool = True, verified: bool = False
) -> Schema:
    """Return the schema of a value: a path, or verbs; `literal` is what the file itself may say that it is."""
    verbs: Schema = {
        "from": _ref("path", "where the value stands"),
        "where": _ref("where", "of the array at `from` the first element with these values, of the one at `each` all of them"),
        "take": _ref("path", "the path in the element that `where` finds, or in every element of `each`"),
        "each": _ref("path", "the array from whose elements a list is taken"),
        "template": {"description": "text with paths in braces; missing when one of them is missing", "type": "string"},
        "call": {"description": "the connector's function of that name, applied to the value of `from`", "type": "string"},
        "as": {"description": "how the value is converted; without it the canonical type decides", "enum": conversions},
        "currency": _ref("currency", "where the amount's currency stands, or {default: EUR}"),
        "lookup": _object({}, rest=literal, minProperties=1, description="translates the value"),
        "otherwise": {"description": "for values that `lookup` does not list; they are errors without it", **literal},
        "default": {"description": "what it is when it is missing; alone, a constant", **literal},
        "optional": {"description": "whether it may be missing", **({"type": "boolean"} if nullable else {"const": False})},
        "when": _ref("condition", "only where the condition holds"),
        VERIFIED: _ref("condition", "where the condition holds, the source has made sure that the value is the party's"),
    }
    left_out = {"currency": not money, "each": not each, VERIFIED: not verified}
    known = {name: verb for name, verb in verbs.items() if not left_out.get(name)}
    return {"anyOf": [{"type": "string", "pattern": _PATH}, _object(known, allOf=[_ref("together")])]}


def _fields(entity: type[Entity], parent: str | None = None, without: Iterable[str] = ()) -> Schema:
    known = {name: field for name, field in mappable(entity, parent).items() if name not in without}
    needed = [name for name, field in known.items() if field.required]
    return _object({name: _ref(_kind(entity, field), field.about) for name, field in known.items()}, required=needed)


def _party() -> Schema:
    return _object(
        {
            "role": {"enum": list(get_args(Role))},
            "when": _ref("condition"),
            "identifiers": _ref("identifiers"),
            "fields": {"description": "what this record says of the party", **_fields(Party, without=("role",))},
        },
        required=("role", "identifiers"),
    )


def _children(entity: type[Entity], block: str) -> Schema:
    return {"description": _said(entity), **_one_or_more(block)}


def _child(entity: type[Entity], parent: str) -> Schema:
    return _object(
        {
            "each": _ref("path", "the array whose elements these are"),
            "key": _ref("text_needed", "what names the element; its position when left out"),
            "when": _ref("condition"),
            "fields": _fields(entity, parent),
        },
        required=("fields",),
        dependentRequired={"key": ["each"]},
    )


def _said(entity: type[Entity]) -> str:
    return (entity.__doc__ or "").splitlines()[0]


def _to(name: str) -> Schema:
    entity = MAPPED[name]
    return _object(
        {
            "source": {"type": "string", "description": "connector and stream, such as zendesk.tickets"},
            "target": {"const": name},
            "version": _ref("version"),
            "when": _ref("condition", "which records count; the others are filtered"),
            "fields": _fields(entity),
            **({"identifiers": _ref("own_identifiers" if entity is Party else "identifiers")} if has_identifiers(name) else {}),
            **({"parties": _ref("parties")} if entity.has_parties else {}),
            **{child: _children(kind, f"{name}_{child}") for child, kind in entity.children.items()},
            "extensions": _ref("extensions"),
            "examples": _ref("examples"),
        },
        required=("source", "target", "fields", *(("identifiers",) if has_identifiers(name) else ())),
        description=_said(entity),
    )


def _pull() -> Schema:
    return {
        "properties": {"target": {"enum": list(MAPPED)}},
        "allOf": [{"if": {"properties": {"target": {"const": name}}}, "then": _ref(f"to_{name}")} for name in MAPPED],
    }


def _push() -> Schema:
    outputs = _object({}, rest=_ref("any"), propertyNames={"pattern": _PATH})
    return _object(
        {
            "source": {"enum": list(DOCUMENTS), "description": "the canonical document that is pushed"},
            "target": {"type": "string", "description": "connector and object, such as zendesk.user"},
            "version": _ref("version"),
            "when": _ref("condition", "which documents are pushed at all"),
            "fields": {**outputs, "description": "dotted names make nested objects"},
            "address": {**outputs, "description": "only says where the record is found: makes nothing due by itself"},
            "examples": _ref("examples"),
        },
        required=("source", "target", "fields"),
    )
