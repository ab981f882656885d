"""The production store: PostgreSQL 15 or newer."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast

from threadline.sdk.errors import ConfigError, RetryableError
from threadline.store.database import Database, RepeatCarefullyError, Row, Transaction, append_sql, in_key_order, on_conflict, stored, taken
from threadline.store.driver import AddressError, Connection, PostgresError, connect
from threadline.store.schema import Table

_NOT_THERE = (
    "refused", "timeout", "timed out", "starting up", "shutting down", "recovery mode", "too many clients", "connection slots",
    "Temporary failure", "closed the connection",
)  # fmt: skip
"""How libpq says that a server is not there for the moment: errors at connecting carry no code."""
_REPEAT = ("40001", "40P01")
"""serialization_failure, deadlock_detected."""
_CARE = ("23505", "22021")
"""unique_violation, character_not_in_repertoire (NUL in a text)."""
_PASSING = ("08", "27", "28", "2F", "38", "39", "3B", "40", "53", "54", "55", "57", "58")
"""Classes of errors that lie in the connection, the server or its load rather than in the statement."""
_COPY_FROM = 50
"""Rows from which loading by COPY beats one INSERT of them all."""
_LONG = 1_000_000
"""Bytes or characters of one value from which libpq takes quadratic time for a statement's parameters; COPY goes by pieces."""


def _clean(values: Iterable[Any]) -> Row:
    # PostgreSQL's text has no NUL; the record's own bytes keep it.
    return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value for value in values)


def _clean_rows(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    # Most rows need nothing: a look at each column's texts as one costs a sixth of a look at each value.
    kinds = [column.kind for column in table.columns if column.kind != "serial"]
    texts = (values for kind, values in zip(kinds, zip(*rows, strict=True), strict=True) if kind in ("text", "json"))
    return [_clean(row) for row in rows] if any("\0" in "".join(filter(None, values)) for values in texts) else rows


def _is_long(value: Any) -> bool:
    return isinstance(value, str | bytes) and len(value) > _LONG


class PostgresTransaction(Transaction):
    """Statements on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._careful = False

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        return self._connection.query(sql, _clean(parameters))

    def query_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        items = list(_clean(keys))
        return self.query(sql.replace("{keys}", "= ANY(?)"), [*parameters, items]) if items else []

    def unlike(self, records: Mapping[bytes, bytes], columns: str) -> list[Row]:
        """See `Transaction`; only what differs crosses the wire."""
        if not records:
            return []
        wanted = ", ".join(f"r.{name.strip()}" for name in columns.split(","))
        given = sorted(records.items())
        # LIMIT keeps the planner from hashing all that is stored for the sake of a few: each key is looked up, in the index's order.
        return self.query(
            f"SELECT given.id, {wanted} FROM unnest(?, ?) AS given(id, digest) "
            "LEFT JOIN LATERAL (SELECT * FROM records WHERE records.id = given.id LIMIT 1) AS r ON true "
            "WHERE r.digest IS DISTINCT FROM given.digest OR r.state <> 'ok'",
            [[identity for identity, _ in given], [digest for _, digest in given]],
        )

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """See `Transaction`."""
        return self._connection.execute(sql, _clean(parameters))

    def execute_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> None:
        """See `Transaction`."""
        items = list(_clean(keys))
        if items:
            self.execute(sql.replace("{keys}", "= ANY(?)"), [*parameters, items])

    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if self._careful:
            self.upsert(table, rows)
        elif rows:
            try:
                self._copy(table, table.name, in_key_order(table, rows))
            except PostgresError as error:
                if error.code in _CARE:
                    raise RepeatCarefullyError from None
                raise

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
            self.append(table, _clean_rows(table, rows))

    def _load(self, table: Table, rows: Sequence[Row], conflict: str) -> None:
        if not rows:
            return
        cleaned = _clean_rows(table, in_key_order(table, rows))
        if len(rows) < _COPY_FROM and not any(_is_long(value) for row in cleaned for value in row):
            more = f", ({', '.join('?' * len(cleaned[0]))})" * (len(cleaned) - 1)
            self._connection.execute(f"{append_sql(table)}{more} {conflict}", [value for row in cleaned for value in row])
            return
        columns = ", ".join(f'"{name}"' for name in stored(table))
        staged = f"staged_{table.name}"
        create = f'CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS SELECT {columns} FROM "{table.name}" WITH NO DATA'
        self.execute(create)
        self._copy(table, staged, cleaned)
        self.execute(f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {staged} {conflict}')
        self.execute(f"DELETE FROM {staged}")

    def _copy(self, table: Table, into: str, rows: Sequence[Row]) -> None:
        names = ", ".join(f'"{name}"' for name in stored(table))
        columns = [column for column in table.columns if column.kind != "serial"]
        self._connection.copy(f'COPY "{into}" ({names}) FROM STDIN (FORMAT BINARY)', columns, rows)

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

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        try:
            self._connection = connect(url.replace("postgresql+psycopg", "postgresql", 1))
        except AddressError:
            raise ConfigError("THREADLINE_DATABASE_URL is not a PostgreSQL address: postgresql://USER:PASSWORD@HOST/NAME") from None
        except PostgresError as error:
            # libpq's own words name host, database or user, and never the password.
            kind = RetryableError if any(words in str(error) for words in _NOT_THERE) else ConfigError
            raise kind(f"PostgreSQL cannot be used: {error}; check THREADLINE_DATABASE_URL, the server and the database") from None

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
    def _block(self, begin: str) -> Generator[Transaction]:
        try:
            self._connection.execute(begin, [])
            yield PostgresTransaction(self._connection)
            self._connection.execute("COMMIT", [])
        except PostgresError as error:
            self._rollback()
            if error.code in _REPEAT:
                raise RetryableError("PostgreSQL asked to repeat the transaction") from None
            if error.code.startswith(_PASSING):
                raise RetryableError(f"the connection to PostgreSQL failed: {error}") from None
            raise
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
                self._connection.execute("SELECT pg_advisory_unlock(hashtextextended(?, 0))", key)

    def _rollback(self) -> None:
        if not self._connection.closed:
            try:
                self._connection.execute("ROLLBACK", [])
            except PostgresError:
                self._connection.close()

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()
