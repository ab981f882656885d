"""PostgreSQL's binary format: rows for COPY, parameters, and results.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"; values as their types' send and receive functions have them.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from threadline.store.database import Row
from threadline.store.driver import PostgresError
from threadline.store.schema import Column, ColumnKind

_INT2, _INT4, _INT8, _FLOAT4, _FLOAT8 = (struct.Struct(f">{code}") for code in "hiqfd")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(2000, 1, 1).toordinal()
_ROWS_AT_ONCE = 512
"""With rows of a few hundred bytes this makes chunks of 64 to 256 kB, which a processor's cache holds."""


class _Lengths(dict[int, bytes]):
    """The four bytes before a value of each length; -1 stands for NULL."""

    def __missing__(self, length: int) -> bytes:
        written = _INT4.pack(length)
        if length < _REMEMBERED:
            self[length] = written
        return written


_REMEMBERED = 4096
_LENGTHS = _Lengths()


def _write_time(value: datetime) -> bytes:
    since = value - _EPOCH
    return _INT8.pack((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _write_date(value: date) -> bytes:
    return _INT4.pack(value.toordinal() - _EPOCH_DAY)


_WRITERS: Mapping[ColumnKind, Callable[[Any], bytes]] = {
    "id": bytes.__bytes__, "bytes": bytes.__bytes__, "text": str.encode, "json": str.encode, "time": _write_time, "date": _write_date,
    "integer": _INT8.pack, "real": _FLOAT8.pack, "boolean": {False: b"\0", True: b"\1"}.__getitem__,
}  # fmt: skip

_WIDTHS: Mapping[ColumnKind, int] = {"integer": 8, "real": 8, "time": 8, "date": 4, "boolean": 1}
"""Bytes that a value takes, of kinds that have one width."""


# COPY


def copy_data(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[bytes]:
    """Yield rows as COPY's binary format has them, in chunks; TypeError names the column of a value of another kind."""
    yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield _tuples(columns, rows[start : start + _ROWS_AT_ONCE])
    yield _INT2.pack(-1)


def _tuples(columns: Sequence[Column], rows: Sequence[Row]) -> bytes:
    # Column by column, so that the steps for a value are taken inside of map and join: by row they cost several times as much.
    row = [_INT2.pack(len(columns))]
    varying: dict[int, Sequence[bytes]] = {}
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        still, *pieces = _pieces(column, values)
        if still and len(row) - 1 in varying:
            row.append(still)
        else:
            row[-1] += still
        for piece in pieces:
            varying[len(row)] = piece
            row.append(b"")
    data = row * len(rows)
    for place, piece in varying.items():
        data[place :: len(row)] = piece
    return b"".join(data)


def _pieces(column: Column, values: Sequence[Any]) -> tuple[bytes, *tuple[Sequence[bytes], ...]]:
    """Return what a column's fields begin with in all rows, and what follows it in each."""
    first = values[0]
    try:
        # Most of what a batch brings has one value in many columns. (0.0 equals -0.0.)
        if first is values[-1] and column.kind != "real" and values.count(first) == len(values):
            return (_Fields(column.kind)[first],)
        return _plain(column.kind, values)
    except _OTHER_KIND:
        pass
    try:
        # There may be NULL among them.
        return b"", list(map(_Fields(column.kind).__getitem__, values))
    except _OTHER_KIND as error:
        raise TypeError(f'"{column.name}" takes {column.kind}, which a value is not ({type(error).__name__})') from None


_OTHER_KIND = (TypeError, AttributeError, KeyError, OverflowError, struct.error)


def _plain(kind: ColumnKind, values: Sequence[Any]) -> tuple[bytes, *tuple[Sequence[bytes], ...]]:
    if width := _WIDTHS.get(kind):
        return _LENGTHS[width], list(map(_WRITERS[kind], values))
    if kind == "text" and len(set(values[:_SAMPLE])) * 4 <= _SAMPLE:
        return b"", list(map(_Fields(kind).__getitem__, values))
    written = values if kind in ("id", "bytes") else list(map(_WRITERS[kind], values))
    if len(widths := set(map(len, written))) == 1:
        return _LENGTHS[widths.pop()], written
    return b"", list(map(_LENGTHS.__getitem__, map(len, written))), written


_SAMPLE = 64


class _Fields(dict[Any, bytes]):
    """The fields of a column's values, each with its length: what repeats is written once."""

    def __init__(self, kind: ColumnKind) -> None:
        super().__init__({None: _INT4.pack(-1)})
        self._write = _WRITERS[kind]

    def __missing__(self, value: Any) -> bytes:
        data = self._write(value)
        field = _LENGTHS[len(data)] + data
        if value != 0:  # 0.0 equals -0.0, which is written differently.
            self[value] = field
        return field


# Parameters


class Parameter(NamedTuple):
    """A parameter as libpq takes it: the type's OID (0: the server infers it), the value, and whether that is binary."""

    oid: int
    value: bytes | None
    binary: bool


def parameter(value: Any) -> Parameter:
    """Write a parameter; what is text takes the type of what it is compared with. TypeError for what has no type in PostgreSQL."""
    if value is None:
        return Parameter(0, None, binary=False)
    for kind, write in _PARAMETERS:
        if isinstance(value, kind):
            return write(value)
    raise TypeError(f"{type(value).__name__} cannot be a parameter of a statement")


def _text(value: str) -> Parameter:
    if "\0" in value:
        raise PostgresError("a text for PostgreSQL holds NUL", "22021")
    return Parameter(0, value.encode(), binary=False)


def _integer(value: int) -> Parameter:
    # The smallest type that fits: an integer is widened without being asked, and never narrowed.
    for oid, form, bits in ((21, _INT2, 16), (23, _INT4, 32), (20, _INT8, 64)):
        if -1 << bits - 1 <= value < 1 << bits - 1:
            return Parameter(oid, form.pack(value), binary=True)
    raise PostgresError("an integer is out of PostgreSQL's range of 64 bits", "22003")


def _list(items: Sequence[Any]) -> Parameter:
    if not items:
        return Parameter(0, b"{}", binary=False)
    for kind, array, element, write in _ARRAYS:
        if isinstance(items[0], kind):
            written = list(map(write, items)) if write else items
            head = struct.pack(">iiIii", 1, 0, element, len(items), 1)
            return Parameter(array, head + _elements(written), binary=True)
    raise TypeError(f"{type(items[0]).__name__} cannot be an element of an array")


def _elements(written: Sequence[bytes]) -> bytes:
    lengths = list(map(len, written))
    if len(set(lengths)) == 1:
        return _LENGTHS[lengths[0]].join([b"", *written])
    return b"".join(chain.from_iterable(zip(map(_LENGTHS.__getitem__, lengths), written, strict=True)))


_PARAMETERS: Sequence[tuple[type, Callable[[Any], Parameter]]] = (
    (bytes, lambda value: Parameter(17, value, binary=True)),
    (str, _text),
    (bool, lambda value: Parameter(16, b"\1" if value else b"\0", binary=True)),
    (int, _integer),
    (datetime, lambda value: Parameter(1184, _write_time(value), binary=True)),
    (date, lambda value: Parameter(1082, _write_date(value), binary=True)),
    (float, lambda value: Parameter(701, _FLOAT8.pack(value), binary=True)),
    (list, _list),
)
_ARRAYS: Sequence[tuple[type, int, int, Callable[[Any], bytes] | None]] = (
    (bytes, 1001, 17, None),
    (str, 1009, 25, str.encode),
    (int, 1016, 20, _INT8.pack),
)
"""Kind of the elements, and the OIDs of the array and of an element."""


# Results


class Reader(NamedTuple):
    """How the values of a type are read: by a format of `struct`, where they have one width; what was read is then converted."""

    form: str | None
    convert: Callable[[Any], Any] | None = None


@lru_cache
def _read_time(since: int) -> datetime:
    # The records of a batch have their times in common.
    try:
        return _EPOCH + timedelta(microseconds=since)
    except OverflowError:
        raise PostgresError("a time is infinite or out of the years 1 to 9999", "22008") from None


def _read_date(since: int) -> date:
    try:
        return date.fromordinal(since + _EPOCH_DAY)
    except (ValueError, OverflowError):
        raise PostgresError("a date is infinite or out of the years 1 to 9999", "22008") from None


def _read_numeric(data: bytes) -> Decimal:
    count, weight, sign, _ = struct.unpack_from(">hhHH", data)
    if sign not in _SIGNS:
        raise PostgresError("a number is infinite or none", "22003")
    number = Decimal(0)
    for place, digits in enumerate(struct.unpack_from(f">{count}h", data, 8)):
        number += Decimal(digits).scaleb(4 * (weight - place))
    return number * _SIGNS[sign]


_SIGNS = {0: 1, 0x4000: -1}
_TEXT = Reader(None, bytes.decode)

_READERS: Mapping[int, Reader] = {
    16: Reader("?"), 17: Reader(None), 19: _TEXT, 20: Reader(">q"), 21: Reader(">h"), 23: Reader(">i"), 25: _TEXT, 26: Reader(">I"),
    700: Reader(">f"), 701: Reader(">d"), 1042: _TEXT, 1043: _TEXT, 1082: Reader(">i", _read_date), 1184: Reader(">q", _read_time),
    1700: Reader(None, _read_numeric), 2278: _TEXT,
}  # fmt: skip
"""By the type's OID (pg_type.dat)."""


def reader(oid: int) -> Reader:
    """Return how a result's column is read; PostgresError for a type that no table here has."""
    try:
        return _READERS[oid]
    except KeyError:
        raise PostgresError(f"a result has a type that is not read here (OID {oid}): cast it in the statement", "0A000") from None
