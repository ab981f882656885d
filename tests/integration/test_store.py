"""Both databases keep what they are given, in the same way."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from threadline.model.ids import entity_id
from threadline.sdk import RetryableError
from threadline.store import schema
from threadline.store.database import Database, distinct, moment, open_database

NOW = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
SIZES = [0, 1, 49, 50, 60, 7_000]


def attachment(number: int, version: int = 1) -> tuple[Any, ...]:
    return (entity_id("test", "file", str(number)), version, b"", NOW)


def order(number: str, **changes: Any) -> tuple[Any, ...]:
    given = {"id": entity_id("test", "order", number), "source": "test", "external_id": number, "number": number, "order_date": NOW}
    return tuple((given | {"mapping": ""} | changes).get(column.name) for column in schema.ORDERS.columns)


def stored(database: Database, what: str, table: str) -> list[tuple[Any, ...]]:
    with database.read() as transaction:
        return transaction.query(f'SELECT {what} FROM "{table}"')


@pytest.mark.parametrize("size", SIZES)
def test_insert_adds_what_is_not_there_and_leaves_what_is(database, size):
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, [attachment(number, 1) for number in range(0, size, 2)])
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, [attachment(number, 2) for number in range(size)])
    versions = dict(stored(database, "digest, size", "attachments"))
    assert versions == {attachment(number)[0]: 1 + number % 2 for number in range(size)}


@pytest.mark.parametrize("size", SIZES)
def test_upsert_replaces_what_is_there(database, size):
    with database.write() as transaction:
        transaction.upsert(schema.ATTACHMENTS, [attachment(number, 1) for number in range(0, size, 2)])
        transaction.upsert(schema.ATTACHMENTS, [attachment(number, 2) for number in range(size)])
    assert dict(stored(database, "digest, size", "attachments")) == {attachment(number)[0]: 2 for number in range(size)}


@pytest.mark.parametrize("size", [3, 60])
def test_loading_the_same_table_twice_in_one_transaction_keeps_both(database, size):
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, [attachment(number) for number in range(size)])
        transaction.upsert(schema.ATTACHMENTS, [attachment(number, 2) for number in range(size, 2 * size)])
        assert len(transaction.query("SELECT digest FROM attachments")) == 2 * size


def test_insert_ignores_a_key_that_occurs_twice_in_one_call(database):
    rows = [attachment(number % 40, number) for number in range(80)]
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, rows)
    assert {row[0] for row in stored(database, "digest", "attachments")} == {attachment(number)[0] for number in range(40)}


@pytest.mark.parametrize("size", SIZES)
def test_query_in_and_execute_in_take_any_number_of_keys(database, size):
    keys = [attachment(number)[0] for number in range(size)]
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, [attachment(number, number) for number in range(7_000)])
        found = transaction.query_in("SELECT digest FROM attachments WHERE size >= ? AND digest {keys}", keys, [1])
        assert sorted(found) == sorted((key,) for key in keys[1:])
        transaction.execute_in("DELETE FROM attachments WHERE digest {keys}", keys)
        assert transaction.query("SELECT count(*) FROM attachments") == [(7_000 - size,)]


@pytest.mark.parametrize("size", [1, 60])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "Zoë 💜 Łukasz",
        "\u202eright to left\u200f",
        "e\u0301 \ufeff \uffff \U0010ffff",
        "a'b\"c\\d%_?;--",
        "line\r\n\ttab\x01\x7f",
    ],
    ids=ascii,
)
def test_text_comes_back_as_it_was(database, size, text):
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order(str(number), state=text) for number in range(size)])
    assert stored(database, "DISTINCT state", "orders") == [(text,)]


@pytest.mark.parametrize("size", [1, 60])
def test_a_nul_in_a_text_costs_at_most_itself(database, size):
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order(str(number), state="a\0b") for number in range(size)])
    assert stored(database, "DISTINCT state", "orders")[0][0] in ("a\0b", "a\ufffdb")


def test_a_nul_in_what_is_asked_finds_nothing_and_breaks_nothing(database):
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order("1")])
        assert transaction.query('SELECT id FROM orders WHERE "number" = ?', ["1\0"]) == []
        assert transaction.query_in('SELECT id FROM orders WHERE "number" {keys}', ["1\0", "2\0"]) == []
        assert transaction.execute('UPDATE orders SET state = ? WHERE "number" = ?', ["a\0", "2"]) == 0


@pytest.mark.parametrize("size", [1, 60])
@pytest.mark.parametrize(
    "when",
    [
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        NOW,
        NOW.astimezone(timezone(timedelta(hours=-9, minutes=-30))),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=str,
)
def test_times_come_back_to_the_microsecond_in_utc(database, size, when):
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order(str(number), order_date=when) for number in range(size)])
    (found,) = {moment(row[0]) for row in stored(database, "order_date", "orders")}
    assert found == when
    assert found is not None
    assert found.utcoffset() == timedelta(0)


def test_times_are_compared_and_sorted_as_times(database):
    times = [NOW + timedelta(microseconds=number) for number in (-1, 0, 1)]
    # The same instants, written at three offsets: text would sort them otherwise.
    written = [when.astimezone(timezone(timedelta(hours=hours))) for when, hours in zip(times, (5, 0, -5), strict=True)]
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order(str(number), order_date=when) for number, when in enumerate(written)])
        assert transaction.query("SELECT external_id FROM orders ORDER BY order_date") == [("0",), ("1",), ("2",)]
        assert transaction.query("SELECT external_id FROM orders WHERE order_date > ?", [NOW]) == [("2",)]


@pytest.mark.parametrize("amount", [0, -1, 1999, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_money_comes_back_to_the_cent(database, amount):
    with database.write() as transaction:
        transaction.upsert(schema.ORDERS, [order("1", total_amount=amount, total_currency="EUR")])
    assert stored(database, "total_amount, total_currency", "orders") == [(amount, "EUR")]


@pytest.mark.parametrize("size", [1, 60])
def test_dates_truth_values_numbers_and_bytes_come_back(database, size):
    born, raw = date(1990, 2, 28), bytes(range(256))
    party = {
        "id": b"p" * 16,
        "source": "s",
        "external_id": "1",
        "mapping": "",
        "kind": "individual",
        "role": "customer",
        "birth_date": born,
        "mentioned": False,
    }
    people = [tuple((party | {"id": bytes([number]) * 16}).get(name) for name in schema.PARTIES.names) for number in range(size)]
    contacts = [(bytes([number]) * 16, "email", "a@b.example", True, None, None, None, raw) for number in range(size)]
    members = [(b"t" * 16, bytes([number]) * 16, "order", 0.95, None) for number in range(size)]
    with database.write() as transaction:
        transaction.upsert(schema.PARTIES, people)
        transaction.upsert(schema.CONTACT_POINTS, contacts)
        transaction.upsert(schema.THREAD_MEMBERS, members)
    assert {str(row[0]) for row in stored(database, "birth_date", "parties")} == {"1990-02-28"}
    assert {(bool(preferred), bytes(record)) for preferred, record in stored(database, "preferred, record_id", "contact_points")} == {
        (True, raw)
    }
    assert set(stored(database, "score", "thread_members")) == {(0.95,)}


def test_an_error_rolls_everything_back_and_the_store_stays_usable(database):
    def fail() -> None:
        with database.write() as transaction:
            transaction.insert(schema.ATTACHMENTS, [attachment(number) for number in range(60)])
            transaction.execute("UPDATE attachments SET size = ?", [5])
            raise KeyError("half-way")

    with pytest.raises(KeyError, match="half-way"):
        fail()
    assert stored(database, "digest", "attachments") == []
    with database.write() as transaction:
        transaction.insert(schema.ATTACHMENTS, [attachment(1)])
    assert len(stored(database, "digest", "attachments")) == 1


def test_a_failed_statement_rolls_back_what_came_before_it(database):
    def fail() -> None:
        with database.write() as transaction:
            transaction.insert(schema.ATTACHMENTS, [attachment(1)])
            transaction.execute("UPDATE no_such_table SET version = 1")

    with pytest.raises(Exception, match="no_such_table"):
        fail()
    assert stored(database, "digest", "attachments") == []


def test_a_reader_sees_one_moment_and_never_half_a_transaction(database, database_url):
    with open_database(database_url, create=False) as other, other.read() as view:
        assert view.query("SELECT count(*) FROM attachments") == [(0,)]
        with database.write() as transaction:
            transaction.insert(schema.ATTACHMENTS, [attachment(1)])
        assert view.query("SELECT count(*) FROM attachments") == [(0,)]
    assert len(stored(database, "digest", "attachments")) == 1


def test_the_clock_is_the_databases_own_and_goes_on_within_a_transaction(database):
    with database.write() as transaction:
        first, second = transaction.now(), transaction.now()
    assert first.utcoffset() == timedelta(0)
    assert first <= second
    assert abs(first - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.postgres
def test_a_connection_that_breaks_is_worth_another_try(postgres_server):
    with open_database(postgres_server.database(), create=True) as database:

        def broken() -> None:
            with database.write() as transaction:
                transaction.insert(schema.ATTACHMENTS, [attachment(1)])
                transaction.query("SELECT pg_terminate_backend(pg_backend_pid())")

        with pytest.raises(RetryableError, match="the connection to PostgreSQL failed"):
            broken()
        with pytest.raises(RetryableError, match="the connection to PostgreSQL failed"):
            broken()


def test_of_rows_with_one_key_the_last_counts():
    rows = [attachment(1, 1), attachment(2, 1), attachment(1, 2)]
    assert distinct(rows, schema.ATTACHMENTS) == [attachment(1, 2), attachment(2, 1)]
    pair = [(b"r", b"e", "case", "first"), (b"r", b"f", "case", "other"), (b"r", b"e", "case", "second")]
    assert distinct(pair, schema.THREAD_REFERENCES) == [pair[2], pair[1]]
