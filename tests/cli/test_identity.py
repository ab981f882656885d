"""`threadline identity`: why records are one customer, and how people correct that."""

from typing import Any

import pytest

from tests.cli.company import Nordlicht, Shell
from threadline.model.ids import show_id


@pytest.fixture
def records(nordlicht: Nordlicht, shell: Shell) -> list[str]:
    """The records of a customer whom five systems know, as `source:id`."""
    view = shell.run("timeline", nordlicht.traveller.email, "--json").json
    return [f"{one['source']}:{one['external_id']}" for one in view["records"]]


def profile_of(shell: Shell, record: str) -> str:
    return str(shell.run("identity", "explain", record, record, "--json").json["profiles"][0])


def test_two_records_of_a_customer_are_explained_by_the_values_that_join_them(shell: Shell, records: list[str]) -> None:
    helpdesk, x = (next(one for one in records if one.startswith(source)) for source in ("helpdesk:", "x:"))
    ran = shell.run("identity", "explain", helpdesk, x, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["same"]
    assert all(step["rule"] in {"email", "phone", "handle", "profile id"} and step["refused"] is None for step in ran.json["path"])
    shown = shell.run("identity", "explain", helpdesk, x).out
    assert shown.startswith("one customer, ")
    assert all(str(step["value"] or step["rule"]) in shown for step in ran.json["path"])


def test_two_customers_are_explained_by_what_keeps_them_apart(nordlicht: Nordlicht, shell: Shell, records: list[str]) -> None:
    others = [person.email for person in nordlicht.company.people if person.number != nordlicht.traveller.number]
    ran = shell.run("identity", "explain", records[0], others[0])
    assert ran.code == 0, ran.err
    assert ran.out.startswith("two customers, ")
    assert "nothing that is known of them joins the two" in ran.out


def test_a_split_shows_first_what_it_would_change_and_a_link_takes_it_back(shell: Shell, records: list[str]) -> None:
    before, moving = profile_of(shell, records[0]), next(one for one in records if one.startswith("x:"))
    staying = next(one for one in records if one.startswith("helpdesk:"))
    preview = shell.run("identity", "split", before, moving, "--why", "a namesake", "--preview")
    assert preview.code == 0, preview.err
    assert "pushes would follow to:" in preview.out
    assert profile_of(shell, moving) == before
    ran = shell.run("identity", "split", before, moving, "--why", "a namesake", "--who", "kim", "--yes")
    assert ran.code == 0, ran.err
    assert profile_of(shell, moving) != profile_of(shell, staying)
    history = shell.run("identity", "history", profile_of(shell, staying), "--json").json
    assert "split by kim: a namesake" in [event["cause"] for event in history["events"]]
    assert {one["verdict"] for one in history["decisions"]} == {"never"}
    assert shell.run("identity", "rebuild", "--json").json == {"changed": 0}
    assert shell.run("identity", "link", moving, staying, "--why", "no, the same", "--json").code == 0
    assert profile_of(shell, moving) == profile_of(shell, staying) == before
    assert "no, the same" in shell.run("identity", "history", before).out


def test_the_values_of_a_customer_come_with_who_says_them_and_why_they_are_shown(shell: Shell, records: list[str]) -> None:
    ran = shell.run("identity", "values", profile_of(shell, records[0]), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["profile"] == profile_of(shell, records[0])
    found = ran.json["values"]
    said_by = {f"{said['source']}:{said['external_id']}" for one in found for said in one["said_by"]}
    assert said_by <= set(records)
    for field in {one["field"] for one in found}:
        shown, *others = [one for one in found if one["field"] == field]
        assert shown["shown"]
        assert (shown["chosen_by"] is not None) == bool(others)
        assert not any(one["shown"] or one["chosen_by"] for one in others)
    assert {"formatted_name", "email"} <= {one["field"] for one in found}
    ran = shell.run("identity", "values", records[0])
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"profile {profile_of(shell, records[0])}\n")
    for one in found:
        assert str(one["value"]) in ran.out or one["field"] in ("address", "preference")


def test_a_source_that_is_trusted_more_than_others_has_its_values_shown(nordlicht: Nordlicht, shell: Shell) -> None:
    ((profile,), *_) = nordlicht.query(
        "SELECT m.profile FROM party_profiles m JOIN party_identifiers i ON i.party = m.party AND i.type = 'email' "
        "JOIN parties p ON p.id = m.party WHERE p.source IN ('crm', 'shop') GROUP BY m.profile HAVING count(DISTINCT i.identifier) > 1"
    )

    def shown() -> dict[str, Any]:
        found = shell.run("identity", "values", show_id(profile), "--json").json["values"]
        return next(one for one in found if one["field"] == "email" and one["shown"])

    assert shown()["chosen_by"] == "most said"
    own: Any = shell.folder / "mappings" / "identity.yaml"
    own.parent.mkdir(exist_ok=True)
    values: set[str] = set()
    for source in ("crm", "shop"):
        own.write_text(f"version: 1\nsurvivorship:\n  usual: [{{sources: [{source}]}}, most_said]\n")
        assert shown()["chosen_by"] == f"sources {source}"
        assert source in [by["source"] for by in shown()["said_by"]]
        view = shell.run("timeline", show_id(profile), "--json").json
        assert next(fact for fact in view["facts"] if fact["label"] == "E-mail")["value"] == shown()["value"]
        values.add(shown()["value"])
    assert len(values) == 2
    own.write_text("version: 1\nsurvivorship:\n  usual:\n    - sources: [helpdesc]\n")
    ran = shell.run("status")
    assert ran.code == 3
    assert ran.message.endswith("identity.yaml:4: no source named 'helpdesc' in threadline.yaml; did you mean 'helpdesk'?")


def test_nothing_is_to_be_reviewed_where_all_is_certain(shell: Shell, records: list[str]) -> None:
    assert shell.run("identity", "review", "list").out == "nothing is to be decided\n"
    ran = shell.run("identity", "review", "accept", records[0], records[1])
    assert (ran.code, ran.message.partition(":")[0]) == (3, "nothing is to be decided between these two")


def test_records_that_nobody_has_are_named(shell: Shell, records: list[str]) -> None:
    ran = shell.run("identity", "explain", records[0], "helpdesk:none")
    assert (ran.code, ran.message) == (
        3, "no record is known as 'helpdesk:none': give SOURCE:ID, an e-mail address, a phone number, a handle, or an id"
    )  # fmt: skip


def test_rules_of_our_own_hold_from_the_next_run_on(nordlicht: Nordlicht, shell: Shell, records: list[str]) -> None:
    own: Any = shell.folder / "mappings" / "identity.yaml"
    own.parent.mkdir(exist_ok=True)
    own.write_text("version: 1\nidentifiers:\n  email: {names: never}\n")
    ran = shell.run("status")
    assert ran.code == 3
    assert ran.message.endswith("identity.yaml:3: `names` is one of any, alike, same; known: alike, any, same")
    own.write_text("version: 1\nidentifiers:\n  email: {records: 1}\n  phone: {records: 1}\n  handle: {records: 1}\n")
    assert shell.run("push", "shop").code in (0, 1)
    assert len({profile_of(shell, one) for one in records}) > 1
