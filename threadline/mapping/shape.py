"""The typed decode of a mapping: a msgspec type that holds only the paths that the mapping reads."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from threadline.mapping.language import WHOLE, Condition, Expression, Path
from threadline.sdk.yamlfile import is_list, is_mapping, kind_of

# What msgspec cannot take as the name of a field.
_ODD = re.compile(r'["\\\x00-\x1f]')


class Shape:
    """What is read below one place of the record: named parts, elements of an array, or the value itself."""

    def __init__(self, *, plain: bool = False) -> None:
        self.parts: dict[str, Shape] = {}
        self.elements: Shape | None = None
        self.whole = plain

    def at(self, path: Path) -> "Shape":
        """Return the shape at a path, made on the way."""
        here = self
        for name in path:
            here = here.parts.setdefault(name, Shape())
        return here

    def value(self, path: Path) -> None:
        """Note that the value at a path is read."""
        (self if path == WHOLE else self.at(path)).whole = True

    def array(self, path: Path) -> "Shape":
        """Return the shape of the elements of the array at a path."""
        holder = self if path == WHOLE else self.at(path)
        holder.elements = holder.elements or Shape()
        return holder.elements

    @property
    def odd(self) -> bool:
        """Whether a name is read here that no type can have."""
        return any(_ODD.search(name) for name in self.parts)

    @property
    def plain(self) -> bool:
        """Whether a plain JSON value stands here: read whole, in more than one way, or by odd names."""
        return self.whole or self.odd or (bool(self.parts) and self.elements is not None)

    def type(self) -> Any:
        """Return the msgspec type; a place that may be missing or null is optional."""
        if self.plain:
            return Any
        if self.elements is not None:
            return list.__class_getitem__(self.elements.type()) | None
        return self._struct() | None

    def record(self) -> Any:
        """Return the type of the whole record, which must be an object. What reads it whole decodes it anew."""
        return dict[str, Any] if self.odd else self._struct()

    def along_with(self, names: Sequence[str]) -> "Shape":
        """Return a shape that has these parts as well, as plain values if they are new; all attributes stay what they are."""
        wider = Shape()
        wider.parts = {**self.parts, **{name: PLAIN for name in names if name not in self.parts}}
        return wider

    def _struct(self) -> Any:
        """Return the type of an object; attribute f0 is its first part, and so on."""
        fields = [(f"f{n}", part.type(), msgspec.field(name=name, default=None)) for n, (name, part) in enumerate(self.parts.items())]
        return msgspec.defstruct("Record", fields, frozen=False, gc=False)

    def attribute(self, name: str) -> str:
        """Return the attribute that holds a part."""
        return f"f{list(self.parts).index(name)}"

    def note(self, expression: Expression) -> None:
        """Note what an expression reads."""
        if expression.when is not None:
            self.note_condition(expression.when)
        if expression.verified is not None:
            # What is verified of an array's elements, each says of itself.
            (self.array(expression.each) if expression.each else self).note_condition(expression.verified)
        for path in expression.template or ():
            if not isinstance(path, str):
                self.value(path)
        array = expression.each or (expression.source if expression.where is not None else None)
        if array is not None:
            elements = self.array(array)
            for path in (*(expression.where or ()), expression.take or WHOLE):
                elements.value(path)
        elif expression.source is not None:
            self.value(expression.source)
        if expression.currency is not None:
            self.note(expression.currency)

    def note_condition(self, condition: Condition) -> None:
        """Note what a condition reads."""
        for path, _ in condition.tests:
            self.value(path)


PLAIN = Shape(plain=True)
"""The shape of a place that is read as a plain JSON value."""


def dig(value: Any, path: Path) -> Any:
    """Follow a path in plain JSON values; None where it ends early."""
    for name in path:
        if not is_mapping(value):
            return None
        value = value.get(name)
    return value


def listed(value: Any) -> list[Any]:
    """Return an array of plain JSON values; ValueError for anything but an array or null."""
    if value is None:
        return []
    if not is_list(value):
        raise ValueError(f"expected a list, found {kind_of(value)}")
    return value
