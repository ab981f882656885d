"""PostgreSQL through psycopg: for where libpq is not known, and what the tests hold the own binding of libpq against."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, LiteralString, cast

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types.string import BytesBinaryDumper

from threadline.store.database import Row
from threadline.store.driver import LOST, OPTIONS, AddressError, PostgresError
from threadline.store.schema import POSTGRES_TYPES, Column

_ID = 16


class _Ids(list[bytes]):
    """Ids of 16 bytes, which make an array of one width."""


class _IdsDumper(Dumper):
    """Writes ids as PostgreSQL's binary array in one step: an element at a time costs more than the look-up that it is for."""

    format = Format.BINARY
    oid = 1001  # bytea[]
    _SIZE = _ID.to_bytes(4, "big")

    def dump(self, obj: _Ids) -> bytes:
        dimensions, nulls, element, first = 1, 0, 17, 1
        head = b"".join(number.to_bytes(4, "big") for number in (dimensions, nulls, element, len(obj), first))
        return head + self._SIZE + self._SIZE.join(obj)


@cache
def _placeholders(sql: str) -> LiteralString:
    return cast("LiteralString", sql.replace("?", "%s"))


def _adapted(parameters: Sequence[Any]) -> list[Any]:
    return [_Ids(value) if _are_ids(value) else value for value in parameters]


def _are_ids(value: Any) -> bool:
    return bool(value) and type(value) is list and all(type(item) is bytes and len(item) == _ID for item in cast("list[Any]", value))


@contextmanager
def _errors() -> Generator[None]:
    try:
        yield
    except psycopg.Error as error:
        lines = (error.diag.message_primary or str(error)).strip().splitlines()
        lost = LOST if isinstance(error, psycopg.OperationalError) else ""
        raise PostgresError(lines[0] if lines else type(error).__name__, error.sqlstate or lost) from None


class PsycopgConnection:
    """See `driver.Connection`."""

    def __init__(self, address: str) -> None:
        try:
            with _errors():
                self._connection: psycopg.Connection[Row] = psycopg.connect(address, autocommit=True, **OPTIONS)  # type: ignore[arg-type]
        except PostgresError as error:
            if not error.code:
                raise AddressError from None
            raise
        # Of several dumpers for bytea the one registered last writes COPY: this one is compiled.
        self._connection.adapters.register_dumper(bytes, BytesBinaryDumper)
        self._connection.adapters.register_dumper(_Ids, _IdsDumper)

    @property
    def closed(self) -> bool:
        """See `Connection`."""
        return self._connection.closed

    def close(self) -> None:
        """See `Connection`."""
        self._connection.close()

    def query(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """See `Connection`."""
        with _errors():
            return self._connection.execute(_placeholders(sql), _adapted(parameters), binary=True).fetchall()

    def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """See `Connection`."""
        with _errors():
            return max(self._connection.execute(_placeholders(sql), _adapted(parameters)).rowcount, 0)

    def copy(self, statement: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """See `Connection`."""
        with _errors(), self._connection.cursor() as cursor, cursor.copy(cast("LiteralString", statement)) as copy:
            copy.set_types([POSTGRES_TYPES[column.kind] for column in columns])
            for row in rows:
                copy.write_row(row)
