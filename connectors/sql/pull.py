"""Reading a stream in keyset pages: by the time of change where a column holds it, otherwise all rows by their key.

Rows whose changed_at is NULL, before 1900 or still to come are the `untimed` ones: no window would ever hold them.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import false, func, or_, select, true

from connectors.sql.keyset import Keyset, Part, Reading
from connectors.sql.positions import read_position
from threadline.sdk import ConfigError, Cursor, KeyOrder, Page, Window
from threadline.sdk.cursors import Rows, Span

_EARLIEST = "1900-01-01"
"""Before it a changed_at is a stand-in for "never"; as text it compares with the dates of every dialect."""


class Scanner:
    """Reads a table by the time of its rows' change, or all of it."""

    def __init__(self, reading: Reading, kind: Window | KeyOrder) -> None:
        self._connection = reading.connection
        self._relation = reading.relation
        self._records = reading.records
        self._clock = reading.clock
        self._kind = kind
        self._keyset = Keyset(reading)

    def pages(self, saved: Cursor | None) -> Iterator[Page]:
        """Yield what is new since `saved`."""
        kind = self._kind
        return kind.scan(saved, self._fetch) if isinstance(kind, KeyOrder) else kind.scan(saved, self._clock, self._fetch)

    def _fetch(self, span: Span) -> Rows:
        part = self._part(span)
        # A position of another key, which the settings named before, begins the part again.
        goes_on = span.after is not None and len(span.after) == len(part.order)
        return self._keyset.read(part, read_position(span.after, self._kind) if span.after and goes_on else None)

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
