"""`threadline identity try`: who would be one customer in a file."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.identity.channels import generate
from benchmarks.identity.metrics import agreement
from tests.cli.company import Shell

PEOPLE = """\
id,source,Given Name,surname,name,e-mail,phone,dob
1,crm,Ana,Lima,,ana@example.org;ana.lima@example.org,,1980-02-03
2,mail,,,Ana Lima,ANA@example.org,,
3,crm,Rui,Lima,,ana@example.org,,1975-01-01
4,shop,Ana,Lima,,ana.lima+shop@gmail.com,0151 20901820,NA
5,voice,,,,,+49 151 20901820,
6,chat,,,A. Lima,analima@gmail.com,,
"""


def written(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def people(shell: Shell, text: str = PEOPLE) -> str:
    path = shell.folder / "people.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def customers(found: Mapping[str, list[list[str]]]) -> set[frozenset[str]]:
    return {frozenset(group) for group in found["customers"]}


def test_records_are_joined_by_the_rules_and_each_join_says_why(shell: Shell) -> None:
    ran = shell.run("identity", "try", people(shell), "--rules-only", "--json")
    assert ran.code == 0, ran.err
    assert customers(ran.json) == {frozenset("12"), frozenset("3"), frozenset("46"), frozenset("5")}
    assert {(one["id"], one["other_id"], one["by"], one["value"]) for one in ran.json["joined"]} == {
        ("1", "2", "email", "ana@example.org"),
        ("4", "6", "inbox", "analima@gmail.com"),
    }


def test_customers_are_written_to_a_file_in_the_order_of_its_records(shell: Shell) -> None:
    out, explained = shell.folder / "customers.csv", shell.folder / "why.csv"
    ran = shell.run("identity", "try", people(shell), "--rules-only", "--out", str(out), "--explained", str(explained))
    assert ran.code == 0, ran.err
    assert [(row["id"], row["customer"]) for row in written(out)] == [
        ("1", "1"),
        ("2", "1"),
        ("3", "2"),
        ("4", "3"),
        ("5", "4"),
        ("6", "3"),
    ]
    assert {row["by"] for row in written(explained)} == {"email", "inbox"}
    assert ran.table[0] == {"records": "6", "customers": "4", "of several records": "2", "the largest has": "2", "to review": "0"}


def test_the_rules_of_a_project_are_followed(shell: Shell) -> None:
    (shell.folder / "mappings").mkdir()
    (shell.folder / "mappings" / "identity.yaml").write_text("version: 1\nidentifiers:\n  email: {names: any}\n", encoding="utf-8")
    shell.settings("database: sqlite:///state.db\nsources: {}\n")
    found = shell.run("identity", "try", people(shell), "--rules-only", "--json").json
    assert frozenset("12") in customers(found)
    assert not any("3" in group and "1" in group for group in customers(found)), "their birth dates differ"
    assert frozenset("4") in customers(found), "without `aliases` no two addresses are one inbox"


def test_columns_may_be_named_otherwise_and_hold_a_part_each(shell: Shell) -> None:
    text = "first;last;y;m;d\nAna;Lima;1980;2;3\nAna;Lima;1980;2;3\n"
    chosen = ("-c", "given_name=first", "-c", "family_name=last", "-c", "birth_date=y+m+d")
    ran = shell.run("identity", "try", people(shell, text), *chosen, "--rules-only", "--json")
    assert ran.code == 0, ran.err
    assert customers(ran.json) == {frozenset({"2"}), frozenset({"3"})}, "a record without an id has its line's number"


def test_matching_finds_who_shares_nothing_and_tells_the_weights(shell: Shell) -> None:
    pytest.importorskip("splink", reason="the extra `match` is not installed")
    made = generate(600, seed=5)
    header = ("id", "source", "given_name", "family_name", "name", "birth_date", "email", "phone", "handle", "street", "house_number")
    path = shell.folder / "made.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*header, "post_code", "city"))
        for number, one in enumerate(made.people):
            home = one.addresses[0] if one.addresses else None
            told = [";".join(getattr(one, name)) for name in ("given_names", "family_names", "formatted_names", "birth_dates")]
            reached = [";".join(getattr(one, name)) for name in ("emails", "phones", "handles")]
            place = (home.street, home.house_number, home.post_code, home.city) if home else ("",) * 4
            writer.writerow((number, one.sources[0], *told, *reached, *place))
    ran = shell.run("identity", "try", str(path), "--json")
    assert ran.code == 0, ran.err
    label = {key: number for number, group in enumerate(ran.json["customers"]) for key in group}
    found = agreement(made.truth, [label[str(number)] for number in range(len(made.people))])
    assert found.precision > 0.95
    assert found.recall > 0.6
    matches = [one for one in ran.json["joined"] if one["by"] == "match"]
    assert matches
    assert all(one["weight"] >= ran.json["threshold"] and one["fields"] for one in matches)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (PEOPLE, ["-c", "famly_name=surname"], "did you mean 'family_name'?"),
        (PEOPLE, ["-c", "family_name=surnme"], "has no column 'surnme'; did you mean 'surname'?"),
        ("a,b\n1,2\n", [], "no column tells of people"),
        ("id,name\n1,Ana\n1,Rui\n", [], "people.csv:3: the id '1' was met before"),
        ("", [], "no column tells of people"),
    ],
)
def test_what_cannot_be_read_is_said(shell: Shell, text: str, arguments: list[str], message: str) -> None:
    ran = shell.run("identity", "try", people(shell, text), "--rules-only", *arguments)
    assert ran.code == 3
    assert message in ran.message
    assert "Traceback" not in ran.err
