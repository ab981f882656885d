"""People correct profiles: what they decide holds whatever is read later, can be taken back, and stands in the history."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import Lab, contents, party, profiles, threads, wipe
from threadline.identity.decisions import link, preview, separate, settle
from threadline.identity.explain import explain
from threadline.identity.graph import Regrouped
from threadline.identity.history import decisions, history
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import USUAL, Rules
from threadline.journey.profile import load_profiles
from threadline.model.ids import new_ulid
from threadline.sdk.errors import ConfigError
from threadline.sync.apply import log, profile_entries
from threadline.sync.policy import Policy

quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ANA, ANNE = {"id": 1, "name": "Ana Lima", "email": "ana@example.org"}, {"id": 2, "name": "Anne Costa", "email": "anne@example.org"}


def home(lab: Lab, number: int) -> bytes:
    return lab.rows("SELECT profile FROM party_profiles WHERE party = ?", party(number))[0][0]


def decide(lab: Lab, decision: Any, *arguments: Any, **more: Any) -> Regrouped:
    with lab.database.write() as transaction:
        regrouped: Regrouped = decision(transaction, *arguments, who="kim", why="asked", rules=lab.policy.identity, **more)
        log(transaction, profile_entries(regrouped), new_ulid(), transaction.now())
    return regrouped


def test_a_link_joins_what_nothing_else_does_and_outlives_changes_and_rebuilds(lab):
    lab.read("people", ANA, ANNE)
    assert home(lab, 1) != home(lab, 2)
    regrouped = decide(lab, link, party(1), party(2))
    assert home(lab, 1) == home(lab, 2)
    assert len(regrouped.merged) == 1
    lab.read("people", ANA | {"name": "Ana L.", "email": "new@example.org"})
    with lab.database.write() as transaction:
        assert not rebuild(transaction, USUAL, "rebuild").changed
    assert home(lab, 1) == home(lab, 2)
    with lab.database.read() as transaction:
        found = explain(transaction, party(1), party(2))
        assert [(step.rule, step.decided) for step in found.path] == [("link", "kim: asked")]


def test_a_split_outlives_changes_and_rebuilds_and_new_records_go_where_they_belong(lab):
    lab.read("people", *({"id": number, "name": "Ana Lima", "email": "ana@example.org"} for number in (1, 2, 3)))
    before = home(lab, 1)
    decide(lab, separate, [party(3)])
    assert home(lab, 1) == home(lab, 2) == before
    assert home(lab, 3) != before
    lab.read("people", {"id": 1, "name": "Ana Lima", "email": "ana@example.org", "handle": "x:ana"})
    lab.read("people", {"id": 4, "name": "Ana Lima", "handle": "x:ana"})
    with lab.database.write() as transaction:
        assert not rebuild(transaction, USUAL, "rebuild").changed
    assert home(lab, 1) == home(lab, 4) == before
    assert home(lab, 3) != before
    with lab.database.read() as transaction:
        found = explain(transaction, party(1), party(3))
        assert not found.same
        assert {step.refused for step in found.against} == {"it was decided that they are not one"}


def test_a_split_is_taken_back_by_a_link(lab):
    lab.read("people", *({"id": number, "name": "Ana Lima", "email": "ana@example.org"} for number in (1, 2, 3)))
    before = home(lab, 1)
    decide(lab, separate, [party(3)])
    decide(lab, link, party(3), party(1))
    assert {home(lab, number) for number in (1, 2, 3)} == {before}
    assert lab.rows("SELECT verdict FROM decisions") == [("link",)]


def test_records_that_are_split_off_stay_together_though_what_joined_them_stays(lab):
    lab.read("people", {"id": 1, "email": "a@example.org", "phone": "+49 1512 0901820"}, {"id": 2, "email": "a@example.org"})
    lab.read("people", {"id": 3, "phone": "+49 1512 0901820"})
    assert len({home(lab, number) for number in (1, 2, 3)}) == 1
    decide(lab, separate, [party(2), party(3)])
    assert home(lab, 2) == home(lab, 3) != home(lab, 1)


def test_a_split_is_previewed_and_nothing_is_written(lab):
    lab.read("people", *({"id": number, "name": "Ana Lima", "email": "ana@example.org"} for number in (1, 2, 3)))
    lab.read("talks", {"id": 1, "at": "2026-03-01T10:00:00Z", "person": 3}, {"id": 2, "at": "2026-03-02T10:00:00Z", "person": 1})
    lab.resolve()
    lab.push("user")
    before = contents(lab.database)
    with lab.database.read() as transaction:
        found = preview(transaction, [party(3)])
    assert [[one.external_id for one in part.records] for part in found.parts] == [["1", "2"], ["3"]]
    assert [(part.entities, part.threads) for part in found.parts] == [(1, 1), (1, 1)]
    assert found.targets == ["desk"]
    assert contents(lab.database) == before


@pytest.mark.parametrize("records", [[], [1, 2, 3], [1, 4]])
def test_what_cannot_be_split_is_refused(lab, records):
    lab.read("people", *({"id": number, "name": "Ana Lima", "email": "ana@example.org"} for number in (1, 2, 3)), {"id": 4})
    with pytest.raises(ConfigError):
        decide(lab, separate, [party(number) for number in records])


@pytest.mark.parametrize("same", [True, False])
def test_a_review_is_answered_once_and_for_all(lab, same):
    lab.policy = Policy(identity=Rules(most_records=2))
    lab.read("people", *({"id": number, "name": "Ana Lima", "email": "ana@example.org"} for number in (1, 2, 3)))
    ((one, other),) = lab.rows("SELECT one, other FROM matches WHERE state = 'review'")
    decide(lab, settle, one, other, same=same)
    assert len({home(lab, number) for number in (1, 2, 3)}) == (1 if same else 2)
    with pytest.raises(ConfigError, match="nothing is to be decided"):
        decide(lab, settle, one, other, same=same)
    lab.read("people", {"id": 1, "name": "Ana María Lima", "email": "ana@example.org"})
    assert lab.rows("SELECT 1 FROM matches WHERE state = 'review'") == []


def test_the_history_tells_of_merges_and_splits_with_their_causes(lab):
    lab.read("people", ANA, ANNE)
    decide(lab, link, party(1), party(2))
    kept = home(lab, 1)
    decide(lab, separate, [party(2)])
    other = home(lab, 2)
    with lab.database.read() as transaction:
        events = history(transaction, kept)
        assert [(event.kind, event.cause) for event in events] == [("merged", "linked by kim: asked"), ("split", "split by kim: asked")]
        assert [one.verdict for one in decisions(transaction, other)] == ["never"]


def world(lab: Lab) -> dict[str, Any]:
    """Return all that people see of customers."""
    lab.resolve()
    with lab.database.read() as transaction:
        ids = {profile for (profile,) in transaction.query("SELECT profile FROM party_profiles")}
        loaded = load_profiles(transaction, ids)
        return {
            "profiles": {
                identity: (sorted(one.parties), {name: one.ranked(name) for name in one.values}) for identity, one in loaded.items()
            },
            "partition": profiles(transaction),
            "threads": threads(transaction),
            "titles": sorted(transaction.query("SELECT title, profile, started, last, channels FROM threads"), key=repr),
        }


@quick
@given(
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=3),
)
def test_what_is_merged_and_split_again_is_as_it_was(database, sizes, steps):
    """Profiles with their ids, values of fields, and threads; the last that was merged is split first."""
    wipe(database)
    lab = Lab(database)
    number, groups = 0, list[list[int]]()
    for index, size in enumerate(sizes):
        groups.append(list(range(number, number + size)))
        lab.read("people", *({"id": one, "name": f"Ana {'abcd'[index] * 3}", "email": f"{index}@example.org"} for one in groups[-1]))
        lab.read("talks", *({"id": one, "at": f"2026-03-01T10:{one:02}:00Z", "person": one, "text": "about A-1"} for one in groups[-1]))
        number += size
    trail: list[tuple[dict[str, Any], list[bytes]]] = []
    for one, other in steps:
        left, right = groups[one % len(groups)], groups[other % len(groups)]
        if left is right:
            continue
        moving = [party(member) for member in min(left, right, key=lambda group: (len(group), home(lab, group[0]) == party(group[0])))]
        trail.append((world(lab), moving))
        decide(lab, link, party(left[0]), party(right[0]))
        groups = [group for group in groups if group is not left and group is not right] + [left + right]
        assert len({home(lab, member) for member in groups[-1]}) == 1
    for before, moving in reversed(trail):
        decide(lab, separate, moving)
        assert world(lab) == before
