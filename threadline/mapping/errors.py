"""Why a record cannot be mapped."""

import re
from decimal import Decimal
from typing import Any

import msgspec

from threadline.mapping.convert import encode_json
from threadline.mapping.language import Tree
from threadline.sdk.errors import RecordError

_SHOWN = 80
_MISFIT = re.compile(r"Expected `(?P<wanted>\w+)( \| null)?`, got `(?P<found>\w+)`")
_WORDS = {
    "object": "a mapping", "array": "a list", "str": "a text", "int": "a number", "float": "a number",
    "bool": "true or false", "null": "nothing",
}  # fmt: skip


class MappingError(RecordError):
    """One record does not fit its mapping: `path` is where in the record, `site` the line of the mapping file."""

    def __init__(self, message: str, *, path: str, site: str) -> None:
        super().__init__(message, path=path)
        self.site = site


def shown(value: Any) -> str:
    """Write a value for a message, cut to a readable length, with nothing in it that a terminal would obey."""
    try:
        text = str(value) if isinstance(value, Decimal) else encode_json(value[: _SHOWN + 1] if isinstance(value, str) else value).decode()
    except (TypeError, ValueError, RecursionError):
        text = repr(value)
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)


def unreadable(tree: Tree, error: Exception) -> MappingError:
    """Say why a record could not even be read as its mapping reads it, and which line of the mapping wanted it so."""
    if isinstance(error, msgspec.ValidationError):
        message, _, path = str(error).partition(" - at `")
        path = path.rstrip("`") or "$"
        misfit = _MISFIT.fullmatch(message)
        said = f"expected {_WORDS[misfit['wanted']]}, found {_WORDS[misfit['found']]}" if misfit else message
        return MappingError(said, path=path, site=_reader(tree, re.sub(r"\[\d+\]", "[*]", path)))
    said = "nested too deeply" if isinstance(error, RecursionError) else f"not valid JSON: {error}"
    return MappingError(said, path="$", site=f"{tree.name}:1")


def _reader(tree: Tree, path: str) -> str:
    sites = [site for site, read in tree.reads() if read == path or read.startswith((f"{path}.", f"{path}["))]
    return min(sites, key=lambda site: int(site.rpartition(":")[2]), default=f"{tree.name}:1")
