"""Entries of a log that are seen later than others which were numbered after them, and pulls that break off."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sql.changelog import ChangeLog, Look
from tests.contract.sql.lab import Place, decoded, last_cursor
from tests.contract.sql.parcels import PARCELS, Store, logged, put, table, through_json
from threadline.sdk import Cursor
from threadline.sdk.cursors import Position, Rows


@pytest.mark.parametrize("overlap", [0, pytest.param(60, marks=pytest.mark.slow)])
def test_any_page_can_be_the_last_before_a_crash(place: Place, overlap: int) -> None:
    put(logged(place), *range(7))
    sql = place.sql(streams=PARCELS, page_size=2, overlap=overlap)
    kept = Store()
    for turn in range(1, 5):
        stopped = Store()
        stopped.pull(sql, pages=turn)
        change(place, turn)
        stopped.pull(sql, pages=turn)
        # Of this one every run but the last breaks off after a page.
        kept.pull(sql, pages=1)
        change(place, 10 + turn)
        stopped.pull(sql)
        assert stopped.rows == table(place)
    kept.pull(sql)
    assert kept.rows == table(place)


def change(place: Place, turn: int) -> None:
    place.run(
        f"UPDATE parcels SET state = 'turn {turn}' WHERE no IN ('P0', 'P{turn}')",
        f"DELETE FROM parcels WHERE no = 'P{turn + 1}'",
        f"INSERT INTO parcels VALUES ('new {turn}', 'sent')",
    )


def concurrently(place: Place, overlap: float) -> Store:
    """Number an entry, let later ones be committed and read, and commit it then; return what is stored after one more pull."""
    put(logged(place), 0)
    sql, store = place.sql(streams=PARCELS, overlap=overlap), Store()
    with place.engine.connect() as slow:
        for turn in range(1, 6):
            store.pull(sql)
            put(place, turn)
            if turn == 2:
                slow.exec_driver_sql("INSERT INTO parcels VALUES ('slow', 'sent')")
        assert "slow" not in store.rows
        slow.commit()
    store.pull(sql)
    return store


@pytest.mark.postgres
@pytest.mark.parametrize("overlap", [0, pytest.param(60, marks=pytest.mark.slow)])
def test_an_entry_that_is_committed_late_is_read_however_late_on_postgresql(on_postgresql: Place, overlap: int) -> None:
    assert concurrently(on_postgresql, overlap).rows == table(on_postgresql)


@pytest.mark.slow
@pytest.mark.parametrize(("overlap", "is_read"), [(60, True), (0, False)])
def test_an_entry_that_is_committed_late_is_read_within_the_overlap_on_mariadb(on_mariadb: Place, overlap: int, is_read: bool) -> None:
    assert ("slow" in concurrently(on_mariadb, overlap).rows) == is_read


@pytest.mark.postgres
def test_an_entry_is_read_late_though_its_transaction_is_the_newest_one(on_postgresql: Place) -> None:
    put(logged(on_postgresql), 0)
    on_postgresql.run("CREATE TABLE other (n integer)")
    sql, store = on_postgresql.sql(streams=PARCELS), Store()
    store.pull(sql)
    with on_postgresql.engine.connect() as early, on_postgresql.engine.connect() as late:
        early.exec_driver_sql("INSERT INTO other VALUES (1)")
        late.exec_driver_sql("INSERT INTO parcels VALUES ('late', 'sent')")
        early.exec_driver_sql("INSERT INTO parcels VALUES ('early', 'sent')")
        early.commit()
        for _ in range(3):
            store.pull(sql)
        late.commit()
    store.pull(sql)
    assert store.rows == table(on_postgresql)


@pytest.mark.postgres
def test_who_may_only_read_goes_by_the_overlap(on_postgresql: Place) -> None:
    put(logged(on_postgresql), 1)
    options = sa.make_url(on_postgresql.url).query["options"]
    reader = sa.make_url(on_postgresql.url).update_query_dict({"options": f"{options} -c default_transaction_read_only=on"})
    sql, store = on_postgresql.sql(streams=PARCELS, url=reader.render_as_string(hide_password=False), overlap=60), Store()
    store.pull(sql)
    put(on_postgresql, 2)
    store.pull(sql)
    assert store.rows == table(on_postgresql)
    assert store.cursor is not None
    assert all("next" not in mark for mark in store.cursor["marks"])


@pytest.mark.postgres
def test_an_entry_that_a_transaction_takes_back_holds_nothing_up(on_postgresql: Place) -> None:
    put(logged(on_postgresql), 1)
    sql, store = on_postgresql.sql(streams=PARCELS), Store()
    store.pull(sql)
    with on_postgresql.engine.connect() as undone:
        undone.exec_driver_sql("INSERT INTO parcels VALUES ('undone', 'sent')")
        put(on_postgresql, 2)
        store.pull(sql)
        undone.rollback()
    for _ in range(2):
        store.pull(sql)
    (page,) = sql.pull("parcels", store.cursor)
    assert (store.rows, list(page.records)) == (table(on_postgresql), [])


@pytest.mark.postgres
def test_many_writers_at_once_lose_nothing(on_postgresql: Place) -> None:
    put(logged(on_postgresql), *range(20))
    sql, store = on_postgresql.sql(streams=PARCELS, page_size=50), Store()
    enough = Event()
    writers = [Thread(target=write_at_random, args=(on_postgresql, seed, enough)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for turn in range(20):
        store.pull(sql, pages=None if turn % 4 else 1)
    enough.set()
    for writer in writers:
        writer.join()
    store.pull(sql)
    assert store.rows == table(on_postgresql)


def write_at_random(place: Place, seed: int, enough: Event) -> None:
    """Insert rows, and delete some, in transactions that overlap with those of others, and are taken back now and then."""
    chance, number = Random(seed), 0
    with place.engine.connect() as connection:
        while not enough.is_set():
            for _ in range(2):
                number += 1
                connection.execute(sa.text("INSERT INTO parcels VALUES (:no, 'sent')"), {"no": f"{seed} {number}"})
                gone = chance.randrange(number)
                connection.execute(sa.text("DELETE FROM parcels WHERE no = :no"), {"no": f"{seed} {gone}"})
                connection.execute(sa.text("SELECT pg_sleep(:seconds)"), {"seconds": chance.random() / 100})
            connection.rollback() if chance.random() < 0.2 else connection.commit()


WITHIN = timedelta(seconds=60)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 5)),
        st.tuples(st.just("end"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.sampled_from([1, 5, 30, 90])),
        st.tuples(st.just("pull"), st.sampled_from([1, 2, 9])),
    ),
    min_size=10,
    max_size=80,
)


class LogInMemory:
    """A table and its log; each change is numbered when it begins, and seen, with its row, when it ends, which is within the overlap."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)
        self.table: dict[str, int] = {}
        self.entries: dict[int, str] = {}
        self.number = 0
        self.under_way: list[tuple[int, str, datetime]] = []

    def begin(self, key: int) -> None:
        self.number += 1
        self.under_way.append((self.number, str(key), self.now))

    def end(self, which: int) -> None:
        if which < len(self.under_way):
            number, key, _ = self.under_way.pop(which)
            self.entries[number] = key
            self.table[key] = self.table.get(key, 0) + 1

    def wait(self, seconds: int) -> None:
        for which in reversed(range(len(self.under_way))):
            if self.under_way[which][2] + WITHIN <= self.now + timedelta(seconds=seconds):
                self.end(which)
        self.now += timedelta(seconds=seconds)

    def look(self) -> Look:
        return Look(max(self.entries, default=None), None, self.now)

    def holds(self, entry: int) -> bool:
        return min(self.entries) <= entry <= max(self.entries)

    def rows(self, after: Position | None) -> Rows:
        found = sorted(key for key in self.table if after is None or [key] > after)
        return self._page([(key, [key]) for key in found])

    def changed(self, above: int | None, upto: int | None, after: Position | None) -> Rows:
        entries = sorted([number, key] for number, key in self.entries.items() if (above or 0) < number <= (upto or 0))
        return self._page([(entry[1], entry) for entry in entries if after is None or entry > after])

    def _page(self, found: list[tuple[str, list[Any]]]) -> Rows:
        page = found[:2]
        written = [msgspec.json.encode({"key": key, "version": self.table[key]}) for key, _ in page]
        return Rows(written, page[-1][1] if page else None, more=len(found) > 2)


@settings(max_examples=100, deadline=None)
@given(OPS)
def test_a_log_is_read_whole_whatever_is_late_or_breaks_off(ops: list[tuple[str, int]]) -> None:
    log, kind, cursor = LogInMemory(), ChangeLog("log", WITHIN), None
    stored: dict[str, int] = {}

    def pull(pages: int | None) -> Cursor | None:
        place = cursor
        for page in islice(kind.scan(place, log), pages):
            stored.update({record["key"]: record["version"] for record in decoded(page)})
            place = through_json(page.cursor)
        return place

    for name, value in ops:
        if name == "pull":
            cursor = pull(value)
        else:
            getattr(log, name)(value)
    while log.under_way:
        log.end(0)
    cursor = pull(None)
    assert stored == log.table


def test_marks_are_few_however_often_a_log_is_read() -> None:
    log, kind, cursor = LogInMemory(), ChangeLog("log", WITHIN), None
    for _ in range(200):
        log.begin(1)
        log.end(0)
        log.wait(1)
        cursor = last_cursor(kind.scan(cursor, log))
    assert cursor is not None
    assert 10 < len(cursor["marks"]) < 20
    assert log.number - cursor["settled"] < 70
