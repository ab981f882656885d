"""What a changed mapping would change is told before anything does, and nothing of it is left behind."""

from collections import Counter
from typing import Any

import pytest

from tests.integration.lab import MAPPINGS, ORDER_PATTERN, Lab, pull_mapping
from threadline.journey.references import Finder
from threadline.model.ids import show_id
from threadline.store.database import Database
from threadline.store.schema import TABLES
from threadline.sync.diff import Difference, FieldChange, difference

PEOPLE: list[dict[str, Any]] = [
    {"id": 1, "name": "Ana", "nick": "Annie", "email": "ana@example.org", "second": "ana@example.org"},
    {"id": 2, "name": "Ana", "nick": "Ana", "second": "ana@example.org"},
    {"id": 3, "name": "Cy", "nick": "Cyrus", "wish": "pigeon"},
    {"id": 4, "name": "Di", "nick": "Di", "hidden": True},
]
OLD = MAPPINGS["people"]


def everything(database: Database) -> dict[str, list[Any]]:
    """Return every row of every table."""
    with database.read() as transaction:
        return {table.name: sorted(transaction.query(f'SELECT * FROM "{table.name}"'), key=repr) for table in TABLES}


@pytest.fixture
def lab(database: Database) -> Lab:
    made = Lab(database)
    made.connector.add("people", PEOPLE)
    made.pull("people")
    made.read("talks", {"id": 1, "at": "2026-03-01T10:00:00Z", "person": 1, "text": "A-1"})
    made.read("talks", {"id": 2, "at": "2026-03-02T10:00:00Z", "person": 2, "text": "A-1"})
    made.resolve()
    made.push("user")
    return made


def diff(lab: Lab, new: str, stream: str = "people", old: str = OLD) -> Difference:
    before = everything(lab.database)
    found = difference(
        lab.database, lab.judge(stream, "desk", new), pull_mapping(stream, "desk", old), Finder(ORDER_PATTERN), lab.outgoing("user")
    )
    assert everything(lab.database) == before
    return found


def test_a_mapping_that_makes_the_same_changes_nothing(lab):
    found = diff(lab, OLD + "# looked at\n")
    assert found == Difference(source="desk", stream="people", records=4, dead_before=1, dead_after=1)


def test_fields_are_told_with_counts_and_examples(lab):
    found = diff(lab, OLD.replace("formatted_name: {from: name", "formatted_name: {from: nick"))
    assert (found.records, found.changed, found.fields) == (4, 1, {"parties.formatted_name": 1})
    assert found.examples == [FieldChange(key="1", table="parties", field="formatted_name", before="Ana", after="Annie")]
    assert len(found.profiles) == 1
    assert found.pushes == {"desk.user": 1}


def test_a_new_identifier_joins_customers(lab):
    found = diff(lab, OLD.replace("email: {from: email", "email: {from: second"))
    assert found.fields == {"identifiers.email": 1}
    assert found.examples == [FieldChange(key="2", table="identifiers", field="email", before=None, after="ana@example.org")]
    kept = {show_id(row[0]) for row in lab.rows("SELECT profile FROM party_profiles")}
    assert set(found.profiles) & kept
    # Both talks name one order, which is one customer's now.
    assert found.threads >= 1
    assert found.pushes


def test_letters_that_would_be_cured_or_come_are_counted(lab):
    cured = diff(lab, OLD.replace("channel: wish", "channel: {from: wish, lookup: {pigeon: chat}}"))
    assert (cured.dead_before, cured.dead_after, cured.changed) == (1, 0, 1)
    assert [(one.key, one.field, one.after) for one in cured.examples] == [("3", "state", "mapped")]
    worse = diff(lab, OLD.replace("formatted_name: {from: name, optional: true}", "formatted_name: wish"))
    assert (worse.dead_before, worse.dead_after) == (1, 3)


def test_records_left_out_are_told(lab):
    found = diff(lab, OLD.replace("when: {hidden: null}\n", ""))
    assert [(one.key, one.before, one.after) for one in found.examples] == [("4", "left out", "mapped")]


def test_rows_of_messages_and_items_are_compared(lab):
    old = MAPPINGS["talks"]
    found = diff(lab, old.replace("subject: {from: subject", "subject: {from: text"), "talks", old)
    assert found.fields == {"messages.subject": 2}
    assert found.pushes == {}


def test_fields_that_evolved_are_no_difference(lab):
    lab.connector.add("people", [{**PEOPLE[0], "id": 9, "email": "z@example.org", "colour": "red"}])
    lab.pull("people")
    lab.resolve()
    lab.push("user")
    found = diff(lab, OLD + "# looked at\n")
    assert (found.records, found.changed, found.profiles, found.threads, found.pushes) == (5, 0, [], 0, {})


def test_what_is_due_anyway_is_not_the_mappings(lab):
    lab.connector.add("people", [PEOPLE[0] | {"name": "Ana Lima"}, {"id": 8, "name": "Flo", "email": "flo@example.org"}])
    lab.pull("people")
    found = diff(lab, OLD + "# looked at\n")
    assert (found.profiles, found.threads, found.pushes) == ([], 0, {})


def test_of_each_field_only_some_examples_are_kept(lab):
    lab.connector.add(
        "people",
        [{"id": number, "name": "A", "nick": "B"} for number in range(100, 150)]
        + [{"id": 200, "name": "A", "nick": "B", "wish": "pigeon"}],
    )
    lab.pull("people")
    mended = OLD.replace("channel: wish", "channel: {from: wish, lookup: {pigeon: chat}}")
    found = diff(lab, mended.replace("formatted_name: {from: name", "formatted_name: {from: nick"))
    assert found.fields == {"parties.formatted_name": 51, "record.state": 2}
    assert Counter(one.field for one in found.examples) == {"formatted_name": 3, "state": 2}
