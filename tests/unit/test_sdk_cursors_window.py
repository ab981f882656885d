"""Windows over a source whose changes become visible late, against a reader that crashes anywhere."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cursors_lab import PROPERTY, READER, Op, Pull, Schedule, run, some
from threadline.sdk import Cursor, KeyOrder, Page, Window
from threadline.sdk.cursors import Rows, Span

EPOCH = datetime(2026, 1, 2, tzinfo=UTC)
TICK = 250
"""Nanoseconds: the source is finer than the clock that it tells, as databases are."""
LATEST = 40
"""Ticks from the time of a change to when it is seen, at most."""
OVERLAP = timedelta(microseconds=LATEST * TICK // 1000)
AHEAD = 300
"""Ticks by which some rows' times lie in the future."""

SCHEDULES = st.tuples(
    st.integers(1, 3),
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 5), st.integers(0, LATEST), st.just("timed")),
            st.tuples(st.just("write"), st.integers(0, 5), st.integers(0, LATEST), st.just("timed")),
            st.tuples(st.just("tick"), st.integers(1, 2 * LATEST)),
            *READER,
        ),
        min_size=15,
        max_size=60,
    ),
)
UNTIMED = st.tuples(
    st.integers(1, 3),
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 5), st.integers(0, LATEST), st.sampled_from(["timed", "none", "ahead"])),
            st.tuples(st.just("tick"), st.integers(1, 2 * LATEST)),
            *READER,
        ),
        min_size=15,
        max_size=60,
    ),
)


@dataclass(frozen=True)
class Row:
    id: int
    stamp: int | None
    version: int

    @property
    def timed_key(self) -> tuple[int, int]:
        assert self.stamp is not None
        return self.stamp, self.id

    @property
    def record(self) -> bytes:
        return json.dumps({"id": str(self.id), "version": self.version}).encode()


@dataclass
class Table:
    """Rows by id; a change is stamped when it is made, and seen when its transaction commits."""

    page: int
    now: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    uncommitted: dict[int, tuple[int, Row]] = field(default_factory=dict)
    versions: int = 0

    def apply(self, op: Op) -> None:
        match op:
            case ("tick", ticks):
                self.now += ticks
            # A row that somebody else is changing is locked.
            case ("write", identity, delay, when) if identity not in self.uncommitted:
                stamp = {"timed": self.now, "ahead": self.now + AHEAD, "none": None}[when]
                self.versions += 1
                self.uncommitted[identity] = (self.now + delay, Row(identity, stamp, self.versions))
        for identity, (seen_at, row) in list(self.uncommitted.items()):
            if seen_at <= self.now:
                self.rows[identity] = row
                del self.uncommitted[identity]

    def settle(self) -> None:
        self.apply(("tick", 10 * AHEAD))

    def clock(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.now * TICK // 1000)

    def fetch(self, span: Span) -> Rows:
        timed = [row for row in self.rows.values() if row.stamp is not None]
        if span.part == "changed":
            lower, upper = ticks_of(span.lower), ticks_of(span.upper)
            found = sorted((row for row in timed if lower <= row.timed_key[0] <= upper), key=lambda row: row.timed_key)
            rest = [row for row in found if span.after is None or list(row.timed_key) > span.after]
            last = [list(row.timed_key) for row in rest[: self.page]]
        else:
            outside = [row for row in self.rows.values() if row.stamp is None or row.stamp > ticks_of(span.upper)]
            found = sorted(self.rows.values() if span.part == "all" else outside, key=lambda row: row.id)
            rest = [row for row in found if span.after is None or [row.id] > span.after]
            last = [[row.id] for row in rest[: self.page]]
        return Rows([row.record for row in rest[: self.page]], last[-1] if last else None, len(rest) > self.page)


def ticks_of(moment: datetime | None) -> float:
    return -1 if moment is None else (moment - EPOCH) / timedelta(microseconds=1) * 1000 / TICK


Reading = Callable[[Table, Schedule], Pull]


def by(kind: Window | KeyOrder) -> Reading:
    """Read a table by a kind; before each read things happen."""

    def reading(table: Table, schedule: Schedule) -> Pull:
        def fetch(span: Span) -> Rows:
            schedule.turn()
            return table.fetch(span)

        return (lambda saved: kind.scan(saved, table.clock, fetch)) if isinstance(kind, Window) else (lambda saved: kind.scan(saved, fetch))

    return reading


def greater_than_the_last(table: Table, schedule: Schedule) -> Pull:
    """Read what is above the highest time read so far."""
    return lambda saved: _unbounded(table, schedule, saved, overlap=-1)


def without_a_bound(table: Table, schedule: Schedule) -> Pull:
    """Read from the highest time read so far less the overlap, up to whatever is there."""
    return lambda saved: _unbounded(table, schedule, saved, overlap=LATEST)


def _unbounded(table: Table, schedule: Schedule, saved: Cursor | None, *, overlap: int) -> Iterator[Page]:
    highest = saved["highest"] if saved else -1
    after = saved["after"] if saved and saved["after"] else [max(highest - overlap, -1), -1]
    more = True
    while more:
        schedule.turn()
        rows = sorted((row for row in table.rows.values() if row.stamp is not None), key=lambda row: row.timed_key)
        rest = [row for row in rows if list(row.timed_key) > after]
        found, more = rest[: table.page], len(rest) > table.page
        if found:
            after, highest = list(found[-1].timed_key), max(highest, found[-1].timed_key[0])
        yield Page([row.record for row in found], {"highest": highest, "after": after if more else None})


def loses(reading: Reading, schedule: tuple[int, list[Op]]) -> bool:
    page, ops = schedule
    table = Table(page, rows={identity: Row(identity, 0, 0) for identity in range(4)})
    happening = Schedule(ops, table.apply)
    reader = run(happening, reading(table, happening), table.settle)
    return {int(key): found["version"] for key, found in reader.stored.items()} != {row.id: row.version for row in table.rows.values()}


@PROPERTY
@given(SCHEDULES)
def test_a_window_ends_with_every_row_at_its_latest_version(schedule: Any) -> None:
    assert not loses(by(Window("stamp", OVERLAP)), schedule)


@PROPERTY
@given(SCHEDULES)
def test_lag_does_what_overlap_does(schedule: Any) -> None:
    assert not loses(by(Window("stamp", timedelta(0), lag=OVERLAP)), schedule)
    assert not loses(by(Window("stamp", OVERLAP / 2, lag=OVERLAP / 2)), schedule)


@PROPERTY
@given(UNTIMED)
def test_rows_that_no_window_holds_are_read_too(schedule: Any) -> None:
    assert not loses(by(Window("stamp", OVERLAP, untimed=True)), schedule)


@PROPERTY
@given(UNTIMED)
def test_all_rows_by_key_end_at_their_latest_version(schedule: Any) -> None:
    assert not loses(by(KeyOrder()), schedule)


@pytest.mark.parametrize(
    ("reading", "schedules"),
    [
        (greater_than_the_last, SCHEDULES),
        (without_a_bound, SCHEDULES),
        (by(Window("stamp", OVERLAP / 4)), SCHEDULES),
        (by(Window("stamp", OVERLAP)), UNTIMED),
    ],
    ids=["above the last", "no bound", "overlap too small", "rows without time"],
)
def test_what_does_less_loses(reading: Reading, schedules: Any) -> None:
    assert some(schedules, lambda schedule: loses(reading, schedule))


# single cases


def pages(kind: Window, table: Table, saved: Cursor | None = None) -> list[Page]:
    return list(kind.scan(saved, table.clock, table.fetch))


def filled(*stamps: int, page: int = 2) -> Table:
    table = Table(page, now=1000)
    table.rows = {identity: Row(identity, stamp, 1) for identity, stamp in enumerate(stamps)}
    return table


def test_no_cursor_passes_the_bound_and_positions_stay_as_they_were_written() -> None:
    table = filled(3, 3, 5, 999, 1001)
    bound = {"until": "2026-01-02T00:00:00.000250Z"}
    first, second = pages(Window("stamp"), table)
    assert (first.cursor, second.cursor) == ({**bound, "part": "changed", "at": [3, 1]}, bound)
    assert [json.loads(record)["id"] for page in (first, second) for record in page.records] == ["0", "1", "2", "3"]


def test_a_scan_that_was_broken_off_keeps_its_bound_and_then_follows_the_next_one() -> None:
    table = filled(3, 4, 5, 6)
    first = pages(Window("stamp", OVERLAP), table)[0]
    table.apply(("tick", 4000))
    rest, new = pages(Window("stamp", OVERLAP), table, first.cursor)
    assert (len(rest.records), rest.cursor) == (2, {"until": "2026-01-02T00:00:00.000250Z"})
    assert (len(new.records), new.cursor) == (0, {"until": "2026-01-02T00:00:00.001250Z"})


def test_a_scan_resumes_where_rows_without_time_begin() -> None:
    table = filled(3, 4)
    table.rows |= {identity: Row(identity, None, 1) for identity in (7, 8, 9)}
    kind = Window("stamp", untimed=True)
    everything = pages(kind, table)
    assert [len(page.records) for page in everything] == [2, 2, 1]
    assert [json.loads(record)["id"] for record in pages(kind, table, everything[0].cursor)[0].records] == ["7", "8"]
    assert [json.loads(record)["id"] for record in pages(kind, table, everything[1].cursor)[0].records] == ["9"]


def test_a_part_that_is_gone_begins_the_scan_again() -> None:
    table = filled(3, 4, 5)
    saved = {"until": "2026-01-02T00:00:00.000250Z", "part": "untimed", "at": [1]}
    assert sum(len(page.records) for page in pages(Window("stamp", timedelta(0)), table, saved)) == 3


def test_the_bound_is_the_clock_s_whatever_its_offset() -> None:
    table = filled()
    abroad = EPOCH.astimezone(tz=None)
    (page,) = Window("stamp", lag=timedelta(seconds=5)).scan(None, lambda: abroad, table.fetch)
    assert page.cursor == {"until": "2026-01-01T23:59:55Z"}
