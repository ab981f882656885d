"""Turns a checked tree into the lines of a function: reading, conditions, and values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from threadline.mapping.convert import converters, to_text
from threadline.mapping.emit import Emitter
from threadline.mapping.errors import MappingError, shown
from threadline.mapping.language import MISSING, PRESENT, WHOLE, Condition, Expression, Path
from threadline.mapping.shape import PLAIN, Shape, dig, listed
from threadline.model.money import Money
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import nearest

Functions = Mapping[str, Callable[[Any], Any]]


class Base(NamedTuple):
    """Where paths begin: a local that holds the record or an element, and its shape."""

    name: str
    shape: Shape
    is_record: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a value is for: its conversion where the file does not say `as`, and what it may be."""

    convert: str
    nullable: bool = True
    choices: tuple[str, ...] = ()
    many: bool = False
    """Whether it becomes a list."""


def missing(expression: Expression) -> MappingError:
    """Make the error of a value that must be there."""
    return MappingError("missing; give it a `default` or mark it `optional`", path=expression.shown, site=expression.site)


def _unlisted(expression: Expression, value: Any) -> MappingError:
    message = f"{shown(value)} is not listed in its lookup ({', '.join(expression.lookup or ())}); list it or say what it is `otherwise`"
    return MappingError(message, path=expression.shown, site=expression.site)


def _unexpected(expression: Expression, value: Any, choices: tuple[str, ...]) -> MappingError:
    return MappingError(f"{shown(value)} is none of: {', '.join(choices)}", path=expression.shown, site=expression.site)


def _guarded(function: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        try:
            return function(value)
        except ValueError:
            raise
        except Exception as error:
            # A function that was not made for this value must not cost the stream, only the record.
            raise ValueError(f"`call: {name}` cannot take it ({type(error).__name__})") from error

    return call


class Code(Emitter):
    """The lines that read a record and make its values."""

    def __init__(self, shape: Shape, region: str | None, functions: Functions) -> None:
        super().__init__()
        self.record = Base("r", shape, is_record=True)
        self.converters = converters(region)
        self.functions = functions
        self._dig, self._listed, self._text = self.constant(dig), self.constant(listed), self.constant(to_text)

    # Reading

    def _typed(self, path: Path, base: Base) -> tuple[int, Shape]:
        """Return how many names of a path the typed decode follows, and the shape that it leads to."""
        here = base.shape
        for index, name in enumerate(path):
            if here.odd if base.is_record and index == 0 else here.plain:
                return index, PLAIN
            here = here.parts[name]
        return len(path), here

    def read(self, path: Path, base: Base) -> str:
        """Read the value at a path into a local; None where it is absent."""
        name = self.local()
        if path == WHOLE:
            self.put(f"{name} = whole(raw)" if base.is_record else f"{name} = {base.name}")
            return name
        steps, _ = self._typed(path, base)
        here, holder = base.shape, base.name
        for part in path[:steps]:
            step = f"{holder}.{here.attribute(part)}"
            self.put(f"{name} = {step}" if holder == self.record.name else f"{name} = None if {holder} is None else {step}")
            here, holder = here.parts[part], name
        if steps < len(path):
            self.put(f"{name} = {self._dig}({holder}, {self.constant(path[steps:])})")
        return name

    def elements(self, path: Path, base: Base) -> tuple[str, Shape]:
        """Read the array at a path into a local that can be iterated over; return also the shape of its elements."""
        name = self.read(path, base)
        shape = PLAIN if path == WHOLE else self._typed(path, base)[1]
        if shape.plain or shape.elements is None:
            self.put(f"{name} = {self._listed}({name})")
            return name, PLAIN
        self.put(f"{name} = {name} or ()")
        return name, shape.elements

    def condition(self, condition: Condition, base: Base) -> str:
        """Return a Python expression that says whether a `when` holds."""
        tests: list[str] = []
        for path, wanted in condition.tests:
            value = self.read(path, base)
            if wanted == PRESENT:
                tests.append(f"({value} is not None and {value} != '' and {value} is not False)")
            elif wanted is None:
                tests.append(f"({value} is None or {value} == '')")
            elif isinstance(wanted, list):
                tests.append(f"{value} in {self.constant([*wanted, *([''] if None in wanted else [])])}")
            else:
                tests.append(f"{value} == {self.constant(wanted)}")
        return " and ".join(tests)

    def _origin(self, expression: Expression, base: Base) -> str:
        if expression.template is not None:
            return self._template(expression.template, base)
        if expression.each is not None:
            return self._each(expression, expression.each, base)
        if expression.where is not None:
            return self._where(expression, base)
        if expression.source is not None:
            return self.read(expression.source, base)
        name = self.local()
        self.put(f"{name} = None")
        return name

    def _template(self, parts: tuple[str | Path, ...], base: Base) -> str:
        pieces = [self.constant(part) if isinstance(part, str) else self.read(part, base) for part in parts]
        reads = [piece for piece, part in zip(pieces, parts, strict=True) if not isinstance(part, str)]
        texts = [piece if isinstance(part, str) else f"{self._text}({piece})" for piece, part in zip(pieces, parts, strict=True)]
        absent = " or ".join(f"{read} is None or {read} == ''" for read in reads) or "False"
        name = self.local()
        self.put(f"{name} = None if {absent} else {' + '.join(texts) or 'None'}")
        return name

    def loop(self, expression: Expression, path: Path, base: Base) -> tuple[Base, str]:
        """Begin a loop over the elements of an array that are as `where` wants; return the element, and the local of what it gives."""
        array, shape = self.elements(path, base)
        element = Base(self.local(), shape)
        self.put(f"for {element.name} in {array}:")
        self.indent()
        for name, wanted in (expression.where or {}).items():
            self.put(f"if {self.read(name, element)} != {self.constant(wanted)}: continue")
        return element, self.read(expression.take or WHOLE, element)

    def _where(self, expression: Expression, base: Base) -> str:
        name = self.local()
        self.put(f"{name} = None")
        _, taken = self.loop(expression, expression.source or (), base)
        self.put(f"{name} = {taken}")
        self.put("break")
        self.indent(-1)
        return name

    def _each(self, expression: Expression, path: Path, base: Base) -> str:
        name = self.local()
        self.put(f"{name} = []")
        _, taken = self.loop(expression, path, base)
        self.put(f"if {taken} is not None and {taken} != '': {name}.append({taken})")
        self.indent(-1)
        self.put(f"{name} = {name} or None")
        return name

    # Values

    def value(self, expression: Expression, wanted: Wanted, base: Base) -> str:
        """Compute one value into a local."""
        many = wanted.many or expression.each is not None
        wanted = Wanted(expression.convert or wanted.convert, wanted.nullable, wanted.choices, many)
        if expression.currency is not None and wanted.convert != "money":
            raise ConfigError(f"{expression.site}: `currency` belongs to an amount of money")
        if expression.optional and not wanted.nullable:
            raise ConfigError(f"{expression.site}: this must have a value: say what it is by default instead of `optional`")
        name = self._sometimes(expression, wanted, base) if expression.when else self._always(expression, wanted, base)
        if wanted.convert == "money":
            self._money(expression, name, base)
        return name

    def _sometimes(self, expression: Expression, wanted: Wanted, base: Base) -> str:
        assert expression.when is not None  # noqa: S101 - the caller has looked
        holds = self.condition(expression.when, base)
        name = self.local()
        self.put(f"if {holds}:")
        self.indent()
        self.put(f"{name} = {self._always(expression, wanted, base)}")
        self.indent(-1)
        self.put("else:")
        self.indent()
        if expression.default is MISSING and wanted.nullable:
            self.put(f"{name} = None")
        else:
            self._absent(expression, name, wanted)
        self.indent(-1)
        return name

    def _always(self, expression: Expression, wanted: Wanted, base: Base) -> str:
        self.blame(expression)
        name = self._origin(expression, base)
        self.put(f"v = {name}")
        if expression.call is not None:
            self.put(f"if {name} is not None: {name} = {self.constant(self._function(expression, expression.call))}({name})")
        self.put(f"if {name} is None or {name} == '':")
        self.indent()
        self._absent(expression, name, wanted)
        self.indent(-1)
        self.otherwise(lambda: self._present(expression, name, wanted))
        return name

    def _function(self, expression: Expression, name: str) -> Callable[[Any], Any]:
        if name not in self.functions:
            raise ConfigError(f"{expression.site}: the connector has no function named {name!r}{nearest(name, self.functions)}")
        return _guarded(self.functions[name], name)

    def _absent(self, expression: Expression, name: str, wanted: Wanted) -> None:
        if expression.default is not MISSING:
            self.put(f"{name} = {self.constant(self._literal(expression, expression.default, wanted))}")
        elif expression.optional:
            self.put(f"{name} = None")
        else:
            self.put(f"raise {self.constant(missing)}({self.constant(expression)})")

    def _present(self, expression: Expression, name: str, wanted: Wanted) -> None:
        if expression.lookup is not None:
            self._lookup(expression, expression.lookup, name, wanted)
            return
        if wanted.convert == "any":
            return
        convert = self.constant(self.converters[wanted.convert])
        if wanted.many and wanted.convert != "list":
            self.put(f"if type({name}) is not list: {name} = ({name},)")
            self.put(f"{name} = [{convert}(one) for one in {name} if one is not None and one != ''] or None")
        elif wanted.convert == "text":
            self.put(f"if type({name}) is not str: {name} = {self._text}({name})")
        else:
            self.put(f"{name} = {convert}({name})")
        if wanted.choices:
            names = self.constant(wanted.choices)
            self.put(f"if {name} not in {names}: raise {self.constant(_unexpected)}({self.constant(expression)}, {name}, {names})")

    def _lookup(self, expression: Expression, lookup: Mapping[str, Any], name: str, wanted: Wanted) -> None:
        table = self.constant({key: self._literal(expression, value, wanted) for key, value in lookup.items()})
        key = f"{name} if type({name}) is str else {self._text}({name})"
        if expression.otherwise is not MISSING:
            self.put(f"{name} = {table}.get({key}, {self.constant(self._literal(expression, expression.otherwise, wanted))})")
            return
        found, unlisted = self.local(), self.constant(_unlisted)
        self.put(f"{found} = {table}.get({key}, {unlisted})")
        self.put(f"if {found} is {unlisted}: raise {unlisted}({self.constant(expression)}, {name})")
        self.put(f"{name} = {found}")

    def _money(self, expression: Expression, name: str, base: Base) -> None:
        if expression.currency is None:
            raise ConfigError(f"{expression.site}: money needs its `currency`: a path, or {{default: EUR}}")
        self.put(f"if {name} is not None:")
        self.indent()
        currency = self.value(expression.currency, Wanted("currency", nullable=False), base)
        self.blame(expression, name)
        self.put(f"{name} = {self.constant(Money.of)}({name}, {currency})")
        self.indent(-1)

    def _literal(self, expression: Expression, value: Any, wanted: Wanted) -> Any:
        """Convert what the file itself says, so that a wrong value is found when the file is checked."""
        if value is None:
            if not wanted.nullable:
                raise ConfigError(f"{expression.site}: this field must have a value")
            return None
        try:
            converted = self.converters["list" if wanted.many else wanted.convert](value)
        except ValueError as error:
            raise ConfigError(f"{expression.site}: {shown(value)}: {error}") from None
        if wanted.choices and converted not in wanted.choices:
            raise ConfigError(f"{expression.site}: {shown(value)} is none of: {', '.join(wanted.choices)}")
        return converted
