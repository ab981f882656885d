"""Reading a stream in keyset pages: by the time of change where a column holds it, otherwise all rows by their key.

Rows whose changed_at is NULL, before 1900 or still to come are the `untimed` ones: no window would ever hold them.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, false, func, or_, select, true

from connectors.sql.keyset import Keyset, Part
from connectors.sql.records import Records
from connectors.sql.relations import Relation
from connectors.sql.settings import ReadStream, SqlSettings
from connectors.sql.values import read_position
from threadline.sdk import ConfigError, Cursor, KeyOrder, Page, Window
from threadline.sdk.cursors import Position, Rows, Span, foreign_cursor

_EARLIEST = "1900-01-01"
"""Before it a changed_at is a stand-in for "never"; as text it compares with the dates of every dialect."""


def kind_of(settings: SqlSettings, stream: ReadStream) -> Window | KeyOrder:
    """Return how a stream is read."""
    if stream.changed_at is None:
        return KeyOrder()
    return Window(stream.changed_at, timedelta(seconds=settings.overlap), untimed=True)


class Scanner:
    """Reads one relation over one connection; `clock` tells the database's time."""

    def __init__(self, connection: Connection, relation: Relation, records: Records, page_size: int, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._relation = relation
        self._records = records
        self._keyset = Keyset(connection, relation, records, page_size)
        self._clock = clock

    def pages(self, kind: Window | KeyOrder, saved: Cursor | None) -> Iterator[Page]:
        """Yield what is new since `saved`."""

        def fetch(span: Span) -> Rows:
            part = self._part(span)
            return self._keyset.read(part, _position(kind, part, span.after))

        return kind.scan(saved, fetch) if isinstance(kind, KeyOrder) else kind.scan(saved, self._clock, fetch)

    def _part(self, span: Span) -> Part:
        relation = self._relation
        if relation.changed_at is None or span.upper is None:
            return Part(true(), relation.key)
        name, column = relation.changed_at, relation.plain(relation.changed_at)
        timed = (name, *relation.key)
        if self._sample is None:
            return Part(false(), timed) if span.part == "changed" else Part(true(), relation.key)
        earliest = relation.bind(name, _EARLIEST)
        upper = relation.bind(name, self._as_stored(span.upper, span.upper))
        if span.part == "untimed":
            return Part(or_(column.is_(None), column < earliest, column > upper), relation.key)
        lower = relation.bind(name, self._as_stored(span.lower, span.upper)) if span.lower else earliest
        return Part(column.between(lower, upper), timed)

    @cached_property
    def _sample(self) -> Any:
        """One changed_at that lies in time, to see how this column writes it; None: no row has one."""
        name = str(self._relation.changed_at)
        column = self._relation.plain(name)
        in_time = column.between(self._relation.bind(name, _EARLIEST), func.current_timestamp())
        return self._connection.execute(select(column).where(in_time).limit(1)).scalar()

    def _as_stored(self, moment: datetime, until: datetime) -> Any:
        """Write an instant as the column does."""
        sample = self._sample
        if isinstance(sample, datetime) and sample.tzinfo:
            return moment
        zone = self._records.zone_of(str(self._relation.changed_at))
        # Where summer time ends within the window, local time runs twice: the earlier reading misses nothing.
        offset = min(each.astimezone(zone).utcoffset() or timedelta(0) for each in (moment, until))
        local = (moment.astimezone(UTC) + offset).replace(tzinfo=None)
        if isinstance(sample, datetime):
            return local
        if isinstance(sample, date):
            return local.date()
        if isinstance(sample, str) and sample[4:5] == "-":
            # SQLite compares text; the blank comes before a T, so rows written with one are read again and not missed.
            return local.isoformat(" ", "microseconds")
        raise ConfigError(
            f"{self._relation.setting}: changed_at {self._relation.changed_at!r} holds {type(sample).__name__}, not times; "
            "name a timestamp column, or leave changed_at out to read all rows each time"
        )


def _position(kind: Window | KeyOrder, part: Part, after: Position | None) -> list[Any] | None:
    """Return the row to go on from; a position of another key (the settings changed) begins the part again."""
    if after is None or len(after) != len(part.order):
        return None
    try:
        return read_position(after)
    except (ValueError, KeyError, ArithmeticError):
        raise foreign_cursor(kind) from None
