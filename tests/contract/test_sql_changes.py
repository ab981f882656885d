"""Streams that are read by a table of changes: by triggers' logs, tombstones and histories of real databases."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql

from connectors.sql import Sql
from connectors.sql.changelog import ChangeLog, Look
from connectors.sql.changes import ChangeScanner
from connectors.sql.keyset import Reading
from connectors.sql.records import Records
from connectors.sql.relations import ORDER, Relation
from connectors.sql.settings import SqlSettings
from tests.conformance.shop_with_log import ShopWithLog, SqlWithLog
from tests.contract.sql_lab import DATABASES, Place, a_place, decoded, last_cursor, records
from threadline.mapping.library import pull_mapping
from threadline.sdk import ConfigError, Cursor
from threadline.sdk.cursors import Position, Rows
from threadline.store.database import open_database
from threadline.sync.batch import Judge
from threadline.sync.pull import pull
from threadline.testing.story import Ordered, Person, Registered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHANGES = {"table": "parcels_log", "order": "log_id"}
PARCELS = {"parcels": {"table": "parcels", "key": ["no"], "changes": CHANGES}}
NUMBERED = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mariadb": "bigint AUTO_INCREMENT PRIMARY KEY",
}


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from a_place(request.param, tmp_path)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("sqlite", tmp_path)


@pytest.fixture
def on_postgresql(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("postgresql", tmp_path)


@pytest.fixture
def on_mariadb(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("mariadb", tmp_path)


def logged(place: Place) -> Place:
    """Make a table whose changes triggers log."""
    place.run(
        "CREATE TABLE parcels (no VARCHAR(20) PRIMARY KEY, state VARCHAR(20))",
        f"CREATE TABLE parcels_log (log_id {NUMBERED[place.engine.dialect.name]}, op CHAR(1), no VARCHAR(20))",
    )
    if place.engine.dialect.name == "postgresql":
        place.run(
            "CREATE FUNCTION log_parcel() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO parcels_log (op, no) "
            "VALUES (left(TG_OP, 1), coalesce(NEW.no, OLD.no)); RETURN NULL; END'",
            "CREATE TRIGGER log AFTER INSERT OR UPDATE OR DELETE ON parcels FOR EACH ROW EXECUTE FUNCTION log_parcel()",
        )
        return place
    for what, row in {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}.items():
        entry = f"INSERT INTO parcels_log (op, no) VALUES ('{what[0]}', {row}.no);"
        place.run(f"CREATE TRIGGER log_{what} AFTER {what} ON parcels FOR EACH ROW BEGIN {entry} END")
    return place


def put(place: Place, *numbers: int, state: str = "sent") -> None:
    place.run(*[f"INSERT INTO parcels VALUES ('P{number}', '{state}')" for number in numbers])


def told(found: list[dict[str, Any]]) -> dict[str, str]:
    """Return what a store would hold of these records: the state, or that it is gone."""
    return {record["no"]: "gone" if record.get("_deleted") else record["state"] for record in found}


class Store:
    """Keeps what pages tell, and the last page's cursor."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self.cursor: Cursor | None = None

    def pull(self, sql: Sql, pages: int | None = None) -> None:
        for page in islice(sql.pull("parcels", self.cursor), pages):
            for no, state in told(decoded(page)).items():
                self.rows[no] = state
                if state == "gone":
                    del self.rows[no]
            self.cursor = through_json(page.cursor)


def table(place: Place) -> dict[str, str]:
    with place.engine.connect() as connection:
        return {row.no: row.state for row in connection.exec_driver_sql("SELECT no, state FROM parcels")}


def through_json(cursor: Cursor | None) -> Any:
    return msgspec.json.decode(msgspec.json.encode(cursor))


def test_what_has_changed_or_gone_is_told(place: Place) -> None:
    put(logged(place), 1, 2, 3)
    sql = place.sql(streams=PARCELS)
    sql.check()
    pages = list(sql.pull("parcels", None))
    assert told(records(iter(pages))) == {"P1": "sent", "P2": "sent", "P3": "sent"}
    cursor = last_cursor(sql.pull("parcels", pages[-1].cursor))
    place.run("UPDATE parcels SET state = 'lost' WHERE no = 'P2'", "DELETE FROM parcels WHERE no = 'P1'")
    put(place, 4)
    found = records(sql.pull("parcels", through_json(cursor)))
    assert told(found) == {"P2": "lost", "P1": "gone", "P4": "sent"}
    assert {"no": "P1", "_deleted": True} in found


def test_nothing_is_read_again_once_it_is_settled(place: Place) -> None:
    put(logged(place), 1, 2, 3)
    sql, store = place.sql(streams=PARCELS), Store()
    for _ in range(2):
        store.pull(sql)
    for _ in range(2):
        (page,) = sql.pull("parcels", store.cursor)
        assert (page.records, page.cursor) == ([], store.cursor)


def test_a_row_that_went_and_came_again_is_there(place: Place) -> None:
    put(logged(place), 1)
    sql = place.sql(streams=PARCELS, page_size=2)
    cursor = last_cursor(sql.pull("parcels", None))
    place.run("DELETE FROM parcels")
    put(place, 1, state="again")
    # Each entry leads to the row as it is: the one that says that it was deleted, too.
    assert [record["state"] for record in records(sql.pull("parcels", cursor))] == ["again", "again"]


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


TROUBLES = {
    "purged": ["DELETE FROM parcels_log"],
    "purged, and written to again": ["DELETE FROM parcels_log", "UPDATE parcels SET state = 'again' WHERE no = 'P3'"],
    "numbered anew": ["DELETE FROM parcels_log", "{insert} VALUES (1, 'U', 'P2')"],
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_where_entries_are_gone_the_table_is_read_again(place: Place, trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    put(logged(place), 1, 2, 3)
    sql, store = place.sql(streams=PARCELS), Store()
    for _ in range(2):
        store.pull(sql)
    place.run("UPDATE parcels SET state = 'unheard of' WHERE no = 'P1'")
    overriding = " OVERRIDING SYSTEM VALUE" if place.engine.dialect.name == "postgresql" else ""
    insert = f"INSERT INTO parcels_log (log_id, op, no){overriding}"
    place.run(*[statement.format(insert=insert) for statement in TROUBLES[trouble]])
    store.pull(sql)
    assert store.rows == table(place)
    (warning,) = caplog.records
    assert warning.message.startswith("parcels_log no longer holds the changes since the last pull, so the table is read again: ")
    for _ in range(2):
        store.pull(sql)
    place.run("DELETE FROM parcels WHERE no = 'P2'")
    store.pull(sql)
    assert store.rows == table(place)
    assert len(caplog.records) == 1


def test_entries_that_are_gone_from_under_a_scan_that_stopped_are_noticed(place: Place) -> None:
    put(logged(place), 1)
    sql, store = place.sql(streams=PARCELS, page_size=2), Store()
    store.pull(sql)
    put(place, *range(2, 9))
    store.pull(sql, pages=1)
    place.run("DELETE FROM parcels_log WHERE log_id < 7")
    store.pull(sql)
    assert store.rows == table(place)


def test_keys_may_be_called_and_typed_otherwise_in_the_log(place: Place) -> None:
    number = NUMBERED[place.engine.dialect.name]
    place.run(
        "CREATE TABLE order_lines (code CHAR(6), line INTEGER, note VARCHAR(9), PRIMARY KEY (code, line))",
        "INSERT INTO order_lines VALUES ('A', 1, 'one'), ('A', 2, 'two'), ('B', 1, 'three')",
        f"CREATE TABLE audit (seq {number}, line_of VARCHAR(20), line_no VARCHAR(20))",
    )
    changes = {"table": "audit", "order": "seq", "key": ["line_of", "line_no"]}
    sql = place.sql(streams={"lines": {"table": "order_lines", "key": ["code", "line"], "changes": changes}}, page_size=2)
    first = list(sql.pull("lines", None))
    before = {record["note"]: (record["code"], record["line"]) for record in records(iter(first))}
    place.run(
        "DELETE FROM order_lines WHERE line = 2",
        "UPDATE order_lines SET note = 'other' WHERE code = 'B'",
        "INSERT INTO audit (line_of, line_no) VALUES ('A', '2'), ('B', '1'), (NULL, NULL), ('A', '2')",
    )
    found = records(sql.pull("lines", first[-1].cursor))
    gone = [(record["code"], record["line"]) for record in found if record.get("_deleted")]
    assert gone == [before["two"], before["two"]]
    assert [record["note"] for record in found if "note" in record] == ["other"]


def test_tombstones_and_a_time_of_change_are_changes_together(place: Place) -> None:
    place.run(
        "CREATE TABLE parcels (no VARCHAR(20) PRIMARY KEY, state VARCHAR(20), changed INTEGER)",
        "CREATE TABLE parcels_gone (no VARCHAR(20) PRIMARY KEY, gone INTEGER)",
        "INSERT INTO parcels VALUES ('P1', 'sent', 1), ('P2', 'sent', 1), ('P3', 'sent', 1)",
    )
    query = "SELECT no, changed AS turn FROM parcels UNION ALL SELECT no, gone FROM parcels_gone"
    declared = {"table": "parcels", "key": ["no"], "changes": {"query": query, "order": "turn"}}
    sql, store = place.sql(streams={"parcels": declared}, page_size=2), Store()
    store.pull(sql)
    for turn in range(2, 6):
        place.run(f"UPDATE parcels SET state = 'turn {turn}', changed = {turn} WHERE no = 'P1'")
        if turn == 4:
            place.run("DELETE FROM parcels WHERE no = 'P2'", "INSERT INTO parcels_gone VALUES ('P2', 4)")
        store.pull(sql)
        assert store.rows == table(place)


@pytest.mark.slow
@pytest.mark.parametrize("page_size", [2, 100])
def test_the_history_of_a_system_versioned_table_is_changes(on_mariadb: Place, page_size: int) -> None:
    on_mariadb.run("CREATE TABLE parcels (no VARCHAR(20) PRIMARY KEY, state VARCHAR(20)) WITH SYSTEM VERSIONING")
    history = "parcels FOR SYSTEM_TIME ALL"
    query = f"SELECT no, ROW_START AS at FROM {history} UNION ALL SELECT no, ROW_END FROM {history} WHERE ROW_END <= now(6)"
    declared = {"table": "parcels", "key": ["no"], "columns": ["state"], "changes": {"query": query, "order": "at"}}
    sql, store = on_mariadb.sql(streams={"parcels": declared}, page_size=page_size), Store()
    on_mariadb.run("INSERT INTO parcels (no, state) VALUES ('P1', 'sent'), ('P2', 'sent'), ('P3', 'sent')")
    for turn in range(1, 5):
        store.pull(sql)
        on_mariadb.run(f"UPDATE parcels SET state = 'turn {turn}'")
        on_mariadb.run(f"DELETE FROM parcels WHERE no = 'P{turn}'")
        on_mariadb.run(f"INSERT INTO parcels (no, state) VALUES ('new {turn}', 'sent')")
        store.pull(sql, pages=turn % 2)
    store.pull(sql)
    assert store.rows == table(on_mariadb)


LOGGED = {"table": "parcels", "key": ["no"]}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"table": "parcel_log", "order": "log_id"}, "streams.s.changes: no table or view named 'parcel_log'; did you mean parcels_log"),
    ({"table": "parcels_log", "order": "logid"}, "streams.s.changes: no column named 'logid'; did you mean log_id"),
    ({"table": "parcels_log", "order": "log_id", "key": ["number"]}, "streams.s.changes: no column named 'number'"),
    ({"query": "SELECT nothing FROM parcels_log", "order": "log_id"}, "streams.s.changes: the database refuses the query: .*nothing"),
    ({"table": "parcels_log", "order": "op"}, "streams.s.changes: rows have no value in the column 'op'"),
]


@pytest.mark.parametrize(("changes", "message"), MISTAKES)
def test_check_names_what_is_wrong_with_changes(on_sqlite: Place, changes: dict[str, Any], message: str) -> None:
    logged(on_sqlite).run("INSERT INTO parcels_log (no) VALUES ('P1')")
    with pytest.raises(ConfigError, match=message):
        on_sqlite.sql(streams={"s": LOGGED | {"changes": changes}}).check()


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"changes": CHANGES, "changed_at": "state"}, "give either changed_at or changes"),
        ({"changes": {"order": "log_id"}}, "give either table or query"),
        ({"changes": {**CHANGES, "query": "SELECT 1"}}, "give either table or query"),
        ({"changes": {"table": "parcels_log"}}, "order\n.*Field required"),
        ({"changes": {**CHANGES, "key": ["no", "op"]}}, "changes.key names 2 columns for the 1 of key: name one for each"),
        ({"changes": {**CHANGES, "operation": "op"}}, "operation\n.*Extra inputs are not permitted"),
    ],
)
def test_settings_of_changes_are_checked_when_they_are_read(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SqlSettings.model_validate({"url": "sqlite://", "streams": {"s": LOGGED | declared}})


@pytest.mark.parametrize(
    "saved",
    [
        {"until": "2026-01-02T03:04:05Z"},
        {"whole": True, "part": "log", "above": {"hour": "1"}, "upto": 1},
        {"whole": True, "settled": {"decimal": "many"}},
        {"part": "table", "at": ["P1", "P2"]},
    ],
)
def test_a_foreign_cursor_is_refused(on_sqlite: Place, saved: Cursor) -> None:
    put(logged(on_sqlite), 1)
    with pytest.raises(ConfigError, match=r"the saved cursor is not one of a stream that is read by the changes in parcels_log.*--full"):
        list(on_sqlite.sql(streams=PARCELS).pull("parcels", saved))


def test_a_stream_says_how_it_is_read(on_sqlite: Place) -> None:
    (stream,) = on_sqlite.sql(streams=PARCELS, overlap=7).available_streams()
    assert stream.cursor == ChangeLog("parcels_log", timedelta(seconds=7))


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


def test_an_order_that_is_gone_leaves_the_store_with_the_next_pull(tmp_path: Path) -> None:
    with ShopWithLog() as shop, open_database(f"sqlite:///{tmp_path / 'store.db'}", create=True) as store:
        ana = Person(7, "Ana", "Lima", "ana@example.org", "030 901820", "ana")
        shop.tell(Registered(AT, "shop", ana, ("name", "email")))
        for number in ("A-1", "A-2"):
            shop.tell(Ordered(AT, "shop", ana, number, (("K-2", "Kettle", 1, 2990),)))
        connector = SqlWithLog(SqlSettings.model_validate({**shop.settings, **shop.secrets}))
        streams = {stream.name: stream for stream in connector.available_streams()}

        def held(name: str) -> list[Any]:
            judge = Judge("shop", name, streams[name].key, pull_mapping(f"sql/{name}", "shop", region="DE", functions={}))
            pull(store, connector, judge)
            with store.read() as view:
                return view.query("SELECT key, state FROM records WHERE stream = ? ORDER BY key", [name])

        assert held("orders") == [("A-1", "ok"), ("A-2", "ok")]
        assert held("customers") == [("100007", "ok")]
        with shop.writing() as connection:
            connection.exec_driver_sql("DELETE FROM order_lines WHERE order_no = 'A-1'")
            connection.exec_driver_sql("DELETE FROM orders WHERE order_no = 'A-1'")
            connection.exec_driver_sql("DELETE FROM customers")
        assert held("orders") == [("A-1", "filtered"), ("A-2", "ok")]
        assert held("customers") == [("100007", "ok")]
        with store.read() as view:
            assert view.query("SELECT number FROM orders", []) == [("A-2",)]
            assert view.query("SELECT status FROM parties", []) == [("deleted",)]


def test_sql_server_reads_a_page_of_changes_in_one_statement() -> None:
    metadata = sa.MetaData()
    orders = sa.Table("orders", metadata, sa.Column("no", sa.String(20), primary_key=True), sa.Column("total", sa.Integer))
    entries = sa.Table("orders_log", metadata, sa.Column("rv", mssql.ROWVERSION), sa.Column("no", sa.CHAR(20)))
    table = Relation("streams.orders", orders, dict(orders.c), ("no",), None, "mssql", is_unique=True)
    columns = {ORDER: entries.c.rv, "changes no": sa.cast(entries.c.no, sa.String(20))}
    noted = Relation("streams.orders.changes", entries, columns, tuple(columns), None, "mssql")
    reading = Reading(sa.create_mock_engine("sqlite://", print), table, Records(table, UTC), 9, lambda: AT)  # type: ignore[arg-type]
    scanner = ChangeScanner(reading, noted, ChangeLog("orders_log", WITHIN))
    page = scanner._entries({"bytes": "AAE="}, {"bytes": "AAk="}, [{"bytes": "AAI="}, "A-1"])
    written = str(
        sa.select(orders.c.total, page.c["changes no"]).select_from(scanner._joined(page).origin).compile(dialect=mssql.dialect())
    )
    cast = "CAST(orders_log.no AS VARCHAR(20))"
    assert " ".join(re.sub(r":\w+|__\[\w+\]", "?", written).split()) == (
        "SELECT orders.total, changes.[changes no] FROM "
        f"(SELECT DISTINCT TOP ? orders_log.rv AS [changes #], {cast} AS [changes no] FROM orders_log "
        f"WHERE {cast} IS NOT NULL AND orders_log.rv <= ? "
        f"AND orders_log.rv >= ? AND (orders_log.rv > ? OR orders_log.rv = ? AND {cast} > ?) "
        f"ORDER BY orders_log.rv, {cast}) AS changes LEFT OUTER JOIN orders ON orders.no = changes.[changes no]"
    )
