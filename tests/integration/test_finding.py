"""A customer is found by whatever is known of them, and shown with everything that happened."""

from typing import Any

import pytest

from tests.integration.lab import Lab, party
from threadline.journey.timeline import customer, find_customers
from threadline.journey.views import CustomerHit, CustomerView
from threadline.model.ids import new_ulid, parse_id, show_id
from threadline.model.money import Money
from threadline.store import schema

AT = "2026-01-0{}T08:00:00Z"
ANA = {"id": 1, "name": "Ana María Ölsson", "email": "Ana@Example.org", "phone": "030 901820", "handle": "x:ana_l", "wish": "chat"}


@pytest.fixture
def ana(lab: Lab) -> Lab:
    """One customer in two sources, with an order, a case and messages; and another one."""
    lab.read("people", ANA, {"id": 2, "name": "Bo 100% Berg_1", "email": "bo@example.org"})
    lab.read("people", {"id": 77, "name": "Ana Ölsson", "email": "ana@example.org"}, source="shop")
    lines = [{"sku": "hat", "what": "Hat", "quantity": 2}, {"sku": "scarf", "what": "Scarf", "quantity": 1}]
    bought = {"id": 5, "number": "A-1", "at": AT.format(1), "person": 77, "total": "59.80", "currency": "EUR", "lines": lines}
    lab.read("orders", bought, source="shop")
    lab.read("talks", {"id": 1, "at": AT.format(2), "person": 1, "subject": "Where is it?", "text": "My order A-1.", "channel": "email"})
    lab.read("tickets", {"id": 9, "at": AT.format(3), "person": 1, "subject": "Late parcel", "order": "A-1"})
    lab.read("talks", {"id": 2, "at": AT.format(4), "person": 2, "text": "Hello", "channel": "chat"})
    lab.resolve()
    return lab


def found(lab: Lab, query: str, region: str | None = "DE") -> list[CustomerHit]:
    with lab.database.read() as transaction:
        return find_customers(transaction, query, region)


def profile(lab: Lab, number: int = 1) -> str:
    return show_id(lab.rows("SELECT profile FROM party_profiles WHERE party = ?", party(number))[0][0])


@pytest.mark.parametrize(
    ("query", "matched"),
    [
        ("ana@example.org", "e-mail ana@example.org"),
        ("  ANA@EXAMPLE.ORG ", "e-mail ana@example.org"),
        ("Ana Ölsson <ana@example.org>", "e-mail ana@example.org"),
        ("+49 30 901820", "phone +4930901820"),
        ("(030) 90-18-20", "phone +4930901820"),
        ("0049 30 901820", "phone +4930901820"),
        ("@Ana_L", "handle x:ana_l"),
        ("x:@ana_l", "handle x:ana_l"),
        ("desk:1", "desk list_person 1"),
        ("shop : 77", "shop list_person 77"),
        ("A-1", "order A-1"),
        ("ana", "name ana"),
        ("MARÍA", "name MARÍA"),
        ("ölss", "name ölss"),
        ("ÖLSSON", "name ÖLSSON"),
    ],
)
def test_a_customer_is_found_by(ana, query, matched):
    assert found(ana, query) == [CustomerHit(id=profile(ana), name="Ana María Ölsson", matched=matched, sources=("desk", "shop"))]


NOBODY = [
    "", "  ", "nobody@example.org", "+49 30 999999", "@nobody", "desk:77", "shop:1", "A-2", "Zoë", "_na", "a_a", "\\", "'; --", "a\0b",
    "x" * 9_000,
]  # fmt: skip


@pytest.mark.parametrize("query", NOBODY, ids=range(len(NOBODY)))
def test_nobody_is_found_by(ana, query):
    assert found(ana, query) == []


@pytest.mark.parametrize("query", ["%", "_", "100%", "% B", "g_1", "BERG_"])
def test_signs_that_mean_something_in_sql_are_only_signs(ana, query):
    assert [hit.name for hit in found(ana, query)] == ["Bo 100% Berg_1"]


def test_a_number_without_a_country_needs_the_region(ana):
    assert found(ana, "030 901820", region=None) == []
    assert len(found(ana, "+4930901820", region=None)) == 1


def test_an_id_of_a_profile_finds_it_also_after_it_was_merged_away(ana):
    before, other = profile(ana), profile(ana, 2)
    assert [hit.matched for hit in found(ana, before.lower())] == [f"profile id {before}"]
    ana.read("people", {"id": 2, "name": "Ana", "email": "ana@example.org"})
    assert profile(ana, 2) == before
    assert [(hit.id, hit.matched) for hit in found(ana, other)] == [(before, f"profile id {other}")]
    with ana.database.read() as transaction:
        assert customer(transaction, parse_id(other) or b"") == before
        assert customer(transaction, new_ulid()) is None


def test_everybody_of_a_name_is_found_and_no_more_than_fifty(lab):
    lab.read("people", *({"id": number, "name": f"Ana {number}"} for number in range(60)), {"id": 99, "name": "Ana", "role": "agent"})
    assert len(found(lab, "ana")) == 50
    assert [hit.id for hit in found(lab, "ana")] == [hit.id for hit in found(lab, "Ana")]
    assert [hit.name for hit in found(lab, "ana 59")] == ["Ana 59"]


def test_several_customers_share_an_order_number(lab):
    for person in (1, 2):
        lab.read("people", {"id": person, "name": f"Person {person}"}, {"id": 3})
        lab.read("orders", {"id": person, "number": "A-1", "at": AT.format(1), "person": person})
    assert sorted(hit.name for hit in found(lab, "A-1")) == ["Person 1", "Person 2"]


def view(lab: Lab) -> CustomerView:
    identity = parse_id(profile(lab)) or b""
    with lab.database.read() as transaction:
        seen = customer(transaction, identity)
    assert isinstance(seen, CustomerView)
    return seen


def test_a_customer_is_shown_with_facts_and_the_sources_that_say_so(ana):
    facts = {(fact.label, fact.value): fact.sources for fact in view(ana).facts}
    assert facts == {
        ("Name", "Ana María Ölsson"): ("desk",),
        ("E-mail", "ana@example.org"): ("desk", "shop"),
        ("Phone", "+4930901820"): ("desk",),
        ("Handle", "x:ana_l"): ("desk",),
    }


def test_a_customer_is_shown_with_one_thread_over_channels_and_sources(ana):
    (thread,) = view(ana).threads
    assert (thread.title, thread.channels) == ("Where is it?", ("email",))
    entries: list[tuple[Any, ...]] = [
        (entry.kind, entry.source, entry.title, entry.text, entry.author, entry.reason) for entry in thread.entries
    ]
    assert entries == [
        ("order", "shop", "A-1", "2 × Hat, Scarf", "Ana María Ölsson", None),
        ("message", "desk", "Where is it?", "My order A-1.", "Ana María Ölsson", "mentions order A-1"),
        ("case", "desk", "Late parcel", None, "Ana María Ölsson", "is about order A-1"),
    ]
    assert thread.entries[0].total == Money(5980, "EUR")
    assert [entry.at for entry in thread.entries] == sorted(entry.at for entry in thread.entries)
    assert (thread.started, thread.last) == (thread.entries[0].at, thread.entries[-1].at)


def test_a_customer_is_shown_with_records_cases_orders_and_wishes(ana):
    seen = view(ana)
    assert [(record.source, record.external_id) for record in seen.records] == [("desk", "1"), ("shop", "77")]
    assert seen.records[0].joined_by is None
    assert "e-mail" in (seen.records[1].joined_by or "")
    assert [(case.source, case.external_id, case.name, case.status) for case in seen.cases] == [("desk", "9", "Late parcel", "in_progress")]
    assert [(one.source, one.number, one.items, one.total) for one in seen.orders] == [("shop", "A-1", 2, Money(5980, "EUR"))]
    assert [(wish.source, wish.channel) for wish in seen.preferences] == [("desk", "chat")]


def test_what_rules_asked_and_somebody_affirmed_is_no_likeness(lab):
    lab.read("people", {"id": 1, "email": "ana@example.org"}, {"id": 2, "email": "ana@example.org"})
    pair = sorted((party(1), party(2)))
    with lab.database.write() as transaction:
        row = (*pair, 0.0, '{"reason": "too large"}', "rules", "accepted", transaction.now())
        transaction.insert(schema.MATCHES, [row])
    assert view(lab).records[1].joined_by == "same e-mail as desk 1"


def test_a_customer_of_whom_nothing_is_known_but_an_id(lab):
    lab.read("people", {"id": 1})
    seen = view(lab)
    assert (seen.name, seen.facts, seen.threads) == (seen.id, (), ())
    assert len(seen.records) == 1
