"""Keyset pages: rows in the order of some columns, each page beginning after the last row of the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select
from sqlalchemy.exc import DataError

from connectors.sql.records import Records
from connectors.sql.relations import Relation
from connectors.sql.values import write_position
from threadline.sdk import ConfigError, Rejected
from threadline.sdk.cursors import Rows

UNREADABLE = (DataError, ValueError, OverflowError)
"""What drivers raise for a stored value that Python has no form for; it costs them the whole answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of a relation, and the columns whose order they are read in."""

    condition: ColumnElement[bool]
    order: tuple[str, ...]


class Keyset:
    """Reads parts of one relation in pages."""

    def __init__(self, connection: Connection, relation: Relation, records: Records, page_size: int) -> None:
        self._connection = connection
        self._relation = relation
        self._records = records
        self._page_size = page_size

    def read(self, part: Part, at: Sequence[Any] | None) -> Rows:
        """Return the rows after the position `at` (None: from the first)."""
        names = list(self._relation.columns)
        places = [names.index(name) for name in part.order]
        try:
            rows = self._rows(names, part, at)
        except UNREADABLE:
            positions = [tuple(row) for row in self._rows(part.order, part, at)]
            written = [self._single(part, position) for position in positions[: self._page_size]]
        else:
            positions = [tuple(row[place] for place in places) for row in rows]
            written = [self._records.write(row) for row in rows[: self._page_size]]
        self._require_progress(positions, at)
        return Rows(
            records=[each for each in written if isinstance(each, bytes)],
            last=write_position(positions[len(written) - 1]) if written else None,
            more=len(positions) > self._page_size,
            rejected=[each for each in written if isinstance(each, Rejected)],
        )

    def _single(self, part: Part, position: Sequence[Any]) -> bytes | Rejected:
        """Read one row of a page that the driver cannot read whole."""
        names = list(self._relation.columns)
        here = and_(*[column == value for column, value in self._bound(part, position)])
        try:
            return self._records.write(self._connection.execute(self._select(names, here)).one())
        except UNREADABLE:
            read: dict[str, Any] = {}
            for name in names:
                try:
                    read[name] = self._connection.execute(self._select([name], here)).scalar_one()
                except UNREADABLE:
                    continue
            unread = ", ".join(name for name in names if name not in read)
            return self._records.reject(read, f"the driver cannot read the value of {unread}; correct it, or CAST it in a query")

    def _rows(self, names: Sequence[str], part: Part, at: Sequence[Any] | None) -> Sequence[Row[Any]]:
        condition = and_(part.condition, _after(self._bound(part, at))) if at else part.condition
        statement = self._select(names, condition).order_by(*[self._relation.columns[name] for name in part.order])
        # One more than a page tells whether there is another.
        return self._connection.execute(statement.limit(self._page_size + 1)).all()

    def _select(self, names: Sequence[str], condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        columns: list[Any] = [self._relation.plain(name).label(name) for name in names]
        statement: Select[*tuple[Any, ...]] = select(*columns)
        return statement.select_from(self._relation.origin).where(condition)

    def _bound(self, part: Part, position: Sequence[Any]) -> list[tuple[ColumnElement[Any], ColumnElement[Any]]]:
        pairs = zip(part.order, position, strict=True)
        return [(self._relation.plain(name), self._relation.bind(name, value)) for name, value in pairs]

    def _require_progress(self, positions: Sequence[Sequence[Any]], at: Sequence[Any] | None) -> None:
        stuck = len(positions) > self._page_size and positions[self._page_size - 1] == at
        if stuck or any(one == other for one, other in pairwise(positions)):
            key = ", ".join(self._relation.key)
            raise ConfigError(f"{self._relation.setting}: several rows have the same key ({key}); name columns that are unique together")


def _after(pairs: Sequence[tuple[ColumnElement[Any], ColumnElement[Any]]]) -> ColumnElement[bool]:
    """Say (a, b) > (x, y) without row values, which SQL Server lacks; the first term lets an index be used."""
    steps: list[ColumnElement[bool]] = []
    for rank, (column, value) in enumerate(pairs):
        same = [before == there for before, there in pairs[:rank]]
        steps.append(and_(*same, column > value))
    first, lowest = pairs[0]
    return and_(first >= lowest, or_(*steps))
