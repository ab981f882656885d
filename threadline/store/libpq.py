"""A connection through libpq itself: it starts in a fraction of the time that a Python driver takes to be imported.

Whatever may wait is sent without blocking and awaited in Python, so that a signal ends the wait; ctypes lets other threads run meanwhile.
"""

import ctypes
import os
import select
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from ctypes import c_char_p, c_int, c_uint, c_void_p
from functools import cache
from itertools import count
from typing import Any

from threadline.store.database import Row
from threadline.store.driver import LOST, OPTIONS, AddressError, PostgresError
from threadline.store.libpq_library import library, rows_of
from threadline.store.schema import Column
from threadline.store.wire import Parameter, copy_data, parameter

_COMMAND_OK, _TUPLES_OK, _COPY_IN = 1, 2, 4
_SQLSTATE, _PRIMARY_MESSAGE = ord("C"), ord("M")
_PREPARE_AT, _PREPARED_MOST = 5, 100
"""A statement is prepared when it comes the fifth time before so many others; at most so many are."""


def _ignore(_argument: int | None, _message: bytes | None) -> None:
    """Take a notice of the server, which libpq would write to stderr."""


_IGNORE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)(_ignore)


@cache
def _numbered(sql: str) -> bytes:
    first, *rest = sql.split("?")
    return "".join([first, *(f"${number}{part}" for number, part in enumerate(rest, 1))]).encode()


class LibpqConnection:
    """See `driver.Connection`."""

    def __init__(self, address: str) -> None:
        pq = library()
        if pq is None:
            raise PostgresError("libpq is not installed", "")
        self._pq = pq
        self._connection: int | None = None
        self._seen: dict[tuple[bytes, tuple[int, ...]], int] = {}
        self._prepared: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self._numbers = count()
        self._process = os.getpid()
        given = address.encode(errors="surrogateescape")
        _check_address(pq, given)
        options = {"dbname": given, **{name: value.encode() for name, value in OPTIONS.items()}}
        names = (c_char_p * (len(options) + 1))(*(name.encode() for name in options))
        values = (c_char_p * (len(options) + 1))(*options.values())
        self._connection = pq.PQconnectdbParams(names, values, 1)
        if self.closed:
            error = PostgresError(self._said() or "out of memory", "08001")
            self.close()
            raise error
        pq.PQsetnonblocking(self._connection, 1)
        pq.PQsetNoticeProcessor(self._connection, _IGNORE, None)
        self._socket = pq.PQsocket(self._connection)
        self._poller = select.poll()
        self._poller.register(self._socket)

    @property
    def closed(self) -> bool:
        """See `Connection`."""
        return bool(self._pq.PQstatus(self._connection))

    def close(self) -> None:
        """See `Connection`."""
        connection, self._connection = self._connection, None
        self._pq.PQfinish(connection)

    def __del__(self) -> None:
        # A process that was forked has a copy, and would take its leave of the server in the name of both.
        if getattr(self, "_connection", None) and self._process == os.getpid():
            self.close()

    def query(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """See `Connection`."""
        with self._result(sql, parameters) as result:
            return rows_of(self._pq, result)

    def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """See `Connection`."""
        with self._result(sql, parameters) as result:
            return int(self._pq.PQcmdTuples(result) or 0)

    def copy(self, statement: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """See `Connection`."""
        with self._result(statement, []):
            pass
        try:
            for chunk in copy_data(columns, rows):
                self._check(self._pq.PQputCopyData(self._connection, chunk, len(chunk)) == 1)
                self._pump(until_answered=False)
        except BaseException:
            self._drop()
            raise
        self._check(self._pq.PQputCopyEnd(self._connection, None) == 1)
        with self._answer():
            pass

    # Statements

    @contextmanager
    def _result(self, sql: str, parameters: Sequence[Any]) -> Generator[int]:
        statement, written = _numbered(sql), [parameter(value) for value in parameters]
        name = self._name(statement, tuple(one.oid for one in written))
        oids, *arrays = _arrays(written)
        if name:
            sent = self._pq.PQsendQueryPrepared(self._connection, name, len(written), *arrays, 1)
        else:
            sent = self._pq.PQsendQueryParams(self._connection, statement, len(written), oids, *arrays, 1)
        self._check(sent == 1)
        with self._answer() as result:
            yield result

    def _name(self, statement: bytes, oids: tuple[int, ...]) -> bytes | None:
        """Return the name under which a statement is prepared, now that it came again; None where it is not."""
        key = statement, oids
        if key in self._prepared or len(self._prepared) == _PREPARED_MOST:
            return self._prepared.get(key)
        if len(self._seen) == _PREPARED_MOST:
            self._seen.clear()
        self._seen[key] = self._seen.get(key, 0) + 1
        if self._seen[key] < _PREPARE_AT:
            return None
        name = b"threadline_%d" % next(self._numbers)
        self._check(self._pq.PQsendPrepare(self._connection, name, statement, len(oids), (c_uint * len(oids))(*oids)) == 1)
        with self._answer():
            self._prepared[key] = name
        return name

    # Waiting

    @contextmanager
    def _answer(self) -> Generator[int]:
        """Wait for what the server answers; the result lives as long as the block."""
        self._pump(until_answered=True)
        result = self._pq.PQgetResult(self._connection)
        try:
            status = self._pq.PQresultStatus(result)
            if status != _COPY_IN:
                self._drain()
            if status not in (_COMMAND_OK, _TUPLES_OK, _COPY_IN):
                raise self._error(result)
            yield result
        finally:
            self._pq.PQclear(result)

    def _pump(self, *, until_answered: bool) -> None:
        """Send what is unsent, and take what comes, until that is done; a connection that breaks ends it."""
        pq, connection = self._pq, self._connection
        try:
            while (unsent := pq.PQflush(connection) == 1) or (until_answered and pq.PQisBusy(connection)):
                self._poller.modify(self._socket, select.POLLIN | select.POLLOUT if unsent else select.POLLIN)
                ((_, ready),) = self._poller.poll()
                if ready != select.POLLOUT and not pq.PQconsumeInput(connection):
                    return
        except BaseException:
            self._cancel()
            raise

    def _drain(self) -> None:
        """Take the results that are left: libpq wants to be asked until there is none."""
        while (result := self._pq.PQgetResult(self._connection)) is not None:
            self._pq.PQclear(result)

    def _drop(self) -> None:
        """End a COPY whose rows do not come, so that the connection can roll back; without one this does nothing."""
        self._pq.PQputCopyEnd(self._connection, b"the rows cannot be written")
        self._drain()

    def _cancel(self) -> None:
        """End the statement under way, so that the connection can roll back; where that is not possible, close it."""
        pq = self._pq
        request = pq.PQcancelCreate(self._connection) if hasattr(pq, "PQcancelCreate") else None
        if request and pq.PQcancelBlocking(request) == 1:
            self._drop()
        else:
            self.close()
        if request:
            pq.PQcancelFinish(request)

    # Errors

    def _check(self, done: bool) -> None:
        if not done:
            raise PostgresError(self._said() or "the connection is closed", LOST if self.closed else "")

    def _error(self, result: int) -> PostgresError:
        code = self._pq.PQresultErrorField(result, _SQLSTATE)
        message = self._pq.PQresultErrorField(result, _PRIMARY_MESSAGE)
        if code and message:
            # What follows in the whole message may quote the row.
            return PostgresError(message.decode(errors="replace"), code.decode())
        return PostgresError(self._said() or "no details", LOST if self.closed else "")

    def _said(self) -> str:
        lines = self._pq.PQerrorMessage(self._connection).decode(errors="replace").strip().splitlines()
        return lines[0] if lines else ""


def _check_address(pq: ctypes.CDLL, address: bytes) -> None:
    wrong = c_char_p()
    found = None if b"\0" in address else pq.PQconninfoParse(address, ctypes.byref(wrong))
    pq.PQfreemem(wrong)
    if found is None:
        raise AddressError
    pq.PQconninfoFree(found)


def _arrays(written: Sequence[Parameter]) -> tuple[Any, Any, Any, Any]:
    """Lay parameters out for libpq: their types, values, lengths and formats."""
    number = len(written)
    return (
        (c_uint * number)(*(one.oid for one in written)),
        (c_char_p * number)(*(one.value for one in written)),
        (c_int * number)(*(len(one.value or b"") for one in written)),
        (c_int * number)(*(one.binary for one in written)),
    )
