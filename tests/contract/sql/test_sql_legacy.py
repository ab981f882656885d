"""Tables as old systems keep them, from the database through the README's mapping."""

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

import connectors.sql
from connectors.sql import Sql
from connectors.sql.functions import date_of_digits
from tests.contract.sql.lab import Place, records
from threadline.mapping.compiled import PullMapping
from threadline.mapping.library import compile_pull, describe, run_examples

README = Path(connectors.sql.__file__).with_name("README.md")


@pytest.fixture
def mapping() -> PullMapping:
    (text,) = [block for block in README.read_text(encoding="utf-8").split("```yaml\n") if block.startswith("# mappings/legacy")]
    return compile_pull(text.partition("```")[0], "README.md", "legacy", region="DE", functions=Sql.functions)


def test_the_readme_s_examples_hold(mapping: PullMapping) -> None:
    assert run_examples(mapping) == []


def customers(place: Place) -> list[dict[str, Any]]:
    latin = {"mariadb": " CHARACTER SET latin1"}.get(place.engine.dialect.name, "")
    place.run(
        "CREATE TABLE customers (cust_no CHAR(10) PRIMARY KEY, name1 CHAR(30), name2 CHAR(30), legal_form SMALLINT, birth CHAR(8), "
        f"since INTEGER, blocked SMALLINT, del_flag CHAR(1), prgrp CHAR(4), mail CHAR(60), phone CHAR(30)){latin}",
        "INSERT INTO customers VALUES ('00004711  ', 'Müller      ', '  ', 0, '19610430', 19950102, 0, ' ', '7   ', "
        "'J.Mueller@example.org   ', '030/90 18 20   ')",
        "INSERT INTO customers VALUES ('00004712  ', 'Weiß & Söhne', null, 1, '00000000', 0, 1, ' ', '    ', '   ', '   ')",
        "INSERT INTO customers VALUES ('00004713  ', 'Gone', 'Long', 0, '', null, 0, 'X', null, null, null)",
    )
    return records(place.sql(streams={"customers": {"table": "customers", "key": ["cust_no"]}}, page_size=2).pull("customers", None))


def test_a_table_that_has_grown_old_becomes_customers(place: Place, mapping: PullMapping) -> None:
    found = customers(place)
    assert [record["cust_no"] for record in found] == ["00004711", "00004712", "00004713"]
    mueller, weiss, gone = (describe(mapping, msgspec.json.encode(record), record["cust_no"]) for record in found)
    assert gone is None
    assert mueller is not None
    assert weiss is not None
    assert (mueller["family_name"], mueller["kind"], mueller["status"]) == ("Müller", "individual", "active")
    assert mueller["birth_date"] == date(1961, 4, 30)
    assert mueller["identifiers"] == {"legacy_customer": "00004711", "email": "j.mueller@example.org", "phone": "+4930901820"}
    assert mueller["extensions"] == {"customer_since": "1995-01-02", "price_group": "7"}
    assert (weiss["family_name"], weiss["kind"], weiss["status"]) == ("Weiß & Söhne", "organization", "blocked")
    assert weiss["identifiers"] == {"legacy_customer": "00004712"}
    assert "birth_date" not in weiss


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20260102", "2026-01-02"), (20260102, "2026-01-02"), ("2026-01-02 ", "2026-01-02"), ("99991231", "9999-12-31")],
)
def test_digits_are_a_date(value: Any, expected: str) -> None:
    assert date_of_digits(value) == expected


@pytest.mark.parametrize("value", ["00000000", 0, "0000-00-00", "        ", "99999999"])
def test_nothing_but_zeros_or_nines_is_no_date(value: Any) -> None:
    assert date_of_digits(value) is None


@pytest.mark.parametrize("value", ["20260231", "2026W011", "260102", "x", 1.5, "２０２６０１０２"])
def test_other_digits_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"expected a date of eight digits, such as 20260102|day is out of range"):
        date_of_digits(value)
