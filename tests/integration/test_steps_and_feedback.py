"""A case's way, what customers think of it, and cases that a push has opened stand in the thread that they belong to."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.lab import Lab, ListConnector, order, party, push_mapping, talk, threads, ticket
from threadline.journey.timeline import customer
from threadline.journey.views import CustomerView, Entry
from threadline.sdk import PushObject, Receipt
from threadline.sync.push import Outgoing, push

AT = "2026-01-01T00:{:02}:00Z"
STEPS = """
source: list.steps
target: status_change
version: 1
fields: {case: ticket, status: status, change_date: at, change_reason: {from: why, optional: true}}
parties:
  - {role: customer, identifiers: {list_person: {from: customer, optional: true}}}
  - {role: agent, identifiers: {list_person: {from: agent, optional: true}}}
"""
RATINGS = """
source: list.ratings
target: feedback
version: 1
fields:
  metric: {from: metric, default: csat}
  feedback_date: at
  rating: {from: rating, optional: true}
  min_rating: {from: lowest, default: 1}
  max_rating: {from: highest, default: 5}
  comments: {from: text, optional: true}
  reason: {from: why, optional: true}
  case: {from: ticket, optional: true}
  order_ref: {from: order, optional: true}
parties: [{role: customer, identifiers: {list_person: {from: person, optional: true}}}]
"""


def take(lab: Lab, stream: str, mapping: str, *records: dict[str, Any]) -> None:
    lab.connector.add(stream, records)
    lab.pull(stream, mapping=mapping)


def view(lab: Lab) -> CustomerView:
    lab.resolve()
    with lab.database.read() as transaction:
        seen = customer(transaction, party(1))
    assert isinstance(seen, CustomerView)
    return seen


def entries(lab: Lab, kind: str) -> list[Entry]:
    return [entry for thread in view(lab).threads for entry in thread.entries if entry.kind == kind]


@pytest.fixture
def desk(lab: Lab) -> Lab:
    lab.read("people", {"id": 1, "name": "Ana Lima"}, {"id": 9, "name": "Tom Reed", "role": "agent"})
    lab.read("tickets", {"id": 5, "at": AT.format(1), "subject": "Late", "person": 1})
    return lab


def test_a_thread_shows_every_step_of_its_case_and_who_took_it(desk):
    steps = [
        {"id": 1, "ticket": 5, "at": AT.format(1), "status": "acknowledged", "customer": 1},
        {"id": 2, "ticket": 5, "at": AT.format(3), "status": "pending", "agent": 9},
        {"id": 3, "ticket": 5, "at": AT.format(4), "status": "in_progress", "customer": 1},
        {"id": 5, "ticket": 5, "at": AT.format(6), "status": "resolved", "why": "Solve after a week"},
        {"id": 6, "ticket": 5, "at": AT.format(7), "status": "resolved", "agent": 9},
        {"id": 7, "ticket": 404, "at": AT.format(8), "status": "closed"},
    ]
    take(desk, "steps", STEPS, *reversed(steps))
    shown = [(entry.external_id, entry.state, entry.author, entry.role, entry.text) for entry in entries(desk, "status")]
    assert shown == [
        ("5", "pending", "Tom Reed", "agent", None),
        ("5", "in_progress", "Ana Lima", "customer", None),
        ("5", "resolved", None, None, "Solve after a week"),
    ]
    assert [entry.kind for entry in view(desk).threads[0].entries] == ["case", "status", "status", "status"]


def test_words_stand_before_the_step_that_they_brought_about(desk):
    desk.read("talks", {"id": 2, "at": AT.format(3), "ticket": 5, "text": "Still nothing."})
    take(desk, "steps", STEPS, {"id": 1, "ticket": 5, "at": AT.format(3), "status": "in_progress"})
    assert [entry.kind for entry in view(desk).threads[0].entries] == ["case", "message", "status"]


def test_feedback_belongs_to_what_it_is_about_and_takes_its_customer_from_it(desk):
    desk.read("orders", {"id": 7, "at": AT.format(1), "number": "A-7", "person": 1, "lines": []})
    take(
        desk, "ratings", RATINGS,
        {"id": 1, "at": AT.format(5), "ticket": 5, "rating": 4, "text": "Quick."},
        {"id": 2, "at": AT.format(6), "order": "A-7", "person": 1, "rating": 9, "lowest": 0, "highest": 10, "metric": "nps"},
        {"id": 3, "at": AT.format(7), "person": 1, "metric": "free_text", "why": "No reason"},
    )  # fmt: skip
    seen = view(desk)
    with desk.database.read() as transaction:
        found = {frozenset(one.hex() for one in group) for group in threads(transaction)}
    rated = {number: identity for identity, number in desk.rows("SELECT id, external_id FROM feedback")}
    together = {frozenset({ticket(5), rated["1"]}), frozenset({order(7), rated["2"]}), frozenset({rated["3"]})}
    assert found == {frozenset(one.hex() for one in group) for group in together}
    shown = {
        entry.external_id: (entry.state, entry.text, entry.reason)
        for thread in seen.threads
        for entry in thread.entries
        if entry.kind == "feedback"
    }
    assert shown == {
        "1": ("4 on a scale from 1 to 5", "Quick.", "belongs to case #5"),
        "2": ("9 on a scale from 0 to 10", None, "is about order A-7"),
        "3": (None, "No reason", None),
    }
    assert desk.rows("SELECT external_id, normalized_rating FROM feedback ORDER BY external_id") == [("1", 0.75), ("2", 0.9), ("3", None)]


def test_a_case_that_is_read_later_takes_its_feedback_in(lab):
    lab.read("people", {"id": 1, "name": "Ana Lima"})
    lab.read("orders", {"id": 7, "at": AT.format(1), "number": "A-7", "person": 1, "lines": []})
    take(lab, "ratings", RATINGS, {"id": 1, "at": AT.format(5), "ticket": 5, "rating": 1, "text": "A-7 never came."})
    lab.resolve()
    assert lab.rows("SELECT count(*) FROM threads WHERE profile IS NULL") == [(1,)]
    lab.read("tickets", {"id": 5, "at": AT.format(1), "subject": "Late", "person": 1})
    (thread,) = view(lab).threads
    # Whose order it mentions is known from the case's customer.
    assert [entry.kind for entry in thread.entries] == ["order", "case", "feedback"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"rating": 6}, "a rating of 6 is not on a scale from 1 to 5"),
        ({"rating": 1, "lowest": 5}, "a rating of 1 is not on a scale from 5 to 5"),
        ({"rating": "1e400"}, "expected a number below 1e308"),
        ({"rating": "lots"}, "expected a decimal number"),
    ],
)
def test_a_rating_that_is_not_on_its_scale_is_set_aside(lab, record, said):
    take(lab, "ratings", RATINGS, {"id": 1, "at": AT.format(5), **record})
    ((reason, path),) = lab.rows("SELECT reason, path FROM dead_letters")
    assert (said in reason, path) == (True, "$.rating")


# What a push has opened

MATTER = PushObject("matter", 3, "upsert", opens_case=True)
OPENING = """
source: interaction
target: list.matter
version: 1
when: {elsewhere: true, thread.here.case: null}
fields: {thread: thread.id, text: {from: content, optional: true}}
"""


def open_cases(lab: Lab) -> list[dict[str, Any]]:
    outgoing = Outgoing("tickets", "desk", MATTER, push_mapping("matter", OPENING))
    lab.resolve()
    push(lab.database, lab.connector, [outgoing])
    return lab.connector.taken("matter")


def answer(number: str) -> Callable[[Any], Receipt]:
    return lambda intent: Receipt(intent.id, "done", number)


def read_back(lab: Lab) -> None:
    lab.read("tickets", {"id": 77, "at": AT.format(9), "subject": "Where is it?", "person": 1})
    lab.read("talks", {"id": 78, "at": AT.format(10), "ticket": 77, "text": "On its way.", "direction": "outbound"})


@pytest.mark.parametrize("late", [False, True], ids=["the receipt first", "the case first"])
def test_a_case_joins_the_thread_that_it_was_opened_for_and_no_other_is_opened(lab, late):
    lab.connector.answer = answer("77")
    lab.read("talks", {"id": 1, "at": AT.format(1), "conversation": "c", "text": "Where is it?"}, source="mail")
    if late:
        read_back(lab)
    assert len(open_cases(lab)) == 1
    if not late:
        read_back(lab)
    lab.resolve()
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1, "mail"), ticket(77), talk(78)})}
    lab.read("talks", {"id": 2, "at": AT.format(12), "conversation": "c", "text": "Anyone?"}, source="mail")
    assert len(open_cases(lab)) == 1
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1, "mail"), talk(2, "mail"), ticket(77), talk(78)})}


def test_a_case_of_that_number_elsewhere_joins_nothing(lab):
    lab.connector.answer = answer("77")
    lab.read("talks", {"id": 1, "at": AT.format(1), "text": "Where is it?"}, source="mail")
    open_cases(lab)
    lab.read("tickets", {"id": 77, "at": AT.format(9), "subject": "Another"}, source="crm")
    lab.resolve()
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1, "mail")}), frozenset({ticket(77, "crm")})}


def test_only_what_opens_a_case_is_joined_by_the_number_of_one(lab):
    lab.connector.answer = answer("77")
    lab.read("talks", {"id": 1, "at": AT.format(1), "text": "Where is it?"}, source="mail")
    lab.resolve()
    other = next(item for item in ListConnector.objects if item.name == "note")
    push(lab.database, lab.connector, [Outgoing("notes", "desk", other, push_mapping("note", OPENING.replace("matter", "note")))])
    read_back(lab)
    lab.resolve()
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1, "mail")}), frozenset({ticket(77), talk(78)})}


# A mapping that makes another entity of the same records

TALKED = """
source: list.ratings
target: interaction
version: 1
fields: {direction: {default: inbound}, channel: {default: survey}, interaction_date: at, case: {from: ticket, optional: true}}
parties: [{role: customer, identifiers: {list_person: {from: person, optional: true}}}]
message: {fields: {content: {from: text, optional: true}}}
"""


@pytest.mark.parametrize("again", ["replay", "pull"])
def test_what_a_record_was_before_goes_when_its_mapping_makes_something_else_of_it(desk, again):
    ratings = [{"id": n, "at": AT.format(n), "ticket": 5, "person": 1, "rating": n, "text": f"Text {n}"} for n in (2, 3)]
    take(desk, "ratings", TALKED, *ratings)
    desk.read("talks", {"id": 9, "at": AT.format(4), "ticket": 5, "text": "Still nothing."})
    assert [entry.kind for entry in view(desk).threads[0].entries] == ["case", "message", "message", "message"]
    if again == "replay":
        desk.replay("ratings", RATINGS)
    else:
        desk.pull("ratings", mapping=RATINGS, full=True)
    assert [(entry.kind, entry.text) for entry in view(desk).threads[0].entries] == [
        ("case", None), ("feedback", "Text 2"), ("feedback", "Text 3"), ("message", "Still nothing."),
    ]  # fmt: skip
    assert desk.rows("SELECT content FROM messages") == [("Still nothing.",)]
    assert desk.rows("SELECT count(*) FROM related_customers") == [(3,)]
    changes = desk.rows("SELECT count(*) FROM changes")
    desk.replay("ratings", RATINGS)
    assert desk.rows("SELECT count(*) FROM changes") == changes
