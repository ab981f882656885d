"""The connector: streams and objects come from the settings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Connection

from connectors.sql.changelog import ChangeLog
from connectors.sql.changes import ChangeScanner
from connectors.sql.database import Database
from connectors.sql.functions import date_of_digits
from connectors.sql.keyset import Reading
from connectors.sql.pull import Scanner
from connectors.sql.push import Writer
from connectors.sql.records import Records
from connectors.sql.relations import change_table, readable, writable
from connectors.sql.settings import Changes, ReadStream, SqlSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, KeyOrder, Page, PushObject, Receipt, Stream, Target, Window

T = TypeVar("T")
BATCH = 100


class Sql(Connector[SqlSettings], Target):
    """Any database that SQLAlchemy reaches: PostgreSQL, MariaDB, MySQL, SQLite, SQL Server."""

    name: ClassVar[str] = "sql"
    about: ClassVar[str] = "Legacy databases over SQL: tables, views or queries in; notes and changed rows out"
    extra: ClassVar[str | None] = "sql"
    objects: ClassVar[tuple[PushObject, ...]] = (
        PushObject("note", batch=BATCH, repeat="key", about="a row that is inserted once, under a unique marker"),
        PushObject("preference", batch=BATCH, repeat="upsert", about="a row that is there and takes new values"),
    )
    functions: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"date_of_digits": date_of_digits}
    sandbox: ClassVar[str | None] = "connectors.sql.sandbox:SqlSandbox"

    @cached_property
    def _database(self) -> Database:
        return Database(self.settings.url.get_secret_value(), self.settings.time_zone)

    def available_streams(self) -> Sequence[Stream]:
        """Return the streams that the settings declare."""
        return [
            Stream(
                name,
                each.key,
                mapping=each.mapping or f"sql/{name}",
                about=f"rows of {each.table}" if each.table else "rows of a query",
                cursor=self._log(each.changes) if each.changes else self._window(each),
            )
            for name, each in self.settings.streams.items()
        ]

    def available_objects(self) -> Sequence[PushObject]:
        """Return the objects that the settings declare."""
        return [
            PushObject(name, BATCH, "key" if each.mode == "insert" else "upsert", f"{each.mode} rows of {each.table}")
            for name, each in self.settings.writes.items()
        ]

    def check(self) -> None:
        """Connect, and look up every table, query and column that the settings name."""
        with self._database.reading() as connection:
            for name, stream in self.settings.streams.items():
                self._scanner(connection, name, stream)
            for name, write in self.settings.writes.items():
                writable(connection, f"writes.{name}", write, self.settings.schema_name)

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the rows that changed since, in the order of their change."""
        declared = _named(self.settings.streams, "stream", stream)
        with self._database.reading() as connection:
            yield from self._scanner(connection, stream, declared).pages(since)

    def _scanner(self, connection: Connection, name: str, declared: ReadStream) -> Scanner | ChangeScanner:
        """Look up what a stream is read from."""
        setting, schema = f"streams.{name}", self.settings.schema_name
        relation = readable(connection, setting, declared, schema)
        records = Records(relation, self._database.zone)
        reading = Reading(connection, relation, records, self.settings.page_size, lambda: self._database.now(connection))
        if declared.changes is None:
            return Scanner(reading, self._window(declared))
        noted = change_table(connection, f"{setting}.changes", declared.changes, relation, schema)
        return ChangeScanner(reading, noted, self._log(declared.changes))

    def _window(self, stream: ReadStream) -> Window | KeyOrder:
        return Window(stream.changed_at, self._overlap, untimed=True) if stream.changed_at else KeyOrder()

    def _log(self, changes: Changes) -> ChangeLog:
        return ChangeLog(changes.table or "a query", self._overlap)

    @property
    def _overlap(self) -> timedelta:
        return timedelta(seconds=self.settings.overlap)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Write each intent in a transaction of its own."""
        declared = _named(self.settings.writes, "object", object)
        with self._database.connected() as connection:
            table = writable(connection, f"writes.{object}", declared, self.settings.schema_name)
            # Looking the table up began a transaction, and each intent has its own.
            connection.rollback()
            writer = Writer(connection, table, declared, self._database.zone, lambda: self._database.now(connection))
            for intent in intents:
                yield writer.write(intent)


def _named(declared: dict[str, T], what: str, name: str) -> T:
    if name not in declared:
        raise ConfigError(f"no {what} named {name!r} in the settings; declared: {', '.join(sorted(declared)) or 'none'}")
    return declared[name]
