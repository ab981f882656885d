"""Keyset pages: rows in the order of some columns, each page beginning after the last row of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select
from sqlalchemy.exc import DataError

from connectors.sql.positions import write_position
from connectors.sql.records import Records
from connectors.sql.relations import Relation
from threadline.sdk import ConfigError, Rejected
from threadline.sdk.cursors import Rows

UNREADABLE = (DataError, ValueError, OverflowError)
"""What drivers raise for a stored value that Python has no form for; it costs them the whole answer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stream is read with; `clock` tells the database's time."""

    connection: Connection
    relation: Relation
    records: Records
    page_size: int
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a relation, and the columns whose order they are read in."""

    condition: ColumnElement[bool]
    order: tuple[str, ...]


class _Found(NamedTuple):
    """A row: where it is in the order, and its record; None where it has gone before it could be read."""

    position: list[Any]
    written: bytes | Rejected | None


class Keyset:
    """Reads parts of one relation in pages."""

    def __init__(self, reading: Reading) -> None:
        self._connection = reading.connection
        self._relation = reading.relation
        self._records = reading.records
        self._page_size = reading.page_size
        self._names = tuple(reading.relation.columns)
        self._places = {name: place for place, name in enumerate(self._names)}

    def read(self, part: Part, at: Sequence[Any] | None) -> Rows:
        """Return the rows after the position `at` (None: from the first)."""
        condition = and_(part.condition, after(self._bound(part, at))) if at else part.condition
        found = self._found(part, condition)
        page, more = found[: self._page_size], len(found) > self._page_size
        stuck = more and page[-1].position == at
        if stuck or any(one.position == other.position for one, other in pairwise(found)):
            raise self._ambiguous()
        if more and not self._relation.is_unique:
            page += self._taken_for_same(part, page)
        return Rows(
            records=[each.written for each in page if isinstance(each.written, bytes)],
            last=write_position(page[-1].position) if page else None,
            more=more,
            rejected=[each.written for each in page if isinstance(each.written, Rejected)],
        )

    def _taken_for_same(self, part: Part, page: Sequence[_Found]) -> Sequence[_Found]:
        """Return further rows whose key the database takes for that of the page's last one: no comparison would come past them again."""
        found = self._found(part, and_(part.condition, self._here(part, page[-1].position)))
        if len(found) > self._page_size:
            raise self._ambiguous()
        seen = [each.position for each in page]
        return [each for each in found if each.position not in seen]

    def _ambiguous(self) -> ConfigError:
        key = ", ".join(self._relation.key)
        return ConfigError(f"{self._relation.setting}: several rows have the same key ({key}); name columns that are unique together")

    def _found(self, part: Part, condition: ColumnElement[bool]) -> list[_Found]:
        """Return rows in their order, one more than fit a page: it tells whether there is another."""
        try:
            return [_Found(self._position(part, row), self._records.write(row)) for row in self._rows(self._names, part, condition)]
        except UNREADABLE:
            positions = [list(row) for row in self._rows(part.order, part, condition)]
            return [_Found(position, self._single(part, position)) for position in positions]

    def _position(self, part: Part, row: Row[Any]) -> list[Any]:
        return [row[self._places[name]] for name in part.order]

    def _single(self, part: Part, position: list[Any]) -> bytes | Rejected | None:
        """Read one row of a page that the driver cannot read whole."""
        here = self._here(part, position)
        try:
            rows = self._connection.execute(self._select(self._names, here)).all()
        except UNREADABLE:
            return self._readable_part(here)
        return next((self._records.write(row) for row in rows if self._position(part, row) == position), None)

    def _readable_part(self, here: ColumnElement[bool]) -> Rejected:
        read: dict[str, Any] = {}
        for name in self._names:
            try:
                read[name] = self._connection.execute(self._select([name], here)).scalar()
            except UNREADABLE:
                continue
        unread = ", ".join(name for name in self._names if name not in read)
        return self._records.reject(read, f"the driver cannot read the value of {unread}; correct it, or CAST it in a query")

    def _rows(self, names: Sequence[str], part: Part, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
        statement = self._select(names, condition).order_by(*[self._relation.columns[name] for name in part.order])
        return self._connection.execute(statement.limit(self._page_size + 1)).all()

    def _select(self, names: Sequence[str], condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        columns: list[Any] = [self._relation.plain(name).label(name) for name in names]
        statement: Select[*tuple[Any, ...]] = select(*columns)
        return statement.select_from(self._relation.origin).where(condition)

    def _bound(self, part: Part, position: Sequence[Any]) -> list[tuple[ColumnElement[Any], ColumnElement[Any]]]:
        pairs = zip(part.order, position, strict=True)
        return [(self._relation.plain(name), self._relation.bind(name, value)) for name, value in pairs]

    def _here(self, part: Part, position: Sequence[Any]) -> ColumnElement[bool]:
        return and_(*[column == value for column, value in self._bound(part, position)])


def after(pairs: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]]) -> ColumnElement[bool]:
    """Say (a, b) > (x, y) without row values, which SQL Server lacks; the first term lets an index be used."""
    steps: list[ColumnElement[bool]] = []
    for rank, (column, value) in enumerate(pairs):
        same = [before == there for before, there in pairs[:rank]]
        steps.append(and_(*same, column > value))
    first, lowest = pairs[0]
    return and_(first >= lowest, or_(*steps))
