"""Keys of every kind, and orders that take what differs for the same: each row is read once, whichever page a scan goes on from."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql

from connectors.sql.keyset import after
from connectors.sql.relations import Relation
from tests.contract.sql.lab import Place, a_place, decoded
from threadline.sdk import ConfigError, Rejected


def page_by_page(place: Place, stream: dict[str, Any], page_size: int = 2) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Read the table once, each page by a pull of its own, as after a crash."""
    sql = place.sql(streams={"s": stream}, page_size=page_size)
    found, rejected, cursor = list[dict[str, Any]](), list[Rejected](), None
    for _ in range(100):
        page = next(sql.pull("s", cursor))
        found += decoded(page)
        rejected += page.rejected
        cursor = msgspec.json.decode(msgspec.json.encode(page.cursor))
        if not cursor:
            return found, rejected
    raise AssertionError("the scan does not get on")


EVERYWHERE = {
    "bigint": ["-9007199254740993", "0", "9007199254740993"],
    "numeric(20,6)": ["-1.5", "0.333333", "12345678901234.123456"],
    "date": ["'0044-03-15'", "'2026-01-02'", "'9999-12-31'"],
    "varchar(20)": ["'it''s % : '", "'Ä'", "'~'"],
    "char(6)": ["'a'", "'b c'", "'cccccc'"],
}
KINDS: dict[str, dict[str, list[str]]] = {
    "sqlite": EVERYWHERE | {"blob": ["x'00ff'", "x'01'", "x'ff'"], "real": ["-0.1", "0.3", "1e300"], "time": ["'01:02:03'", "'04:05:06'"]},
    "postgresql": EVERYWHERE
    | {
        "bytea": [r"'\x00ff'", r"'\x01'", r"'\xff'"],
        "float8": ["-0.1", "0.3", "1e300"],
        "uuid": ["'6f1f0a0e-1111-4222-8333-444455556666'", "'ffffffff-ffff-4fff-8fff-ffffffffffff'"],
        "timestamp": ["'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"],
        "timestamptz": ["'2026-07-01 12:00:00.000001+02'", "'2026-07-01 12:00:00.000002+02'"],
        "time": ["'01:02:03'", "'04:05:06.5'"],
        "interval": ["'26:00:01'", "'-1 day'", "'400 days 0.000001 s'"],
        "inet": ["'10.0.0.1'", "'10.0.0.2'", "'::1'"],
        "boolean": ["false", "true"],
        'varchar(9) COLLATE "C"': ["'B'", "'a'", "'b'"],
    },
    "mariadb": EVERYWHERE
    | {
        "varbinary(9)": ["x'00ff'", "x'01'", "x'ff'"],
        "binary(4)": ["x'00ff'", "x'01'", "x'ff'"],
        "double": ["-0.1", "0.3", "1e300"],
        "uuid": ["'6f1f0a0e-1111-4222-8333-444455556666'", "'ffffffff-ffff-4fff-8fff-ffffffffffff'"],
        "datetime(6)": ["'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"],
        "timestamp(6)": ["'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"],
        "time(6)": ["'01:02:03'", "'-26:00:00.000001'", "'800:00:00'"],
        "varchar(9) CHARACTER SET latin1 COLLATE latin1_german1_ci": ["'Ä'", "'B'", "'ß'"],
        "enum('new','old')": ["'new'", "'old'"],
        "year": ["1999", "2026"],
    },
}


def test_keys_of_every_kind_can_be_gone_on_from(place: Place) -> None:
    for number, (kind, values) in enumerate(KINDS[place.engine.dialect.name].items()):
        name = f"keyed{number}"
        place.run(f"CREATE TABLE {name} (k {kind}, part integer, PRIMARY KEY (k, part))")
        place.run(*[f"INSERT INTO {name} VALUES ({value}, {part})".replace("%", "%%") for value in values for part in (1, 2)])
        found, rejected = page_by_page(place, {"table": name, "key": ["k", "part"]}, page_size=3)
        assert len({(record["k"], record["part"]) for record in found}) == len(found) == 2 * len(values), kind
        assert not rejected


@pytest.fixture(params=["sqlite", pytest.param("icu", marks=pytest.mark.slow), pytest.param("mariadb", marks=pytest.mark.slow)])
def wordy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database whose collations take upper and lower case for the same."""
    yield from a_place(request.param, tmp_path)


COLLATED = {
    "sqlite": "varchar(9) COLLATE NOCASE",
    "postgresql": "varchar(9) COLLATE anyhow",
    "mariadb": "varchar(9) COLLATE utf8mb4_general_ci",
}
ALIKE = ["a", "A", "b", "B", "c", "C", "d"]


def collated(place: Place, unique: str = "") -> None:
    if place.engine.dialect.name == "postgresql":
        place.run("CREATE COLLATION anyhow (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    place.run(f"CREATE TABLE words (word {COLLATED[place.engine.dialect.name]} NOT NULL, no integer NOT NULL{unique})")


@pytest.mark.parametrize("page_size", [2, 3])
def test_what_a_collation_takes_for_the_same_is_read_nevertheless(wordy: Place, page_size: int) -> None:
    collated(wordy)
    wordy.run(*[f"INSERT INTO words VALUES ('{word}', {no})" for no, word in enumerate(ALIKE)])
    found, _ = page_by_page(wordy, {"table": "words", "key": ["word"]}, page_size)
    assert sorted(record["word"] for record in found) == sorted(ALIKE)


@pytest.mark.slow
def test_what_differs_in_blanks_alone_is_read_nevertheless(tmp_path: Path) -> None:
    for place in a_place("mariadb", tmp_path):
        collated(place)
        place.run("INSERT INTO words VALUES ('a', 1), ('a ', 2), ('a  ', 3), ('b', 4)")
        found, _ = page_by_page(place, {"table": "words", "key": ["word"]}, page_size=3)
        assert sorted(record["no"] for record in found) == [1, 2, 3, 4]


def test_more_alike_than_a_page_holds_are_an_error_and_no_loop(wordy: Place) -> None:
    collated(wordy)
    wordy.run(*[f"INSERT INTO words VALUES ('{word}', 1)" for word in ("ab", "aB", "Ab", "AB", "b")])
    with pytest.raises(ConfigError, match=r"several rows have the same key \(word\); name columns that are unique together"):
        page_by_page(wordy, {"table": "words", "key": ["word"]})


def test_a_unique_key_is_compared_as_the_database_does(wordy: Place) -> None:
    collated(wordy, ", PRIMARY KEY (word, no)")
    wordy.run(*[f"INSERT INTO words VALUES ('{word}', {no})" for no, word in enumerate(ALIKE)])
    found, _ = page_by_page(wordy, {"table": "words", "key": ["word", "no"]})
    assert [record["word"].lower() for record in found] == sorted(record["word"].lower() for record in found)
    assert sorted(record["word"] for record in found) == sorted(ALIKE)


def test_a_part_of_a_key_that_is_empty_is_refused(place: Place) -> None:
    place.run("CREATE TABLE pairs (a integer NOT NULL, b integer)", "INSERT INTO pairs VALUES (1, 1), (1, NULL), (2, 1)")
    with pytest.raises(ConfigError, match="rows have no value in the column 'b'; choose one that every row has"):
        page_by_page(place, {"table": "pairs", "key": ["a", "b"]})
    query = {"query": "SELECT a, b FROM pairs WHERE b IS NOT NULL", "key": ["a", "b"]}
    found, _ = page_by_page(place, query)
    assert found == [{"a": 1, "b": 1}, {"a": 2, "b": 1}]


def test_a_key_that_is_no_utf_8_is_rejected_and_gone_on_from(on_sqlite: Place) -> None:
    on_sqlite.run(
        "CREATE TABLE names (name TEXT PRIMARY KEY)", "INSERT INTO names VALUES ('Jan'), (CAST(x'4AFC72' AS TEXT)), (CAST(x'4AFD' AS TEXT))"
    )
    on_sqlite.run("INSERT INTO names VALUES ('Jut'), ('Kai'), ('Jürgen')")
    found, rejected = page_by_page(on_sqlite, {"table": "names", "key": ["name"]})
    assert [record["name"] for record in found] == ["Jan", "Jut", "Jürgen", "Kai"]
    assert [each.raw for each in rejected] == [b'{"name": "J\xfcr"}', b'{"name": "J\xfd"}']


@pytest.mark.postgres
def test_a_key_that_no_cursor_can_hold_is_refused(on_postgresql: Place) -> None:
    on_postgresql.run("CREATE TABLE spans (k int4range PRIMARY KEY)", "INSERT INTO spans VALUES ('[1,5)'), ('[7,9)')")
    with pytest.raises(ConfigError, match="a key of type Range cannot be gone on from; name another column, or CAST it to text in a query"):
        page_by_page(on_postgresql, {"table": "spans", "key": ["k"]})
    found, _ = page_by_page(on_postgresql, {"query": "SELECT CAST(k AS text) AS k FROM spans", "key": ["k"]})
    assert [record["k"] for record in found] == ["[1,5)", "[7,9)"]


def test_sql_server_compares_without_row_values_and_at_the_columns_precision() -> None:
    table = sa.table("t", sa.column("at", mssql.DATETIME()), sa.column("n"))
    relation = Relation("streams.t", table, dict(table.c), ("n",), "at", "mssql")
    condition = after(
        [(relation.plain(name), relation.bind(name, value)) for name, value in zip(relation.columns, ("2026-01-01", 5), strict=True)]
    )
    written = str(condition.compile(dialect=mssql.dialect()))
    assert re.sub(r":\w+", "?", written) == (
        "t.at >= CAST(? AS DATETIME) AND (t.at > CAST(? AS DATETIME) OR t.at = CAST(? AS DATETIME) AND t.n > ?)"
    )
