"""Stored records are mapped again without their source, and what is newer is never overwritten."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import MAPPINGS, Lab, contents, wipe
from threadline.sdk import Rejected
from threadline.sync import replay as replaying
from threadline.sync.views import Ledger

MENDED = MAPPINGS["people"].replace("channel: wish", "channel: {from: wish, lookup: {sms: sms, pigeon: chat}}")
COMMENTED = MAPPINGS["people"] + "# looked at\n"
PEOPLE: list[dict[str, Any]] = [
    {"id": 1, "name": "Ana", "email": "ana@example.org", "wish": "sms"},
    {"id": 2, "name": "Bo", "wish": "pigeon"},
    {"id": 3, "name": "Cy", "hidden": True},
    {"id": 4, "name": "Di", "email": "ana@example.org"},
]


def pull(lab: Lab, *records: Any, **options: Any) -> Ledger:
    lab.connector.add("people", records)
    return lab.pull("people", **options)


def names(lab: Lab) -> list[Any]:
    return [name for (name,) in lab.rows("SELECT formatted_name FROM parties ORDER BY external_id")]


def test_a_changed_mapping_is_applied_without_a_call_to_the_source(lab):
    pull(lab, *PEOPLE)
    cursor = lab.rows("SELECT cursor FROM streams")
    lab.connector.failing["people"] = (0, AssertionError("the source was asked"))
    assert lab.replay("people", MENDED) == Ledger(read=4, new=1, unchanged=2, filtered=1)
    assert names(lab) == ["Ana", "Bo", "Di"]
    assert lab.rows("SELECT state FROM dead_letters") == [("resolved",)]
    assert lab.rows("SELECT cursor FROM streams") == cursor
    assert lab.rows("SELECT kind, state, \"read\" FROM runs WHERE kind = 'replay'") == [("replay", "done", 4)]


def test_a_replay_ends_as_a_pull_of_everything_with_that_mapping(lab):
    pull(lab, *PEOPLE)
    pull(lab, PEOPLE[0] | {"name": "Ana Lima"}, PEOPLE[2] | {"hidden": None})
    lab.replay("people", MENDED)
    replayed = contents(lab.database)
    assert [letter[-1] for letter in replayed.pop("dead_letters")] == ["resolved"]
    wipe(lab.database)
    lab.pull("people", mapping=MENDED)
    pulled = contents(lab.database)
    assert pulled.pop("dead_letters") == []
    assert pulled == replayed


def test_of_each_record_the_newest_version_counts(lab, monkeypatch):
    monkeypatch.setattr(replaying, "BATCH", 1)
    for name in ("one", "two", "three"):
        pull(lab, {"id": 1, "name": name}, {"id": 2, "name": name})
    pull(lab, {"id": 1, "name": "four"})
    assert lab.replay("people", MAPPINGS["people"].replace("customer", "agent")) == Ledger(read=2, changed=2)
    assert names(lab) == ["four", "three"]


def test_replaying_twice_changes_nothing(lab):
    pull(lab, *PEOPLE)
    lab.replay("people", MENDED)
    before, changes = contents(lab.database), lab.rows("SELECT count(*) FROM changes")
    assert lab.replay("people", MENDED) == Ledger(read=4, unchanged=3, filtered=1)
    assert contents(lab.database) == before
    assert lab.rows("SELECT count(*) FROM changes") == changes


def test_a_mapping_that_makes_the_same_of_everything_tells_nobody(lab):
    pull(lab, *PEOPLE)
    changes = lab.rows("SELECT count(*) FROM changes")
    versions = lab.rows("SELECT id, version FROM records ORDER BY id")
    assert lab.replay("people", COMMENTED) == Ledger(read=4, unchanged=2, filtered=1, dead=1)
    assert lab.rows("SELECT count(*) FROM changes") == changes
    assert lab.rows("SELECT id, version FROM records ORDER BY id") == versions
    # The next pull knows the mapping already.
    assert lab.pull("people", mapping=COMMENTED, full=True) == Ledger(read=4, unchanged=2, filtered=1, dead=1)
    assert lab.rows("SELECT id, version FROM records ORDER BY id") == versions


def test_what_a_connector_refused_keeps_its_reason(lab):
    lab.connector.add("people", [], rejected=[Rejected("7", b"\xff", "no text in any charset")])
    lab.pull("people")
    assert lab.replay("people", MENDED) == Ledger(read=1, dead=1)
    assert lab.rows("SELECT reason, attempts, state FROM dead_letters") == [("no text in any charset", 2, "open")]


def test_a_stream_that_was_never_pulled_has_nothing_to_replay(lab):
    assert lab.replay("people") == Ledger()
    pull(lab, *PEOPLE)
    assert names(lab) == ["Ana", "Di"]


people = st.fixed_dictionaries(
    {"id": st.integers(1, 3)},
    optional={
        "name": st.sampled_from(["Ana", "Bo"]),
        "email": st.sampled_from(["ana@example.org", "bo@example.org"]),
        "wish": st.sampled_from(["sms", "pigeon"]),
        "hidden": st.just(True),
    },
)
pulled = st.lists(people, min_size=1, max_size=3)
histories = st.builds(lambda first, rest: [first, *rest], pulled, st.lists(st.one_of(st.just("replay"), pulled), max_size=8))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories)
def test_replays_between_pulls_leave_what_the_pulls_alone_would(lab, history):
    ended: list[Any] = []
    for replays in (False, True):
        wipe(lab.database)
        lab.connector.pages.clear()
        for step in history:
            if step != "replay":
                lab.connector.add("people", step)
                lab.pull("people")
            elif replays:
                lab.replay("people")
        ended.append(contents(lab.database))
    assert ended[0] == ended[1]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, mended=st.integers(0, 8))
def test_a_mapping_mended_in_between_leaves_what_one_replay_at_the_end_would(lab, history, mended):
    # A person who was there once stays when the record is hidden later: who was cured early is no different.
    history = [step if step == "replay" else [{**record, "hidden": None} for record in step] for step in history]
    ended: list[Any] = []
    for replays in (False, True):
        wipe(lab.database)
        lab.connector.pages.clear()
        for number, step in enumerate(history):
            mapping = MENDED if number >= mended else MAPPINGS["people"]
            if step != "replay":
                lab.connector.add("people", step)
                lab.pull("people", mapping=mapping)
            elif replays:
                lab.replay("people", mapping)
        lab.replay("people", MENDED)
        ended.append(contents(lab.database))
    assert ended[0] == ended[1]
