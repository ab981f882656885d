"""`threadline timeline`: whatever names a customer finds the one profile, with the thread over all channels."""

import re

import pytest

from tests.cli.company import UNTIL, Nordlicht, Ran, Shell
from threadline.model.identifiers import normalize_phone
from threadline.model.ids import show_id
from threadline.testing.sandbox import Sandbox
from threadline.testing.story import Garbled, Opened, Person, Registered


def profile_id(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return str(ran.json["id"])


def notations(person: Person) -> list[str]:
    """Ways of writing one German number."""
    number = normalize_phone(person.phone, "DE")
    assert number.startswith("+49")
    area, rest = number[3:5], number[5:]
    return [number, f"+49 {area} {rest}", f"0049{area}{rest}", f"0{area}/{rest[:3]} {rest[3:]}", f"(0{area}) {rest[:2]}-{rest[2:]}"]


def test_a_customer_of_five_systems_is_one_profile_whose_thread_runs_over_the_channels(nordlicht: Nordlicht, shell: Shell) -> None:
    person = nordlicht.traveller
    view = shell.run("timeline", person.email, "--json").json
    assert set(view) == {"id", "name", "facts", "threads", "records", "cases", "orders", "preferences"}
    assert {record["source"] for record in view["records"]} >= {"mail", "helpdesk", "x", "shop"}
    thread = max(view["threads"], key=lambda thread: len(thread["channels"]))
    assert set(thread["channels"]) >= {"email", "web", "social"}
    assert len({entry["source"] for entry in thread["entries"]}) >= 4
    shown = shell.run("timeline", person.email).out
    assert shown.startswith(f"{view['name']}  {view['id']}\n")
    assert " → ".join(thread["channels"]) in shown
    for entry in thread["entries"]:
        assert entry["at"][:16].replace("T", " ") in shown


def test_a_thread_shows_how_a_case_went_on_and_by_whom(nordlicht: Nordlicht, shell: Shell) -> None:
    ((number, user, name), *_) = nordlicht.query(
        'SELECT c.external_id, i.value, p.formatted_name FROM status_changes s JOIN cases c ON c.id = s."case" '
        "JOIN related_customers r ON r.entity = c.id JOIN party_identifiers i ON i.party = r.party AND i.owner = 'helpdesk' "
        "JOIN parties p ON p.source = 'helpdesk' AND p.role = 'agent' AND instr(s.related_parties, lower(hex(p.id))) > 0 "
        "WHERE s.status = 'resolved'"
    )
    assert f"case #{number} resolved by {name}" in shell.run("timeline", f"helpdesk:{user}", columns=200).out


def test_every_name_of_a_customer_finds_the_same_profile(nordlicht: Nordlicht, shell: Shell) -> None:
    person = nordlicht.traveller
    identity = profile_id(shell.run("timeline", person.email, "--json"))
    (order,) = {journey.order for journey in nordlicht.company.truth.journeys if journey.customer == person.number}
    records = shell.run("timeline", identity, "--json").json["records"]
    names = [
        person.email.upper(), f" {person.email} ", f"@{person.handle}", f"x:{person.handle}", order, identity.lower(),
        *(f"{record['source']}:{record['external_id']}" for record in records if record["source"] != "mail"),
    ]  # fmt: skip
    for name in names:
        assert profile_id(shell.run("timeline", str(name), "--json")) == identity, name


def test_a_phone_number_is_found_however_it_is_written(nordlicht: Nordlicht, shell: Shell) -> None:
    owners: dict[str, set[int]] = {}
    for (_, kind, value), number in nordlicht.company.truth.identity.items():
        if kind == "phone" and value.startswith("+49"):
            owners.setdefault(value, set()).add(number)
    value, (number,) = next((value, owner) for value, owner in owners.items() if len(owner) == 1)
    person = next(person for person in nordlicht.company.people if person.number == number)
    assert normalize_phone(person.phone, "DE") == value
    found = {profile_id(shell.run("timeline", text, "--json")) for text in notations(person)}
    assert len(found) == 1


def test_a_profile_that_was_merged_leads_to_the_one_it_is_now(nordlicht: Nordlicht, shell: Shell) -> None:
    merged = nordlicht.query(
        "SELECT DISTINCT profile FROM profile_events WHERE kind = 'merged' AND profile NOT IN (SELECT profile FROM party_profiles)"
    )
    assert merged
    for (old,) in merged:
        ran = shell.run("timeline", show_id(old), "--json")
        assert profile_id(ran) != show_id(old)


def test_several_customers_are_listed_to_choose_from(nordlicht: Nordlicht, shell: Shell) -> None:
    names = [row[0] for row in nordlicht.query("SELECT formatted_name FROM parties WHERE role = 'customer' AND formatted_name LIKE '% %'")]
    given = next(name.split()[0] for name in names if len({other for other in names if other.startswith(f"{name.split()[0]} ")}) > 1)
    ran = shell.run("timeline", given)
    assert ran.code == 1
    assert "choose one by its profile id" in ran.message
    assert len(ran.table) > 1
    assert [set(row) for row in ran.table] == [{"profile", "name", "found by", "known in"}] * len(ran.table)
    for row in ran.table:
        assert shell.run("timeline", row["profile"]).out.startswith(f"{row['name']}  {row['profile']}\n")
    hits = shell.run("timeline", given, "--json")
    assert hits.code == 1
    assert [hit["id"] for hit in hits.json["hits"]] == [row["profile"] for row in ran.table]
    assert set(hits.json["hits"][0]) == {"id", "name", "matched", "sources"}


@pytest.mark.parametrize(
    "who", ["nobody@example.org", "+49 30 0000000", "@nobody_at_all", "shop:0", "NL-99999", "01ARZ3NDEKTSV4RRFFQ69G5FAV", ""]
)
def test_nobody_found_is_said(nordlicht: Nordlicht, shell: Shell, who: str) -> None:
    ran = shell.run("timeline", who)
    assert (ran.code, ran.out) == (1, "")
    assert ran.message == f"no customer is known by {who!r}"
    found = shell.run("timeline", who, "--json")
    assert (found.code, found.json) == (1, {"hits": []})


def test_what_a_record_says_cannot_steer_the_terminal(desk: Sandbox, shell: Shell) -> None:
    evil = "\x1b]0;owned\x07\x1b[2Jhello\x9b31m\rworld\u202e\u2066 \x7f"
    person = Person(1, f"Mara{evil}", "Lindqvist", "mara@example.org", "+49 30 23125 001", "mara_lq")
    desk.tell(Registered(UNTIL, "desk", person, ("name", "email")))
    desk.tell(Opened(UNTIL, "desk", person, 1, f"Late {evil}", f"Where is it?\n{evil}"))
    desk.tell(Garbled(UNTIL, "desk", 0))
    assert shell.run("sync").code == 0
    letter = shell.run("dead", "list").out.split()[0]
    commands = [
        ["timeline", person.email], ["timeline", person.email, "--json"], ["timeline", "hello"], ["map", "preview", "zendesk/users"],
        ["map", "preview", "zendesk/tickets", "--json"], ["dead", "list"], ["dead", "show", letter], ["status"],
    ]  # fmt: skip
    for command in commands:
        ran = shell.run(*command)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", ran.out + ran.err), command
    assert shell.run("timeline", person.email).out.count("hello") > 2
