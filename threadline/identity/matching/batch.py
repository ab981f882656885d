"""Matching all people at once."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from threadline.identity.matching.decision import REVIEW, Pair, decide, with_threshold
from threadline.identity.matching.features import Features, features
from threadline.identity.matching.model import Model
from threadline.identity.matching.person import Person
from threadline.identity.matching.score import Match, Scorer
from threadline.identity.matching.training import generic_values, train
from threadline.identity.matching.workbench import Workbench
from threadline.identity.rules import USUAL, Rules


class Link(Struct, frozen=True):
    """Two people who are one, or may be, and why."""

    left: bytes
    right: bytes
    match: Match


class Outcome(Struct, frozen=True):
    """What was learned, whom it joins (heaviest first), about whom people should decide, and what was compared of each, by id."""

    model: Model
    links: Sequence[Link]
    review: Sequence[Link]
    rows: Mapping[bytes, Features]


def match_people(people: Sequence[Person], *, seed: int = 1, rules: Rules = USUAL) -> Outcome:
    """Train on people and match them; the order in which they come does not matter, and the same people give the same outcome.

    `rules` say which addresses and numbers name nobody.
    """
    people = sorted(people, key=lambda person: person.id)
    rows = [features(person, rules=rules) for person in people]
    generic = generic_values((row.given, (*row.phones, *row.accounts)) for row in rows)
    rows = [
        row if generic.isdisjoint((*row.phones, *row.accounts)) else features(person, generic, rules)
        for person, row in zip(people, rows, strict=True)
    ]
    with Workbench(rows) as bench:
        model = train(bench, bench.block(), seed=seed, generic=generic)
        scored = bench.score(model, REVIEW) if model.fields else []
    scorer = Scorer(model)
    pairs = [Pair(left, right, scorer.score(rows[left], rows[right])) for left, right, _ in scored]
    model = with_threshold(model, pairs)
    decision = decide(model, rows, pairs)
    compared = {person.id: row for person, row in zip(people, rows, strict=True)}
    return Outcome(model, _links(people, decision.links), _links(people, decision.review), compared)


def _links(people: Sequence[Person], pairs: Sequence[Pair]) -> list[Link]:
    return [Link(people[pair.left].id, people[pair.right].id, pair.match) for pair in pairs]
