"""Streams that are read by a table of changes: by triggers' logs, tombstones and histories of real databases."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from connectors.sql.changelog import ChangeLog
from connectors.sql.changes import ChangeScanner
from connectors.sql.keyset import Reading
from connectors.sql.records import Records
from connectors.sql.relations import ORDER, Relation
from connectors.sql.settings import SqlSettings
from tests.conformance.shop_with_log import ShopWithLog, SqlWithLog
from tests.contract.sql.lab import Place, last_cursor, records
from tests.contract.sql.parcels import CHANGES, PARCELS, Store, logged, numbered, put, table, through_json, told
from threadline.mapping.library import pull_mapping
from threadline.sdk import ConfigError, Cursor
from threadline.store.database import open_database
from threadline.sync.batch import Judge
from threadline.sync.pull import pull
from threadline.testing.story import Ordered, Person, Registered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


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
    number = numbered(place)
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
    scanner = ChangeScanner(reading, noted, ChangeLog("orders_log", timedelta(0)))
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
