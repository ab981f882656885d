"""Writing rows, against real databases: SQLite, PostgreSQL, and MariaDB where its server is installed."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.sql import Sql
from connectors.sql.sandbox import SqlSandbox
from connectors.sql.settings import SqlSettings
from tests.contract.sql.lab import (
    Place,
    records,
)
from threadline.sdk import ConfigError, Intent, Receipt
from threadline.testing.story import Ordered, Person, Registered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


NOTE = {"order_no": "A-1", "note_text": "Where is it?"}


@pytest.fixture
def shop(place: Place) -> SqlSandbox:
    shop = place.shop()
    for number in (1, 2, 3):
        person = Person(number, "Ana", "Lima", f"ana{number}@example.org", "1", "a")
        shop.tell(Registered(AT, "shop", person, ("name", "email"), preferred_channel="voice"))
        shop.tell(Ordered(AT, "shop", person, f"A-{number}", (("K-2", "Kettle", 1, 100),)))
    return shop


def push(place: Place, shop: SqlSandbox, name: str, *payloads: Mapping[str, Any], attempt: int = 1) -> list[Receipt]:
    intents = [Intent(f"intent{index}", name, payload, attempt) for index, payload in enumerate(payloads)]
    return list(place.sql(**shop.settings).push(name, intents))


def test_a_note_is_inserted_once_whatever_is_repeated(place: Place, shop: SqlSandbox) -> None:
    note = {**NOTE, "marker": "m1"}
    assert push(place, shop, "note", note) == [Receipt("intent0", "done", "m1")]
    assert push(place, shop, "note", note, attempt=2) == [Receipt("intent0", "done", "m1")]
    (written,) = shop.pushed("note")
    assert (written["order_no"], written["note_text"], written["marker"]) == ("A-1", "Where is it?", "m1")
    assert written["changed_at"]


def test_one_refused_row_is_refused_alone(place: Place, shop: SqlSandbox) -> None:
    payloads = [
        {**NOTE, "marker": "m1"},
        {**NOTE, "marker": "m2", "order_no": "A-404"},
        {**NOTE, "marker": "m3", "colour": "red"},
        {**NOTE, "marker": ""},
        {**NOTE, "marker": "m5", "written_by": "x" * 121},
        {**NOTE, "marker": "m6"},
    ]
    receipts = push(place, shop, "note", *payloads)
    assert [receipt.status for receipt in receipts] == ["done", "dead", "dead", "dead", "dead", "done"]
    assert [note["marker"] for note in shop.pushed("note")] == ["m1", "m6"]
    reasons = [receipt.reason or "" for receipt in receipts]
    assert "breaks a constraint" in reasons[1]
    assert "A-404" not in reasons[1]
    assert reasons[2] == "the settings allow no write to colour; allowed: marker, note_text, order_no, written_by"
    assert reasons[3] == "the record has no marker, which the settings name as the key"
    assert reasons[4] == "column written_by takes 120 characters, and this has 121"


def test_a_preference_is_written_and_seen_by_the_next_pull(place: Place, shop: SqlSandbox) -> None:
    sql = place.sql(**shop.settings)
    before = {record["customer_no"]: record for record in records(sql.pull("customers", None))}
    payload = {"customer_no": "100002", "preferred_channel": "SMS", "preferred_by": "threadline"}
    assert push(place, shop, "preference", payload) == [Receipt("intent0", "done", "100002")]
    after = {record["customer_no"]: record for record in records(sql.pull("customers", None))}
    assert (after[100002]["preferred_channel"], after[100002]["email"]) == ("SMS", "ana2@example.org")
    assert after[100002]["changed_at"] > before[100002]["changed_at"]
    assert after[100002]["preferred_since"] > before[100002]["preferred_since"]
    assert {number: after[number] for number in (100001, 100003)} == {number: before[number] for number in (100001, 100003)}
    assert [row["customer_no"] for row in shop.pushed("preference")] == [100002]


@pytest.mark.parametrize("payload", [{"customer_no": 100001, "preferred_channel": "TEL"}, {"customer_no": "100001"}])
def test_a_write_that_changes_nothing_moves_nothing(place: Place, shop: SqlSandbox, payload: dict[str, Any]) -> None:
    before = place.scalar("SELECT changed_at FROM customers WHERE customer_no = 100001")
    assert [receipt.status for receipt in push(place, shop, "preference", payload)] == ["done"]
    assert place.scalar("SELECT changed_at FROM customers WHERE customer_no = 100001") == before


def test_rows_that_are_not_there_are_dead_with_a_reason(place: Place, shop: SqlSandbox) -> None:
    gone, wrong, good = push(
        place,
        shop,
        "preference",
        {"customer_no": 999, "preferred_channel": "SMS"},
        {"customer_no": "abc", "preferred_channel": "SMS"},
        {"customer_no": 100003, "preferred_channel": "SMS"},
    )
    assert (gone.status, gone.reason) == ("dead", "customers has no rows with this customer_no")
    assert (wrong.status, wrong.reason) == ("dead", "column customer_no takes a int, which this is not")
    assert good.status == "done"


VERSION = "SELECT row_version FROM customers WHERE customer_no = 100001"
RAISED = "UPDATE customers SET last_name = 'Weber', row_version = row_version + 1 WHERE customer_no = 100001"


def prefer(channel: str, **more: Any) -> dict[str, Any]:
    return {"customer_no": 100001, "preferred_channel": channel, **more}


def test_an_update_raises_the_version_that_others_go_by(place: Place, shop: SqlSandbox) -> None:
    before = place.scalar(VERSION)
    for attempt in (1, 2):
        assert [receipt.status for receipt in push(place, shop, "preference", prefer("SMS"), attempt=attempt)] == ["done"]
        assert place.scalar(VERSION) == before + 1


def test_a_row_that_changed_since_it_was_read_is_not_overwritten(place: Place, shop: SqlSandbox) -> None:
    seen = place.scalar(VERSION)
    place.run(RAISED)
    late, current = push(place, shop, "preference", prefer("SMS", row_version=seen), prefer("WEB", row_version=str(seen + 1)))
    assert (late.status, late.reason) == ("dead", "the row of customers is no longer the one that was read: its row_version is another")
    assert current.status == "done"
    # Its answer was lost: what it says stands there.
    (again,) = push(place, shop, "preference", prefer("WEB", row_version=seen + 1), attempt=2)
    assert again.status == "done"
    assert place.scalar(VERSION) == seen + 2


def test_a_row_that_changes_while_it_is_updated_is_tried_again(place: Place, shop: SqlSandbox) -> None:
    interrupted: list[str] = []

    def interrupt(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE customers SET preferred_channel") and not interrupted:
            interrupted.append(statement)
            place.run(RAISED)

    sa.event.listen(sa.Engine, "before_cursor_execute", interrupt)
    try:
        (overtaken,) = push(place, shop, "preference", prefer("SMS"))
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", interrupt)
    assert (overtaken.status, overtaken.reason) == ("retry", "the row changed while it was being updated")
    assert place.scalar("SELECT last_name FROM customers WHERE customer_no = 100001") == "Weber"
    assert [receipt.status for receipt in push(place, shop, "preference", prefer("SMS"), attempt=2)] == ["done"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "row_vers"}, "writes.preference: no column named 'row_vers'; did you mean row_version"),
        (
            {"version": "email"},
            "writes.preference: the version 'email' is no column that can be moved",
        ),
    ],
)
def test_a_version_is_a_column_of_whole_numbers(place: Place, shop: SqlSandbox, changes: dict[str, Any], message: str) -> None:
    write = {**shop.settings["writes"]["preference"], **changes}
    with pytest.raises(ConfigError, match=message):
        place.sql(writes={"preference": write}).check()


def test_a_version_is_of_updates_alone() -> None:
    write = {"table": "notes", "mode": "insert", "key": ["marker"], "columns": ["text"], "version": "row_version"}
    with pytest.raises(ValueError, match="a version is of rows that are updated"):
        SqlSettings.model_validate({"url": "sqlite:///shop.db", "writes": {"note": write}})


def test_a_row_without_a_version_gets_one(place: Place) -> None:
    place.run(
        "CREATE TABLE legacy (id INTEGER PRIMARY KEY, name VARCHAR(20), lock_version INTEGER)", "INSERT INTO legacy VALUES (1, 'a', NULL)"
    )
    write = {"table": "legacy", "mode": "update", "key": ["id"], "columns": ["name"], "version": "lock_version"}
    (receipt,) = place.sql(writes={"name": write}).push("name", [Intent("i", "name", {"id": 1, "name": "b"})])
    assert receipt.status == "done"
    assert place.scalar("SELECT lock_version FROM legacy") == 1


def test_values_are_written_as_their_columns_hold_them(place: Place, shop: SqlSandbox) -> None:
    writes = {"order": {"table": "orders", "mode": "update", "key": ["order_no"], "columns": ["placed_at", "total", "currency"]}}
    sql = place.sql(writes=writes, time_zone="Europe/Berlin", streams=shop.settings["streams"])
    payloads = [
        {"order_no": "A-1", "placed_at": "2026-07-01T10:00:00.5Z", "total": "7.30"},
        {"order_no": "A-2", "placed_at": "yesterday"},
        {"order_no": "A-3", "currency": None},
    ]
    receipts = list(sql.push("order", [Intent(str(index), "order", payload) for index, payload in enumerate(payloads)]))
    assert [receipt.status for receipt in receipts] == ["done", "dead", "done"]
    written = {record["order_no"]: record for record in records(sql.pull("orders", None))}
    assert (written["A-1"]["placed_at"], written["A-1"]["total"]) == ("2026-07-01T10:00:00.500000Z", "7.30")
    assert written["A-3"]["currency"] is None


@pytest.mark.postgres
def test_a_row_that_somebody_holds_is_tried_again_later(on_postgresql: Place) -> None:
    shop = on_postgresql.shop()
    person = Person(1, "Ana", "Lima", "ana@example.org", "1", "a")
    shop.tell(Registered(AT, "shop", person, ("name",), preferred_channel="voice"))
    options = sa.make_url(on_postgresql.url).query["options"]
    impatient = (
        sa.make_url(on_postgresql.url).update_query_dict({"options": f"{options} -c lock_timeout=50"}).render_as_string(hide_password=False)
    )
    sql = Sql(SqlSettings.model_validate({"url": impatient, **shop.settings}))
    intent = Intent("i", "preference", {"customer_no": 100001, "preferred_channel": "SMS"})
    with on_postgresql.engine.begin() as holder:
        holder.exec_driver_sql("SELECT * FROM customers FOR UPDATE")
        assert [receipt.status for receipt in sql.push("preference", [intent])] == ["retry"]
    assert [receipt.status for receipt in sql.push("preference", [intent])] == ["done"]


@pytest.mark.postgres
def test_a_partial_unique_index_does_not_make_a_marker(on_postgresql: Place) -> None:
    on_postgresql.run("CREATE TABLE n (id int, m text)", "CREATE UNIQUE INDEX ON n (m) WHERE id > 5")
    write = {"table": "n", "mode": "insert", "key": ["m"], "columns": ["id"]}
    with pytest.raises(ConfigError, match="no unique constraint on m"):
        list(on_postgresql.sql(writes={"note": write}).push("note", [Intent("i", "note", {"m": "x", "id": 1})]))
    on_postgresql.run("CREATE UNIQUE INDEX ON n (m)")
    assert [
        receipt.status for receipt in on_postgresql.sql(writes={"note": write}).push("note", [Intent("i", "note", {"m": "x", "id": 1})])
    ] == ["done"]


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATETIME"])
def test_a_time_is_a_version_too(place: Place, kind: str) -> None:
    moment = {"sqlite": kind, "postgresql": "timestamptz" if kind == "TIMESTAMP" else "timestamp", "mariadb": f"{kind}(6)"}
    place.run(f"CREATE TABLE legacy (id INTEGER PRIMARY KEY, name VARCHAR(20), moved {moment[place.engine.dialect.name]} NULL)")
    place.run("INSERT INTO legacy VALUES (1, 'a', '2026-01-02 03:04:05.000006')")
    write = {"table": "legacy", "mode": "update", "key": ["id"], "columns": ["name"], "version": "moved"}
    stream = {"table": "legacy", "key": ["id"]}
    sql = place.sql(writes={"name": write}, streams={"legacy": stream}, time_zone="America/New_York")
    sql.check()
    (read,) = records(sql.pull("legacy", None))

    def push(name: str, **more: Any) -> Receipt:
        (receipt,) = sql.push("name", [Intent("i", "name", {"id": 1, "name": name, **more})])
        return receipt

    assert push("b", moved=read["moved"]).status == "done"
    (moved,) = records(sql.pull("legacy", None))
    assert (moved["name"], moved["moved"] > "2026-06") == ("b", True)
    late = push("c", moved=read["moved"])
    assert (late.status, late.reason) == ("dead", "the row of legacy is no longer the one that was read: its moved is another")
    assert push("c", moved=moved["moved"]).status == "done"
    assert push("d").status == "done"
    assert records(sql.pull("legacy", None))[0]["name"] == "d"


PREFERRED = {"table": "preferences", "mode": "upsert", "key": ["customer_no"], "columns": ["channel"]}


def preferences(place: Place, version: str = "") -> None:
    place.run(f"CREATE TABLE preferences (customer_no INTEGER PRIMARY KEY, channel VARCHAR(9) UNIQUE{version})")


def upsert(place: Place, *payloads: Mapping[str, Any], **more: Any) -> list[Receipt]:
    sql = place.sql(writes={"preference": PREFERRED | more})
    return list(sql.push("preference", [Intent(f"i{number}", "preference", payload) for number, payload in enumerate(payloads)]))


def rows(place: Place) -> list[tuple[Any, ...]]:
    with place.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM preferences ORDER BY customer_no")]


def test_an_upsert_inserts_a_row_and_then_updates_it(place: Place) -> None:
    preferences(place, ", lock_version INTEGER NOT NULL")
    first, again, other = ({"customer_no": 1, "channel": "SMS"}, {"customer_no": "1", "channel": "TEL"}, {"customer_no": 2})
    receipts = upsert(place, first, first, again, other, version="lock_version")
    assert [(receipt.status, receipt.remote_id) for receipt in receipts] == [("done", "1")] * 3 + [("done", "2")]
    assert rows(place) == [(1, "TEL", 2), (2, None, 1)]


def test_an_upsert_leaves_a_row_alone_that_shares_another_unique_value(place: Place) -> None:
    preferences(place)
    place.run("INSERT INTO preferences VALUES (1, 'SMS')")
    (receipt,) = upsert(place, {"customer_no": 2, "channel": "SMS"})
    assert receipt.status == "dead"
    assert "breaks a constraint" in str(receipt.reason)
    assert rows(place) == [(1, "SMS")]


def test_an_upsert_of_a_row_that_was_read_does_not_bring_it_back(place: Place) -> None:
    preferences(place, ", lock_version INTEGER")
    (receipt,) = upsert(place, {"customer_no": 1, "channel": "SMS", "lock_version": 3}, version="lock_version")
    assert (receipt.status, receipt.reason) == ("dead", "preferences has no rows with this customer_no")
    assert rows(place) == []


def test_an_upsert_that_another_insert_overtakes_is_tried_again(place: Place) -> None:
    preferences(place)
    interrupted: list[str] = []

    def interrupt(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO preferences (") and not interrupted:
            interrupted.append(statement)
            place.run("INSERT INTO preferences VALUES (1, 'WEB')")

    sa.event.listen(sa.Engine, "before_cursor_execute", interrupt)
    try:
        (overtaken,) = upsert(place, {"customer_no": 1, "channel": "SMS"})
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", interrupt)
    assert (overtaken.status, rows(place)) == ("retry", [(1, "WEB")])
    assert [receipt.status for receipt in upsert(place, {"customer_no": 1, "channel": "SMS"})] == ["done"]
    assert rows(place) == [(1, "SMS")]


@pytest.mark.postgres
def test_upserts_at_once_make_one_row(on_postgresql: Place) -> None:
    on_postgresql.run("CREATE TABLE preferences (customer_no INTEGER PRIMARY KEY, channel VARCHAR(9), n INTEGER NOT NULL DEFAULT 0)")

    def work(channel: str) -> list[str]:
        payloads = [{"customer_no": number % 5, "channel": f"{channel}{number}"} for number in range(20)]
        return [receipt.status for receipt in upsert(on_postgresql, *payloads, version="n")]

    with ThreadPoolExecutor() as pool:
        statuses = [status for one in pool.map(work, "abcd") for status in one]
    assert set(statuses) <= {"done", "retry"}
    written = rows(on_postgresql)
    assert [number for number, _, _ in written] == list(range(5))
    # Each write that is done has raised the version of its row once, unless it said what stood there.
    assert sum(version for _, _, version in written) == statuses.count("done")


def test_an_upsert_needs_a_unique_key(place: Place) -> None:
    preferences(place)
    with pytest.raises(ConfigError, match="preferences has no unique constraint on customer_no, channel"):
        upsert(place, {"customer_no": 1, "channel": "SMS"}, key=["customer_no", "channel"], columns=["customer_no"])


@pytest.mark.slow
def test_instants_are_written_as_such_whatever_the_zone_of_the_server(on_mariadb: Place) -> None:
    on_mariadb.run(
        "CREATE TABLE legacy (id INTEGER PRIMARY KEY, instant TIMESTAMP(6) NULL, local DATETIME(6))", "INSERT INTO legacy (id) VALUES (1)"
    )
    write = {"table": "legacy", "mode": "update", "key": ["id"], "columns": ["instant", "local"]}
    settings = {"writes": {"times": write}, "streams": {"legacy": {"table": "legacy", "key": ["id"]}}, "time_zone": "Europe/Berlin"}
    sql, moment = on_mariadb.sql(**settings), "2026-07-01T10:00:00.000006Z"
    on_mariadb.run("SET GLOBAL time_zone = '+05:00'")
    try:
        for _ in range(2):
            (receipt,) = sql.push("times", [Intent("i", "times", {"id": 1, "instant": moment, "local": moment})])
            assert receipt.status == "done"
            assert records(sql.pull("legacy", None)) == [{"id": 1, "instant": moment, "local": moment}]
    finally:
        on_mariadb.run("SET GLOBAL time_zone = 'SYSTEM'")
