"""Turns the nodes of a YAML text into plain values, and refuses what no file of threadline needs."""

import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import Document, Location

_TAG = "tag:yaml.org,2002:"
_TAGS = {"mapping": ("map",), "sequence": ("seq",), "scalar": ("str", "bool", "null", "int", "float", "timestamp", "value", "merge")}
_HALF = re.compile("[\ud800-\udfff]")
_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
# YAML 1.2's core schema; leading zeros are somebody's id, and so is what has more digits than any number needs.
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99})")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,99}")
_OCTAL = re.compile(r"0o[0-7]{1,99}")
_UNREAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}


def parse(text: str, document: Document, lines: dict[Location, int]) -> Any:
    """Return what a text stands for, and note the line of each location; errors are the document's. RecursionError where it is too deep."""
    return _value(_compose(text, document.name), (), document, lines, set())


def _compose(text: str, name: str) -> Any:
    try:
        composed: Any = YAML(pure=True)
        return composed.compose(text)
    except MarkedYAMLError as error:
        raise ConfigError(f"{name}:{_marked(error)}") from None
    except YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise
    except Exception as error:
        # The library answers some broken texts with whatever went wrong inside it.
        raise ConfigError(f"{name}: not valid YAML: {type(error).__name__}") from None


def _marked(error: Any) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{mark.line + 1 if mark else 1}: not valid YAML: {error.problem or error.context}"


# The library's nodes carry no types: they are Any from here on.
def _value(node: Any, location: Location, document: Document, lines: dict[Location, int], seen: set[int]) -> Any:
    if node is None:
        return None
    lines[location] = node.start_mark.line + 1
    _refuse_extras(node, location, document, seen)
    if node.id == "mapping":
        return _mapping(node, location, document, lines, seen)
    if node.id == "sequence":
        items: list[Any] = node.value
        return [_value(item, (*location, index), document, lines, seen) for index, item in enumerate(items)]
    return _scalar(node)


def _refuse_extras(node: Any, location: Location, document: Document, seen: set[int]) -> None:
    if id(node) in seen or node.anchor:
        raise document.error(location, "anchors and aliases (& and *) are not used here: write the value out")
    seen.add(id(node))
    if str(node.tag).removeprefix(_TAG) not in _TAGS[node.id]:
        raise document.error(location, f"the tag {node.tag} is not used here")
    if node.id == "scalar" and _HALF.search(node.value):
        node.value = _joined(node.value, location, document)


def _joined(text: str, location: Location, document: Document) -> str:
    # JSON writes some characters as two escapes; what is copied from JSON into a file says what it said there.
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise document.error(location, "\\ud800 to \\udfff are halves of a character, and stand in pairs") from None


def _mapping(node: Any, location: Location, document: Document, lines: dict[Location, int], seen: set[int]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.id != "scalar":
            raise document.error(location, "keys must be plain words")
        lines[*location, key_node.value] = key_node.start_mark.line + 1
        _refuse_extras(key_node, (*location, key_node.value), document, seen)
        # Keys are words here: `7:` and `true:` in a lookup stand for the texts that a source sends.
        key: str = key_node.value
        place = (*location, key)
        if key in result:
            raise document.error(place, f"the key {key!r} stands here twice")
        result[key] = _value(value_node, place, document, lines, seen)
        lines[place] = key_node.start_mark.line + 1
    return result


def _scalar(node: Any) -> Any:
    text: str = node.value
    tag = str(node.tag).removeprefix(_TAG)
    if tag in ("bool", "null"):
        return _CONSTANTS.get(text.lower(), text)
    # YAML 1.2's core schema has no timestamps: what looks like one is text.
    return _number(text) if tag in ("int", "float") else text


def _number(text: str) -> int | float | str:
    """Read what is a number in YAML 1.2; what was one in YAML 1.1 only (1_000, 0b11, 12:30:00) is text."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _HEXADECIMAL.fullmatch(text) or _OCTAL.fullmatch(text):
        return int(text, 0)
    if _REAL.fullmatch(text):
        return float(text)
    unreal = _UNREAL.get(text.lower())
    return float(unreal) if unreal else text
