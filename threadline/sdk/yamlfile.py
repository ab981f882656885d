"""YAML 1.2 files whose every value knows its line, read without constructing anything but plain values.

Anchors, aliases and custom tags are refused: no file of threadline needs them, and aliases can grow without bound.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from msgspec import Struct

from threadline.sdk.errors import ConfigError
from threadline.sdk.shelf import SHELF

Location: TypeAlias = tuple[str | int, ...]


class Document(Struct, frozen=True):
    """A file's value: dicts, lists and scalars; `lines` gives the line (from 1) of every location in it."""

    name: str
    value: Any
    lines: Mapping[Location, int]

    def at(self, location: Location) -> str:
        """Return "file:line" of a location, or of the nearest one around it."""
        while location and location not in self.lines:
            location = location[:-1]
        return f"{self.name}:{self.lines.get(location, 1)}"

    def error(self, location: Location, message: str) -> ConfigError:
        """Make the error for a location."""
        return ConfigError(f"{self.at(location)}: {message}")

    def check_keys(self, location: Location, value: Any, allowed: Iterable[str], what: str) -> Mapping[str, Any]:
        """Return the value as a mapping; ConfigError when it is none or has a key that is not allowed."""
        if not is_mapping(value):
            raise self.error(location, f"{what} must be a mapping of keys to values, not {kind_of(value)}")
        names = list(allowed)
        for key in value:
            if key not in names:
                raise self.error((*location, key), f"{what} knows no key {key!r}{nearest(key, names)}")
        return value


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?", or what is known, to end a message about a word that is not known."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a JSON or YAML value is a mapping; its keys are texts."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a JSON or YAML value is a list."""
    return isinstance(value, list)


def kind_of(value: object) -> str:
    """Name a JSON or YAML value's type as its users do."""
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return "nothing" if value is None else next((name for kind, name in names.items() if isinstance(value, kind)), type(value).__name__)


def read_yaml(path: Path) -> Document:
    """Read a file; ConfigError when it cannot be read or is not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Document:
    """Parse a text; `name` stands for the file in messages."""
    if (kept := SHELF.get(name, text)) is not None:
        return Document(name, *kept)
    # What is on the shelf needs no parser.
    from threadline.sdk.yamlparser import parse

    lines: dict[Location, int] = {}
    try:
        value = parse(text, Document(name, None, lines), lines)
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None
    SHELF.put(name, text, value, lines)
    return Document(name, value, lines)
