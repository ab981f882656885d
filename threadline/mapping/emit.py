"""Writes one Python function, line by line.

The text of the function is made of this package's own words and numbered names only: what stands in a mapping file
(names, paths, literals) is passed in as values, so no file can put code into it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from threadline.mapping.convert import Number
from threadline.mapping.errors import MappingError, shown
from threadline.mapping.language import Expression


class Emitter:
    """The function's lines, and the values that they refer to by numbered names."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._values: dict[str, Any] = {}
        self._sites: list[Expression] = []
        self._locals = 0
        self._depth = 2

    def put(self, line: str) -> None:
        """Add a line at the current depth."""
        self._lines.append("    " * self._depth + line)

    def indent(self, steps: int = 1) -> None:
        """Go deeper, or back with a negative number."""
        self._depth += steps

    def constant(self, value: Any) -> str:
        """Pass a value in; return its name."""
        name = f"k{len(self._values)}"
        self._values[name] = value
        return name

    def local(self) -> str:
        """Return a fresh local name."""
        self._locals += 1
        return f"v{self._locals}"

    def blame(self, expression: Expression, found: str = "None") -> None:
        """From here on a ValueError is this expression's, because of the value in the local `found`."""
        if not self._sites or self._sites[-1] is not expression:
            self._sites.append(expression)
        self.put(f"s = {len(self._sites) - 1}; v = {found}")

    def otherwise(self, emit: Callable[[], None]) -> None:
        """Add an `else:` with what `emit` writes, or nothing when that is nothing."""
        self.put("else:")
        before = len(self._lines)
        self.indent()
        emit()
        self.indent(-1)
        if len(self._lines) == before:
            self._lines.pop()

    def function(self, arguments: str, result: str) -> Callable[..., Any]:
        """Return the function; a ValueError inside becomes a MappingError with its place.

        `raw` must be an argument: `whole(raw)` is the whole record, decoded when it is asked for.
        """
        self.put(f"return {result}")
        text = "\n".join(
            [
                f"def apply({arguments}):",
                "    s = 0; v = None",
                "    try:",
                *self._lines,
                "    except ValueError as error:",
                "        raise failed(s, v, error)",
            ]
        )
        sites = tuple(self._sites)

        def failed(site: int, value: Any, error: ValueError) -> MappingError:
            found = "" if value is None else f"; found {shown(value)}"
            return MappingError(f"{error}{found}", path=sites[site].shown, site=sites[site].site)

        scope: dict[str, Any] = {**self._values, "failed": failed, "whole": msgspec.json.Decoder(float_hook=Number).decode}
        exec(compile(text, "<mapping>", "exec"), scope)  # noqa: S102 - made of this package's own words only
        return scope["apply"]  # type: ignore[no-any-return]
