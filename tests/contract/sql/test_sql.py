"""The sql connector against real databases: SQLite, PostgreSQL, and MariaDB where its server is installed."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from connectors.sql import Sql
from connectors.sql.database import Database
from connectors.sql.keyset import Reading
from connectors.sql.pull import Scanner
from connectors.sql.records import Records
from connectors.sql.relations import readable
from connectors.sql.sandbox import SqlSandbox
from connectors.sql.settings import ReadStream, SqlSettings
from tests.contract.sql.lab import (
    TIED,
    VISITS,
    Place,
    decoded,
    fill,
    keys,
    last_cursor,
    records,
    visits,
)
from threadline.sdk import ConfigError, Cursor, Intent, KeyOrder, RetryableError, Window
from threadline.testing.story import Ordered, Person, Registered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_shops_tables_become_records(place: Place) -> None:
    shop = place.shop()
    ana = Person(7, "Ana", "Lima", "ana@example.org", "030 901820", "ana")
    shop.tell(Registered(AT, "shop", ana, ("name", "email", "phone"), preferred_channel="voice"))
    shop.tell(Ordered(AT, "shop", ana, "A-1", (("K-2", "Kettle", 2, 2990), ("C-1", "Cup", 1, 5))))
    sql = place.sql(**shop.settings)

    (customer,) = records(sql.pull("customers", None))
    assert customer.pop("changed_at").endswith("Z")
    assert customer == {
        "customer_no": 100007, "first_name": "Ana", "last_name": "Lima", "email": "ana@example.org", "phone": "030 901820",
        "preferred_channel": "TEL", "preferred_by": "shop", "preferred_since": "2026-01-02T03:04:05Z", "entered_on": "2026-01-02T03:04:05Z",
        "row_version": 1, "street": "Alte Gasse 118", "zip": "62506", "town": "Grünau am Fließ", "country": "DE",
    }  # fmt: skip
    (order,) = records(sql.pull("orders", None))
    assert (order["total"], order["currency"], order["placed_at"], order["status_code"]) == ("59.85", "EUR", "2026-01-02T03:04:05Z", "OPN")
    lines = records(sql.pull("order_lines", None))
    assert [(line["order_no"], line["line_no"], line["unit_price"]) for line in lines] == [("A-1", 1, "29.90"), ("A-1", 2, "0.05")]


@pytest.mark.parametrize("page_size", [2, 3, 7, 1000])
def test_rows_with_equal_times_are_read_once_each(place: Place, page_size: int) -> None:
    fill(place, TIED)
    pages = list(place.sql(streams=VISITS, page_size=page_size).pull("visits", None))
    found = [key for page in pages for key in keys(decoded(page))]
    assert sorted(found) == sorted(TIED)
    assert all(len(page.records) <= page_size for page in pages)


def test_a_scan_goes_on_from_any_page(place: Place) -> None:
    fill(place, {**TIED, ("cc", 1): None, ("cc", 2): None, ("cc", 3): None})
    sql = place.sql(streams=VISITS, page_size=2)
    pages = list(sql.pull("visits", None))
    assert len(pages) >= 12
    for index, page in enumerate(pages[:-1]):
        rest = [key for later in pages[index + 1 :] for key in keys(decoded(later))]
        saved = msgspec.json.decode(msgspec.json.encode(page.cursor))
        resumed = keys(records(sql.pull("visits", saved)))
        # After the rest it reads what changed since; only the rows without a time are read again.
        assert resumed[: len(rest)] == rest
        assert {shop for shop, _ in resumed[len(rest) :]} <= {"cc"}


def test_nothing_is_read_again_when_nothing_changed(place: Place) -> None:
    fill(place, TIED)
    sql = place.sql(streams=VISITS)
    first = last_cursor(sql.pull("visits", None))
    again = list(sql.pull("visits", first))
    assert records(iter(again)) == []
    later = again[-1].cursor
    assert later is not None
    assert later["until"] > first["until"]


def test_a_change_is_read_even_behind_the_position_of_a_scan_that_stopped(place: Place) -> None:
    fill(place, TIED)
    sql = place.sql(streams=VISITS, page_size=4)
    stopped = next(sql.pull("visits", None))
    seen = keys(decoded(stopped))
    with place.engine.begin() as connection:
        now = Database(place.url, "UTC").now(connection).replace(tzinfo=None)
        connection.execute(sa.update(visits).where(visits.c.shop == seen[0][0], visits.c.number == seen[0][1]).values(changed_at=now))
    resumed = records(sql.pull("visits", stopped.cursor))
    assert set(keys(resumed)) | set(seen) == set(TIED)
    assert seen[0] in keys(resumed)


@pytest.mark.parametrize(("overlap", "read"), [(0, []), (5, [("late", 1)])])
def test_a_late_commit_is_read_within_the_overlap_only(place: Place, overlap: float, read: list[tuple[str, int]]) -> None:
    fill(place, TIED)
    sql = place.sql(streams=VISITS, overlap=overlap)
    cursor = last_cursor(sql.pull("visits", None))
    stamp = datetime.fromisoformat(cursor["until"]).replace(tzinfo=None) - timedelta(seconds=1)
    fill(place, {("late", 1): stamp})
    assert keys(records(sql.pull("visits", cursor))) == read


def test_rows_outside_of_time_are_read_with_every_pull(place: Place) -> None:
    timeless = {("never", 1): None, ("old", 2): datetime.fromisoformat("1899-12-31"), ("future", 3): datetime.fromisoformat("9999-12-31")}
    fill(place, {**TIED, **timeless})
    sql = place.sql(streams=VISITS)
    pages = list(sql.pull("visits", None))
    assert sorted(keys(records(iter(pages)))) == sorted([*TIED, *timeless])
    assert sorted(keys(records(sql.pull("visits", pages[-1].cursor)))) == sorted(timeless)


def test_a_table_with_nothing_but_rows_outside_of_time_is_read(place: Place) -> None:
    fill(place, {("never", number): None for number in range(5)})
    assert len(records(place.sql(streams=VISITS, page_size=2).pull("visits", None))) == 5


def test_without_changed_at_all_is_read_each_time(place: Place) -> None:
    fill(place, TIED)
    sql = place.sql(streams={"visits": {"table": "visits", "key": ["shop", "number"]}}, page_size=6)
    pages = list(sql.pull("visits", None))
    assert keys(records(iter(pages))) == sorted(TIED)
    assert keys(records(sql.pull("visits", pages[-1].cursor))) == sorted(TIED)
    # A scan that was broken off is finished; what changed meanwhile before its place is read by the next one.
    assert keys(records(sql.pull("visits", pages[0].cursor))) == [*sorted(TIED)[6:], *sorted(TIED)]


def test_streams_declare_how_they_are_read(on_sqlite: Place) -> None:
    timeless = {"codes": {"table": "codes", "key": ["code"]}}
    visited, codes = on_sqlite.sql(streams={**VISITS, **timeless}, overlap=7).available_streams()
    assert (visited.cursor, codes.cursor) == (Window("changed_at", timedelta(seconds=7), untimed=True), KeyOrder())


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"changed_at": "changed_at"}), ({"changed_at": "changed_at"}, {})],
    ids=["named", "named no more"],
)
def test_a_time_column_may_be_named_later_or_no_more(place: Place, before: dict[str, str], after: dict[str, str]) -> None:
    fill(place, TIED)
    table = {"table": "visits", "key": ["shop", "number"]}
    earlier = place.sql(streams={"visits": {**table, **before}}, page_size=6)
    later = place.sql(streams={"visits": {**table, **after}}, page_size=6)
    seen: set[tuple[str, int]] = set()
    for page in earlier.pull("visits", None):
        seen |= set(keys(decoded(page)))
        assert seen | set(keys(records(later.pull("visits", page.cursor)))) == set(TIED)


@pytest.mark.parametrize(
    "saved",
    [
        {"until": "2026-01-02T03:04:05Z", "since": None, "part": "changed", "at": [{"time": "soon"}, "aa", 1]},
        {"until": "2026-01-02T03:04:05Z", "since": None, "part": "changed", "at": [{"hour": "1"}, "aa", 1]},
        {"until": "2026-01-02T03:04:05"},
        {"until": 7},
        {"seq": 7},
    ],
)
def test_a_foreign_cursor_is_refused(on_sqlite: Place, saved: Cursor) -> None:
    fill(on_sqlite, TIED)
    with pytest.raises(ConfigError, match=r"the saved cursor is not one of a stream that is read by changed_at.*--full"):
        list(on_sqlite.sql(streams=VISITS).pull("visits", saved))


def test_a_query_is_a_stream(place: Place) -> None:
    fill(place, TIED)
    query = "SELECT shop, number, changed_at, 'a:b 50%' AS remark FROM visits WHERE shop LIKE 'a%' AND '12:30' > '0';"
    sql = place.sql(streams={"visits": {"query": query, "key": ["shop", "number"], "changed_at": "changed_at"}}, page_size=3)
    sql.check()
    found = records(sql.pull("visits", None))
    assert sorted(keys(found)) == sorted(key for key in TIED if key[0] == "aa")
    assert {record["remark"] for record in found} == {"a:b 50%"}


def test_only_the_columns_asked_for_leave_the_database(place: Place) -> None:
    shop = place.shop()
    shop.tell(Registered(AT, "shop", Person(1, "Ana", "Lima", "a@example.org", "1", "a"), ("name", "email")))
    declared = {"table": "customers", "key": ["customer_no"], "changed_at": "changed_at", "columns": ["first_name"]}
    (record,) = records(place.sql(streams={"customers": declared}).pull("customers", None))
    assert set(record) == {"customer_no", "changed_at", "first_name"}


def test_names_are_quoted(place: Place) -> None:
    odd = sa.Table(
        'we"ird; DROP TABLE x', sa.MetaData(), sa.Column("the key", sa.Integer, primary_key=True), sa.Column("select", sa.String(9))
    )
    odd.create(place.engine)
    with place.engine.begin() as connection:
        connection.execute(sa.insert(odd).values({"the key": 1, "select": "x"}))
    sql = place.sql(streams={"odd": {"table": odd.name, "key": ["the key"]}})
    assert records(sql.pull("odd", None)) == [{"the key": 1, "select": "x"}]


ORDERS = {"table": "orders", "key": ["order_no"], "changed_at": "changed_at"}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"streams": {"s": ORDERS | {"table": "order"}}}, r"streams\.s: no table or view named 'order'; did you mean orders"),
    (
        {"streams": {"s": ORDERS | {"table": "zzz"}}},
        r"no table or view named 'zzz'; there are: customer_notes, customers, order_lines, orders",
    ),
    ({"streams": {"s": ORDERS | {"key": ["ordr_no"]}}}, r"streams\.s: no column named 'ordr_no'; did you mean order_no"),
    ({"streams": {"s": ORDERS | {"columns": ["totl"]}}}, r"no column named 'totl'; did you mean total"),
    ({"streams": {"s": {"query": "SELECT nothing FROM orders", "key": ["a"]}}}, r"streams\.s: the database refuses the query: .*nothing"),
    ({"streams": {"s": {"query": "SELECT order_no FROM orders", "key": ["a"]}}}, r"no column named 'a'; there are: order_no"),
    (
        {"writes": {"w": {"table": "orders", "mode": "insert", "key": ["total"], "columns": ["currency"]}}},
        r"writes\.w: orders has no unique",
    ),
    ({"writes": {"w": {"table": "orders", "mode": "update", "key": ["order_no"], "columns": ["x"]}}}, r"writes\.w: no column named 'x'"),
]


@pytest.mark.parametrize(("settings", "message"), MISTAKES)
def test_check_names_what_is_missing_and_what_there_is(place: Place, settings: dict[str, Any], message: str) -> None:
    place.shop()
    with pytest.raises(ConfigError, match=message):
        place.sql(**settings).check()


def test_keys_that_tell_no_rows_apart_are_refused(place: Place) -> None:
    fill(place, TIED)
    declared = {"table": "visits", "key": ["shop"], "changed_at": "changed_at"}
    with pytest.raises(ConfigError, match=r"several rows have the same key \(shop\)"):
        records(place.sql(streams={"visits": declared}).pull("visits", None))
    with pytest.raises(ConfigError, match="several rows have the same key"):
        records(place.sql(streams={"visits": {"table": "visits", "key": ["shop"]}}, page_size=2).pull("visits", None))


def test_rows_without_a_key_are_refused(place: Place) -> None:
    fill(place, {("aa", 1): None})
    with pytest.raises(ConfigError, match="rows have no value in the column 'changed_at'"):
        records(place.sql(streams={"visits": {"table": "visits", "key": ["changed_at"]}}).pull("visits", None))


def test_a_changed_at_that_is_no_time_is_refused(on_sqlite: Place) -> None:
    on_sqlite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, version TEXT)", "INSERT INTO t VALUES (1, '19500')")
    with pytest.raises(ConfigError, match="changed_at 'version' holds str, not times"):
        records(on_sqlite.sql(streams={"t": {"table": "t", "key": ["id"], "changed_at": "version"}}).pull("t", None))


def test_unknown_streams_and_objects_are_refused(place: Place) -> None:
    sql = place.sql(streams=VISITS)
    with pytest.raises(ConfigError, match="no stream named 'visit' in the settings; declared: visits"):
        list(sql.pull("visit", None))
    with pytest.raises(ConfigError, match="no object named 'note' in the settings; declared: none"):
        list(sql.push("note", [Intent("1", "note", {})]))


def test_streams_and_objects_come_from_the_settings(tmp_path: Path) -> None:
    sql = Sql(SqlSettings.model_validate({"url": "sqlite://", **SqlSandbox(tmp_path).settings, "time_zone": "Europe/Berlin"}))
    assert [(each.name, each.key, each.mapping) for each in sql.available_streams()] == [
        ("customers", ("customer_no",), "sql/customers"),
        ("orders", ("order_no",), "sql/orders"),
        ("order_lines", ("order_no", "line_no"), "sql/order_lines"),
    ]
    assert [(each.name, each.repeat) for each in sql.available_objects()] == [("note", "key"), ("preference", "upsert")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_zone": "Mars/Base"}, "no time zone named 'Mars/Base'"),
        ({"streams": {"s": {"key": ["a"]}}}, "give either table or query"),
        ({"streams": {"s": {"table": "t", "query": "q", "key": ["a"]}}}, "give either table or query"),
        ({"streams": {"s": {"table": "t", "key": []}}}, "at least 1 item"),
    ],
)
def test_settings_are_checked_when_they_are_read(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SqlSettings.model_validate({"url": "sqlite://", **settings})


def test_a_wrong_setting_is_told_without_the_password() -> None:
    with pytest.raises(ValueError, match="Input should be a valid string") as raised:
        SqlSettings.model_validate({"url": ["postgresql://u:s3cret@h/x"]})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "postgresql://u:s3cret@127.0.0.1:9/x",
            RetryableError,
            r"postgresql database x at 127.0.0.1:9 cannot be reached; check host and port",
        ),
        ("postgres://u:s3cret@nowhere.invalid/x?__extra__=%7B%7D", RetryableError, "at nowhere.invalid cannot be reached"),
        ("sqlite:////nowhere/s3cret.db", ConfigError, "there is no SQLite file"),
        ("nosuch://u:s3cret@h/x", ConfigError, "no database kind 'nosuch'"),
        ("s3cret", ConfigError, "not a database URL"),
        ("firebird://u:s3cret@h/x", ConfigError, "no database kind 'firebird'"),
        ("oracle://u:s3cret@h/x", ConfigError, "the driver oracledb of oracle is not installed: pip install oracledb"),
    ],
)
def test_wrong_addresses_are_told_without_the_password(url: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        Sql(SqlSettings.model_validate({"url": url})).check()
    if not url.startswith("sqlite"):
        assert "s3cret" not in str(raised.value)


def test_an_airflow_connection_to_a_file_is_understood(on_sqlite: Place) -> None:
    file = on_sqlite.url.removeprefix("sqlite:///").replace("/", "%2F")
    Sql(SqlSettings.model_validate({"url": f"sqlite://{file}/?__extra__=%7B%7D"})).check()


@pytest.mark.postgres
def test_a_wrong_password_is_told_from_a_server_that_is_away(on_postgresql: Place) -> None:
    configured = Path(on_postgresql.scalar("SHOW hba_file"))
    configured.write_text("local all legacy scram-sha-256\n" + configured.read_text())
    on_postgresql.run("CREATE ROLE legacy LOGIN PASSWORD 'right'")
    assert on_postgresql.scalar("SELECT pg_reload_conf()")
    url = sa.make_url(on_postgresql.url)
    for wrong in (url.set(username="legacy", password="s3cret"), url.set(username="nobody"), url.set(database="nothing")):
        with pytest.raises(ConfigError, match="refused the connection: check user, password and database name") as raised:
            Sql(SqlSettings.model_validate({"url": wrong.render_as_string(hide_password=False)})).check()
        assert "s3cret" not in str(raised.value)


@pytest.mark.postgres
def test_a_table_that_may_not_be_read_is_named(on_postgresql: Place) -> None:
    fill(on_postgresql, TIED)
    reader = on_postgresql.scalar("SELECT current_schema()")
    on_postgresql.run(f"CREATE ROLE {reader} LOGIN", f"GRANT USAGE ON SCHEMA {reader} TO {reader}")
    url = sa.make_url(on_postgresql.url).set(username=reader).render_as_string(hide_password=False)
    with pytest.raises(ConfigError, match=r"refused a statement \(InsufficientPrivilege\)"):
        list(Sql(SqlSettings.model_validate({"url": url, "streams": VISITS})).pull("visits", None))


@pytest.mark.postgres
def test_a_lost_connection_is_retryable_and_loses_nothing(on_postgresql: Place) -> None:
    fill(on_postgresql, TIED)
    sql = on_postgresql.sql(streams=VISITS, page_size=3)
    pages = sql.pull("visits", None)
    first = next(pages)
    killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert on_postgresql.scalar(killed) == 1
    with pytest.raises(RetryableError, match="failed while it was used"):
        next(pages)
    rest = records(sql.pull("visits", first.cursor))
    assert sorted([*keys(decoded(first)), *keys(rest)]) == sorted(TIED)


@pytest.mark.postgres
def test_every_type_has_a_form_in_json(on_postgresql: Place) -> None:
    on_postgresql.run(
        """CREATE TABLE kinds (id uuid PRIMARY KEY, amount numeric(20,6), odd numeric, ratio float8, flag bool, data bytea, day date,
           clock time, local timestamp, instant timestamptz, doc jsonb, tags text[], addr inet, span interval, none text)""",
        r"""INSERT INTO kinds VALUES ('6f1f0a0e-1111-4222-8333-444455556666', 12.500000, 'NaN', '-Infinity', true, '\x00ff', '2026-02-28',
           '12:30:00',
           '2026-07-01 12:00:00.123456', '2026-07-01 12:00:00.5+02', '{"a": [1, {"b": 1.5}]}', '{x,y}', '10.0.0.1', '26:00:01', null)""",
    )
    sql = on_postgresql.sql(streams={"kinds": {"table": "kinds", "key": ["id"]}}, time_zone="Europe/Berlin")
    assert records(sql.pull("kinds", None)) == [
        {
            "id": "6f1f0a0e-1111-4222-8333-444455556666", "amount": "12.500000", "odd": "NaN", "ratio": "-Infinity", "flag": True,
            "data": base64.b64encode(b"\x00\xff").decode(), "day": "2026-02-28", "clock": "12:30:00",
            "local": "2026-07-01T10:00:00.123456Z", "instant": "2026-07-01T10:00:00.500000Z", "doc": {"a": [1, {"b": 1.5}]},
            "tags": ["x", "y"], "addr": "10.0.0.1", "span": "26:00:01", "none": None,
        }
    ]  # fmt: skip


@pytest.mark.postgres
def test_a_value_that_the_driver_cannot_read_costs_one_row(on_postgresql: Place) -> None:
    on_postgresql.run(
        "CREATE TABLE parcels (id int PRIMARY KEY, sent timestamp, note text)",
        "INSERT INTO parcels SELECT n, timestamp '2026-01-01', 'fine' FROM generate_series(1, 5) n",
        "UPDATE parcels SET sent = 'infinity' WHERE id = 3",
        "UPDATE parcels SET sent = '0044-03-15 BC' WHERE id = 4",
    )
    pages = list(on_postgresql.sql(streams={"parcels": {"table": "parcels", "key": ["id"]}}, page_size=2).pull("parcels", None))
    assert [record["id"] for record in records(iter(pages))] == [1, 2, 5]
    rejected = [each for page in pages for each in page.rejected]
    assert [(each.key, msgspec.json.decode(each.raw)) for each in rejected] == [
        ("3", {"id": 3, "note": "fine"}),
        ("4", {"id": 4, "note": "fine"}),
    ]
    assert "cannot read the value of sent" in rejected[0].reason


@pytest.mark.postgres
def test_a_kind_without_a_form_in_json_is_rejected_with_the_row(on_postgresql: Place) -> None:
    on_postgresql.run("CREATE TABLE r (id int PRIMARY KEY, span int4range)", "INSERT INTO r VALUES (1, '[1,5)'), (2, null)")
    (page,) = on_postgresql.sql(streams={"r": {"table": "r", "key": ["id"]}}).pull("r", None)
    assert decoded(page) == [{"id": 2, "span": None}]
    assert page.rejected[0].key == "1"
    assert "values of type Range have no form in JSON; leave the column out, or CAST it" in page.rejected[0].reason


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["timestamptz", "date"])
def test_windows_are_written_as_the_column_writes_time(on_postgresql: Place, kind: str) -> None:
    on_postgresql.run(
        f"CREATE TABLE t (id int PRIMARY KEY, changed {kind})",
        "INSERT INTO t SELECT n, now() - interval '3 days' FROM generate_series(1, 5) n",
        "INSERT INTO t VALUES (6, now()), (7, 'infinity'), (8, '-infinity')",
    )
    sql = on_postgresql.sql(streams={"t": {"table": "t", "key": ["id"], "changed_at": "changed", "columns": ["id"]}}, page_size=2)
    pages = list(sql.pull("t", None))
    assert [record["id"] for record in records(iter(pages))] == [1, 2, 3, 4, 5, 6]
    # The driver cannot read PostgreSQL's infinite times.
    assert [each.key for page in pages for each in page.rejected] == ["7", "8"]
    again = [record["id"] for record in records(sql.pull("t", pages[-1].cursor))]
    # A date says no more than the day, so the day is read again.
    assert again == ([6] if kind == "date" else [])


def scan(place: Place, zone: str, now: str, saved: Cursor | None, overlap: float = 0) -> list[dict[str, Any]]:
    database = Database(place.url, zone)
    with database.reading() as connection:
        relation = readable(connection, "streams.visits", ReadStream.model_validate(VISITS["visits"]), None)
        reading = Reading(connection, relation, Records(relation, database.zone), 100, lambda: datetime.fromisoformat(now))
        return records(Scanner(reading, Window("changed_at", timedelta(seconds=overlap), untimed=True)).pages(saved))


def test_the_end_of_summer_time_loses_nothing(place: Place) -> None:
    # In Berlin 02:00 to 03:00 ran twice on 26 October 2025: until 01:00 UTC as summer time, then as winter time.
    fill(place, {("before", 1): datetime.fromisoformat("2025-10-26 02:49")})
    saved = {"until": "2025-10-26T00:50:00+00:00"}
    fill(place, {("second", 2): datetime.fromisoformat("2025-10-26 02:05")})
    found = scan(place, "Europe/Berlin", "2025-10-26T01:30:00+00:00", saved)
    assert ("second", 2) in keys(found)
    assert {record["changed_at"] for record in found if record["shop"] == "second"} == {"2025-10-26T00:05:00Z"}


def test_local_times_are_compared_as_local_times(place: Place) -> None:
    fill(place, {("before", 1): datetime.fromisoformat("2026-07-01 11:59"), ("after", 2): datetime.fromisoformat("2026-07-01 12:01")})
    found = scan(place, "Europe/Berlin", "2026-07-01T11:00:00+00:00", {"until": "2026-07-01T10:00:00+00:00"})
    assert [(record["shop"], record["changed_at"]) for record in found] == [("after", "2026-07-01T10:01:00Z")]


def test_sqlite_texts_stay_what_they_are(on_sqlite: Place) -> None:
    on_sqlite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, paid BOOLEAN, price DECIMAL(8,2), at DATETIME, day DATE, changed_at TEXT)",
        "INSERT INTO t VALUES (1, 'fine', 1, 12.5, '2026-01-02 03:04:05', '2026-01-02', '2026-01-02 03:04:05')",
        "INSERT INTO t VALUES (2, 'odd', 7, 'free', '2026-02-31 25:00:00', '0000-00-00', '2026-01-02T03:04:05Z')",
        "INSERT INTO t VALUES (3, CAST(x'4AFC72' AS TEXT), 0, 1, '0000-00-00 00:00:00', null, '2026-01-03')",
    )
    declared = {"t": {"table": "t", "key": ["id"], "changed_at": "changed_at"}}
    pages = list(on_sqlite.sql(streams=declared, page_size=2).pull("t", None))
    fine, odd = records(iter(pages))
    assert (fine["paid"], fine["price"], fine["at"], fine["day"]) == (True, "12.50", "2026-01-02T03:04:05Z", "2026-01-02")
    assert (odd["paid"], odd["price"], odd["at"], odd["day"]) == (7, "free", "2026-02-31 25:00:00", None)
    ((rejected,),) = [page.rejected for page in pages if page.rejected]
    assert rejected.key == "3"
    assert b'"J\xfcr"' in rejected.raw
    assert rejected.reason == "a text is not valid UTF-8; correct it in the database"


def test_sqlite_times_in_both_spellings_are_seen(on_sqlite: Place) -> None:
    on_sqlite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, changed_at TEXT)", "INSERT INTO t VALUES (1, '2026-01-02 03:04:05')")
    sql = on_sqlite.sql(streams={"t": {"table": "t", "key": ["id"], "changed_at": "changed_at"}})
    cursor = last_cursor(sql.pull("t", None))
    on_sqlite.run("INSERT INTO t VALUES (2, strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', 'now')), (3, datetime('now', '+1 second'))")
    assert {record["id"] for record in records(sql.pull("t", cursor))} >= {2, 3}


@pytest.mark.slow
def test_mariadb_instants_spans_and_zero_dates(on_mariadb: Place) -> None:
    on_mariadb.run(
        """CREATE TABLE t (id int PRIMARY KEY, instant timestamp(6) NULL, local datetime(6), day date,
           span time, flag bool, price decimal(8,2))""",
        "SET time_zone = '+05:00'",
        "INSERT INTO t VALUES (1, '2026-07-01 15:00:00.5', '2026-07-01 12:00:00.5', '2026-07-01', '26:00:01', true, 7)",
        "SET sql_mode = ''",
        "INSERT INTO t VALUES (2, null, '0000-00-00', '0000-00-00', null, null, null)",
    )
    declared = {"t": {"table": "t", "key": ["id"], "changed_at": "instant"}}
    one, none = records(on_mariadb.sql(streams=declared, time_zone="Europe/Berlin").pull("t", None))
    assert one == {
        "id": 1, "instant": "2026-07-01T10:00:00.500000Z", "local": "2026-07-01T10:00:00.500000Z", "day": "2026-07-01",
        "span": "26:00:01", "flag": 1, "price": "7.00",
    }  # fmt: skip
    assert (none["instant"], none["local"], none["day"]) == (None, None, None)


@pytest.mark.slow
def test_mariadb_refusals_are_told_from_silence(on_mariadb: Place) -> None:
    url = sa.make_url(on_mariadb.url)
    for wrong in (url.set(password="s3cret"), url.set(database="nothing_here")):
        with pytest.raises(ConfigError, match="refused the connection"):
            Sql(SqlSettings.model_validate({"url": wrong.render_as_string(hide_password=False)})).check()
    with pytest.raises(RetryableError, match="cannot be reached"):
        Sql(SqlSettings.model_validate({"url": url.set(port=9).render_as_string(hide_password=False)})).check()
