"""Puts errata into a document."""

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import is_list, is_mapping
from threadline.testing.faithfulness.errata import OLD_WORDS, Erratum


def corrected(published: Mapping[str, Any], errata: Sequence[Erratum]) -> Mapping[str, Any]:
    """Return the document with what each erratum says at its pointer, and in older words; ConfigError where nothing is around a pointer."""
    said: dict[str, Any] = copy.deepcopy(dict(published))
    for erratum in errata:
        if not erratum.general:
            _correct(said, erratum)
    for erratum in errata:
        if erratum.name == OLD_WORDS:
            said = {
                **said,
                "components": _in_old_words(said["components"], erratum.says),
                "paths": _in_old_words(said["paths"], erratum.says),
            }
    return said


def _correct(said: dict[str, Any], erratum: Erratum) -> None:
    *around, last = [plain(part) for part in erratum.name.split("/")[1:]]
    place: Any = said
    for part in around:
        place = place[int(part)] if is_list(place) else place.get(part, {})
    if not place:
        raise ConfigError(f"the document has nothing around {erratum.name}: correct the pointer (RFC 6901) of this erratum")
    place[int(last) if is_list(place) else last] = erratum.says


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


def escaped(part: str) -> str:
    """Write a word as a part of a JSON pointer (RFC 6901, 3)."""
    return part.replace("~", "~0").replace("/", "~1")


def plain(part: str) -> str:
    """Return the word that a part of a JSON pointer stands for."""
    return part.replace("~1", "/").replace("~0", "~")
