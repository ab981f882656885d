"""The own binding of libpq does what psycopg does: each is held against the other, and against what was put in."""

import ctypes
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.zendesk.sandbox import ZendeskSandbox
from tests.architecture.test_speed import UNUSED_BY_A_PULL, modules_of
from threadline.sdk import ConfigError, RetryableError
from threadline.store import driver, libpq_library
from threadline.store.driver import Connection, PostgresError, connect
from threadline.store.libpq import LibpqConnection
from threadline.store.postgres import PostgresDatabase
from threadline.store.psycopg3 import PsycopgConnection
from threadline.store.schema import Column

pytestmark = pytest.mark.postgres

DRIVERS: dict[str, Callable[[str], Connection]] = {"libpq": LibpqConnection, "psycopg": PsycopgConnection}
KINDS = {"id": "bytea", "text": "text", "integer": "int8", "real": "float8", "boolean": "bool", "time": "timestamptz", "date": "date"}
KINDS |= {"json": "text", "bytes": "bytea"}
COLUMNS = [Column(f"a_{kind}", kind, nullable=True) for kind in KINDS]
LOAD = f"COPY every_kind (n, {', '.join(column.name for column in COLUMNS)}) FROM STDIN (FORMAT BINARY)"
READ = f"SELECT {', '.join(column.name for column in COLUMNS)} FROM every_kind ORDER BY n"

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.binary(min_size=16, max_size=16),
    "text": texts,
    "integer": st.integers(-(2**63), 2**63 - 1) | st.integers(-40_000, 40_000),
    "real": st.floats(),
    "boolean": st.booleans(),
    "time": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC) | offsets),  # noqa: DTZ001
    "date": st.dates(),
    "json": texts,
    "bytes": st.binary(),
}
rows = st.lists(st.tuples(*(st.none() | VALUES[kind] for kind in KINDS)), min_size=1, max_size=12)


def exact(value: Any) -> Any:
    """Tell NaN, -0.0 and types apart or together as a store must."""
    return (type(value), "nan" if value != value else value, math.copysign(1, value)) if isinstance(value, float) else (type(value), value)


def seen(found: Any) -> list[list[Any]]:
    return [[exact(value) for value in row] for row in found]


@pytest.fixture(scope="module")
def url(postgres_server) -> str:
    address = postgres_server.database(migrated=False)
    columns = ", ".join(f"{column.name} {KINDS[column.kind]}" for column in COLUMNS)
    connection = LibpqConnection(address)
    connection.execute(f"CREATE TABLE every_kind (n int8 PRIMARY KEY, {columns})", [])
    connection.close()
    return address


@pytest.fixture(params=DRIVERS)
def opened(request, url) -> Iterator[Connection]:
    connection = DRIVERS[request.param](url)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def pair(url) -> Iterator[dict[str, Connection]]:
    with ExitStack() as stack:
        connections = {name: make(url) for name, make in DRIVERS.items()}
        for connection in connections.values():
            stack.callback(connection.close)
        yield connections


def load(connection: Connection, given_rows: list[tuple[Any, ...]]) -> None:
    connection.execute("DELETE FROM every_kind", [])
    connection.copy(LOAD, [Column("n", "integer"), *COLUMNS], [(number, *row) for number, row in enumerate(given_rows)])


@contextmanager
def interrupted(after: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Values


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows)
def test_what_either_loads_both_read_as_it_was(pair, values):
    for writer in pair.values():
        load(writer, values)
        for reader in pair.values():
            assert seen(reader.query(READ, [])) == seen(values)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows.map(lambda several: several[0]))
def test_parameters_come_back_as_they_were(pair, values):
    sql = f"SELECT {', '.join(f'?::{kind}' for kind in KINDS.values())}"
    for connection in pair.values():
        assert seen(connection.query(sql, values)) == seen([values])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.tuples(st.just("bytea"), st.lists(VALUES["id"]) | st.lists(VALUES["bytes"]))
    | st.tuples(st.just("text"), st.lists(texts))
    | st.tuples(st.just("int8"), st.lists(VALUES["integer"]))
)
def test_lists_become_arrays(pair, typed):
    kind, items = typed
    for connection in pair.values():
        assert connection.query(f"SELECT one FROM unnest(?::{kind}[]) one", [items]) == [(item,) for item in items]
        assert connection.query("SELECT 1 WHERE NOT ?::bytea = ANY(?)", [b"other, of 17 byte", [b"x" * 16]]) == [(1,)]


def one_of_many(n: int) -> tuple[Any, ...]:
    """A row of many: a column's values are all the same, few, many, some NULL, of one width or of several."""
    time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=n)
    return b"%016d" % n, "same", n, -0.0 if n == 1 else 0.0, n % 3 == 0, time, date(2026, 1, 1), f"{n % 70:03}", b"\0" * (n % 4)


def another_of_many(n: int) -> tuple[Any, ...]:
    values = b"same" * 4, "ż" * (n % 40), None, [0.0, None, -0.0, math.nan][n % 4], None, None, None, ["few", None, "values"][n % 3], None
    return (*values[:5], one_of_many(n)[5] if n % 5 else None, *values[6:])


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 1_100])
@pytest.mark.parametrize("make", [one_of_many, another_of_many])
def test_any_number_of_rows_is_loaded(opened, size, make):
    values = [make(n) for n in range(size)]
    load(opened, values)
    assert seen(opened.query(READ, [])) == seen(values)


def test_more_than_any_buffer_holds_goes_through(opened):
    values = [(None, "ż" * 20_000, n, None, None, None, None, None, bytes(20_000)) for n in range(600)]
    load(opened, values)
    assert opened.query("SELECT count(*), sum(octet_length(a_text)), min(octet_length(a_bytes)) FROM every_kind", []) == [
        (600, 600 * 40_000, 20_000)
    ]


@pytest.mark.parametrize("sum_of", [0, 1, -1, 9_999, 10_000, 123_456_789, -(2**63), 2**64])
def test_sums_are_read(opened, sum_of):
    assert opened.query(f"SELECT ({sum_of})::numeric, 0.5::numeric", []) == [(sum_of, 0.5)]


def test_other_types_that_statements_here_return_are_read(opened):
    row = opened.query("SELECT 1::int2, 2::int4, 3::oid, 4.5::float4, 'five'::name, 'six'::varchar, 'seven', NULL, ''", [])
    assert row == [(1, 2, 3, 4.5, "five", "six", "seven", None, "")]


@pytest.mark.parametrize("value", ["'infinity'::timestamptz", "'-infinity'::timestamptz", "'infinity'::date", "'-infinity'::date"])
def test_a_time_without_end_is_refused(opened, value):
    with pytest.raises(PostgresError):
        opened.query(f"SELECT {value}", [])
    assert opened.query("SELECT 1", []) == [(1,)]


def test_a_type_that_is_not_read_is_named(url):
    connection = LibpqConnection(url)
    with pytest.raises(PostgresError, match=r"OID 869.*cast it"):
        connection.query("SELECT '127.0.0.1'::inet", [])
    connection.close()


@pytest.mark.parametrize("value", [object(), [object()], 2**63, {}], ids=["object", "list", "large", "dict"])
def test_what_has_no_type_is_no_parameter(url, value):
    connection = LibpqConnection(url)
    with pytest.raises((TypeError, PostgresError)):
        connection.query("SELECT ?", [value])
    assert connection.query("SELECT 1", []) == [(1,)]
    connection.close()


# Failures


@pytest.mark.parametrize(("bad", "error"), [("\ud800", UnicodeEncodeError), ("a\0", PostgresError)], ids=["half a surrogate pair", "NUL"])
def test_a_text_that_is_none_is_refused_and_the_connection_stays_usable(opened, bad, error):
    row = [None] * len(COLUMNS)
    for place in (0, 700):
        values = [(None, "good", *row[2:]) for _ in range(900)]
        values[place] = (None, bad, *row[2:])
        with pytest.raises(error):
            load(opened, values)
        assert opened.query(READ, []) == []
    with pytest.raises(error):
        opened.query("SELECT ?::text", [bad])
    load(opened, [(None, "good", *row[2:])])


@pytest.mark.parametrize(("kind", "value"), [("integer", 2**63), ("text", 1), ("time", "now"), ("boolean", "yes"), ("id", 5)])
def test_a_value_of_another_kind_names_its_column_only(url, kind, value):
    connection = LibpqConnection(url)
    row = tuple(value if column.kind == kind else None for column in COLUMNS)
    with pytest.raises(TypeError, match=f'^"a_{kind}" takes {kind}'):
        load(connection, [row])
    load(connection, [(None,) * len(COLUMNS)])
    connection.close()


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("INSERT INTO every_kind (n) VALUES (0), (0)", "23505"),
        ("SELECT 1 / (SELECT 0)", "22012"),
        ("SELECT nothing FROM nowhere", "42P01"),
        ("SELEC 1", "42601"),
        ("SELECT chr(0)", "54000"),
    ],
)
def test_errors_carry_their_code_and_no_row(opened, sql, code):
    for _ in range(7):
        with pytest.raises(PostgresError) as caught:
            opened.execute(sql, [])
        assert caught.value.code == code
        assert "\n" not in str(caught.value)
        assert "(0)" not in str(caught.value)
    assert opened.query("SELECT 1", []) == [(1,)]


def test_a_key_that_is_there_fails_the_load(opened):
    load(opened, [(None,) * len(COLUMNS)])
    with pytest.raises(PostgresError) as caught:
        opened.copy("COPY every_kind (n) FROM STDIN (FORMAT BINARY)", [Column("n", "integer")], [(n,) for n in range(5_000, -1, -1)])
    assert caught.value.code == "23505"
    assert opened.query("SELECT count(*) FROM every_kind", []) == [(1,)]


def test_a_transaction_that_cannot_be_put_in_sequence_says_so(opened, pair):
    other = pair["psycopg"]
    load(other, [(None,) * len(COLUMNS)])
    opened.execute("BEGIN ISOLATION LEVEL REPEATABLE READ", [])
    opened.query("SELECT count(*) FROM every_kind", [])
    other.execute("UPDATE every_kind SET a_text = ?", ["theirs"])
    with pytest.raises(PostgresError) as caught:
        opened.execute("UPDATE every_kind SET a_text = ?", ["mine"])
    assert caught.value.code == "40001"
    opened.execute("ROLLBACK", [])


def test_a_connection_that_the_server_ends_is_lost_for_good(opened):
    with pytest.raises(PostgresError) as caught:
        opened.query("SELECT pg_terminate_backend(pg_backend_pid())", [])
    assert caught.value.code[:2] in ("57", "08")
    assert opened.closed
    for use in (lambda: opened.query("SELECT 1", []), lambda: load(opened, [])):
        with pytest.raises(PostgresError) as caught:
            use()
        assert caught.value.code == driver.LOST
    opened.close()
    opened.close()


def test_an_interrupt_ends_the_wait_for_a_lock(opened, pair):
    pair["psycopg"].query("SELECT pg_advisory_lock(7)::text", [])
    try:
        with pytest.raises(KeyboardInterrupt), interrupted(0.1):
            opened.query("SELECT pg_advisory_lock(7)::text", [])
        assert opened.query("SELECT 1", []) == [(1,)]
    finally:
        pair["psycopg"].query("SELECT pg_advisory_unlock(7)", [])


def test_an_interrupt_ends_a_load_that_waits_for_another(opened, pair):
    other = pair["psycopg"]
    load(other, [])
    other.execute("BEGIN", [])
    other.execute("INSERT INTO every_kind (n) VALUES (?)", [3])
    try:
        with pytest.raises(KeyboardInterrupt), interrupted(0.2):
            # More than the server's and the sockets' buffers hold: it stops taking them.
            opened.copy(LOAD, [Column("n", "integer"), *COLUMNS], [(n, None, "x" * 9_000, *[None] * 7) for n in range(2_000)])
    finally:
        other.execute("ROLLBACK", [])
    assert opened.query("SELECT count(*) FROM every_kind", []) == [(0,)]


def test_a_process_that_was_forked_ends_without_taking_the_connection_along(url):
    code = """
import os, sys
from threadline.store.driver import connect
connection = connect(sys.argv[1])
if child := os.fork():
    os.waitpid(child, 0)
    assert connection.query("SELECT 1", []) == [(1,)]
    connection.close()
"""
    for choice in DRIVERS:
        subprocess.run([sys.executable, "-c", code, url], check=True, env={**os.environ, driver.CHOICE: choice})


# Statements


def test_a_statement_that_comes_again_takes_other_types_and_a_changed_table(opened):
    opened.execute("CREATE TEMP TABLE grown (n int8, t text)", [])
    for value in (1, None, 70_000, 2**40, -1, 3, *range(20)):
        assert opened.execute("INSERT INTO grown (n) VALUES (?)", [value]) == 1
    opened.execute("ALTER TABLE grown ADD COLUMN later text DEFAULT 'x'", [])
    assert opened.execute("INSERT INTO grown (n) VALUES (?)", [5]) == 1
    assert opened.query("SELECT count(n), count(*) FROM grown WHERE later = ?", ["x"]) == [(26, 27)]


def test_more_statements_than_are_prepared_are_run(opened):
    for number in range(130):
        for _ in range(6):
            assert opened.query(f"SELECT {number} + ?", [1]) == [(number + 1,)]


def test_the_servers_notices_are_not_shown(url, capfd):
    connection = LibpqConnection(url)
    for _ in range(2):
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS told AS SELECT 1 AS one", [])
    connection.close()
    assert capfd.readouterr() == ("", "")


# Choice and addresses


def test_libpq_is_used_unless_psycopg_is_asked_for(url, monkeypatch):
    for choice, expected in (("", LibpqConnection), ("libpq", LibpqConnection), ("psycopg", PsycopgConnection)):
        monkeypatch.setenv(driver.CHOICE, choice)
        connection = connect(url)
        assert type(connection) is expected, "a libpq whose layout is not known yet? see threadline.store.libpq_library"
        connection.close()
    monkeypatch.setenv(driver.CHOICE, "odbc")
    with pytest.raises(ConfigError, match="'odbc': use libpq or psycopg"):
        connect(url)


def test_psycopg_is_used_where_there_is_no_libpq_that_is_known(url, monkeypatch):
    monkeypatch.delenv(driver.CHOICE, raising=False)
    monkeypatch.setattr(libpq_library, "library", lambda: None)
    connection = connect(url)
    assert type(connection) is PsycopgConnection
    connection.close()
    monkeypatch.setenv(driver.CHOICE, "libpq")
    with pytest.raises(ConfigError, match="no libpq from 14 to 18 is installed"):
        connect(url)


class ColumnsFirst(ctypes.Structure):
    _fields_ = (("columns", ctypes.c_int), ("rows", ctypes.c_int), ("descriptions", ctypes.c_void_p), ("values", ctypes.c_void_p))


@pytest.mark.parametrize(
    ("name", "other"),
    [("_in_wheel", lambda: "nowhere/libpq.so"), ("_VERSIONS", range(190_000, 200_000)), ("_Result", ColumnsFirst)],
    ids=["no library", "a later release", "another layout"],
)
def test_a_libpq_is_not_used_that_is_not_known(monkeypatch, name, other):
    assert libpq_library.library.__wrapped__() is not None
    monkeypatch.setattr(libpq_library, name, other)
    assert libpq_library.library.__wrapped__() is None


def test_a_pull_imports_no_more_than_it_uses(postgres_server, tmp_path):
    with ZendeskSandbox() as desk:
        sources = {"desk": {"connector": "zendesk", "settings": desk.settings}}
        (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": sources}))
        environment = {f"THREADLINE_DESK_{name.upper()}": value for name, value in desk.secrets.items()}
        environment |= {"THREADLINE_DATABASE_URL": postgres_server.database(), driver.CHOICE: "", "XDG_CACHE_HOME": str(tmp_path / "cache")}
        pull = ("pull", "desk", "--stream", "users", "--json")
        assert "ruamel.yaml" in modules_of(tmp_path, environment, *pull), "the mapping files are parsed"
        assert modules_of(tmp_path, environment, *pull) & UNUSED_BY_A_PULL == set()


@pytest.mark.parametrize("choice", DRIVERS)
@pytest.mark.parametrize(
    ("address", "error", "words"),
    [
        ("postgresql://u:s3cret@127.0.0.1:1/none", RetryableError, "PostgreSQL cannot be used: .*refused"),
        ("postgresql://u:s3cret@[bad/none", ConfigError, "is not a PostgreSQL address"),
        ("postgresql://u:s3cret@127.0.0.1:1/none?colour=s3cret", ConfigError, "is not a PostgreSQL address"),
        ("postgresql://u:s3cret@127.0.0.1:1/none?sslmode=odd", ConfigError, "PostgreSQL cannot be used: .*sslmode"),
    ],
)
def test_what_cannot_be_connected_to_is_told_without_the_password(monkeypatch, choice, address, error, words):
    monkeypatch.setenv(driver.CHOICE, choice)
    with pytest.raises(error, match=words) as caught:
        PostgresDatabase(address)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_address_that_a_nul_would_cut_is_none():
    with pytest.raises(driver.AddressError):
        LibpqConnection("postgresql://u@127.0.0.1:1/no\0ne")
