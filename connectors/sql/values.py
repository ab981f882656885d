"""Values between a driver and JSON."""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from sqlalchemy import types
from sqlalchemy.types import TypeEngine

from threadline.sdk import JSON, RecordError

_AS_THEY_ARE = (str, int, date, time, UUID, bool)
AS_TEXT = (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)


def json_value(value: Any, zone: tzinfo) -> Any:
    """Return what stands for a driver's value in JSON; RecordError for a kind that has no such form.

    Decimals, and floats that are not finite, are text in their own digits; times are in UTC, naive ones having been in `zone`.
    """
    if value is None or isinstance(value, datetime):
        return value and in_utc(value, zone)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(Decimal(value))
    if isinstance(value, _AS_THEY_ARE):
        return value
    return _compound(value, zone)


def _compound(value: Any, zone: tzinfo) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(bytes(value)).decode()  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, timedelta):
        return _clock_time(value)
    if isinstance(value, dict):
        return {str(name): json_value(each, zone) for name, each in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(each, zone) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, AS_TEXT):
        return str(value)
    raise RecordError(f"values of type {type(value).__name__} have no form in JSON; leave the column out, or CAST it in a query")


def in_utc(moment: datetime, zone: tzinfo) -> datetime | str:
    """Return a time in UTC; as text without a zone where that leaves the years 1 to 9999."""
    if moment.tzinfo:
        # An offset that the row itself carries is kept.
        return moment
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        return moment.isoformat()


def _clock_time(value: timedelta) -> str:
    """MySQL's TIME is a span of hours, and may be more than a day."""
    sign, span = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(span.days * 86400 + span.seconds, 60)
    fraction = f".{span.microseconds:06}" if span.microseconds else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"


def converter(declared: TypeEngine[Any], zone: tzinfo) -> Callable[[Any], Any]:
    """Return what turns a column's values into JSON: SQLite keeps times as text, and decimals as floats; blanks fill CHAR up."""

    def plain(value: Any) -> Any:
        return value if type(value) is str else json_value(value, zone)

    def unpadded(value: Any) -> Any:
        return value.rstrip(" ") if type(value) is str else json_value(value, zone)

    def moment(value: Any) -> Any:
        return _written_time(value, zone) if isinstance(value, str) else json_value(value, zone)

    def number(value: Any) -> Any:
        finite = type(value) in (int, float) and math.isfinite(value)
        return _digits(Decimal(str(value)), getattr(declared, "scale", None) or 0) if finite else json_value(value, zone)

    def truth(value: Any) -> Any:
        return bool(value) if value in (0, 1) else json_value(value, zone)

    if isinstance(declared, types.DateTime | types.Date):
        return moment
    if isinstance(declared, types.Numeric):
        return number
    if isinstance(declared, types.CHAR | types.NCHAR):
        return unpadded
    return truth if isinstance(declared, types.Boolean) else plain


def _digits(number: Decimal, scale: int) -> str:
    """Write a number with the decimal places of its column, or with all that it has."""
    exponent = number.as_tuple().exponent
    places = max(scale, -exponent) if isinstance(exponent, int) else scale
    return f"{number:.{places}f}"


def _written_time(value: str, zone: tzinfo) -> Any:
    # 0000-00-00 is how MySQL, and what was copied from it, writes "none".
    if value.startswith("0000-00-00"):
        return None
    if len(value) <= len("2026-01-02"):
        return value
    try:
        return in_utc(datetime.fromisoformat(value), zone)
    except ValueError:
        # The row is kept as it is: the mapping says what is wrong with it.
        return value


def python_type(declared: TypeEngine[Any]) -> type[Any] | None:
    """Return what a column's values are in Python; None where SQLAlchemy does not say."""
    try:
        return declared.python_type
    except NotImplementedError:
        return None


def database_value(value: JSON, declared: TypeEngine[Any], zone: tzinfo) -> Any:
    """Return what a column takes for a value of JSON; ValueError in words when it cannot hold it."""
    kind = python_type(declared)
    if value is None or kind is None:
        return value
    if kind is str:
        text = value if isinstance(value, str) else json.dumps(value)
        limit = getattr(declared, "length", None)
        if limit and len(text) > limit:
            raise ValueError(f"takes {limit} characters, and this has {len(text)}")
        return text
    read = _READ.get(kind)
    try:
        read_value = read(str(value)) if read else value
    except (ValueError, ArithmeticError):
        raise ValueError(f"takes a {kind.__name__}, which this is not") from None
    return _local(read_value, declared, zone) if isinstance(read_value, datetime) else read_value


def _local(moment: datetime, declared: TypeEngine[Any], zone: tzinfo) -> datetime:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    aware = getattr(declared, "timezone", False) or type(declared).__name__ == "DATETIMEOFFSET"
    return moment if aware else moment.astimezone(zone).replace(tzinfo=None)


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError(text)
    return text.lower() in ("true", "1")


_READ: dict[type[Any], Callable[[str], Any]] = {
    int: int, float: float, Decimal: _finite, bool: _truth, bytes: b64decode,
    datetime: datetime.fromisoformat, date: date.fromisoformat, time: time.fromisoformat, UUID: UUID,
}  # fmt: skip


def is_unicode(text: str) -> bool:
    """Whether a text is one, or has bytes in it that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_bytes(text: str) -> bytes:
    """Return a text as the database's bytes, be they UTF-8 or not."""
    return text.encode("utf-8", "surrogateescape")
