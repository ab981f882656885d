"""Conversions of `as`: from a JSON value to a canonical one, or ValueError in words."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from math import isinf
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from threadline.model.identifiers import normalize_email, normalize_handle, normalize_phone
from threadline.model.money import currency_code
from threadline.model.schema import Kind
from threadline.sdk.errors import ConfigError
from threadline.sdk.markup import html_to_text
from threadline.sdk.yamlfile import is_list, kind_of

Converter = Callable[[Any], Any]


class Number(float):
    """A JSON number with a fraction or an exponent, which remembers how the source wrote it."""

    __slots__ = ("digits",)
    digits: str

    def __new__(cls, digits: str) -> Self:
        """Read a number, as a hook of the JSON decoder."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    def __str__(self) -> str:
        return self.digits


def _as_written(value: Any) -> Any:
    if isinstance(value, Number):
        # What no reader of JSON can hold as a number is kept as text.
        return value.digits if isinf(value) else msgspec.Raw(value.digits.encode())
    raise TypeError(f"{type(value).__name__} is no JSON value")


encode_json = msgspec.json.Encoder(enc_hook=_as_written).encode
"""Write a JSON value with the digits that its source wrote."""


_NUMBERS = (int, float, Decimal)


def to_text(value: Any) -> str:
    """Accept a text, a number or a truth value, as JSON writes it."""
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _NUMBERS):
        return str(value)
    raise ValueError(f"expected a text, found {kind_of(value)}")


def to_integer(value: Any) -> int:
    """Accept whole numbers, also as text, within 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a whole number, found {kind_of(value)}")
    number = _decimal(value)
    # Compared before it is written out: an exponent of millions is short.
    if number is None or not -(1 << 63) <= number < 1 << 63 or number != int(number):
        raise ValueError("expected a whole number within 64 bits")
    return int(number)


def to_decimal(value: Any) -> Decimal:
    """Accept a number, also as text, with the source's own digits."""
    number = _decimal(value)
    if number is None:
        raise ValueError("expected a decimal number")
    return number


def to_real(value: Decimal) -> float:
    """Accept a number that a column of 64 bits holds."""
    number = float(value)
    if isinf(number):
        raise ValueError("expected a number below 1e308")
    return number


def _decimal(value: Any) -> Decimal | None:
    text = str(value).strip()
    try:
        # Underscores between digits are Python's, and nobody's data.
        number = Decimal("NaN" if "_" in text else text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def to_time(value: Any) -> datetime:
    """Accept RFC 3339 and its ISO 8601 kin, or seconds since 1970; a time without offset is UTC."""
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("expected a time such as 2026-01-02T03:04:05Z") from None
        if moment.tzinfo is UTC:
            return moment
        try:
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("expected a time between the years 1 and 9999") from None
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, UTC)
        except (OverflowError, OSError, ValueError):
            raise ValueError("expected seconds since 1970") from None
    raise ValueError(f"expected a time, found {kind_of(value)}")


def to_date(value: Any) -> date:
    """Accept an ISO 8601 date, or the date of a time."""
    if not isinstance(value, str):
        raise ValueError(f"expected a date, found {kind_of(value)}")
    try:
        return datetime.fromisoformat(value.strip()).date()
    except ValueError:
        raise ValueError("expected a date such as 2026-01-02") from None


def to_boolean(value: Any) -> bool:
    """Accept true and false, 0 and 1, also as text."""
    if isinstance(value, bool):
        return value
    if (isinstance(value, int) and value in (0, 1)) or (isinstance(value, str) and value.lower() in ("true", "false", "0", "1")):
        return str(value).lower() in ("true", "1")
    raise ValueError("expected true or false")


def to_url(value: Any) -> str:
    """Accept an absolute http or https address."""
    text = to_text(value).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = None
    if not parts or parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("expected an address that begins with http:// or https://")
    return text


def to_language(value: Any) -> str:
    """Accept a language tag, also with an underscore, and write it as BCP 47 does: en-US, zh-Hant."""
    subtags = to_text(value).strip().replace("_", "-").split("-")
    if not all(tag.isalnum() and tag.isascii() and len(tag) <= 8 for tag in subtags) or len(subtags[0]) < 2 or not subtags[0].isalpha():
        raise ValueError("expected a language tag such as en or pt-BR")
    written = [subtags[0].lower()]
    written += [tag.upper() if len(tag) == 2 else tag.title() if len(tag) == 4 else tag.lower() for tag in subtags[1:]]
    return "-".join(written)


def to_text_list(value: Any) -> list[str] | None:
    """Accept a list of texts, or one text; None for an empty list."""
    items = value if is_list(value) else [value]
    return [to_text(item) for item in items if item is not None and item != ""] or None


def as_is(value: Any) -> Any:
    """Leave a value as the source gave it."""
    return value


@cache
def known_region(region: str | None) -> str | None:
    """Return a region that phone numbers are known of; ConfigError for any other, with which no number could be read."""
    import phonenumbers

    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigError(f"threadline.yaml: {region!r} is no region of phone numbers: give a country's code of ISO 3166, such as DE or GB")
    return region


def converters(region: str | None) -> Mapping[str, Converter]:
    """Return the conversions by their names in mapping files; `region` is for phone numbers without a country code."""
    return {
        "text": to_text,
        "integer": to_integer,
        "decimal": to_decimal,
        "money": to_decimal,
        "time": to_time,
        "date": to_date,
        "boolean": to_boolean,
        "email": lambda value: normalize_email(to_text(value)),
        "phone": lambda value: normalize_phone(to_text(value), known_region(region)),
        "handle": lambda value: normalize_handle(to_text(value)),
        "url": to_url,
        "language": to_language,
        "html-to-text": lambda value: html_to_text(to_text(value)),
        "list": to_text_list,
        "currency": lambda value: currency_code(to_text(value)),
        "any": as_is,
    }


MAKES: Mapping[str, Kind] = {
    "text": "text", "email": "text", "phone": "text", "handle": "text", "url": "text", "language": "text", "html-to-text": "text",
    "integer": "integer", "decimal": "real", "money": "money", "time": "time", "date": "date", "boolean": "boolean", "list": "list",
}  # fmt: skip
"""The conversions that a mapping file may name, with the kind of value that each makes."""
