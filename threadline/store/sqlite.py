"""The embedded store: one SQLite file in WAL mode."""

import fcntl
import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_hexdigest

from threadline.sdk.errors import ConfigError, RetryableError
from threadline.store.database import (
    Database,
    RepeatCarefullyError,
    Row,
    Transaction,
    append_sql,
    chunks,
    in_key_order,
    insert_sql,
    taken,
    upsert_sql,
)
from threadline.store.schema import Table

_BUSY_SECONDS = 60.0
_KEYS_PER_STATEMENT = 5_000


@lru_cache(maxsize=1_000)
def _write_time(value: datetime) -> str:
    # One width and one offset, so that text sorts as time does. Many rows of a batch bear the same moments.
    return value.astimezone(UTC).isoformat(timespec="microseconds")


sqlite3.register_adapter(datetime, _write_time)
sqlite3.register_adapter(date, date.isoformat)


class SqliteTransaction(Transaction):
    """Statements on the file's one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._careful = False

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        return self._connection.execute(sql, parameters).fetchall()

    def query_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> list[Row]:
        """See `Transaction`."""
        rows: list[Row] = []
        for part in chunks(keys, _KEYS_PER_STATEMENT):
            rows += self._connection.execute(_with_keys(sql, len(part)), [*parameters, *part]).fetchall()
        return rows

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """See `Transaction`."""
        return self._connection.execute(sql, parameters).rowcount

    def execute_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> None:
        """See `Transaction`."""
        for part in chunks(keys, _KEYS_PER_STATEMENT):
            self._connection.execute(_with_keys(sql, len(part)), [*parameters, *part])

    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if self._careful:
            self.upsert(table, rows)
        elif rows:
            try:
                self._connection.executemany(append_sql(table), in_key_order(table, rows))
            except sqlite3.IntegrityError:
                raise RepeatCarefullyError from None

    def take_care(self) -> None:
        """See `Transaction`."""
        self._careful = True

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if rows:
            self._connection.executemany(insert_sql(table), in_key_order(table, rows))

    def upsert(self, table: Table, rows: Sequence[Row]) -> None:
        """See `Transaction`."""
        if rows:
            self._connection.executemany(upsert_sql(table), in_key_order(table, rows))

    def now(self) -> datetime:
        """See `Transaction`; the file is used on one machine, whose clock this is."""
        return datetime.now(UTC)

    def lock(self, name: str) -> None:
        """See `Transaction`: a file has one writer anyhow."""

    def txid(self) -> int:
        """See `Transaction`."""
        return 0

    def commit_horizon(self) -> int | None:
        """See `Transaction`: writers come one after the other."""
        return None


def _with_keys(sql: str, count: int) -> str:
    return sql.replace("{keys}", f"IN ({','.join('?' * count)})")


def _lower(text: str | None) -> str | None:
    return text.lower() if text else text


class SqliteDatabase(Database):
    """A file; its folder is made when it is not there."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA temp_store = MEMORY")
            # A batch of thousands touches more pages than half of this: what does not fit is written twice.
            self._connection.execute("PRAGMA cache_size = -64000")
            self._connection.execute("PRAGMA wal_autocheckpoint = 8000")
            # SQLite's own knows only the letters of ASCII.
            self._connection.create_function("lower", 1, _lower, deterministic=True)
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"the database {path} cannot be opened: {error}; check that the path is a file that may be written") from None

    @contextmanager
    def read(self) -> Generator[Transaction]:
        """See `Database`."""
        with self._block("BEGIN") as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Generator[Transaction]:
        """See `Database`; waits for other writers first, so that no reader is turned away half-way."""
        with self._block("BEGIN IMMEDIATE") as transaction:
            yield transaction

    @contextmanager
    def _block(self, begin: str) -> Generator[Transaction]:
        try:
            self._connection.execute(begin)
            yield SqliteTransaction(self._connection)
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._rollback()
            if "locked" in str(error) or "busy" in str(error):
                raise RetryableError(f"the database is held by another writer for over {_BUSY_SECONDS:.0f} s") from None
            if "full" in str(error):
                raise RetryableError("the disk that holds the database is full: make room; nothing was written") from None
            raise
        except BaseException:
            self._rollback()
            raise

    @contextmanager
    def sole(self, name: str) -> Generator[None]:
        """See `Database`: a lock on a file beside the database, which the system drops with its process."""
        path = Path(f"{self._path}-{xxh3_64_hexdigest(name.encode())}.lock")
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever held it before may have removed the file between our two steps.
                if os.fstat(file.fileno()).st_ino != path.stat().st_ino:
                    raise taken(name)
            except OSError:
                raise taken(name) from None
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()
