"""Interactions, cases and orders that refer to each other are one thread, whichever is read first."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import MAPPINGS, Lab, order, partition, talk, threads, ticket, wipe
from threadline.store import schema
from threadline.store.database import moment

START = datetime(2026, 1, 1, tzinfo=UTC)
ANA, BO = {"id": 1, "email": "ana@example.org"}, {"id": 2, "email": "bo@example.org"}


def said(number: int, minute: int = 0, **more: Any) -> dict[str, Any]:
    return {"id": number, "at": (START + timedelta(minutes=minute or number)).isoformat(), **more}


def bought(number: int, name: str, person: int | None = 1, minute: int = 0) -> dict[str, Any]:
    return {**said(number, minute), "number": name, "person": person, "lines": []}


def together(lab: Lab) -> set[frozenset[bytes]]:
    """Thread what was read; return the threads, and check what must hold at any time."""
    lab.resolve()
    with lab.database.read() as transaction:
        found = threads(transaction)
        members = dict(transaction.query("SELECT entity, thread FROM thread_members"))
        heads = {row[0]: row[1:] for row in transaction.query("SELECT id, root, started, last FROM threads")}
        times = {
            identity: moment(at)
            for table, column in (("interactions", "interaction_date"), ("cases", "creation_date"), ("orders", "order_date"))
            for identity, at in transaction.query(f"SELECT id, {column} FROM {table}")
        }
    assert members.keys() == times.keys()
    assert set(members.values()) == heads.keys()
    for group in found:
        root, started, last = heads[members[next(iter(group))]]
        assert root == min(group, key=lambda entity: (times[entity], entity))
        assert (moment(started), moment(last)) == (min(times[entity] for entity in group), max(times[entity] for entity in group))
    return set(found)


def reasons(lab: Lab) -> dict[bytes, tuple[float, str | None]]:
    return {entity: (score, reason) for entity, score, reason in lab.rows("SELECT entity, score, reason FROM thread_members")}


def test_a_reply_belongs_to_what_it_answers(lab):
    lab.read("talks", said(1, message_id="a@x"), said(2, message_id="b@x", reply_to=["a@x"]), said(3, references=["a@x", "b@x"]), said(4))
    assert together(lab) == {frozenset({talk(1), talk(2), talk(3)}), frozenset({talk(4)})}
    assert reasons(lab)[talk(2)] == (1.0, "same e-mail conversation")
    assert reasons(lab)[talk(1)] == reasons(lab)[talk(4)] == (1.0, None)


def test_two_answers_to_a_message_that_is_not_there_belong_together(lab):
    lab.read("talks", said(1, message_id="b@x", reply_to=["lost@x"]), said(2, message_id="c@x", references=["lost@x"]))
    assert together(lab) == {frozenset({talk(1), talk(2)})}


def test_a_message_that_is_read_by_two_sources_is_in_one_thread(lab):
    lab.read("talks", said(1, message_id="a@x"))
    lab.read("talks", said(1, message_id="a@x"), source="mail")
    assert together(lab) == {frozenset({talk(1), talk(1, "mail")})}


def test_a_conversation_is_one_thread_within_its_source(lab):
    lab.read("talks", said(1, conversation="77"), said(2, conversation="77"))
    lab.read("talks", said(1, conversation="77"), source="x")
    assert together(lab) == {frozenset({talk(1), talk(2)}), frozenset({talk(1, "x")})}
    assert reasons(lab)[talk(2)] == (1.0, "same conversation")


def test_what_was_said_on_a_case_belongs_to_it(lab):
    lab.read("tickets", said(5, subject="Late parcel"))
    lab.read("talks", said(6, ticket=5), said(7, ticket=5), said(8, ticket=6))
    assert together(lab) == {frozenset({ticket(5), talk(6), talk(7)}), frozenset({talk(8)})}
    assert reasons(lab)[talk(6)] == (1.0, "belongs to case #5")


def test_a_case_that_is_read_later_names_itself(lab):
    lab.read("talks", said(6, ticket=5), said(7, ticket=5))
    assert together(lab) == {frozenset({talk(6), talk(7)})}
    assert reasons(lab)[talk(7)] == (1.0, "belongs to case that is not read yet")
    lab.read("tickets", said(5, subject="Late parcel"))
    assert together(lab) == {frozenset({ticket(5), talk(6), talk(7)})}
    assert reasons(lab)[talk(6)] == reasons(lab)[talk(7)] == (1.0, "belongs to case #5")


def test_an_order_number_in_a_field_or_a_text_joins_what_one_customer_said(lab):
    lab.read("people", ANA)
    lab.read("orders", bought(1, "A-1"))
    lab.read("tickets", said(2, subject="Help", person=1, order="a-1 "))
    lab.read("talks", said(3, text="Where is A-1?", person=1), said(4, subject="A-12 and BA-1 are others", person=1))
    assert together(lab) == {frozenset({order(1), ticket(2), talk(3)}), frozenset({talk(4)})}
    found = reasons(lab)
    assert found[ticket(2)] == (0.95, "is about order a-1 ")
    assert found[talk(3)] == (0.9, "mentions order A-1")


def test_the_order_number_of_somebody_else_joins_nothing(lab):
    lab.read("people", ANA, BO)
    lab.read("orders", bought(1, "A-1", person=1))
    lab.read("talks", said(2, text="Is A-1 better?", person=2), said(3, text="A-1", order="A-1"))
    assert len(together(lab)) == 3


def test_an_order_number_joins_across_the_sources_of_one_customer(lab):
    lab.read("people", ANA)
    lab.read("people", {"id": 9, "email": "ana@example.org"}, source="shop")
    lab.read("orders", bought(1, "A-1", person=9), source="shop")
    lab.read("talks", said(2, text="A-1!", person=1))
    assert together(lab) == {frozenset({order(1, "shop"), talk(2)})}


def test_threads_join_when_their_customers_do_and_part_when_they_part(lab):
    lab.read("people", ANA)
    lab.read("people", {"id": 9}, source="shop")
    lab.read("orders", bought(1, "A-1", person=9), source="shop")
    lab.read("talks", said(2, text="A-1!", person=1))
    apart = {frozenset({order(1, "shop")}), frozenset({talk(2)})}
    assert together(lab) == apart
    lab.read("people", {"id": 9, "email": "ana@example.org"}, source="shop")
    assert together(lab) == {frozenset({order(1, "shop"), talk(2)})}
    lab.read("people", {"id": 9, "email": "bo@example.org"}, source="shop")
    assert together(lab) == apart


def test_a_late_message_joins_two_threads_and_the_larger_keeps_its_id(lab):
    lab.read("talks", said(1, message_id="a"), said(2, message_id="b"), said(3, reply_to=["b"]))
    assert len(together(lab)) == 2
    ((larger,),) = lab.rows("SELECT thread FROM thread_members WHERE entity = ?", talk(3))
    lab.read("talks", said(4, reply_to=["a"], references=["b"]))
    assert together(lab) == {frozenset(map(talk, (1, 2, 3, 4)))}
    assert lab.rows("SELECT id FROM threads") == [(larger,)]


def test_a_thread_keeps_its_id_when_an_older_message_is_read_late(lab):
    lab.read("talks", said(5, message_id="e", reply_to=["a"]), said(6, reply_to=["e"]))
    together(lab)
    before = lab.rows("SELECT id FROM threads")
    lab.read("talks", said(1, message_id="a"))
    assert len(together(lab)) == 1
    assert lab.rows("SELECT id FROM threads") == before


def test_a_message_that_no_longer_refers_leaves_and_the_rest_keeps_the_id(lab):
    lab.read("talks", said(1, message_id="a"), said(2, message_id="b", reply_to=["a"]), said(3, reply_to=["b"]))
    together(lab)
    before = lab.rows("SELECT id FROM threads")
    lab.read("talks", said(3))
    assert together(lab) == {frozenset({talk(1), talk(2)}), frozenset({talk(3)})}
    assert lab.rows("SELECT thread FROM thread_members WHERE entity = ?", talk(1)) == before


def test_the_oldest_message_leaves_a_thread_with_an_id_of_its_own(lab):
    """The thread was once made from that message, so that its id may be taken."""
    lab.read("talks", said(1, conversation="77"))
    together(lab)
    lab.read("talks", said(2, conversation="77"), said(3, conversation="77"))
    together(lab)
    before = lab.rows("SELECT id FROM threads")
    lab.read("talks", said(1))
    assert together(lab) == {frozenset({talk(1)}), frozenset({talk(2), talk(3)})}
    assert lab.rows("SELECT thread FROM thread_members WHERE entity = ?", talk(2)) == before


def test_a_message_that_is_gone_leaves_and_a_thread_without_any_ends(lab):
    narrow = MAPPINGS["talks"].replace("version: 1", "version: 2\nwhen: {conversation: '77'}")
    lab.connector.add("talks", [said(1, conversation="77", message_id="a"), said(2, reply_to=["a"]), said(3)])
    lab.pull("talks")
    assert together(lab) == {frozenset({talk(1), talk(2)}), frozenset({talk(3)})}
    lab.pull("talks", mapping=narrow, full=True)
    assert together(lab) == {frozenset({talk(1)})}
    assert lab.rows("SELECT count(*) FROM thread_references WHERE entity <> ?", talk(1)) == [(0,)]


def test_the_oldest_message_leaves_twice(lab):
    lab.read("talks", said(1, conversation="77"))
    together(lab)
    lab.read("talks", said(2, conversation="77"), said(3, conversation="77"), said(4, conversation="78"), said(5, conversation="78"))
    together(lab)
    for conversation in (None, "78", None):
        lab.read("talks", said(1, conversation=conversation))
        found = together(lab)
    assert found == {frozenset({talk(1)}), frozenset({talk(2), talk(3)}), frozenset({talk(4), talk(5)})}


def test_a_note_without_a_customer_counts_as_its_cases_customers(lab):
    lab.read("people", ANA)
    lab.read("tickets", said(5, subject="Help", person=1))
    lab.read("orders", bought(1, "A-1"))
    lab.read("talks", said(6, ticket=5, text="The customer means A-1", direction="outbound"))
    assert together(lab) == {frozenset({order(1), ticket(5), talk(6)})}


PIECES: dict[str, tuple[str, dict[str, Any]]] = {
    "person": ("people", ANA),
    "ticket": ("tickets", said(5, subject="Help", person=1)),
    "order": ("orders", bought(1, "A-1")),
    "note": ("talks", said(6, ticket=5, text="The customer means A-1", direction="outbound")),
}


@pytest.mark.parametrize("names", list(permutations(PIECES)), ids="-".join)
def test_that_note_finds_the_order_whichever_is_read_first(lab, names):
    for name in names:
        stream, record = PIECES[name]
        lab.read(stream, record)
        lab.resolve()
    assert together(lab) == {frozenset({order(1), ticket(5), talk(6)})}


def test_a_note_follows_when_its_case_gets_another_customer(lab):
    lab.read("people", ANA, BO)
    lab.read("orders", bought(1, "A-1", person=1), bought(2, "A-1", person=2))
    lab.read("tickets", said(5, subject="Help", person=1))
    lab.read("talks", said(6, ticket=5, text="About A-1", direction="outbound"))
    assert together(lab) == {frozenset({order(1), ticket(5), talk(6)}), frozenset({order(2)})}
    lab.read("tickets", said(5, subject="Help", person=2))
    assert together(lab) == {frozenset({order(2), ticket(5), talk(6)}), frozenset({order(1)})}


@pytest.mark.parametrize(
    ("records", "title"),
    [
        ({"orders": [bought(1, "A-1")]}, "Order A-1"),
        ({"orders": [bought(1, "A-1")], "talks": [said(2, subject="Where?", text="A-1", person=1)]}, "Where?"),
        ({"talks": [said(1, subject="First", person=1, text="A-1"), said(2, subject="Second", person=1, order="A-1")]}, "First"),
        ({"talks": [said(9, subject="Mail", ticket=5)], "tickets": [said(5, subject="The case", person=1)]}, "The case"),
        ({"talks": [said(1, text="x" * 200)]}, "x" * 80),
        ({"talks": [said(1)]}, None),
    ],
)
def test_a_thread_is_titled_by_what_was_said_first_else_by_its_order(lab, records, title):
    for stream, held in records.items():
        lab.read(stream, *held)
    together(lab)
    assert lab.rows("SELECT title FROM threads") == [(title,)]


def test_a_thread_knows_its_channels_in_order_of_first_use_and_its_customer(lab):
    lab.read("people", ANA)
    lab.read("talks", said(3, channel="chat", conversation="7"), said(1, channel="email", conversation="7", person=1))
    lab.read("talks", said(2, channel="chat", conversation="7"), said(4, channel="voice", conversation="7"))
    together(lab)
    ((profile,),) = lab.rows("SELECT profile FROM party_profiles")
    assert lab.rows("SELECT channels, profile FROM threads") == [('["email","chat","voice"]', profile)]


def test_of_equal_reasons_the_same_one_is_told_however_the_store_returns_them(lab):
    both = {"ticket": 5, "conversation": "7", "references": ["a", "b"]}
    lab.read("talks", said(1, **both), said(2, **both))
    together(lab)
    before = reasons(lab)
    rows = lab.rows("SELECT reference, entity, kind, label FROM thread_references")
    with lab.database.write() as transaction:
        transaction.execute("DELETE FROM thread_references")
        for row in reversed(rows):
            transaction.insert(schema.THREAD_REFERENCES, [row])
    lab.read("talks", said(3, ticket=5))
    together(lab)
    assert before.items() <= reasons(lab).items()


def test_threading_again_changes_nothing(lab):
    lab.read("talks", said(1, conversation="7"), said(2, conversation="7"))
    assert lab.resolve() == 1
    assert lab.resolve() == 0
    lab.read("talks", said(1, conversation="7"), said(2, conversation="7"))
    assert lab.resolve() == 0


def happening(stream: str, number: int, at: int, person: int | None, other: int | None) -> dict[str, Any]:
    """Make one of few people, orders, tickets and messages, that refer to each other a lot."""
    if stream == "people":
        return {"id": number, "email": f"e{at % 2}@example.org"}
    if stream == "orders":
        return bought(number, f"A-{number % 3}", person, at)
    if stream == "tickets":
        return said(number, at, subject="Help", person=person, order=other and f"A-{other}")
    text, reply = (f"See A-{other}.", [f"m{at % 4}"]) if other else (None, [])
    return said(number, at, person=person, ticket=other if at % 2 else None, text=text, message_id=f"m{number}", reply_to=reply)


few, maybe = st.integers(1, 4), st.none() | st.integers(1, 4)
events = st.dictionaries(
    st.tuples(st.sampled_from(["people", "orders", "tickets", "talks"]), few), st.tuples(st.integers(1, 9), maybe, maybe), max_size=12
).map(lambda held: [(stream, happening(stream, number, *rest)) for (stream, number), rest in held.items()])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(happened=events, chance=st.randoms())
def test_any_order_of_reading_gives_the_same_threads(database, happened, chance):
    lab, outcomes = Lab(database), []
    for step in range(3):
        wipe(database)
        for stream, record in happened:
            lab.read(stream, record)
            if step:
                lab.resolve()
        together(lab)
        outcomes.append((partition(lab.rows("SELECT entity, thread FROM thread_members")), reasons(lab)))
        chance.shuffle(happened)
    assert outcomes[0] == outcomes[1] == outcomes[2]
