"""Puts errata into a document."""

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import is_list, is_mapping
from threadline.testing.faithfulness.errata import OLD_WORDS, PAGED_LISTS, RECORD_KEYS, Erratum


def corrected(published: Mapping[str, Any], errata: Sequence[Erratum]) -> Mapping[str, Any]:
    """Return the document with what each erratum says at its pointer, or everywhere; ConfigError where nothing is around a pointer."""
    said: dict[str, Any] = copy.deepcopy(dict(published))
    for erratum in errata:
        if not erratum.general:
            _correct(said, erratum)
    for erratum in errata:
        if erratum.name in _EVERYWHERE:
            _EVERYWHERE[erratum.name](said, erratum.says)
    return said


def _page_lists(said: Mapping[str, Any], names: Sequence[str]) -> None:
    """Let every answer to GET that has an array among its properties have those of the named schemas, too."""
    schemas = said["components"]["schemas"]
    paging = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    for path in said["paths"].values():
        for status, answer in path.get("get", {}).get("responses", {}).items():
            for media in answer.get("content", {}).values() if status.startswith("2") else ():
                held = media.get("schema", {})
                known = schemas.get(held.get("$ref", "").rpartition("/")[2], held)
                if any(part.get("type") == "array" for part in _properties(known, schemas)):
                    media["schema"] = {"allOf": [held, *paging]}


def _properties(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from schema.get("properties", {}).values()
    for part in schema.get("allOf", ()):
        yield from _properties(schemas.get(part.get("$ref", "").rpartition("/")[2], part), schemas)


def _add_to_records(node: Any, keys: Mapping[str, Any]) -> None:
    """Give every schema that has an id, wherever it stands, the properties that it lacks."""
    if is_list(node):
        for inner in node:
            _add_to_records(inner, keys)
    elif is_mapping(node):
        properties = node.get("properties")
        if isinstance(properties, dict) and "id" in properties:
            node["properties"] = {**keys, **cast("dict[str, Any]", properties)}  # pyright: ignore[reportIndexIssue]
        for inner in list(node.values()):
            _add_to_records(inner, keys)


def _correct(said: dict[str, Any], erratum: Erratum) -> None:
    *around, last = [plain(part) for part in erratum.name.split("/")[1:]]
    place: Any = said
    for part in around:
        place = place[int(part)] if is_list(place) else place.get(part, {})
    if not place:
        raise ConfigError(f"the document has nothing around {erratum.name}: correct the pointer (RFC 6901) of this erratum")
    place[int(last) if is_list(place) else last] = erratum.says


def _rename(said: dict[str, Any], words: Mapping[str, str]) -> None:
    said |= {part: _in_old_words(said[part], words) for part in ("components", "paths")}


def _in_old_words(node: Any, words: Mapping[str, str]) -> Any:
    """Return schemas and parameters with the words replaced in names of properties and parameters, and in values of enums."""
    if is_list(node):
        return [_in_old_words(inner, words) for inner in node]
    if not is_mapping(node):
        return node
    said = {key: _in_old_words(value, words) for key, value in node.items()}
    if is_mapping(properties := said.get("properties")):
        said["properties"] = {_renamed(name, words): value for name, value in properties.items()}
    for key in ("required", "enum"):
        if is_list(names := said.get(key)):
            said[key] = [_renamed(name, words) for name in names]
    if said.get("in") == "query":
        said["name"] = _renamed(said["name"], words)
    return said


def _renamed(name: Any, words: Mapping[str, str]) -> Any:
    return re.sub(r"[A-Za-z]+", lambda word: words.get(word[0], word[0]), name) if isinstance(name, str) else name


_EVERYWHERE: Mapping[str, Callable[[dict[str, Any], Any], None]] = {
    OLD_WORDS: _rename,
    PAGED_LISTS: _page_lists,
    RECORD_KEYS: _add_to_records,
}
"""The general rules that change the document itself."""


def escaped(part: str) -> str:
    """Write a word as a part of a JSON pointer (RFC 6901, 3)."""
    return part.replace("~", "~0").replace("/", "~1")


def plain(part: str) -> str:
    """Return the word that a part of a JSON pointer stands for."""
    return part.replace("~1", "/").replace("~0", "~")
