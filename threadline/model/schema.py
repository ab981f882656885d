"""What follows from the declared entities: their fields as data, and a JSON Schema for editors of mapping files."""

from collections.abc import Iterator
from datetime import date, datetime
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from threadline.model.entities import Derived, Reference
from threadline.model.money import Money

Kind = Literal["id", "text", "integer", "real", "boolean", "time", "date", "money", "list", "json"]

_KINDS: dict[Any, Kind] = {
    bytes: "id", str: "text", int: "integer", float: "real", bool: "boolean", datetime: "time", date: "date", Money: "money",
    list: "list", dict: "json",
}  # fmt: skip

ENGINE_FIELDS = frozenset({"id", "source", "external_id", "mapping", "record_id", "run_id", "extensions", "mentioned"})
"""Fields of every entity that no mapping file sets."""


class Field(msgspec.Struct, frozen=True):
    """One field of an entity: its kind of value, the values allowed (for a closed list), the entity that it names, what it follows from."""

    name: str
    kind: Kind
    required: bool
    nullable: bool
    default: Any
    choices: tuple[str, ...]
    reference: str | None
    derived: Derived | None
    about: str


@cache
def fields_of(entity: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Return an entity's fields in the order of their declaration."""
    return tuple(_field(info) for info in msgspec.structs.fields(entity))


def _field(info: msgspec.structs.FieldInfo) -> Field:
    notes = list(_notes(info.type))
    about = next((note.description for note in notes if isinstance(note, msgspec.Meta)), None)
    reference = next((note.entity for note in notes if isinstance(note, Reference)), None)
    derived = next((note for note in notes if isinstance(note, Derived)), None)
    kinds, choices, nullable = _resolve(info.type)
    required = info.default is msgspec.NODEFAULT
    return Field(info.name, kinds, required, nullable, None if required else info.default, choices, reference, derived, about or "")


def _notes(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__


def _resolve(annotation: Any) -> tuple[Kind, tuple[str, ...], bool]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _resolve(get_args(annotation)[0])
    if origin in (Union, UnionType):
        (inner,) = [part for part in get_args(annotation) if part is not type(None)]
        kind, choices, _ = _resolve(inner)
        return kind, choices, True
    if origin is Literal:
        return "text", get_args(annotation), False
    return _KINDS[origin or annotation], (), False
