"""Reading a stream by the table that says which of its rows have changed: each entry leads to the row as it is now.

What an entry says of the change does not count, for it may be read late, or twice: a row that is not there any more is gone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, func, select, true

from connectors.sql.changelog import ChangeLog, Look, Transactions
from connectors.sql.keyset import Keyset, Part, Reading, after
from connectors.sql.positions import read_position, write_position
from connectors.sql.records import Records
from connectors.sql.relations import ORDER, Relation
from threadline.sdk import DELETED, JSON, Cursor, Page, Rejected, encode_record
from threadline.sdk.cursors import Position, Rows, foreign_cursor


class ChangedRecords(Records):
    """Writes rows that are followed by the entry's order and key; a row that is not there, as what is left of it."""

    def write(self, row: Sequence[Any]) -> bytes | Rejected:
        """Return the row's record, or what is wrong with it."""
        key = self._relation.key
        if row[self._names.index(key[0])] is not None:
            return super().write(row[: len(self._names)])
        left = {name: self._converters[name](value) for name, value in zip(key, row[-len(key) :], strict=True)}
        return encode_record({**left, DELETED: True})


class ChangeScanner:
    """Reads a table by what is noted of its changes."""

    def __init__(self, reading: Reading, noted: Relation, kind: ChangeLog) -> None:
        self._reading = reading
        self._connection = reading.connection
        self._table = reading.relation
        self._noted = noted
        self._kind = kind
        self._keyset = Keyset(reading)
        self._changed = ChangedRecords(reading.relation, reading.records.zone)

    def pages(self, saved: Cursor | None) -> Iterator[Page]:
        """Yield what is new since `saved`."""
        return self._kind.scan(saved, self)

    def look(self) -> Look:
        """See `Log`."""
        order = self._noted.plain(ORDER)
        newest = select(order).select_from(self._noted.origin).order_by(self._noted.columns[ORDER].desc()).limit(1)
        last: Any = self._connection.execute(newest).scalar()
        return Look(None if last is None else write_position([last])[0], self._transactions(), self._reading.clock())

    def _transactions(self) -> Transactions | None:
        if self._connection.dialect.name != "postgresql":
            return None
        # A snapshot's xmax will not do: transactions above it may have begun. What may not write gets no number, a standby for one.
        may_write = func.current_setting("transaction_read_only") == "off"
        numbers = select(func.txid_snapshot_xmin(func.txid_current_snapshot()), case((may_write, func.txid_current())))
        oldest, following = self._connection.execute(numbers).one()
        return Transactions(following, oldest) if following else None

    def holds(self, entry: JSON) -> bool:
        """See `Log`."""
        order, value = self._noted.plain(ORDER), self._bound(entry)
        entries = select(order).select_from(self._noted.origin).limit(1)
        return all(self._connection.execute(entries.where(some)).first() for some in (order <= value, order >= value))

    def rows(self, after: Position | None) -> Rows:
        """See `Log`."""
        return self._keyset.read(Part(true(), self._table.key), None if after is None else self._position(after, self._table.key))

    def changed(self, above: JSON, upto: JSON, after: Position | None) -> Rows:
        """See `Log`."""
        if above == upto:
            return Rows([], None, more=False)
        entries = self._entries(above, upto, after)
        joined = replace(self._reading, relation=self._joined(entries), records=self._changed)
        return Keyset(joined).read(Part(true(), self._noted.key), None)

    def _entries(self, above: JSON, upto: JSON, at: Position | None) -> Subquery:
        """Select a page of entries, of which those that say the same count once, and those that name no row not at all."""
        noted, order = self._noted, self._noted.plain(ORDER)
        conditions: list[ColumnElement[bool]] = [noted.columns[name].is_not(None) for name in noted.key[1:]]
        conditions.append(order <= self._bound(upto))
        if at:
            pairs = zip(noted.key, self._position(at, noted.key), strict=True)
            conditions.append(after([(noted.plain(name), noted.bind(name, value)) for name, value in pairs]))
        elif above is not None:
            conditions.append(order > self._bound(above))
        columns = [noted.columns[name].label(name) for name in noted.key]
        page = select(*columns).select_from(noted.origin).where(and_(*conditions)).distinct()
        return page.order_by(*(noted.columns[name] for name in noted.key)).limit(self._reading.page_size + 1).subquery("changes")

    def _joined(self, entries: Subquery) -> Relation:
        """Join entries with their rows, and name what is read of both."""
        table = self._table
        same = and_(*[table.columns[name] == noted for name, noted in zip(table.key, list(entries.c)[1:], strict=True)])
        columns = {**table.columns, **{each.name: each for each in entries.c}}
        return Relation(table.setting, entries.outerjoin(table.origin, same), columns, table.key, None, table.dialect, is_unique=True)

    def _position(self, values: Position, names: Sequence[str]) -> list[Any]:
        if len(values) != len(names):
            raise foreign_cursor(self._kind)
        return read_position(values, self._kind)

    def _bound(self, entry: JSON) -> ColumnElement[Any]:
        return self._noted.bind(ORDER, *self._position([entry], [ORDER]))
