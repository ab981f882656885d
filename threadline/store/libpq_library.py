"""libpq, PostgreSQL's client library: where it is, what its calls take, and how the rows of a result are read.

https://www.postgresql.org/docs/current/libpq.html
"""

import ctypes
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ctypes import c_char_p, c_int, c_uint, c_void_p
from functools import cache
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from threadline.store.database import Row
from threadline.store.wire import Reader, reader

_VERSIONS = range(140_000, 190_000)
"""Releases whose result is laid out as `rows_of` reads it (pg_result in libpq-int.h); another one is left to psycopg."""

_SIGNATURES: Mapping[str, tuple[Any, ...]] = {
    "PQlibVersion": (c_int,),
    "PQconninfoParse": (c_void_p, c_char_p, c_void_p),
    "PQconninfoFree": (None, c_void_p),
    "PQconnectdbParams": (c_void_p, c_void_p, c_void_p, c_int),
    "PQfinish": (None, c_void_p),
    "PQstatus": (c_int, c_void_p),
    "PQsocket": (c_int, c_void_p),
    "PQerrorMessage": (c_char_p, c_void_p),
    "PQsetnonblocking": (c_int, c_void_p, c_int),
    "PQsetNoticeProcessor": (c_void_p, c_void_p, c_void_p, c_void_p),
    "PQsendQueryParams": (c_int, c_void_p, c_char_p, c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_int),
    "PQsendPrepare": (c_int, c_void_p, c_char_p, c_char_p, c_int, c_void_p),
    "PQsendQueryPrepared": (c_int, c_void_p, c_char_p, c_int, c_void_p, c_void_p, c_void_p, c_int),
    "PQflush": (c_int, c_void_p),
    "PQisBusy": (c_int, c_void_p),
    "PQconsumeInput": (c_int, c_void_p),
    "PQputCopyData": (c_int, c_void_p, c_char_p, c_int),
    "PQputCopyEnd": (c_int, c_void_p, c_char_p),
    "PQgetResult": (c_void_p, c_void_p),
    "PQclear": (None, c_void_p),
    "PQfreemem": (None, c_void_p),
    "PQresultStatus": (c_int, c_void_p),
    "PQresultErrorField": (c_char_p, c_void_p, c_int),
    "PQcmdTuples": (c_char_p, c_void_p),
    "PQftype": (c_uint, c_void_p, c_int),
    "PQmakeEmptyPGresult": (c_void_p, c_void_p, c_int),
    "PQsetResultAttrs": (c_int, c_void_p, c_int, c_char_p),
    "PQsetvalue": (c_int, c_void_p, c_int, c_int, c_char_p, c_int),
    "PQcancelCreate": (c_void_p, c_void_p),
    "PQcancelBlocking": (c_int, c_void_p),
    "PQcancelFinish": (None, c_void_p),
}
"""The calls in use, each with its result and arguments. The last three came with libpq 17."""


@cache
def library() -> ctypes.CDLL | None:
    """Return libpq: the one that psycopg's wheel brings, or else the system's; None where there is none that is known here."""
    try:
        pq = ctypes.CDLL(_in_wheel() or "libpq.so.5")
    except OSError:
        return None
    for call, (result, *arguments) in _SIGNATURES.items():
        if hasattr(pq, call):
            function = getattr(pq, call)
            function.restype, function.argtypes = result, arguments
    known = pq.PQlibVersion() in _VERSIONS and ctypes.sizeof(c_void_p) == _ADDRESS
    return pq if known and is_read_right(pq) else None


def _in_wheel() -> str | None:
    found = find_spec("psycopg_binary")
    if found is None or found.origin is None:
        return None
    beside = Path(found.origin).parents[1] / "psycopg_binary.libs"
    return next((str(path) for path in beside.glob("libpq-*.so*")), None)


class _Result(ctypes.Structure):
    """How a result begins: each row is an array of values, and each value a length (-1: NULL) and an address."""

    _fields_ = (("rows", c_int), ("columns", c_int), ("descriptions", c_void_p), ("values", c_void_p))


_ADDRESS, _VALUE = 8, 16
"""Bytes that an address and a value take in it."""

_MEMORY = memoryview((ctypes.c_char * sys.maxsize).from_address(0)).cast("B")
"""The memory of this process, so that values are read where they are: a call of libpq or ctypes for each costs several times as much."""


def rows_of(pq: ctypes.CDLL, result: int) -> list[Row]:
    """Read all rows of a result in binary format."""
    head = _Result.from_address(result)
    if not head.rows or not head.columns:
        return [()] * head.rows
    rows = struct.unpack_from(f"{head.rows}Q", _MEMORY, head.values)
    values = memoryview(b"".join(_each(f"{head.columns * _VALUE}s", rows)))
    lengths, addresses = values.cast("i")[::4].tolist(), values.cast("Q")[1::2].tolist()
    columns = (
        _values(reader(pq.PQftype(result, column)), lengths[column :: head.columns], addresses[column :: head.columns])
        for column in range(head.columns)
    )
    return list(zip(*columns, strict=True))


def _each(form: str, addresses: Iterable[int]) -> Iterator[Any]:
    return chain.from_iterable(map(struct.Struct(form).unpack_from, repeat(_MEMORY), addresses))


def _values(read: Reader, lengths: Sequence[int], addresses: Sequence[int]) -> Iterable[Any]:
    sizes = set(lengths)
    if -1 in sizes:
        there = [address for length, address in zip(lengths, addresses, strict=True) if length >= 0]
        values = iter(_values(read, [length for length in lengths if length >= 0], there))
        return [None if length < 0 else next(values) for length in lengths]
    if read.form or len(sizes) == 1:
        values = _each(read.form or f"{sizes.pop()}s", addresses)
    else:
        values = (_MEMORY[address : address + length].tobytes() for length, address in zip(lengths, addresses, strict=True))
    return map(read.convert, values) if read.convert else values


def is_read_right(pq: ctypes.CDLL) -> bool:
    """Whether `rows_of` finds in a result what libpq's own calls put there."""
    rows = [(b"a\0b", None, b""), (b"", b"\xff" * 3_000, None)]
    column = struct.pack("PIiiIii", 0, 0, 0, _BINARY, _BYTEA, -1, -1)
    result = pq.PQmakeEmptyPGresult(None, _TUPLES_OK)
    try:
        made = pq.PQsetResultAttrs(result, 3, column * 3) and all(
            pq.PQsetvalue(result, number, place, value, -1 if value is None else len(value))
            for number, row in enumerate(rows)
            for place, value in enumerate(row)
        )
        if not made:
            return False
        head = _Result.from_address(result)
        return (head.rows, head.columns) == (2, 3) and rows_of(pq, result) == rows
    finally:
        pq.PQclear(result)


_TUPLES_OK, _BINARY, _BYTEA = 2, 1, 17
