"""A profile's values are a function of what its records say: not of the order in which they came, nor of merges that were taken back."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import MAPPINGS, Lab, party, read, wipe
from threadline.identity.decisions import link, separate
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import USUAL
from threadline.identity.survivorship import Rule, Survivorship
from threadline.journey.profile import load_profiles, profile_document
from threadline.journey.timeline import customer, find_customers
from threadline.journey.values import field_values
from threadline.model.ids import parse_id
from threadline.sync.policy import Policy
from threadline.sync.push import push

PEOPLE = (
    MAPPINGS["people"].replace(
        "  birth_date:",
        "  given_name: {from: given, optional: true}\n  family_name: {from: family, optional: true}\n"
        "  language: {from: language, optional: true}\n  status: {from: status, optional: true}\n"
        "  valid_to: {from: gone, optional: true}\n  birth_date:",
    )
    + "addresses: {when: city, fields: {street: {from: street, optional: true}, city: city}}\n"
)
TRUST = Survivorship((Rule("sources", ("shop", "desk")), Rule("most_recent")), {"status": (Rule("with", field="formatted_name"),)})
quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

Person = dict[str, Any]


def tell(lab: Lab, *records: Person, source: str = "desk") -> None:
    read(lab.database, lab.judge("people", source, PEOPLE), *records, policy=lab.policy)


def shown(lab: Lab, rules: Survivorship | None = None) -> dict[frozenset[bytes], Any]:
    """Return all that is said and shown of each customer, by their parties."""
    with lab.database.read() as transaction:
        ids = {profile for (profile,) in transaction.query("SELECT profile FROM party_profiles")}
        found = load_profiles(transaction, ids, rules or lab.policy.survivorship)
        return {
            frozenset(one.parties): (
                [msgspec.json.encode(value) for value in field_values(one)],
                [profile_document(one, here) | {"id": ""} for here in (None, "desk", "shop")],
            )
            for one in found.values()
        }


def document(lab: Lab, here: str | None = None, rules: Survivorship | None = None) -> dict[str, Any]:
    """Return what is pushed of the only customer."""
    with lab.database.read() as transaction:
        ((profile,),) = transaction.query("SELECT DISTINCT profile FROM party_profiles")
        return profile_document(load_profiles(transaction, [profile], rules or lab.policy.survivorship)[profile], here)


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


@st.composite
def person(draw: st.DrawFn) -> tuple[str, Person]:
    given, family = draw(st.sampled_from([("Ana", "Lima"), ("ANA", "LIMA"), ("Ana Maria", "Lima")]))
    return draw(st.sampled_from(["desk", "shop", "mail"])), {
        "id": draw(st.integers(1, 5)), "handle": "x:ana", "given": given, "family": family, "name": f"{given} {family}",
        "email": draw(maybe("a@example.org", "b@example.org")), "sure": draw(st.booleans()), "language": draw(maybe("de", "pt", "pt-BR")),
        "status": draw(maybe("active", "deleted")), "changed": draw(maybe("2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000001Z")),
        "gone": draw(maybe("2026-03-02T10:00:00Z")), "city": draw(maybe("Köln", "Bonn")), "street": draw(maybe("Am Markt 1")),
        "wish": draw(maybe("email", "sms")), "wished": draw(maybe("2026-03-01T10:00:00Z", "2026-03-03T10:00:00Z")),
    }  # fmt: skip


def tell_in(lab: Lab, people: Iterable[tuple[str, Person]], cuts: list[bool]) -> None:
    """Read people one after the other, as many at a time as the cuts leave."""
    batch: list[tuple[str, Person]] = []
    for one, cut in zip(people, cuts, strict=False):
        batch.append(one)
        if cut:
            tell_all(lab, batch)
            batch = []
    tell_all(lab, batch)


def tell_all(lab: Lab, batch: list[tuple[str, Person]]) -> None:
    for source in {source for source, _ in batch}:
        tell(lab, *(record for origin, record in batch if origin == source), source=source)


@quick
@given(
    people=st.lists(person(), min_size=2, max_size=7, unique_by=lambda one: (one[0], one[1]["id"])),
    cuts=st.lists(st.booleans(), min_size=7, max_size=7),
    chance=st.randoms(use_true_random=False),
)
def test_any_order_of_arrival_gives_the_same_values(database, people, cuts, chance):
    lab, outcomes = Lab(database), []
    for _ in range(2):
        wipe(database)
        tell_in(lab, people, cuts)
        outcomes.append([shown(lab), shown(lab, TRUST)])
        chance.shuffle(people)
    assert outcomes[0] == outcomes[1]


@quick
@given(versions=st.lists(person(), min_size=2, max_size=8), cuts=st.lists(st.booleans(), min_size=8, max_size=8))
def test_only_what_records_say_last_counts(database, versions, cuts):
    lab, outcomes = Lab(database), []
    latest = {(source, record["id"]): (source, record) for source, record in versions}
    for people in (versions, latest.values()):
        wipe(database)
        tell_in(lab, people, cuts)
        outcomes.append([shown(lab), shown(lab, TRUST)])
    assert outcomes[0] == outcomes[1]


@quick
@given(people=st.lists(person(), min_size=2, max_size=6, unique_by=lambda one: (one[0], one[1]["id"])), split=st.integers(1, 5))
def test_a_merge_that_is_taken_back_leaves_the_values_as_they_were(database, people, split):
    wipe(database)
    lab = Lab(database)
    # Two who share nothing: whoever comes after the cut has another handle, and an address of their own.
    cut = split % (len(people) - 1) + 1
    others = [(source, record | {"handle": "x:bea", "email": "bea@example.org"}) for source, record in people[cut:]]
    mine = [(source, record | {"email": "ana@example.org"}) for source, record in people[:cut]]
    tell_in(lab, [*mine, *others], [True] * len(people))
    before = [shown(lab), shown(lab, TRUST)]
    assert len(before[0]) == 2
    one, *_ = (party(record["id"], source) for source, record in mine)
    moving = [party(record["id"], source) for source, record in others]
    with lab.database.write() as transaction:
        link(transaction, one, moving[0], who="kim", why="asked", rules=USUAL)
    assert len(shown(lab)) == 1
    with lab.database.write() as transaction:
        separate(transaction, moving, who="kim", why="asked", rules=USUAL)
    assert [shown(lab), shown(lab, TRUST)] == before
    with lab.database.write() as transaction:
        assert not rebuild(transaction, USUAL, "rebuild").changed
    assert [shown(lab), shown(lab, TRUST)] == before


ANA = {"id": 1, "handle": "x:ana", "name": "Ana Lima"}


def test_an_address_that_a_source_is_sure_of_comes_first_for_as_long_as_it_is(lab):
    tell(lab, ANA | {"email": "old@example.org"})
    tell(lab, ANA | {"email": "old@example.org"}, source="shop")
    tell(lab, ANA | {"email": "ana@example.org", "sure": True}, source="mail")
    assert document(lab)["emails"] == ["ana@example.org", "old@example.org"]
    tell(lab, ANA | {"email": "ana@example.org", "sure": False}, source="mail")
    assert document(lab)["emails"] == ["old@example.org", "ana@example.org"]


def test_of_addresses_that_one_source_says_each_that_of_the_record_changed_last_is_shown(lab):
    tell(lab, ANA | {"email": "a-long-one@example.org", "changed": "2026-03-01T10:00:00Z"})
    tell(lab, ANA | {"email": "ana@example.org", "changed": "2026-03-02T09:00:00+00:00"}, source="shop")
    assert document(lab)["email"] == "ana@example.org"
    # Nothing else is new, and yet the record is the last that changed.
    tell(lab, ANA | {"email": "a-long-one@example.org", "changed": "2026-03-02T12:00:00+02:00"})
    assert document(lab)["email"] == "a-long-one@example.org"


def test_a_target_keeps_the_addresses_that_it_has_of_its_own(lab):
    tell(lab, ANA | {"email": "desk@example.org", "city": "Bonn"})
    for source in ("shop", "mail"):
        tell(lab, ANA | {"email": "ana@example.org", "city": "Köln", "street": "Am Markt 1"}, source=source)
    assert [document(lab, here)["email"] for here in (None, "desk", "shop")] == ["ana@example.org", "desk@example.org", "ana@example.org"]
    best = {"street": "Am Markt 1", "city": "Köln"}
    assert [document(lab, here)["address"] for here in (None, "desk")] == [best, {"city": "Bonn"}]
    assert document(lab, "desk")["addresses"] == [best, {"city": "Bonn"}]


def test_names_belong_together(lab):
    tell(lab, ANA | {"given": "Ana", "family": "Lima"})
    tell(lab, ANA, source="mail")
    tell(lab, ANA | {"name": "Anamaria Costa-Lima", "given": "Anamaria", "family": "Costa-Lima"}, source="shop")
    found = document(lab)
    assert [found[name] for name in ("formatted_name", "given_name", "family_name")] == ["Ana Lima", "Ana", "Lima"]
    found = document(lab, rules=Survivorship((Rule("sources", ("shop",)),)))
    assert [found[name] for name in ("formatted_name", "given_name", "family_name")] == ["Anamaria Costa-Lima", "Anamaria", "Costa-Lima"]


def test_what_a_record_of_their_own_says_counts_for_more_than_what_is_mentioned(lab):
    mention = MAPPINGS["tickets"].replace("parties: [{", "parties: [{fields: {formatted_name: {from: who, optional: true}}, ").replace(
        "{list_person: {from: person, optional: true}}", "{email: mail}"
    )  # fmt: skip
    read(
        lab.database, lab.judge("tickets", "mail", mention),
        {"id": 1, "subject": "Late", "at": "2026-03-01T10:00:00Z", "mail": "ana@example.org", "who": "Ana Lima (Lima Trading)"},
    )  # fmt: skip
    assert document(lab)["formatted_name"] == "Ana Lima (Lima Trading)"
    tell(lab, {"id": 1, "name": "Ana Lima", "email": "ana@example.org"})
    assert document(lab)["formatted_name"] == "Ana Lima"


def test_what_a_source_no_longer_has_is_shown_only_where_nobody_else_says_anything(lab):
    tell(lab, ANA | {"language": "pt-BR", "gone": "2026-03-02T10:00:00Z"})
    assert document(lab)["language"] == "pt-BR"
    tell(lab, ANA | {"language": "de"}, source="shop")
    assert document(lab)["language"] == "de"


def test_a_wish_counts_by_its_own_time(lab):
    tell(lab, ANA | {"wish": "sms", "wished": "2026-03-02T10:00:00Z", "changed": "2026-01-01T10:00:00Z"})
    tell(lab, ANA | {"wish": "email", "wished": "2026-03-01T10:00:00Z", "changed": "2026-03-09T10:00:00Z"}, source="shop")
    assert document(lab, "shop")["preference"] == {"channel": "sms", "elsewhere": True}
    assert document(lab, "desk")["preference"] == {"channel": "sms", "elsewhere": False}


def test_pages_show_what_the_rules_choose_and_why(lab):
    tell(lab, ANA | {"email": "ana@example.org", "city": "Köln", "street": "Am Markt 1"})
    tell(lab, ANA | {"name": "A. Lima", "email": "ana@example.org"}, source="shop")
    with lab.database.read() as transaction:
        (hit,) = find_customers(transaction, "ana@example.org", None, TRUST)
        assert hit.name == "A. Lima"
        view = customer(transaction, parse_id(hit.id) or b"", TRUST)
    facts = [(fact.label, fact.value, fact.sources, fact.records, fact.chosen_by) for fact in view.facts]
    both = ("desk", "shop"), ("desk:1", "shop:1")
    assert facts == [
        ("Name", "A. Lima", ("shop",), ("shop:1",), "sources shop, desk"), ("E-mail", "ana@example.org", *both, None),
        ("Handle", "x:ana", *both, None), ("Address", "Am Markt 1, Köln", ("desk",), ("desk:1",), None),
    ]  # fmt: skip


USER = """
source: profile
target: list.user
version: 1
address: {known: {from: here.list_person, optional: true}}
fields: {id: id, name: formatted_name, email: {from: email, optional: true}, language: {from: language, optional: true}}
"""


WRITES = {"desk": str.lower, "shop": str.upper}


def settled(lab: Lab, held: dict[str, dict[int, Person]]) -> int:
    """Push to both systems, which write what they are told in letters of their own, until nothing is due; return how often that was."""
    for turn in range(8):
        begin = len(lab.connector.received)
        lab.resolve()
        for source in sorted(held, reverse=turn % 2 == 1):
            before = len(lab.connector.received)
            push(lab.database, lab.connector, lab.outgoing("user", target=source, mapping=USER))
            for _, intent in lab.connector.received[before:]:
                number = int(intent.payload.get("known") or 100 + len(held[source]))
                told = {name: WRITES[source](intent.payload[name]) for name in ("name", "email", "language") if name in intent.payload}
                of_record = {
                    "id": number,
                    "profile": intent.payload["id"],
                    "changed": f"2026-04-01T10:00:00.{len(lab.connector.received):06}Z",
                }
                held[source][number] = held[source].get(number, {}) | told | of_record
                tell(lab, held[source][number], source=source)
        if len(lab.connector.received) == begin:
            return turn
    return 8


@quick
@given(people=st.lists(person(), min_size=1, max_size=5, unique_by=lambda one: (one[0], one[1]["id"])))
def test_pushes_come_to_rest_though_each_changes_a_record_and_no_two_write_alike(database, people):
    wipe(database)
    lab = Lab(database)
    tell_in(lab, people, [False] * len(people))
    held = {source: {record["id"]: record for origin, record in people if origin == source} for source in ("desk", "shop")}
    assert 0 < settled(lab, held) <= 4


@pytest.mark.parametrize("again", [False, True])
def test_other_rules_push_what_differs_by_them(lab, again):
    tell(lab, ANA | {"email": "ana@example.org"}, {"id": 2, "name": "Bo", "email": "bo@example.org"})
    tell(lab, ANA | {"name": "A. Lima"}, source="shop")
    lab.resolve()
    assert lab.push("user").sent == 2
    lab.policy = Policy(survivorship=lab.policy.survivorship if again else TRUST)
    assert lab.push("user").sent == (0 if again else 1)
    assert [one["name"] for one in lab.connector.taken("user")[2:]] == ([] if again else ["A. Lima"])
