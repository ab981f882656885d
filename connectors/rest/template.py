"""Texts with `{names}` in braces; a name may lead into a document: `{parent.id}`. Any other brace is a brace."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from connectors.rest.paths import look_up
from threadline.sdk import RecordError
from threadline.sdk.yamlfile import is_list, is_mapping

Values = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_-]+)*)\}")


def placeholders(template: Any) -> Iterator[str]:
    """Yield the names in a text, or in all texts of a document."""
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif is_mapping(template):
        for value in template.values():
            yield from placeholders(value)
    elif is_list(template):
        for value in template:
            yield from placeholders(value)


def fill(template: Any, values: Values) -> Any:
    """Return the template with its values; None when one of them is missing.

    A text that is one placeholder becomes the value itself. In a document, entries without a value are left out.
    """
    if isinstance(template, str):
        return _text(template, values)
    if is_mapping(template):
        return {key: value for key, value in ((key, fill(each, values)) for key, each in template.items()) if value is not None}
    if is_list(template):
        return [value for value in (fill(each, values) for each in template) if value is not None]
    return template


def _text(template: str, values: Values) -> Any:
    whole = _PLACEHOLDER.fullmatch(template)
    if whole:
        return look_up(values, whole[1])
    found = {name: look_up(values, name) for name in _PLACEHOLDER.findall(template)}
    if any(value is None for value in found.values()):
        return None
    return _PLACEHOLDER.sub(lambda match: plain(found[match[1]], match[1]), template)


def fill_path(template: str, values: Values) -> str:
    """Return the path of an address; RecordError for a value that would make it another address."""

    def segment(match: re.Match[str]) -> str:
        value = look_up(values, match[1])
        if value is None or value in ("", ".", ".."):
            raise RecordError(f"{match[1]} is missing, or no part of an address", path=f"$.{match[1]}")
        return quote(plain(value, match[1]), safe="")

    return _PLACEHOLDER.sub(segment, template)


def plain(value: Any, name: str) -> str:
    """Return a scalar as JSON's words have it; RecordError for a list or a mapping."""
    if is_mapping(value) or is_list(value):
        raise RecordError(f"{name} is no plain value", path=f"$.{name}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_form(body: Any) -> list[tuple[str, str]]:
    """Return a body as the fields of a form; a list is a field for each element, RecordError for a mapping inside."""
    fields = body.items() if is_mapping(body) else ()
    return [(name, plain(each, name)) for name, value in fields for each in (value if is_list(value) else [value])]
