"""Matching in the store: learned from everybody, applied to what changes, and never against what people decided."""

import re
import sys
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest

from tests.integration.crowd import crowd
from tests.integration.lab import Lab, profiles
from threadline.identity.decisions import link, separate, settle
from threadline.identity.explain import explain
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import USUAL
from threadline.journey.timeline import customer
from threadline.model.ids import entity_id
from threadline.sdk import ConfigError
from threadline.store import schema
from threadline.sync.matching import forget_matches, match_changes, match_everybody

pytest.importorskip("splink", reason="matching needs the extra `match`")


def party(number: int) -> bytes:
    return entity_id("desk", "list_person", str(number))


def home(lab: Lab, number: int) -> bytes:
    return lab.rows("SELECT profile FROM party_profiles WHERE party = ?", party(number))[0][0]


def matched(lab: Lab) -> dict[int, bool]:
    """Tell of each person with a second record whether the two are one customer."""
    return {number: home(lab, number) == home(lab, 1_000 + number) for number in range(0, 150, 2)}


@pytest.fixture
def learned(lab: Lab) -> Iterator[Lab]:
    """A store that has learned from everybody in it."""
    lab.read("people", *crowd())
    match_everybody(lab.database, USUAL)
    return lab


def test_customers_who_share_no_value_are_joined_by_what_is_alike(learned):
    together = matched(learned)
    assert sum(together.values()) > 0.95 * len(together)
    pairs = {frozenset(row) for row in learned.rows("SELECT one, other FROM matches WHERE state = 'accepted'")}
    truth = {frozenset((party(number), party(1_000 + number))) for number in together}
    assert pairs <= truth


def test_a_match_is_explained_by_the_weight_of_each_field(learned):
    number = next(number for number, same in matched(learned).items() if same)
    with learned.database.read() as transaction:
        found = explain(transaction, party(number), party(1_000 + number))
    (step,) = found.path
    assert step.rule == "match"
    assert {field for field, _, _ in step.fields} >= {"given", "family", "birth"}
    assert sum(weight for _, _, weight in step.fields) > step.weight


def test_any_two_records_of_a_customer_are_explained(learned):
    """By values, matches, or a way over both."""
    learned.read("people", *({"id": 6_000 + one["id"], "phone": one.get("phone"), "name": one["name"]} for one in crowd()[:20:2]))
    match_changes(learned.database, USUAL)
    with learned.database.read() as transaction:
        several = [sorted(group) for group in profiles(transaction) if len(group) > 1]
        assert max(map(len, several)) > 2
        for one, other in [pair for group in several for pair in combinations(group, 2)]:
            found = explain(transaction, one, other)
            assert found.same
            ends = [(step.one.party, step.other.party) for step in found.path]
            assert ends[0][0] == one
            assert ends[-1][1] == other
            assert all(before[1] == after[0] for before, after in pairwise(ends))
            assert all(step.refused is None and (step.value or step.fields) for step in found.path)


def test_two_who_are_not_matched_are_told_what_speaks_for_and_against_it(learned):
    one, other = next((a, b) for a in range(150) for b in range(150) if crowd()[a]["name"] == crowd()[b]["name"] and a != b)
    with learned.database.read() as transaction:
        found = explain(transaction, party(one), party(other))
    assert not found.same
    (reason,) = found.reasons
    assert reason.startswith("matching weighs them -")
    assert "given same +" in reason
    assert "birth differs -" in reason


def joined_by(lab: Lab, profile: bytes) -> str:
    with lab.database.read() as transaction:
        found = customer(transaction, profile)
    assert found is not None
    first, second = found.records
    assert first.joined_by is None
    return second.joined_by or "nothing"


def test_a_customer_shows_by_what_a_record_is_alike_until_somebody_links_it(learned):
    homes = {number: home(learned, number) for number, same in matched(learned).items() if same}
    assert len(homes) > 5
    for profile in homes.values():
        assert re.fullmatch(r"like desk \d+: [a-z, ]*birth date[a-z, ]* \(weight \d+\.\d\)", joined_by(learned, profile))
    number = next(iter(homes))
    with learned.database.write() as transaction:
        link(transaction, party(number), party(1_000 + number), who="kim", why="she said so")
    assert joined_by(learned, homes[number]) == f"linked by hand with desk {number}"


def test_without_the_extra_it_is_said_before_anybody_is_read(lab, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    told: list[str] = []
    with pytest.raises(ConfigError, match=r"pip install 'threadline\[match\]'"):
        match_everybody(lab.database, USUAL, told.append)
    assert told == []


def test_a_rebuild_keeps_what_was_matched(learned):
    before = matched(learned)
    with learned.database.write() as transaction:
        assert not rebuild(transaction, USUAL, "again").changed
    assert matched(learned) == before


def test_who_comes_later_is_matched_by_what_was_learned_and_without_the_extra(learned, monkeypatch):
    for package in ("splink", "duckdb", "pyarrow", "numpy"):
        monkeypatch.setitem(sys.modules, package, None)
    newcomers = [{"id": 2_000 + one["id"], "name": one["name"], "born": one["born"]} for one in crowd()[1:150:2]]
    learned.read("people", *newcomers)
    match_changes(learned.database, USUAL)
    together = [home(learned, one["id"] - 2_000) == home(learned, one["id"]) for one in newcomers]
    assert sum(together) > 0.95 * len(together)
    assert match_changes(learned.database, USUAL) == 0


def test_whoever_turns_out_to_be_born_another_day_is_matched_no_longer(learned):
    number = next(number for number, same in matched(learned).items() if same)
    learned.read("people", {"id": 1_000 + number, "name": "Xaver Zeller", "born": "1931-07-30"})
    match_changes(learned.database, USUAL)
    assert home(learned, number) != home(learned, 1_000 + number)
    learned.read("people", next(one for one in crowd() if one["id"] == 1_000 + number))
    match_changes(learned.database, USUAL)
    assert home(learned, number) == home(learned, 1_000 + number)


def test_what_people_decided_holds_against_every_match(learned):
    number = next(number for number, same in matched(learned).items() if same)
    with learned.database.write() as transaction:
        separate(transaction, [party(1_000 + number)], who="kim", why="a namesake")
    match_changes(learned.database, USUAL)
    assert home(learned, number) != home(learned, 1_000 + number)
    match_everybody(learned.database, USUAL)
    assert home(learned, number) != home(learned, 1_000 + number)
    with learned.database.read() as transaction:
        assert "it was decided that they are not one" in {
            step.refused for step in explain(transaction, party(number), party(1_000 + number)).against
        }


def test_a_question_that_was_answered_is_not_asked_again(learned):
    first = crowd()[0]
    learned.read("people", {"id": 3_000, "name": first["name"]})
    match_changes(learned.database, USUAL)
    asked = learned.rows("SELECT one, other FROM matches WHERE state = 'review'")
    assert asked
    with learned.database.write() as transaction:
        for one, other in asked:
            settle(transaction, one, other, same=False, who="kim", why="no")
    match_everybody(learned.database, USUAL)
    assert not {*asked} & {*learned.rows("SELECT one, other FROM matches WHERE state <> 'rejected'")}


def test_what_was_learned_is_given_up_but_not_what_people_decided(learned):
    one, other = [number for number, same in matched(learned).items() if same][:2]
    with learned.database.write() as transaction:
        link(transaction, party(one), party(1_000 + one), who="kim", why="she said so")
        separate(transaction, [party(1_000 + other)], who="kim", why="a namesake")
    assert forget_matches(learned.database, USUAL) > 0
    assert [number for number, same in matched(learned).items() if same] == [one]
    tables = (schema.MATCH_MODELS, schema.MATCH_PEOPLE, schema.MATCH_KEYS)
    assert [learned.rows(f"SELECT 1 FROM {table.name}") for table in tables] == [[], [], []]
    match_everybody(learned.database, USUAL)
    together = matched(learned)
    assert not together[other]
    assert sum(together.values()) > 0.9 * len(together)


def test_what_another_version_learned_matches_nobody_until_it_learns_again(learned):
    with learned.database.write() as transaction:
        transaction.execute("UPDATE match_models SET model = ?", ['{"fields": "of another kind"}'])
        transaction.execute("UPDATE match_people SET features = ?", [b"\xc1"])
    before = matched(learned)
    learned.read("people", {"id": 2_000, "name": crowd()[0]["name"], "born": crowd()[0]["born"]})
    assert match_changes(learned.database, USUAL) == 0
    assert matched(learned) == before
    assert home(learned, 2_000) != home(learned, 0)
    match_everybody(learned.database, USUAL)
    assert home(learned, 2_000) == home(learned, 0)


def test_what_is_kept_of_customers_is_the_same_by_steps_as_all_at_once(learned):
    learned.read("people", {"id": 4_000, "name": "Nora Lindt", "born": "1980-02-03"}, {**crowd()[3], "name": "Otto Reuter"})
    match_changes(learned.database, USUAL)
    tables = (schema.MATCH_PEOPLE, schema.MATCH_KEYS)
    by_steps = [sorted(learned.rows(f"SELECT * FROM {table.name}")) for table in tables]
    with learned.database.write() as transaction:
        for table in tables:
            transaction.execute(f"DELETE FROM {table.name}")
    match_everybody(learned.database, USUAL)
    assert [sorted(learned.rows(f"SELECT * FROM {table.name}")) for table in tables] == by_steps


def test_agents_and_companies_are_matched_with_nobody(lab):
    lab.read("people", *crowd(), {**crowd()[0], "id": 5_000, "phone": None, "role": "agent"})
    match_everybody(lab.database, USUAL)
    assert home(lab, 5_000) == party(5_000)
    assert lab.rows("SELECT 1 FROM match_people WHERE party = ?", party(5_000)) == []
