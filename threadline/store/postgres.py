"""The production store: PostgreSQL 15 or newer, through psycopg."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, LiteralString, cast

from threadline.sdk.errors import ConfigError, RetryableError
from threadline.store.database import Database, RepeatCarefullyError, Row, Transaction, append_sql, in_key_order, on_conflict, stored, taken
from threadline.store.schema import ColumnKind, Table

try:
    import psycopg
    from psycopg.adapt import Dumper
    from psycopg.pq import Format
    from psycopg.types.string import BytesBinaryDumper
except ImportError:
    raise ConfigError("PostgreSQL needs its driver: pip install 'threadline[postgres]'") from None

_TYPES: dict[ColumnKind, str] = {
    "id": "bytea", "text": "text", "integer": "int8", "real": "float8", "boolean": "bool", "time": "timestamptz",
    "date": "date", "json": "text", "bytes": "bytea",
}  # fmt: skip
_PASSING = (
    "refused", "timeout", "timed out", "starting up", "shutting down", "recovery mode", "too many clients", "connection slots",
    "Temporary failure", "closed the connection",
)  # fmt: skip
"""How libpq says that a server is not there for the moment: errors at connecting carry no code."""
_ID = 16
_COPY_FROM = 50
"""Rows from which loading by COPY beats separate statements."""
_LONG = 1_000_000
"""Bytes or characters of one value from which libpq takes quadratic time for a statement's parameters; COPY goes by pieces."""


class _Ids(list[bytes]):
    """Ids of 16 bytes, which make an array of one width."""


class _IdsDumper(Dumper):
    """Writes ids as PostgreSQL's binary array in one step: an element at a time costs more than the look-up that it is for."""

    format = Format.BINARY
    oid = 1001  # bytea[]
    _SIZE = (16).to_bytes(4, "big")

    def dump(self, obj: _Ids) -> bytes:
        dimensions, nulls, element, first = 1, 0, 17, 1
        head = b"".join(number.to_bytes(4, "big") for number in (dimensions, nulls, element, len(obj), first))
        return head + self._SIZE + self._SIZE.join(obj)


@cache
def _placeholders(sql: str) -> LiteralString:
    return cast("LiteralString", sql.replace("?", "%s"))


def _clean(values: Iterable[Any]) -> Row:
    # PostgreSQL's text has no NUL; the record's own bytes keep it.
    return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value for value in values)


def _array(keys: Iterable[Any]) -> list[Any]:
    items = list(keys)
    is_ids = all(type(item) is bytes and len(item) == _ID for item in items)
    return _Ids(items) if is_ids else list(_clean(items))


def _is_long(value: Any) -> bool:
    return isinstance(value, str | bytes) and len(value) > _LONG


class PostgresTransaction(Transaction):
    """Statements on one connection."""

    def __init__(self, connection: "psycopg.Connection[Row]") -> None:
        self._connection = connection
        self._careful = False

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        return self._connection.execute(_placeholders(sql), _clean(parameters), binary=True).fetchall()

    def query_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        items = _array(keys)
        return self.query(sql.replace("{keys}", "= ANY(?)"), [*parameters, items]) if items else []

    def unlike(self, records: Mapping[bytes, bytes], columns: str) -> list[Row]:
        """See `Transaction`; only what differs crosses the wire."""
        if not records:
            return []
        wanted = ", ".join(f"r.{name.strip()}" for name in columns.split(","))
        return self.query(
            f"SELECT given.id, {wanted} FROM unnest(?, ?) AS given(id, digest) LEFT JOIN records r ON r.id = given.id "
            "WHERE r.digest IS DISTINCT FROM given.digest OR r.state <> 'ok'",
            [_Ids(records), _Ids(records.values())],
        )

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """See `Transaction`."""
        return self._connection.execute(_placeholders(sql), _clean(parameters)).rowcount

    def execute_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> None:
        """See `Transaction`."""
        items = _array(keys)
        if items:
            self.execute(sql.replace("{keys}", "= ANY(?)"), [*parameters, items])

    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if self._careful:
            self.upsert(table, rows)
        elif rows:
            try:
                self._copy(table, table.name, in_key_order(table, rows))
            except (psycopg.errors.UniqueViolation, psycopg.errors.CharacterNotInRepertoire):
                raise RepeatCarefullyError from None

    def take_care(self) -> None:
        """See `Transaction`."""
        self._careful = True

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        self._load(table, rows, "ON CONFLICT DO NOTHING")

    def upsert(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if self._careful or len(rows) < _COPY_FROM or table.key != ("id",):
            self._load(table, rows, on_conflict(table))
        else:
            # Half the cost of a temporary table and ON CONFLICT.
            self.execute_in(f'DELETE FROM "{table.name}" WHERE id {{keys}}', [row[0] for row in rows])
            self.append(table, [_clean(row) for row in rows])

    def _load(self, table: Table, rows: Sequence[Row], conflict: str) -> None:
        if not rows:
            return
        cleaned = [_clean(row) for row in in_key_order(table, rows)]
        if len(rows) < _COPY_FROM and not any(_is_long(value) for row in cleaned for value in row):
            with self._connection.cursor() as cursor:
                cursor.executemany(_placeholders(f"{append_sql(table)} {conflict}"), cleaned)
            return
        columns = ", ".join(f'"{name}"' for name in stored(table))
        staged = f"staged_{table.name}"
        create = f'CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS SELECT {columns} FROM "{table.name}" WITH NO DATA'
        self.execute(create)
        self._copy(table, staged, cleaned)
        self.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {staged} {conflict}')
        self.execute(f"DELETE FROM {staged}")

    def _copy(self, table: Table, into: str, rows: Iterable[Row]) -> None:
        columns = ", ".join(f'"{name}"' for name in stored(table))
        statement = cast("LiteralString", f'COPY "{into}" ({columns}) FROM STDIN (FORMAT BINARY)')
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([_TYPES[column.kind] for column in table.columns if column.kind != "serial"])
            for row in rows:
                copy.write_row(row)

    def now(self) -> datetime:
        """See `Transaction`."""
        return cast("datetime", self.query("SELECT clock_timestamp()")[0][0])

    def lock(self, name: str) -> None:
        """See `Transaction`."""
        self.execute("SELECT pg_advisory_xact_lock(hashtext(?))", [f"threadline {name}"])

    def txid(self) -> int:
        """See `Transaction`."""
        return int(self.query("SELECT pg_current_xact_id()::text::bigint")[0][0])

    def commit_horizon(self) -> int | None:
        """See `Transaction`."""
        return int(self.query("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")[0][0])


class PostgresDatabase(Database):
    """One connection, in UTC."""

    def __init__(self, url: str) -> None:
        address = url.replace("postgresql+psycopg", "postgresql", 1)
        try:
            self._connection: psycopg.Connection[Row] = psycopg.connect(
                address, autocommit=True, connect_timeout=10, options="-c timezone=UTC"
            )
            # Of several dumpers for bytea the one registered last writes COPY: this one is compiled.
            self._connection.adapters.register_dumper(bytes, BytesBinaryDumper)
            self._connection.adapters.register_dumper(_Ids, _IdsDumper)
        except psycopg.OperationalError as error:
            # libpq's own words name host, database or user, and never the password.
            reason = str(error).strip().splitlines()[0]
            kind = RetryableError if any(words in reason for words in _PASSING) else ConfigError
            raise kind(f"PostgreSQL cannot be used: {reason}; check THREADLINE_DATABASE_URL, the server and the database") from None
        except psycopg.ProgrammingError:
            raise ConfigError("THREADLINE_DATABASE_URL is not a PostgreSQL address: postgresql://USER:PASSWORD@HOST/NAME") from None

    @contextmanager
    def read(self) -> Generator[Transaction]:
        """See `Database`."""
        with self._block("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Generator[Transaction]:
        """See `Database`."""
        with self._block("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def _block(self, begin: LiteralString) -> Generator[Transaction]:
        try:
            self._connection.execute(begin)
            yield PostgresTransaction(self._connection)
            self._connection.execute("COMMIT")
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            self._rollback()
            raise RetryableError("PostgreSQL asked to repeat the transaction") from None
        except psycopg.OperationalError as error:
            self._rollback()
            raise RetryableError(f"the connection to PostgreSQL failed: {str(error).strip().splitlines()[0]}") from None
        except BaseException:
            self._rollback()
            raise

    @contextmanager
    def sole(self, name: str) -> Generator[None]:
        """See `Database`: a lock of the session, which the server drops with the connection."""
        key = [f"threadline {name}"]
        with self.write() as transaction:
            ((held,),) = transaction.query("SELECT pg_try_advisory_lock(hashtextextended(?, 0))", key)
        if not held:
            raise taken(name)
        try:
            yield
        finally:
            if not self._connection.closed:
                self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)

    def _rollback(self) -> None:
        if not self._connection.closed:
            try:
                self._connection.execute("ROLLBACK")
            except psycopg.Error:
                self._connection.close()

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()
