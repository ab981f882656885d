"""Where a scan has come to: the values that rows are ordered by, as a cursor holds them."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from connectors.sql.values import AS_TEXT, is_unicode, text_bytes
from threadline.sdk import JSON, ConfigError, CursorKind
from threadline.sdk.cursors import foreign_cursor

_MICROSECOND = timedelta(microseconds=1)

_POSITION: dict[str, tuple[type[Any], Callable[[Any], str], Callable[[str], Any]]] = {
    "time": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "clock": (time, time.isoformat, time.fromisoformat),
    "span": (timedelta, lambda span: str(span // _MICROSECOND), lambda text: int(text) * _MICROSECOND),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "bytes": (bytes, lambda value: b64encode(value).decode(), b64decode),
}


def _text(encoded: str) -> str:
    return b64decode(encoded).decode("utf-8", "surrogateescape")


_READ: dict[str, Callable[[str], Any]] = {"text": _text, **{name: read for name, (_, _, read) in _POSITION.items()}}


def write_position(values: Sequence[Any]) -> list[JSON]:
    """Write the values that a scan has come to as JSON, unrounded; ConfigError for a kind that has no such form."""
    return [_write_one(value) for value in values]


def _write_one(value: Any) -> JSON:
    for name, (kind, write, _) in _POSITION.items():
        if isinstance(value, kind):
            return {name: write(value)}
    if isinstance(value, str):
        # Half a surrogate stands for a byte that is no UTF-8, which JSON could not hold.
        return value if is_unicode(value) else {"text": b64encode(text_bytes(value)).decode()}
    if isinstance(value, int | float):
        return value
    if isinstance(value, AS_TEXT):
        return str(value)
    raise ConfigError(f"a key of type {type(value).__name__} cannot be gone on from; name another column, or CAST it to text in a query")


def read_position(values: Sequence[JSON], kind: CursorKind) -> list[Any]:
    """Read what `write_position` wrote; ConfigError for what it has not."""
    try:
        return [_read_one(value) for value in values]
    except (ValueError, KeyError, ArithmeticError):
        raise foreign_cursor(kind) from None


def _read_one(value: JSON) -> Any:
    if not isinstance(value, dict):
        return value
    ((name, text),) = value.items()  # pyright: ignore[reportUnknownVariableType]
    return _READ[str(name)](str(text))  # pyright: ignore[reportUnknownArgumentType]
