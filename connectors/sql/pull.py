"""Reading a stream: what changed in a window of the database's time, then the rows outside of time.

A scan has one or two parts. With changed_at they are `changed` (rows of [saved - overlap, now], by changed_at and key)
and `untimed` (rows whose changed_at is NULL, before 1900 or still to come: no window would ever hold them). Without it
the one part is `all`. Cursors: {until} after a scan; {since, until, part, at} within one.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, or_, select, true

from connectors.sql.keyset import Keyset, Part
from connectors.sql.records import Records
from connectors.sql.relations import Relation
from connectors.sql.values import read_position, write_position
from threadline.sdk import ConfigError, Cursor, Page

_EARLIEST = "1900-01-01"
"""Before it a changed_at is a stand-in for "never"; as text it compares with the dates of every dialect."""


class Scanner:
    """Reads one relation over one connection; `now` is the database's time."""

    def __init__(self, connection: Connection, relation: Relation, records: Records, page_size: int, overlap: timedelta) -> None:
        self._connection = connection
        self._relation = relation
        self._records = records
        self._keyset = Keyset(connection, relation, records, page_size)
        self._overlap = overlap

    def pages(self, saved: Cursor | None, now: datetime) -> Iterator[Page]:
        """Finish the scan that `saved` stands in, then read what changed since it began."""
        since = saved and saved["until"]
        if saved and "part" in saved:
            # Its upper bound stays: what commits behind its position is in the overlap of the next window only.
            yield from self._scan(saved)
            if self._relation.changed_at is None:
                return
        yield from self._scan({"since": since, "until": now.isoformat(), "part": None, "at": None})

    def _scan(self, scan: Cursor) -> Iterator[Page]:
        parts = self._parts(scan["since"] and datetime.fromisoformat(scan["since"]), datetime.fromisoformat(scan["until"]))
        names = [part.name for part in parts]
        first = names.index(scan["part"]) if scan["part"] in names else 0
        for index in range(first, len(parts)):
            for chunk in self._keyset.read(parts[index], _resumed(parts[index], scan)):
                if chunk.more and chunk.last:
                    cursor = {**scan, "part": names[index], "at": write_position(chunk.last)}
                elif index + 1 < len(parts):
                    cursor = {**scan, "part": names[index + 1], "at": None}
                else:
                    cursor = {"until": scan["until"]}
                yield Page(chunk.records, cursor, chunk.rejected)

    def _parts(self, since: datetime | None, until: datetime) -> list[Part]:
        relation = self._relation
        if relation.changed_at is None:
            return [Part("all", true(), relation.key)]
        name, column = relation.changed_at, relation.plain(relation.changed_at)
        sample = self._sample(name)
        if sample is None:
            return [Part("untimed", true(), relation.key)]
        earliest = relation.bind(name, _EARLIEST)
        upper = relation.bind(name, self._as_stored(until, sample, until))
        lower = relation.bind(name, self._as_stored(since - self._overlap, sample, until)) if since else earliest
        return [
            Part("changed", column.between(lower, upper), (name, *relation.key)),
            Part("untimed", or_(column.is_(None), column < earliest, column > upper), relation.key),
        ]

    def _sample(self, name: str) -> Any:
        """Return one changed_at that lies in time, to see how this column writes it."""
        column = self._relation.plain(name)
        in_time = column.between(self._relation.bind(name, _EARLIEST), func.current_timestamp())
        return self._connection.execute(select(column).where(in_time).limit(1)).scalar()

    def _as_stored(self, moment: datetime, sample: Any, until: datetime) -> Any:
        """Write an instant as the column does."""
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


def _resumed(part: Part, scan: Cursor) -> list[Any] | None:
    """Return where the scan stands in this part; a position of another key (the settings changed) begins the part again."""
    if scan["part"] != part.name or not scan["at"] or len(scan["at"]) != len(part.order):
        return None
    return read_position(scan["at"])
