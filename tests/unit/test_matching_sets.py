"""The sets that matching is measured on, and the measures themselves."""

from collections import Counter

import pytest

from benchmarks.identity.channels import NOBODY_MAIL, Hazards, generate
from benchmarks.identity.families import families
from benchmarks.identity.guests import Habits, guests
from benchmarks.identity.metrics import agreement
from benchmarks.identity.people import Society
from benchmarks.identity.profiles import profiles
from threadline.identity.matching.features import features
from threadline.identity.matching.namesakes import excess
from threadline.identity.matching.person import Person

NONE = Hazards(
    missing=0, typos=0, nicknames=0, transliterations=0, swapped_names=0, swapped_dates=0, wrong_digits=0, old_values=0, aliases=0,
    family_values=0, role_inboxes=0, placeholders=0, initials=0, society=Society(landlines=0, family_inboxes=0, recycled_numbers=0),
)  # fmt: skip


def test_a_seed_makes_the_same_records_each_time() -> None:
    assert generate(500, seed=4) == generate(500, seed=4)
    assert generate(500, seed=4).people != generate(500, seed=5).people


def test_a_larger_set_begins_with_the_smaller_one() -> None:
    assert generate(800).people[:300] == generate(300).people


def test_each_channel_knows_what_such_a_system_knows() -> None:
    known: Counter[tuple[str, str]] = Counter()
    for person in generate(3_000).people:
        known.update((person.sources[0], name) for name in person.__struct_fields__ if getattr(person, name))
    assert {channel for channel, _ in known} == {"crm", "desk", "mail", "social", "shop", "voice"}
    assert not known["social", "emails"]
    assert not known["voice", "addresses"]
    assert known["crm", "birth_dates"] > known["shop", "birth_dates"] > 0


def test_without_hazards_whoever_shares_an_identifier_is_one_person() -> None:
    made = generate(2_000, hazards=NONE)
    _, where = profiles(made.people)
    assert agreement(made.truth, where).precision == 1


def test_hazards_happen_as_often_as_asked_for() -> None:
    assert not any(set(person.emails) & set(NOBODY_MAIL) for person in generate(2_000, hazards=NONE).people)
    people = [person for person in generate(3_000, hazards=Hazards(placeholders=0.5, role_inboxes=0)).people if person.emails]
    assert 0.4 < sum(bool(set(person.emails) & set(NOBODY_MAIL)) for person in people) / len(people) < 0.6


def test_people_live_in_households() -> None:
    made = generate(3_000)
    homes: dict[str, set[str]] = {}
    for person, truth in zip(made.people, made.truth, strict=True):
        for address in person.addresses:
            homes.setdefault(f"{address.street} {address.house_number} {address.post_code}", set()).add(truth)
    assert sum(len(people) > 1 for people in homes.values()) > 100


def test_the_small_set_has_people_whom_several_systems_know() -> None:
    made = families()
    assert 40 <= len(set(made.truth)) <= 80
    assert len(made.people) == len(made.truth)
    assert len({person.sources[0] for person in made.people}) >= 6


def test_names_that_go_together_are_found_more_often_than_by_chance() -> None:
    lands = {"Ana": "Costa", "Rui": "Lima", "Jan": "Vos", "Eva": "Bos"}
    together = [(given, family) for given, family in lands.items() for _ in range(50)]
    mixed = [(given, family) for given in lands for family in lands.values() for _ in range(13)]
    ratios = [
        excess(
            [
                features(
                    Person(id=b"", given_names=(one,), family_names=(other,), birth_dates=(f"{1900 + place % 99}-01-{1 + place % 28:02}",))
                )
                for place, (one, other) in enumerate(names)
            ]
        )
        for names in (together, mixed)
    ]
    assert ratios[0] > 3
    assert ratios[1] == pytest.approx(1, abs=0.15)


def test_guests_are_made_the_same_each_time_and_differ_by_habit() -> None:
    assert guests(400, seed=2) == guests(400, seed=2)
    named = [
        sum(bool(one.formatted_names) for one in guests(2_000, habits=habits).people) for habits in (Habits(), Habits(unnamed_calls=1))
    ]
    assert named[0] > named[1]


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        ("aabb", "1122", (1, 1, 1)),
        ("aabb", "1234", (1, 0, 0)),
        ("aabb", "1111", (2 / 6, 1, 0.5)),
        ("aaab", "1122", (1 / 2, 1 / 3, 0.4)),
    ],
)
def test_pairs_are_counted(truth: str, found: str, expected: tuple[float, float, float]) -> None:
    counted = agreement(truth, found)
    assert (counted.precision, counted.recall, counted.f1) == pytest.approx(expected)


def test_b_cubed_is_averaged_over_records() -> None:
    counted = agreement("aaab", "1122")
    assert counted.bcubed_precision == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert counted.bcubed_recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)
