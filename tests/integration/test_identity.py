"""Parties that share an identifier are one customer, whoever arrives first."""

import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import Lab, Partition, party, profiles, read, wipe
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import Rules
from threadline.journey.profile import follow
from threadline.model.ids import parse_id, show_id
from threadline.store.database import Database, Transaction, open_database
from threadline.sync.batch import Judge
from threadline.sync.policy import USUAL, Policy
from threadline.testing.faults.database import Observed

Person = dict[str, Any]
KINDS = ("email", "phone", "handle")
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def union(people: Iterable[tuple[str, Person]]) -> Partition:
    """Group (source, person) as simply as can be: join whoever shares a value, until nothing changes."""
    groups: list[tuple[set[bytes], set[Any]]] = []
    for source, person in people:
        parties, values = {party(person["id"], source)}, {(kind, person[kind].lower()) for kind in KINDS if person.get(kind)}
        for other in [group for group in groups if group[0] & parties or group[1] & values]:
            groups.remove(other)
            parties, values = parties | other[0], values | other[1]
        groups.append((parties, values))
    return frozenset(frozenset(parties) for parties, _ in groups)


def person(numbers: int = 8) -> st.SearchStrategy[tuple[str, Person]]:
    return st.tuples(
        st.sampled_from(["desk", "shop"]),
        st.fixed_dictionaries(
            {"id": st.integers(1, numbers)},
            optional={
                "email": st.sampled_from([f"{name}@example.org" for name in ("a", "b", "c", "D", "d", "e")]),
                "phone": st.sampled_from([f"+49 1512 090182{digit}" for digit in range(5)]),
                "handle": st.sampled_from([f"x:{name}" for name in ("ana", "bo", "cy", "Bo", "di")]),
            },
        ),
    )


def batches_of(people: list[tuple[str, Person]], cuts: list[int]) -> list[list[tuple[str, Person]]]:
    edges = [0, *sorted({cut % (len(people) + 1) for cut in cuts}), len(people)]
    return [people[start:end] for start, end in pairwise(edges)]


def read_batches(lab: Lab, batches: list[list[tuple[str, Person]]]) -> None:
    judges = {source: lab.judge("people", source) for source in ("desk", "shop")}
    for batch in batches:
        for source, judge in judges.items():
            if records := [record for origin, record in batch if origin == source]:
                read(lab.database, judge, *records, policy=lab.policy)


def partition_of(lab: Lab) -> Partition:
    """Return who is one customer, and check what must hold at any time."""
    with lab.database.read() as transaction:
        homes = dict(transaction.query("SELECT party, profile FROM party_profiles"))
        ended = dict(transaction.query("SELECT id, profile FROM redirects"))
        parties = {row[0] for row in transaction.query("SELECT id FROM parties")}
        known = {row[0] for row in transaction.query("SELECT profile FROM profile_events")} | parties
        leads = {follow(transaction, profile) for profile in known}
        found = profiles(transaction)
    assert homes.keys() == parties
    # An id that ended is nobody's, and leads straight to one that did not.
    assert ended.keys().isdisjoint(homes.values())
    assert set(ended.values()) | leads <= set(homes.values())
    return found


@quick
@given(
    people=st.lists(person(), max_size=14, unique_by=lambda one: (one[0], one[1]["id"])),
    cuts=st.lists(st.integers(0, 99)),
    chance=st.randoms(),
)
def test_any_order_and_any_batches_give_the_same_customers(database, people, cuts, chance):
    wipe(database)
    lab = Lab(database)
    chance.shuffle(people)
    read_batches(lab, batches_of(people, cuts))
    assert partition_of(lab) == union(people)


@quick
@given(versions=st.lists(person(4), max_size=20), cuts=st.lists(st.integers(0, 99)))
def test_changes_join_and_separate_customers_as_if_only_the_latest_had_been_read(database, versions, cuts):
    wipe(database)
    lab = Lab(database)
    read_batches(lab, batches_of(versions, cuts))
    latest: Mapping[Any, tuple[str, Person]] = {(source, record["id"]): (source, record) for source, record in versions}
    assert partition_of(lab) == union(latest.values())


def home(lab: Lab, number: int, source: str = "desk") -> bytes:
    return lab.rows("SELECT profile FROM party_profiles WHERE party = ?", party(number, source))[0][0]


def test_ids_stay_while_nobody_joins(lab):
    lab.read("people", {"id": 1, "email": "a@example.org"}, {"id": 2, "email": "b@example.org"})
    before = home(lab, 1), home(lab, 2)
    lab.read("people", {"id": 1, "email": "a@example.org", "name": "Ana", "phone": "+49 1512 0901820"}, {"id": 3, "email": "c@example.org"})
    assert (home(lab, 1), home(lab, 2)) == before
    assert not lab.rows("SELECT 1 FROM profile_events")


def test_the_larger_side_keeps_its_id_and_the_other_leads_to_it(lab):
    lab.read("people", *({"id": number, "email": "many@example.org"} for number in (1, 2, 3)), {"id": 4, "email": "one@example.org"})
    many, one = home(lab, 1), home(lab, 4)
    lab.read("people", {"id": 5, "email": "one@example.org"}, {"id": 3, "email": "many@example.org", "phone": "+49 1512 0901820"})
    lab.read("people", {"id": 5, "email": "one@example.org", "phone": "+49 1512 0901820"})
    assert {home(lab, number) for number in range(1, 6)} == {many}
    with lab.database.read() as transaction:
        assert follow(transaction, one) == many
        assert follow(transaction, many) == many
        assert follow(transaction, bytes(16)) is None


def test_chains_of_merges_lead_straight_to_the_last(lab):
    """Each step joins all so far to a larger group, whose id they take."""
    retired: list[bytes] = []
    number = 0
    for size in (1, 3, 9, 27):
        lab.read("people", *({"id": number + index, "email": f"{size}@example.org"} for index in range(size)))
        if number:
            retired.append(home(lab, number - 1))
            lab.read("people", {"id": f"bridge {size}", "email": f"{size}@example.org", "phone": f"+49 1512 09018{size:02}"})
            lab.read("people", {"id": number - 1, "email": f"{size // 3}@example.org", "phone": f"+49 1512 09018{size:02}"})
        number += size
    last = home(lab, 0)
    assert len(set(retired)) == 3
    assert last not in retired
    with lab.database.read() as transaction:
        assert {follow(transaction, profile) for profile in retired} == {last}
    assert len(partition_of(lab)) == 1


def test_taking_an_identifier_away_undoes_the_merge_and_the_larger_part_keeps_the_id(lab):
    lab.read("people", {"id": 1, "email": "a@example.org"}, {"id": 2, "email": "a@example.org"}, {"id": 3, "email": "a@example.org"})
    before = home(lab, 1)
    lab.read("people", {"id": 3, "email": "other@example.org"})
    assert home(lab, 1) == home(lab, 2) == before
    assert home(lab, 3) != before
    lab.read("people", {"id": 3, "email": "a@example.org"})
    assert home(lab, 3) == before
    assert partition_of(lab) == {frozenset({party(1), party(2), party(3)})}


def test_an_address_written_otherwise_is_the_same_address(lab):
    lab.read("people", {"id": 1, "email": "Ana.Lima@Example.ORG"}, {"id": 2, "email": "Ana Lima <ana.lima@example.org>"})
    lab.read("people", {"id": 3, "phone": "01512 0901820"}, {"id": 4, "phone": "+49 (1512) 090-18-20"})
    lab.read("people", {"id": 5, "handle": "x:@Ana_L"}, {"id": 6, "handle": "X:ana_l"})
    assert partition_of(lab) == {frozenset({party(number), party(number + 1)}) for number in (1, 3, 5)}


def test_an_id_of_one_source_says_nothing_in_another(lab):
    lab.read("people", {"id": 1})
    lab.read("people", {"id": 1}, source="shop")
    assert len(partition_of(lab)) == 2


def test_a_profile_id_written_into_another_system_joins_its_record(lab):
    lab.read("people", {"id": 1, "email": "ana@example.org"})
    customer = home(lab, 1)
    lab.read("people", {"id": 9, "profile": show_id(customer)}, source="shop")
    assert home(lab, 9, "shop") == customer
    assert partition_of(lab) == {frozenset({party(1), party(9, "shop")})}


def test_a_profile_id_that_was_merged_away_still_joins(lab):
    lab.read(
        "people", {"id": 1, "email": "ana@example.org"}, {"id": 2, "email": "lima@example.org"}, {"id": 3, "email": "lima@example.org"}
    )
    retired, kept = home(lab, 1), home(lab, 2)
    lab.read("people", {"id": 1, "email": "lima@example.org"})
    lab.read("people", {"id": 9, "profile": show_id(retired)}, source="shop")
    assert home(lab, 9, "shop") == kept != retired


def test_records_that_carry_a_profile_id_stay_when_an_address_goes(lab):
    """What threadline wrote keeps its records together; what is known of them only by address is separated."""
    lab.read("people", {"id": 1, "email": "ana@example.org"}, {"id": 2, "email": "ana@example.org"})
    customer = home(lab, 1)
    lab.read("people", {"id": 9, "email": "ana@example.org", "profile": show_id(customer)}, source="shop")
    lab.read("people", {"id": 9, "profile": show_id(customer)}, source="shop")
    assert home(lab, 9, "shop") == customer
    lab.read("people", {"id": 2, "email": "bo@example.org"})
    assert len(partition_of(lab)) == 2
    assert home(lab, 2) != home(lab, 1)


def test_a_profile_id_that_nobody_has_joins_those_that_carry_it(lab):
    strange = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    lab.read("people", {"id": 1, "profile": strange}, {"id": 2, "profile": strange.lower()}, {"id": 3, "profile": "sai989"})
    assert partition_of(lab) == {frozenset({party(1), party(2)}), frozenset({party(3)})}
    assert home(lab, 1) != parse_id(strange)


class Hesitating(Observed):
    """A database that, before it commits to the identity graph, lets another writer run as far as it gets."""

    def __init__(self, inner: Database, rival: threading.Thread) -> None:
        super().__init__(inner, lambda _: None)
        self._rival = rival

    @contextmanager
    def write(self) -> Generator[Transaction]:
        with self.inner.write() as transaction:
            yield transaction
            if transaction.query("SELECT 1 FROM party_profiles") and not self._rival.ident:
                self._rival.start()
                self._rival.join(timeout=0.5)


def test_a_writer_waits_for_one_that_has_not_committed_yet(lab, database_url):
    """Else neither sees that the other's record shares an address with its own."""
    rival = threading.Thread(target=lambda: at_once(database_url, (lab.judge("people", "shop"), [[{"id": 2, "email": "ana@example.org"}]])))
    read(Hesitating(lab.database, rival), lab.judge("people"), {"id": 1, "email": "ana@example.org"})
    rival.join()
    assert partition_of(lab) == {frozenset({party(1), party(2, "shop")})}


def at_once(url: str, *works: tuple[Judge, list[list[Person]]], policy: Policy = USUAL) -> list[Exception]:
    """Read batches of several streams at the same time, in step; return what went wrong."""
    start, problems = threading.Barrier(len(works), timeout=60), list[Exception]()

    def work(judge: Judge, batches: list[list[Person]]) -> None:
        try:
            with open_database(url, create=False) as database:
                for batch in batches:
                    start.wait()
                    read(database, judge, *batch, policy=policy)
        except Exception as error:
            problems.append(error)
            start.abort()

    threads = [threading.Thread(target=work, args=one) for one in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return problems


def test_writers_that_mention_the_same_people_in_opposite_order_do_not_block_each_other(lab, database_url):
    forwards = [
        [{"id": person, "number": "A-1", "at": "2026-01-01T00:00:00Z", "person": person} for person in range(45 * n, 45 * n + 45)]
        for n in range(12)
    ]
    backwards = [batch[::-1] for batch in forwards]
    assert at_once(database_url, (lab.judge("orders"), forwards), (lab.judge("talks"), backwards)) == []
    assert len(partition_of(lab)) == 45 * 12


@pytest.mark.parametrize("seed", range(3))
def test_writers_at_the_same_time_end_with_the_customers_of_one(lab, database_url, seed):
    """Each writer knows some of the links; only together they make long chains."""
    count, writers = 60, ("calls", "chat", "crm", "desk", "loyalty", "mail", "shop", "social")
    people = {
        source: [
            {
                "id": number,
                "email": f"e{(number * 7 + index * 13 + seed) % count}@example.org",
                "phone": f"+49 1512 0{900000 + number * 5 % count}",
            }
            for number in range(index, count, 3)
        ]
        for index, source in enumerate(writers)
    }
    works = [(lab.judge("people", source), [held[cut::4] for cut in range(4)]) for source, held in people.items()]
    assert at_once(database_url, *works, policy=Policy(identity=Rules(most_records=1_000))) == []
    assert partition_of(lab) == union((source, record) for source, held in people.items() for record in held)
    assert lab.rows("SELECT error FROM runs WHERE state <> 'done'") == []


IDS = """
source: list.people
target: party
version: 1
fields: {formatted_name: {from: name, optional: true}}
identifiers:
  list_person: [id, {from: before, optional: true}]
  membership: {from: card, optional: true}
"""


@quick
@given(order=st.permutations(range(6)), cuts=st.lists(st.integers(0, 5)))
def test_ids_of_other_records_join_in_any_order(database, order, cuts):
    """A record may know an id under which another one is filed, or an id that neither is."""
    wipe(database)
    lab = Lab(database)
    people = [
        {"id": 1}, {"id": 2, "before": 1}, {"id": 3, "card": "M7"}, {"id": 4, "card": "M7"}, {"id": 5, "before": 99},
        {"id": 6, "before": 99, "card": "M8"},
    ]  # fmt: skip
    judge = lab.judge("people", mapping=IDS)
    for batch in batches_of([people[place] for place in order], cuts):
        read(lab.database, judge, *batch)
    assert partition_of(lab) == frozenset(frozenset(map(party, group)) for group in ((1, 2), (3, 4), (5, 6)))
    with lab.database.write() as transaction:
        assert not rebuild(transaction, Rules(), "again").changed
