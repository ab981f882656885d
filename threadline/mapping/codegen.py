"""Turns a checked tree into one Python function.

The text of the function is made of this module's own words and numbered names only: what stands in a mapping file
(names, paths, literals) is passed in as values, so no file can put code into it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from threadline.mapping.convert import EXACT, Converter, converters, to_text
from threadline.mapping.errors import MappingError, shown
from threadline.mapping.language import MISSING, PRESENT, WHOLE, Condition, Expression, Path
from threadline.mapping.shape import Shape, dig
from threadline.model.money import Money
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import nearest

Functions = Mapping[str, Callable[[Any], Any]]


def _missing(expression: Expression) -> MappingError:
    return MappingError("missing; give it a `default` or mark it `optional`", path=expression.shown, site=expression.site)


def _unlisted(expression: Expression, value: Any) -> MappingError:
    listed = ", ".join(expression.lookup or {})
    return MappingError(
        f"{shown(value)} is not listed in its lookup ({listed}); list it or say what it is `otherwise`",
        path=expression.shown,
        site=expression.site,
    )


def _unexpected(expression: Expression, value: Any, choices: tuple[str, ...]) -> MappingError:
    return MappingError(f"{shown(value)} is none of: {', '.join(choices)}", path=expression.shown, site=expression.site)


def digits(raw: msgspec.Raw) -> str | None:
    """Return a number as the source wrote it, or the text that holds it; None for null."""
    text = bytes(raw).decode()
    if text.startswith('"'):
        return str(msgspec.json.decode(text))
    return None if text == "null" else text


class Code:
    """The function's lines, and the values that they refer to by numbered names."""

    def __init__(self, shape: Shape, region: str | None, functions: Functions) -> None:
        self.shape = shape
        self.converters = converters(region)
        self.functions = functions
        self.lines: list[str] = []
        self.values: dict[str, Any] = {
            "dig": dig,
            "digits": digits,
            "text": to_text,
            "missing": _missing,
            "unlisted": _unlisted,
            "unexpected": _unexpected,
        }
        self.sites: list[Expression] = []
        self._locals = 0
        self._depth = 2

    def put(self, line: str) -> None:
        """Add a line at the current depth."""
        self.lines.append("    " * self._depth + line)

    def indent(self, steps: int = 1) -> None:
        """Go deeper, or back with a negative number."""
        self._depth += steps

    def constant(self, value: Any) -> str:
        """Pass a value in; return its name."""
        name = f"k{len(self.values)}"
        self.values[name] = value
        return name

    def local(self) -> str:
        """Return a fresh local name."""
        self._locals += 1
        return f"v{self._locals}"

    # Reading

    def read(self, path: Path, base: str = "r", shape: Shape | None = None) -> str:
        """Read the value at a path into a local; None where it is absent."""
        name = self.local()
        if path == WHOLE:
            self.put(f"{name} = whole(raw)" if base == "r" else f"{name} = {base}")
            return name
        here = shape or self.shape
        self.put(f"{name} = {base}")
        for index, part in enumerate(path):
            if here.loose or (here.whole and not here.parts):
                self.put(f"{name} = dig({name}, {self.constant(path[index:])})")
                return name
            step = f"{name} = {name}.{here.attribute(part)}"
            self.put(step if index == 0 and base == "r" else f"if {name} is not None: {step}")
            here = here.parts[part]
        if here.exact and not here.loose:
            self.put(f"if {name} is not None: {name} = digits({name})")
        return name

    def condition(self, condition: Condition, base: str = "r", shape: Shape | None = None) -> str:
        """Return a Python expression that says whether a `when` holds."""
        tests: list[str] = []
        for path, wanted in condition.tests:
            value = self.read(path, base, shape)
            if wanted == PRESENT:
                tests.append(f"({value} is not None and {value} != '' and {value} is not False)")
            elif wanted is None:
                tests.append(f"({value} is None or {value} == '')")
            elif isinstance(wanted, list):
                tests.append(f"{value} in {self.constant(wanted)}")
            else:
                tests.append(f"{value} == {self.constant(wanted)}")
        return " and ".join(tests)

    def _origin(self, expression: Expression, base: str, shape: Shape | None) -> str:
        if expression.template is not None:
            return self._template(expression.template, base, shape)
        if expression.each is not None:
            return self._each(expression, base, shape)
        if expression.source is None:
            name = self.local()
            self.put(f"{name} = None")
            return name
        if expression.where is not None:
            return self._where(expression, base, shape)
        return self.read(expression.source, base, shape)

    def _template(self, parts: tuple[str | Path, ...], base: str, shape: Shape | None) -> str:
        pieces = [self.constant(part) if isinstance(part, str) else self.read(part, base, shape) for part in parts]
        reads = [piece for piece, part in zip(pieces, parts, strict=True) if not isinstance(part, str)]
        joined = " + ".join(piece if isinstance(part, str) else f"text({piece})" for piece, part in zip(pieces, parts, strict=True))
        name = self.local()
        absent = " or ".join(f"{read} is None or {read} == ''" for read in reads) or "False"
        self.put(f"{name} = None if {absent} else {joined or repr('')}")
        return name

    def _elements(self, path: Path, base: str, shape: Shape | None) -> tuple[str, Shape | None]:
        array = self.read(path, base, shape)
        here = (shape or self.shape).at(path)
        loose = here.loose or any((shape or self.shape).at(path[:end]).loose for end in range(1, len(path)))
        return array, None if loose else here.elements

    def _take(self, element: str, path: Path | None, elements: Shape | None) -> str:
        if path is None:
            return element
        if elements is None:
            name = self.local()
            self.put(f"{name} = dig({element}, {self.constant(path)})")
            return name
        return self.read(path, element, elements)

    def _where(self, expression: Expression, base: str, shape: Shape | None) -> str:
        array, elements = self._elements(expression.source or (), base, shape)
        name, element = self.local(), self.local()
        self.put(f"{name} = None")
        self.put(f"for {element} in {array} or ():")
        self.indent()
        for key, wanted in (expression.where or {}).items():
            held = self._take(element, (key,), elements)
            self.put(f"if {held} != {self.constant(wanted)}: continue")
        self.put(f"{name} = {self._take(element, expression.take, elements)}")
        self.put("break")
        self.indent(-1)
        return name

    def _each(self, expression: Expression, base: str, shape: Shape | None) -> str:
        array, elements = self._elements(expression.each or (), base, shape)
        name, element = self.local(), self.local()
        self.put(f"{name} = []")
        self.put(f"for {element} in {array} or ():")
        self.indent()
        self.put(f"{name}.append({self._take(element, expression.take, elements)})")
        self.indent(-1)
        self.put(f"{name} = {name} or None")
        return name

    # Values

    def value(
        self,
        expression: Expression,
        convert: str,
        *,
        nullable: bool = True,
        choices: tuple[str, ...] = (),
        base: str = "r",
        shape: Shape | None = None,
    ) -> str:
        """Compute one value into a local; `convert` is used where the file does not say `as`."""
        chosen = expression.convert or convert
        if expression.when is not None:
            holds = self.condition(expression.when, base, shape)
            outer = self.local()
            fallback = None if expression.default is MISSING else self._literal(expression, expression.default, chosen, choices)
            self.put(f"{outer} = {self.constant(fallback)}")
            self.put(f"if {holds}:")
            self.indent()
        name = self._origin(expression, base, shape)
        self.put(f"s = {len(self.sites)}; v = {name}")
        self.sites.append(expression)
        if expression.call is not None:
            self.put(f"if {name} is not None: {name} = {self.constant(self._function(expression))}({name})")
        self.put(f"if {name} is None or {name} == '':")
        self._absent(expression, name, chosen, choices, nullable=nullable)
        self.put("else:")
        self.indent()
        self.put("pass")
        self._present(expression, name, chosen, choices, base, shape)
        self.indent(-1)
        if expression.when is not None:
            self.put(f"{outer} = {name}")  # pyright: ignore[reportPossiblyUnboundVariable]
            self.indent(-1)
            name = outer  # pyright: ignore[reportPossiblyUnboundVariable]
            if not nullable:
                self.put(f"if {name} is None: raise missing({self.constant(expression)})")
        return name

    def _function(self, expression: Expression) -> Callable[[Any], Any]:
        name = str(expression.call)
        if name not in self.functions:
            raise ConfigError(f"{expression.site}: the connector has no function named {name!r}{nearest(name, self.functions)}")
        return self.functions[name]

    def _absent(self, expression: Expression, name: str, convert: str, choices: tuple[str, ...], *, nullable: bool) -> None:
        self.indent()
        if expression.default is not MISSING:
            self.put(f"{name} = {self.constant(self._literal(expression, expression.default, convert, choices, nullable=nullable))}")
        elif expression.optional:
            self.put(f"{name} = None")
        else:
            self.put(f"raise missing({self.constant(expression)})")
        self.indent(-1)

    def _present(self, expression: Expression, name: str, convert: str, choices: tuple[str, ...], base: str, shape: Shape | None) -> None:
        if expression.lookup is not None:
            self._lookup(expression, name, convert, choices)
            return
        if convert == "money":
            self._money(expression, name, base, shape)
        elif convert == "text":
            self.put(f"if type({name}) is not str: {name} = text({name})")
        elif expression.each is not None and convert not in ("list", "any"):
            self.put(f"{name} = [{self.constant(self.converters[convert])}(v) for v in {name} if v is not None]")
        elif convert != "any":
            self.put(f"{name} = {self.constant(self.converters[convert])}({name})")
        if choices:
            names = self.constant(choices)
            self.put(f"if {name} not in {names}: raise unexpected({self.constant(expression)}, {name}, {names})")

    def _lookup(self, expression: Expression, name: str, convert: str, choices: tuple[str, ...]) -> None:
        table = {key: self._literal(expression, value, convert, choices) for key, value in (expression.lookup or {}).items()}
        key = f"{name} if type({name}) is str else text({name})"
        if expression.otherwise is not MISSING:
            fallback = self.constant(self._literal(expression, expression.otherwise, convert, choices))
            self.put(f"{name} = {self.constant(table)}.get({key}, {fallback})")
            return
        found = self.local()
        self.put(f"{found} = {self.constant(table)}.get({key}, unlisted)")
        self.put(f"if {found} is unlisted: raise unlisted({self.constant(expression)}, {name})")
        self.put(f"{name} = {found}")

    def _money(self, expression: Expression, name: str, base: str, shape: Shape | None) -> None:
        if expression.currency is None:
            raise ConfigError(f"{expression.site}: money needs its `currency`: a path, or {{default: EUR}}")
        self.put(f"{name} = {self.constant(self.converters['money'])}({name})")
        currency = self.value(expression.currency, "text", nullable=False, base=base, shape=shape)
        self.put(f"{name} = {self.constant(Money.of)}({name}, {currency})")

    def _literal(self, expression: Expression, value: Any, convert: str, choices: tuple[str, ...], *, nullable: bool = True) -> Any:
        """Convert what the file itself says, so that a wrong value is found when the file is checked."""
        if value is None:
            if not nullable:
                raise ConfigError(f"{expression.site}: this field must have a value")
            return None
        if convert in ("any", "money"):
            return value
        try:
            converted = self.converters[convert](value)
        except ValueError as error:
            raise ConfigError(f"{expression.site}: {shown(value)}: {error}") from None
        if choices and converted not in choices:
            raise ConfigError(f"{expression.site}: {shown(value)} is none of: {', '.join(choices)}")
        return converted

    # The whole

    def function(self, arguments: str, result: str) -> Callable[..., Any]:
        """Return the function; a ValueError inside becomes a MappingError with its place."""
        self.put(f"return {result}")
        text = "\n".join(
            [
                f"def apply({arguments}):",
                "    s = 0; v = None",
                "    try:",
                *self.lines,
                "    except ValueError as error:",
                "        raise failed(s, v, error)",
            ]
        )
        sites = tuple(self.sites)

        def failed(site: int, value: Any, error: ValueError) -> MappingError:
            return MappingError(f"{error}; found {shown(value)}", path=sites[site].shown, site=sites[site].site)

        scope: dict[str, Any] = {**self.values, "failed": failed, "whole": msgspec.json.Decoder().decode}
        exec(compile(text, "<mapping>", "exec"), scope)  # noqa: S102 - made of this module's own words only
        return scope["apply"]  # type: ignore[no-any-return]


def note(shape: Shape, expression: Expression, convert: str) -> None:
    """Tell a shape what an expression reads."""
    if expression.when is not None:
        note_condition(shape, expression.when)
    for path in expression.template or ():
        if not isinstance(path, str):
            shape.value(path)
    array = expression.each or (expression.source if expression.where is not None else None)
    if array is not None:
        elements = shape.array(array)
        for name in expression.where or ():
            elements.value((name,))
        elements.value(expression.take) if expression.take else elements.value(WHOLE)
    elif expression.source is not None:
        exact = (expression.convert or convert) in EXACT and expression.lookup is None and expression.call is None
        shape.value(expression.source, exact=exact)
    if expression.currency is not None:
        note(shape, expression.currency, "text")


def note_condition(shape: Shape, condition: Condition) -> None:
    """Tell a shape what a condition reads."""
    for path, _ in condition.tests:
        shape.value(path)


__all__ = ["Code", "Converter", "Functions", "note", "note_condition"]
