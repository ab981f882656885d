"""How well people are told apart on made sets that are unlike each other, by rules alone and with matching. Floors, not records."""

from collections.abc import Callable, Mapping
from functools import partial

import pytest

from benchmarks.identity.channels import Hazards, Labelled, generate
from benchmarks.identity.families import families
from benchmarks.identity.guests import Habits, guests
from benchmarks.identity.metrics import Agreement, agreement
from benchmarks.identity.people import Society
from benchmarks.identity.profiles import profiles
from benchmarks.identity.systems import MORE_IN_COMMON
from threadline.identity.matching.batch import match_people
from threadline.model.groups import connected

SIZE = 8_000
SETS: Mapping[str, tuple[Callable[[], Labelled], float, float, float, float]] = {
    "usual": (partial(generate, SIZE, 5), 0.998, 0.44, 0.988, 0.74),
    "more in common": (partial(generate, SIZE, 5, MORE_IN_COMMON), 0.995, 0.39, 0.98, 0.7),
    "typos": (
        partial(generate, SIZE, 5, Hazards(typos=0.12, transliterations=0.6, wrong_digits=0.04, swapped_names=0.05, nicknames=0.25)),
        0.996, 0.37, 0.98, 0.62,
    ),
    "placeholders": (partial(generate, SIZE, 5, Hazards(placeholders=0.15, role_inboxes=0.2)), 0.997, 0.32, 0.985, 0.7),
    "old names and numbers": (
        partial(generate, SIZE, 5, Hazards(old_values=0.6, society=Society(married_names=0.4, moved=0.5, new_number=0.4))),
        0.998, 0.43, 0.988, 0.7,
    ),
    "guests": (partial(guests, SIZE, 5), 0.997, 0.34, 0.985, 0.6),
    "guests with companions": (
        partial(guests, SIZE, 5, Habits(companions=0.95, partners_values=0.1, joint_inboxes=0.4, landlines=0.8)), 0.995, 0.28, 0.985, 0.55,
    ),
    "guests of agencies": (partial(guests, SIZE, 5, Habits(agencies=0.2, switchboards=0.3)), 0.997, 0.28, 0.98, 0.55),
    "guests without names": (partial(guests, SIZE, 5, Habits(unnamed_calls=0.8, unnamed_mails=0.6)), 0.997, 0.32, 0.985, 0.54),
}  # fmt: skip
"""Each with the least precision and recall of rules, and with matching."""


def with_matching(made: Labelled) -> Agreement:
    people, where = profiles(made.people)
    links = [[link.left, link.right] for link in match_people(people).links]
    label = {member: number for number, group in enumerate(connected([person.id for person in people], links)) for member in group}
    return agreement(made.truth, [label[people[number].id] for number in where])


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_people_are_told_apart_on_sets_that_are_unlike_each_other(name: str) -> None:
    pytest.importorskip("splink", reason="the extra `match` is not installed")
    make, precision, recall, precision_matched, recall_matched = SETS[name]
    made = make()
    _, where = profiles(made.people)
    rules, matched = agreement(made.truth, where), with_matching(made)
    assert rules.precision >= precision
    assert rules.recall >= recall
    assert matched.precision >= precision_matched
    assert matched.recall >= recall_matched


@pytest.mark.parametrize("name", ["families", "neighbours"])
def test_nobody_of_a_family_is_somebody_else_of_it(name: str) -> None:
    pytest.importorskip("splink", reason="the extra `match` is not installed")
    made = families(name)
    _, where = profiles(made.people)
    matched = with_matching(made)
    assert agreement(made.truth, where).precision == 1
    assert matched.precision == 1
    assert matched.f1 >= 0.95
