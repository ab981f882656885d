"""Schemas of OpenAPI 3.0, which are JSON Schema of draft 5 with words of their own (spec.openapis.org/oas/v3.0.3, 4.7.24)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any, Literal, TypeAlias

from threadline.sdk.errors import ConfigError

Direction: TypeAlias = Literal["request", "response"]
Keyword: TypeAlias = Callable[[Any, Any, Any, Any], Iterator[Any]]

OLDER_ANSWERS = "older answers"
SCHEMA_RULES: Mapping[str, str] = {
    "null properties": "every property may be null",
    "any of": "oneOf is read as anyOf",
    OLDER_ANSWERS: "a recorded answer may lack what is required of answers; what is made now may not",
    "partial requests": "nothing is required of what is sent: a body names what it sets or changes",
}
"""What a vendor's documents may get wrong in every schema."""
_LENIENT: Mapping[Direction, str] = {"request": "partial requests", "response": OLDER_ANSWERS}
"""The rule under which nothing is required in a direction."""
_ONE_SIDED: Mapping[Direction, str] = {"request": "readOnly", "response": "writeOnly"}
"""Properties that are never said in a direction, so that `required` does not ask for them."""


@cache
def dialect(direction: Direction, rules: frozenset[str]) -> Any:
    """Return the jsonschema validator class that reads schemas for a direction, under some of the SCHEMA_RULES."""
    try:
        from jsonschema import validators
    except ImportError:
        raise ConfigError("faithfulness is measured with jsonschema: pip install jsonschema") from None
    library: Any = validators
    draft = library.Draft4Validator

    known: Mapping[str, Keyword] = dict(draft.VALIDATORS)
    words: dict[str, Keyword] = {
        "type": _unless_nullable(known["type"]),
        "enum": _unless_nullable(known["enum"]),
        "required": _required(known["required"], _ONE_SIDED[direction]),
    }
    if _LENIENT[direction] in rules:
        words["required"] = _nothing
    if "null properties" in rules:
        words["properties"] = _properties_that_are_not_null
    if "any of" in rules:
        words["oneOf"] = known["anyOf"]
    return library.extend(draft, words, format_checker=_formats())


def _unless_nullable(keyword: Keyword) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if instance is None and schema.get("nullable"):
            return iter(())
        return keyword(validator, value, instance, schema) or iter(())

    return check


def _required(keyword: Keyword, one_sided: str) -> Keyword:
    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        properties = schema.get("properties", {})
        said = [name for name in value if not properties.get(name, {}).get(one_sided)]
        return keyword(validator, said, instance, schema) or iter(())

    return check


def _nothing(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    return iter(())


def _properties_that_are_not_null(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for name, inner in value.items():
        if instance.get(name) is not None:
            yield from validator.descend(instance[name], inner, path=name, schema_path=name)


def _formats() -> Any:
    from jsonschema import FormatChecker

    checker: Any = FormatChecker(formats=())
    for name, read in (("date-time", datetime.fromisoformat), ("date", date.fromisoformat)):
        checker.checks(name, raises=ValueError)(_text_that_is_read(read))
    return checker


def _text_that_is_read(read: Callable[[str], object]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or bool(read(value))
