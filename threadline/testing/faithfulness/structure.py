"""The shape of answers: which keys there are, and of which JSON types their values are (RFC 8259)."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from threadline.sdk.yamlfile import is_list, is_mapping

Verdict: TypeAlias = Literal["same", "missing", "extra", "another type", "described"]
"""`described` is a key that was not recorded, and that the vendor's document has."""


class Shape:
    """What was seen at one place of many answers."""

    def __init__(self) -> None:
        self.seen = 0
        self.null = False
        self.types: set[str] = set()
        """JSON types, without null."""
        self.objects = 0
        self.keys: dict[str, Shape] = {}
        self.items: Shape | None = None

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Shape":
        """Return the shape of several values together."""
        shape = cls()
        shape.add_all(values)
        return shape

    def add_all(self, values: Iterable[Any]) -> None:
        """See several values."""
        for value in values:
            self.add(value)

    def add(self, value: Any) -> None:
        """See one more value."""
        self.seen += 1
        if value is None:
            self.null = True
            return
        self.types.add(_type(value))
        if is_mapping(value):
            self.objects += 1
            for key, inner in value.items():
                self.keys.setdefault(key, Shape()).add(inner)
        elif is_list(value):
            self.items = self.items or Shape()
            self.items.add_all(value)

    def at(self, part: str) -> "Shape":
        """Return the shape at a part such as "tickets[]", where values may then be seen of which the surroundings are unknown."""
        shape = self
        for name in _steps(part):
            if name == "[]":
                shape.items = shape.items or Shape()
                shape = shape.items
            else:
                shape = shape.keys.setdefault(name, Shape())
        return shape


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of one place: "$.users[].name"."""

    path: str
    verdict: Verdict
    made: str = ""
    recorded: str = ""

    def __str__(self) -> str:
        detail = f": {self.made}, recorded {self.recorded}" if self.verdict == "another type" else ""
        return f"{self.path} {'is ' if self.verdict != 'another type' else 'has '}{self.verdict}{detail}"


def values_at(value: Any, part: str) -> list[Any]:
    """Return the values at a part of an answer, such as "tickets[]"."""
    found = [value]
    for name in _steps(part):
        if name == "[]":
            found = [inner for outer in found if is_list(outer) for inner in outer]
        else:
            found = [outer[name] for outer in found if is_mapping(outer) and name in outer]
    return found


def _steps(part: str) -> Iterator[str]:
    return filter(None, part.replace("[]", ".[]").split("."))


def compare(made: Shape, recorded: Shape, open_keys: Collection[str] = (), path: str = "$") -> Iterator[Finding]:
    """Yield a finding for each place: a key that every recorded answer has must be there, one that none has must not.

    Where only null was recorded, or nothing, nothing is known; a value that is always null has another type than one that never is.
    Objects named in `open_keys` have keys of the account's own: only those that both have are compared.
    """
    if recorded.types:
        surplus = made.types - recorded.types
        if surplus or (not made.types and not recorded.null):
            yield Finding(path, "another type", "/".join(sorted(surplus or {"null"})), "/".join(sorted(recorded.types)))
        else:
            yield Finding(path, "same")
    if (made.objects and recorded.objects) or (made.keys and recorded.keys):
        yield from _compare_keys(made, recorded, open_keys, path)
    if made.items and made.items.seen and recorded.items:
        yield from compare(made.items, recorded.items, open_keys, f"{path}[]")


def _compare_keys(made: Shape, recorded: Shape, open_keys: Collection[str], path: str) -> Iterator[Finding]:
    is_open = not recorded.objects or path.rpartition(".")[2].removesuffix("[]") in open_keys
    for key in sorted({*made.keys, *recorded.keys}):
        ours, theirs = made.keys.get(key), recorded.keys.get(key)
        place = f"{path}.{key}"
        if ours and theirs:
            yield from compare(ours, theirs, open_keys, place)
        elif ours and not is_open:
            yield Finding(place, "extra")
        elif theirs and not is_open and theirs.seen == recorded.objects:
            yield Finding(place, "missing")


def _type(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
