"""One interface to the two databases: plain SQL with `?` placeholders, bulk writes, and a gate to the change log.

Statements are written once; what the databases do differently (placeholders, bulk loading, clocks, commit order) is in
`threadline.store.sqlite` and `threadline.store.postgres`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

from threadline.sdk.errors import ConfigError, RetryableError
from threadline.store.schema import Table

Row: TypeAlias = tuple[Any, ...]


class Transaction(ABC):
    """Statements that commit together or not at all."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a SELECT."""

    @abstractmethod
    def query_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of a SELECT for many keys: `{keys}` in it stands for "= one of them"; `parameters` come before."""

    def unlike(self, records: Mapping[bytes, bytes], columns: str) -> list[Row]:
        """Return (id, *columns) for each of these records (id -> digest) that is not stored as "ok" with this digest.

        All columns of one that is not stored at all are None.
        """
        same = self.query_in("SELECT id, digest FROM records WHERE state = 'ok' AND id {keys}", records)
        others = records.keys() - {identity for identity, digest in same if records[identity] == digest}
        rows = self.query_in(f"SELECT id, {columns} FROM records WHERE id {{keys}}", others)
        stored = {row[0]: row for row in rows}
        absent = (None,) * (columns.count(",") + 1)
        return [stored.get(identity) or (identity, *absent) for identity in records if identity in others]

    @abstractmethod
    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; return how many rows it touched."""

    @abstractmethod
    def execute_in(self, sql: str, keys: Iterable[Any], parameters: Sequence[Any] = ()) -> None:
        """Run a statement for many keys: `{keys}` in it stands for "= one of them"; `parameters` come before."""

    @abstractmethod
    def append(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows whose keys are new, the fast way; RepeatCarefullyError when the database does not take them so."""

    @abstractmethod
    def take_care(self) -> None:
        """Let `append` replace rows with the same key, from here on."""

    @abstractmethod
    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows that are not there yet; those whose key exists stay as they are."""

    @abstractmethod
    def upsert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows, or replace those with the same key. Keys are distinct within one call."""

    @abstractmethod
    def now(self) -> datetime:
        """Return the database's clock."""

    @abstractmethod
    def lock(self, name: str) -> None:
        """Wait until no other transaction holds this lock; hold it to the end of this one."""

    @abstractmethod
    def txid(self) -> int:
        """Return the number to write into `changes.txid`."""

    @abstractmethod
    def commit_horizon(self) -> int | None:
        """Return the `changes.txid` below which nothing can still appear; None where commits come in sequence."""


class RepeatCarefullyError(RetryableError):
    """Rows appended were there already, or hold what needs care: the transaction is to be repeated with care (`take_care`)."""

    def __init__(self) -> None:
        super().__init__("another writer has written the same rows: repeat what was done")


class Database(ABC):
    """A store that is open. Not shared between threads."""

    dialect: ClassVar[str]
    """postgresql or sqlite."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Transaction]:
        """Open one consistent view; it writes nothing."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block, or rolls back on an exception."""

    @abstractmethod
    def sole(self, name: str) -> AbstractContextManager[None]:
        """Be the only one in a block of this name, over all processes; RetryableError when another is. It ends with its process."""

    @abstractmethod
    def close(self) -> None:
        """Release the connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_database(url: str, *, create: bool) -> Database:
    """Open `sqlite:///PATH` or `postgresql://...`, and bring its tables up to date.

    Without `create` an SQLite file that is not there is a ConfigError, for commands that only look.
    """
    kind, given, _ = url.partition("://")
    scheme = kind.split("+")[0] if given else ""
    if scheme == "sqlite":
        from threadline.store.sqlite import SqliteDatabase

        path = Path(url.split(":///", 1)[-1])
        if not path.exists() and not create:
            raise ConfigError(f"no database at {path} yet: run `threadline sync` first, or set THREADLINE_DATABASE_URL")
        database: Database = SqliteDatabase(path)
    elif scheme in ("postgresql", "postgres"):
        from threadline.store.postgres import PostgresDatabase

        database = PostgresDatabase(url)
    else:
        # What is no address at all may still hold a password: it is not quoted.
        what = f"no database of kind {scheme!r}" if scheme else "the database's address names no kind of database"
        raise ConfigError(f"{what}: use sqlite:///PATH or postgresql://USER@HOST/NAME")
    from threadline.store.migrate import ensure_current

    try:
        ensure_current(database, url)
    except BaseException:
        database.close()
        raise
    return database


def taken(name: str) -> RetryableError:
    """Make the error for a block that another process is in."""
    return RetryableError(f"another process is busy with {name}: wait until it is done")


def moment(value: Any) -> datetime | None:
    """Read a time column: SQLite gives text, PostgreSQL a datetime."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def storable(text: str) -> str:
    """Return a text from outside as any database takes it: half a surrogate pair, which is no Unicode, is written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def distinct(rows: Iterable[Row], table: Table) -> list[Row]:
    """Return the rows with the last of each key."""
    key = itemgetter(*(table.names.index(name) for name in table.key))
    return list({key(row): row for row in rows}.values())


@cache
def append_sql(table: Table) -> str:
    """INSERT of a whole row."""
    return _insert(table, "?")


@cache
def insert_sql(table: Table) -> str:
    """INSERT of a whole row, ignoring those whose key exists."""
    return f"{_insert(table, '?')} ON CONFLICT DO NOTHING"


@cache
def upsert_sql(table: Table) -> str:
    """INSERT of a whole row, replacing the one with the same key."""
    return f"{_insert(table, '?')} {on_conflict(table)}"


def on_conflict(table: Table) -> str:
    """Return the clause that replaces a row with the same key."""
    rest = [name for name in stored(table) if name not in table.key]
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
    keys = ", ".join(f'"{name}"' for name in table.key)
    return f"ON CONFLICT ({keys}) DO UPDATE SET {changes}" if rest else "ON CONFLICT DO NOTHING"


def stored(table: Table) -> list[str]:
    """Return the names of the columns that rows bring; a serial one is the database's own."""
    return [column.name for column in table.columns if column.kind != "serial"]


def _insert(table: Table, placeholder: str) -> str:
    names = stored(table)
    columns = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({", ".join(placeholder for _ in names)})'


def in_key_order(table: Table, rows: Iterable[Row]) -> list[Row]:
    """Sort rows by their key: writers that meet the same rows meet them in one order, and an index grows page by page."""
    names = stored(table)
    key = [names.index(name) for name in table.key if name in names]
    return sorted(rows, key=itemgetter(*key)) if key else list(rows)


def chunks(keys: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Cut keys into lists of at most `size`."""
    items = list(keys)
    for start in range(0, len(items), size):
        yield items[start : start + size]


__all__ = [
    "Database",
    "Mapping",
    "RepeatCarefullyError",
    "Row",
    "Transaction",
    "append_sql",
    "chunks",
    "distinct",
    "in_key_order",
    "insert_sql",
    "moment",
    "on_conflict",
    "open_database",
    "storable",
    "stored",
    "taken",
    "upsert_sql",
]
