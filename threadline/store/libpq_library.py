"""libpq, PostgreSQL's client library: where it is, what its calls take, and how the rows of a result are read.

https://www.postgresql.org/docs/current/libpq.html
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from ctypes import c_char_p, c_int, c_uint, c_void_p
from functools import cache
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path
from typing import Any

from threadline.store.database import Row
from threadline.store.wire import reader

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
    "PQntuples": (c_int, c_void_p),
    "PQnfields": (c_int, c_void_p),
    "PQftype": (c_uint, c_void_p, c_int),
    "PQcancelCreate": (c_void_p, c_void_p),
    "PQcancelBlocking": (c_int, c_void_p),
    "PQcancelFinish": (None, c_void_p),
}
"""The calls in use, each with its result and arguments. The last three came with libpq 17."""


@cache
def library() -> ctypes.CDLL | None:
    """Return libpq: the one that psycopg's wheel brings, or else the system's; None where there is none that is known here."""
    try:
        name = _in_wheel() or _of_system()
        pq = ctypes.CDLL(name) if name else None
    except OSError:
        return None
    if pq is None or pq.PQlibVersion() not in _VERSIONS or ctypes.sizeof(c_void_p) != _ADDRESS:
        return None
    for call, (result, *arguments) in _SIGNATURES.items():
        if hasattr(pq, call):
            function = getattr(pq, call)
            function.restype, function.argtypes = result, arguments
    return pq


def _in_wheel() -> str | None:
    found = find_spec("psycopg_binary")
    if found is None or found.origin is None:
        return None
    beside = Path(found.origin).parents[1] / "psycopg_binary.libs"
    return next((str(path) for path in beside.glob("libpq-*.so*")), None)


def _of_system() -> str | None:
    from ctypes.util import find_library

    return find_library("pq")


class _Result(ctypes.Structure):
    """How a result begins: each row is an array of values, and each value a length (-1: NULL) and an address."""

    _fields_ = (("rows", c_int), ("columns", c_int), ("descriptions", c_void_p), ("values", c_void_p))


_ADDRESS, _VALUE = 8, 16
"""Bytes that an address and a value take."""


def rows_of(pq: ctypes.CDLL, result: int) -> list[Row]:
    """Read all rows of a result in binary format."""
    # PQgetvalue and its like would be three calls for each value, and cost three times as much.
    head = _Result.from_address(result)
    if not head.rows or not head.columns:
        return [()] * head.rows
    rows = memoryview(ctypes.string_at(head.values, head.rows * _ADDRESS)).cast("Q")
    values = memoryview(b"".join(map(ctypes.string_at, rows, repeat(head.columns * _VALUE))))
    lengths, addresses = values.cast("i")[::4].tolist(), values.cast("Q")[1::2].tolist()
    columns = (
        _values(reader(pq.PQftype(result, column)), addresses[column :: head.columns], lengths[column :: head.columns])
        for column in range(head.columns)
    )
    return list(zip(*columns, strict=True))


def _values(read: Callable[[bytes], Any] | None, addresses: Sequence[int], lengths: Sequence[int]) -> Sequence[Any]:
    data = list(map(ctypes.string_at, addresses, lengths))
    if -1 in lengths:
        return [None if length < 0 else read(one) if read else one for one, length in zip(data, lengths, strict=True)]
    return list(map(read, data)) if read else data
