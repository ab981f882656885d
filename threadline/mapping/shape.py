"""The typed decode of a mapping: a msgspec type that holds only the paths that the mapping reads."""

from typing import Any

import msgspec

from threadline.mapping.language import WHOLE, Path
from threadline.sdk.yamlfile import is_mapping


class Shape:
    """What is read below one place of the record: named parts, elements of an array, or the value itself."""

    def __init__(self) -> None:
        self.parts: dict[str, Shape] = {}
        self.elements: Shape | None = None
        self.whole = False
        self.exact = False

    def at(self, path: Path) -> "Shape":
        """Return the shape at a path, made on the way."""
        here = self
        for name in path:
            here = here.parts.setdefault(name, Shape())
        return here

    def value(self, path: Path, *, exact: bool = False) -> None:
        """Note that the value at a path is read; `exact` keeps the source's own digits."""
        if path == WHOLE:
            self.whole = True
            return
        leaf = self.at(path)
        leaf.whole, leaf.exact = True, exact

    def array(self, path: Path) -> "Shape":
        """Return the shape of the elements of the array at a path."""
        holder = self.at(path)
        holder.elements = holder.elements or Shape()
        return holder.elements

    @property
    def loose(self) -> bool:
        """Whether the place is read in more than one way, so that only a plain value serves all."""
        return self.whole + bool(self.parts) + (self.elements is not None) > 1

    def type(self) -> Any:
        """Return the msgspec type; a place that may be missing or null is optional."""
        if self.loose:
            return Any
        if self.elements is not None:
            return list.__class_getitem__(self.elements.type()) | None
        if self.parts:
            return self.struct() | None
        return msgspec.Raw if self.exact else Any

    def struct(self) -> Any:
        """Return the type of an object; attribute f0 is its first part, and so on."""
        fields = [(f"f{n}", part.type(), msgspec.field(name=name, default=None)) for n, (name, part) in enumerate(self.parts.items())]
        return msgspec.defstruct("Record", fields, frozen=False, gc=False)

    def attribute(self, name: str) -> str:
        """Return the attribute that holds a part."""
        return f"f{list(self.parts).index(name)}"


def dig(value: Any, path: Path) -> Any:
    """Follow a path in plain JSON values; None where it ends early."""
    for name in path:
        if not is_mapping(value):
            return None
        value = value.get(name)
    return value
