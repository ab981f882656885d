"""The mapping language, as a tree: what `threadline.mapping.reader` makes of a file, and `threadline.mapping.codegen` runs."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

Path: TypeAlias = tuple[str, ...]
WHOLE: Path = ("$",)
MISSING = object()
PRESENT = "*"


def shown_path(path: Path, inside: str = "$") -> str:
    """Write a path as messages do."""
    return inside if path == WHOLE else ".".join((inside, *path))


class Condition(Struct, frozen=True):
    """`when`: each path must be there (`wanted` PRESENT: any value but false), be missing (None), or be one of `wanted`."""

    site: str
    tests: tuple[tuple[Path, Any], ...]

    def reads(self, inside: str = "$") -> Iterator[str]:
        """Return the JSON paths that it reads."""
        return (shown_path(path, inside) for path, _ in self.tests)


class Expression(Struct, frozen=True):
    """Where one value comes from; fields are the verbs of docs/mapping.md."""

    site: str
    """"file:line", for messages."""
    source: Path | None = None
    convert: str | None = None
    currency: "Expression | None" = None
    lookup: Mapping[str, Any] | None = None
    otherwise: Any = MISSING
    default: Any = MISSING
    optional: bool = False
    when: Condition | None = None
    where: Mapping[Path, Any] | None = None
    take: Path | None = None
    template: tuple[str | Path, ...] | None = None
    each: Path | None = None
    call: str | None = None
    verified: Condition | None = None
    inside: str = "$"
    """The JSON path where its own paths begin."""

    @property
    def shown(self) -> str:
        """The JSON path that it reads, for messages."""
        return next(iter(self.reads()), self.inside)

    def reads(self) -> Iterator[str]:
        """Return all the JSON paths that it reads, the one of its value first."""
        path = self.source or self.each
        if path is not None:
            element = f"{shown_path(path, self.inside)}[*]"
            yield shown_path(self.take or WHOLE, element) if self.each or self.where else shown_path(path, self.inside)
            yield from (shown_path(name, element) for name in self.where or ())
        yield from (shown_path(part, self.inside) for part in self.template or () if not isinstance(part, str))
        if self.when:
            yield from self.when.reads(self.inside)
        if self.verified:
            yield from self.verified.reads(f"{shown_path(self.each, self.inside)}[*]" if self.each else self.inside)
        if self.currency:
            yield from self.currency.reads()


Identifiers: TypeAlias = tuple[tuple[str, Expression], ...]
"""Kinds of identifiers, each as often as there are places where a party's values of it stand."""


class PartyBlock(Struct, frozen=True):
    """Who takes part: a role, identifiers, and what is known of the party."""

    site: str
    role: Literal["customer", "agent"]
    identifiers: Identifiers
    fields: Mapping[str, Expression]
    when: Condition | None = None


class ChildBlock(Struct, frozen=True):
    """Records inside the record: one (`message`), or one for each element of an array (`items`)."""

    fields: Mapping[str, Expression]
    when: Condition | None = None
    each: Expression | None = None
    key: Expression | None = None


class Example(Struct, frozen=True):
    """A record, and what the mapping makes of it (None: nothing, it is filtered)."""

    site: str
    given: Mapping[str, Any]
    gives: Mapping[str, Any] | None


class Tree(Struct, frozen=True):
    """A whole mapping file."""

    name: str
    source: str
    target: str
    version: int
    when: Condition | None
    fields: Mapping[str, Expression]
    identifiers: Identifiers = ()
    parties: tuple[PartyBlock, ...] = ()
    children: Mapping[str, tuple[ChildBlock, ...]] = field(default_factory=dict[str, tuple[ChildBlock, ...]])
    extensions: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    address: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    examples: tuple[Example, ...] = ()

    @property
    def blocks(self) -> list[ChildBlock]:
        """The blocks of records inside the record."""
        return [block for blocks in self.children.values() for block in blocks]

    def conditions(self) -> list[Condition]:
        """Return the `when` of the file and of its blocks."""
        found = [self.when, *(party.when for party in self.parties), *(child.when for child in self.blocks)]
        return [condition for condition in found if condition]

    def values(self) -> Iterator[Expression]:
        """Return where the values of the record itself, and of who takes part, come from."""
        for identifiers in (self.identifiers, *(party.identifiers for party in self.parties)):
            yield from (expression for _, expression in identifiers)
        for block in (self.fields, self.extensions, self.address, *(party.fields for party in self.parties)):
            yield from block.values()

    def reads(self) -> Iterator[tuple[str, str]]:
        """Return ("file:line", JSON path) of everything that is read."""
        inside = [one for child in self.blocks for one in (child.each, child.key, *child.fields.values()) if one]
        for condition in self.conditions():
            yield from ((condition.site, path) for path in condition.reads())
        for expression in (*inside, *self.values()):
            yield from ((expression.site, path) for path in expression.reads())
