"""Matching all people of a set: what is learned, who is joined, who is not, and that nothing depends on order or chance."""

import random
from collections.abc import Sequence
from functools import cache
from itertools import combinations

import pytest
from msgspec import structs

from benchmarks.identity.channels import Labelled, generate
from benchmarks.identity.families import families
from benchmarks.identity.metrics import Agreement, agreement
from benchmarks.identity.profiles import profiles
from threadline.identity.matching.batch import Outcome, match_people
from threadline.identity.matching.comparisons import COMPARISONS
from threadline.identity.matching.features import features
from threadline.identity.matching.keys import keys
from threadline.identity.matching.model import read_model
from threadline.identity.matching.person import Person
from threadline.identity.matching.predicates import SPARK
from threadline.identity.matching.score import Scorer
from threadline.identity.matching.training import generic_values
from threadline.identity.matching.workbench import Workbench, settings
from threadline.identity.rules import USUAL, Rule, Rules
from threadline.identity.trial import resolve_people
from threadline.model.groups import connected

pytest.importorskip("splink", reason="the extra `match` is not installed")
SIZE = 600


@cache
def company() -> tuple[Labelled, list[Person], list[int]]:
    made = generate(SIZE, seed=11)
    return made, *profiles(made.people)


@cache
def outcome() -> Outcome:
    return match_people(company()[1])


def labels(people: Sequence[Person], found: Outcome) -> dict[bytes, int]:
    groups = connected([person.id for person in people], [[link.left, link.right] for link in found.links])
    return {member: number for number, group in enumerate(groups) for member in group}


def measured(made: Labelled, people: Sequence[Person], where: Sequence[int], found: Outcome) -> Agreement:
    label = labels(people, found)
    return agreement(made.truth, [label[people[number].id] for number in where])


def test_people_whom_identifiers_left_apart_are_found() -> None:
    made, people, where = company()
    before, after = agreement(made.truth, where), measured(made, people, where, outcome())
    assert after.recall > before.recall + 0.1
    assert after.precision > before.precision - 0.015


def test_families_and_namesakes_stay_apart() -> None:
    made = families()
    people, where = profiles(made.people)
    found = match_people(people)
    assert measured(made, people, where, found).f1 >= 0.95
    person_of = {people[number].id: truth for number, truth in zip(where, made.truth, strict=True)}
    traps = [("5", "6"), ("7", "8"), ("1", "2"), ("36", "37"), ("11", "12"), ("19", "20"), ("38", "39")]
    joined = {frozenset((person_of[link.left], person_of[link.right])) for link in found.links}
    assert not [trap for trap in traps if frozenset(trap) in joined]


def test_a_batch_scores_as_a_single_pair_does() -> None:
    rows = [features(person) for person in company()[1]]
    scorer = Scorer(outcome().model)
    with Workbench(rows) as bench:
        bench.block()
        scored = bench.score(outcome().model, -20)
    assert len(scored) > 300
    assert {field.field for left, right, _ in scored for field in scorer.score(rows[left], rows[right]).fields} == {
        comparison.name for comparison in COMPARISONS
    }
    for left, right, weight in scored:
        assert scorer.score(rows[left], rows[right]).weight == pytest.approx(weight, abs=1e-9)


def test_the_order_of_arrival_does_not_matter() -> None:
    people = list(company()[1])
    random.Random(5).shuffle(people)
    again = match_people(people)
    assert again.model.version() == outcome().model.version()
    assert again.links == outcome().links
    assert again.review == outcome().review


def test_every_link_says_why() -> None:
    for link in outcome().links:
        assert link.match.weight >= outcome().model.threshold
        assert link.match.fields
        assert all(field.level for field in link.match.fields)
        assert sum(field.weight for field in link.match.fields) == pytest.approx(link.match.evidence)


def test_nobody_is_both_joined_and_asked_about() -> None:
    label = labels(company()[1], outcome())
    assert outcome().review
    assert not [link for link in outcome().review if label[link.left] == label[link.right]]
    assert all(link.match.weight >= outcome().model.review for link in outcome().review)


def test_whom_the_model_joins_the_next_time_can_be_found_by_keys() -> None:
    by_id = {person.id: person for person in company()[1]}
    for link in outcome().links:
        shared = set(keys(features(by_id[link.left]))) & set(keys(features(by_id[link.right])))
        assert shared


def test_a_model_scores_alike_after_it_was_stored() -> None:
    people = company()[1]
    stored = Scorer(read_model(outcome().model.to_json()))
    for left, right in combinations([stored.read(person) for person in people[:12]], 2):
        assert stored.score(left, right) == Scorer(outcome().model).score(left, right)


@pytest.mark.parametrize("people", [[], [Person(id=b"1", formatted_names=("Anna Müller",))], [Person(id=b"1"), Person(id=b"2")]])
def test_where_there_is_nothing_to_learn_nobody_is_joined(people: list[Person]) -> None:
    assert match_people(people).links == []


def test_a_name_alone_joins_nobody() -> None:
    names = ["Anna Müller", "Tom Weber", "Jan Kowalski", "Eva Roth"]
    people = [Person(id=str(number).encode(), formatted_names=(names[number % 4],)) for number in range(60)]
    assert match_people(people).links == []


def test_an_inbox_of_many_names_is_nobodys() -> None:
    inbox = [(name, ("desk@acme.com",)) for name in ("anna", "tom", "jan", "eva", "uwe", "ida")]
    assert generic_values(inbox) == {"desk@acme.com"}
    assert generic_values([*inbox[:2], *inbox[:2], *inbox[:2]]) == frozenset()


def test_large_blocks_are_passed_over() -> None:
    rows = [features(Person(id=b"", phones=("+4917148213307",))) for _ in range(600)]
    with Workbench(rows) as bench:
        assert bench.block() == 1
        assert bench.count("pairs") == 0


def test_settings_for_spark_name_its_functions() -> None:
    text = str(settings(outcome().model.fields, outcome().model, dialect="spark"))
    assert all(function in text for function in SPARK.values())
    assert "list_has_any" not in text


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_conditions_are_sql_of_their_dialect(dialect: str) -> None:
    parse = pytest.importorskip("sqlglot").parse_one
    for comparison in COMPARISONS:
        for condition in (comparison.absent, *(level.condition for level in comparison.levels)):
            assert parse(condition.written(dialect), read=dialect)


@pytest.mark.parametrize(("nobody", "compared"), [((), True), (("*@*",), False)])
def test_a_list_is_matched_by_the_rules_that_it_is_joined_by(nobody: tuple[str, ...], compared: bool) -> None:
    """Where rules say that addresses name nobody, they speak for no match either."""
    people = [structs.replace(person, handles=()) for person in generate(SIZE, seed=11).people]
    rules = Rules({**USUAL.identifiers, "email": Rule("alike", nobody=nobody)})
    found = resolve_people(people, rules)
    assert found.joined
    fields = {field for one in (*found.joined, *found.review) for field, _, _ in one.fields}
    assert ("account" in fields) is compared
