"""Paths into JSON documents: names joined by dots, elements of arrays in brackets."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple, TypeAlias

from msgspec import Meta

from threadline.sdk.yamlfile import is_list, is_mapping

_NAME, _PICK = r"[^.\[\]]+", r"\[(?:-?[0-9]+|[^=\[\]]+=[^=\[\]]+)\]"
_PART = rf"{_NAME}(?:{_PICK})*"
Path: TypeAlias = Annotated[str, Meta(pattern=rf"^(?:{_PART}|(?:{_PICK})+)(?:\.{_PART})*$")]
"""`data.links[rel=next].href`: names joined by dots; `[0]` and `[-1]` are the first and last element of an array, `[name=value]`
the first one that has this value. A name that has dots itself is found at the top."""
_STEPS = re.compile(rf"({_NAME}(?=[.\[]|$))|{_PICK}")


class Having(NamedTuple):
    """The first element of an array that has this value."""

    name: str
    value: str


Step: TypeAlias = str | int | Having


@cache
def steps(path: str) -> tuple[Step, ...]:
    """Return what a path leads through."""
    return tuple(_step(found[0]) for found in _STEPS.finditer(path))


def _step(text: str) -> Step:
    if not text.startswith("["):
        return text
    name, having, value = text[1:-1].partition("=")
    return Having(name, value) if having else int(name)


def names_before_picks(path: str) -> tuple[str, ...]:
    """Return the names at a path's beginning: they lead as far as only objects are on the way."""
    names: list[str] = []
    for step in steps(path):
        if not isinstance(step, str):
            break
        names.append(step)
    return tuple(names)


def look_up(values: Any, path: str) -> Any:
    """Return the value at a path, None where there is none."""
    if is_mapping(values) and path in values:
        return values[path]
    return look_up_steps(values, steps(path))


def look_up_steps(values: Any, along: tuple[Step, ...]) -> Any:
    """Return the value that these steps lead to, None where there is none."""
    for step in along:
        values = _inside(values, step)
    return values


def _inside(value: Any, step: Step) -> Any:
    if isinstance(step, str):
        return value.get(step) if is_mapping(value) else None
    if not is_list(value):
        return None
    if isinstance(step, int):
        return value[step] if -len(value) <= step < len(value) else None
    return next((each for each in value if has(each, step)), None)


def has(element: Any, wanted: Having) -> bool:
    """Whether an element has the value, written as JSON does where it is no text."""
    return is_mapping(element) and _written(element, wanted.name) == wanted.value


def _written(element: Mapping[str, Any], name: str) -> str | None:
    value = element.get(name)
    return None if value is None or is_mapping(value) or is_list(value) else str(value).lower() if isinstance(value, bool) else str(value)
