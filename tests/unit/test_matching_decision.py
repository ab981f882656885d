"""Which pairs are joined: the threshold that is chosen without labels, thin evidence, relatives, and groups that disagree."""

import sys

import pytest

from threadline.identity.matching.comparisons import COMPARISONS
from threadline.identity.matching.decision import HIGHEST, KIN, THIN, Pair, decide, joins, namesakes, thin, with_threshold
from threadline.identity.matching.features import Features, features
from threadline.identity.matching.model import Field, Frequency, Model
from threadline.identity.matching.person import Address, Person
from threadline.identity.matching.score import FieldMatch, Match, Scorer, probability
from threadline.identity.matching.workbench import Workbench
from threadline.sdk.errors import ConfigError

NAME = [("given", "same", 6.0), ("family", "same", 8.0)]
BIRTH, TWINS, HOME = ("birth", "same", 12.0), ("given", "differs", -5.0), ("street", "same", 12.0)


def matched(weight: float, fields: list[tuple[str, str, float]], rival: str = "strangers") -> Match:
    return Match(weight, probability(weight), weight, rival, [FieldMatch(field, level, 0.0, told, told) for field, level, told in fields])


def model(people: int = 100, relatives: float = 1e-4, threshold: float = 0.0, share: float = 0.01) -> Model:
    fields = [Field(one.name, [0.9, *[0.09] * (len(one.levels) - 1), 0.01], [1e-3] * len(one.levels) + [0.99]) for one in COMPARISONS]
    columns = {level.frequency for one in COMPARISONS for level in one.levels if level.frequency}
    frequencies = {column: Frequency(share, share, {}) for column in columns}
    return Model(
        fields=fields, frequencies=frequencies, matches=1e-3, relatives=relatives, threshold=threshold, review=-2.0, largest_block=50,
        people=people,
    )  # fmt: skip


def test_the_threshold_lies_where_most_is_found_and_little_is_wrong() -> None:
    sure, unsure = ([Pair(0, 1, matched(weight, [*NAME, BIRTH]))] for weight in (9.0, -3.0))
    chosen = with_threshold(model(), [*sure * 50, *unsure * 50]).threshold
    assert 0 < chosen < 9
    doubtful = [Pair(0, 1, matched(1.0, [*NAME, BIRTH]))]
    assert with_threshold(model(), [*sure * 50, *doubtful * 50]).threshold > 1
    assert with_threshold(model(), []).threshold == HIGHEST


def test_evidence_of_one_kind_is_thin() -> None:
    assert thin(matched(5, NAME))
    assert thin(matched(5, [*NAME, ("place", "town", 9.0)]))
    assert not thin(matched(5, [*NAME, BIRTH]))
    assert not joins(model(), matched(THIN - 1, NAME))
    assert joins(model(), matched(THIN + 1, NAME))
    assert joins(model(), matched(1, [*NAME, BIRTH]))


def test_a_name_that_others_are_expected_to_have_joins_nobody() -> None:
    common = model(people=10_000)
    assert namesakes(common, matched(9, NAME)) == pytest.approx(1.0)
    assert not joins(common, matched(9, NAME))
    assert joins(common, matched(9, [*NAME, BIRTH]))


def test_a_birth_date_alone_joins_nobody() -> None:
    assert not joins(model(), matched(9, [BIRTH, ("source", "of other systems", 3.0)]))


def test_a_family_name_and_an_initial_join_nobody() -> None:
    initial = ("given", "initial", 6.0)
    assert not joins(model(), matched(9, [initial, ("family", "same", 8.0)]))
    assert joins(model(), matched(9, [initial, ("family", "same", 8.0), HOME]))


def test_a_name_that_is_known_to_be_several_peoples_joins_nobody_by_itself() -> None:
    unsaid = features(Person(id=b"", given_names=("William",), family_names=("Hargreaves",)))
    pairs = [Pair(0, 1, matched(9, NAME))]
    assert decide(model(), [unsaid, unsaid, read("William", "1957-07-07")], pairs).links == pairs
    assert decide(model(), [unsaid, unsaid, read("William", "1957-07-07"), read("William", "1990-01-31")], pairs).links == []
    assert decide(model(), [unsaid, unsaid, read("William", "1957-07-07"), read("William", "1957-01-31")], pairs).links == pairs


def test_twins_are_not_joined_where_there_are_families() -> None:
    twins = matched(KIN - 1, [TWINS, ("family", "same", 8.0), BIRTH, HOME], "relatives")
    assert not joins(model(relatives=1e-3), twins)
    assert joins(model(relatives=1e-6), twins)


def test_a_namesake_of_the_same_home_needs_more_without_a_birth_date() -> None:
    junior = matched(THIN - 1, [*NAME, HOME], "relatives")
    assert not joins(model(), junior)
    assert joins(model(), matched(THIN - 1, [*NAME, HOME, BIRTH], "relatives"))


def read(given: str, born: str, street: str = "Mill Lane") -> Features:
    home = Address(street, "3", "Leeds", "LS1 4DY")
    return features(Person(id=b"", given_names=(given,), family_names=("Hargreaves",), birth_dates=(born,), addresses=(home,)))


def test_a_chain_of_likenesses_joins_nobody() -> None:
    rows = [read("William", "1957-07-07"), features(Person(id=b"", phones=("+447700900260",))), read("Harriet", "1988-02-11")]
    pairs = [Pair(0, 1, matched(9, [*NAME, BIRTH])), Pair(1, 2, matched(8, [*NAME, BIRTH]))]
    decision = decide(model(relatives=1e-3), rows, pairs)
    assert [(pair.left, pair.right) for pair in decision.links] == [(0, 1)]
    assert [(pair.left, pair.right) for pair in decision.review] == [(1, 2)]


def test_where_there_are_families_father_and_son_are_in_no_group_together() -> None:
    rows = [read("William", "1957-07-07", "Mill Lane"), read("William", "1988-02-11", "Oak Road"), features(Person(id=b""))]
    pairs = [Pair(0, 2, matched(9, [*NAME, BIRTH])), Pair(1, 2, matched(8, [*NAME, BIRTH]))]
    assert len(decide(model(relatives=1e-3), rows, pairs).links) == 1


def test_those_who_agree_on_the_whole_are_one_group() -> None:
    rows = [read("William", "1957-07-07"), read("Bill", "1957-07-07"), read("William", "1957-07-01", "Mill Ln")]
    known = model()
    pairs = [Pair(left, right, Scorer(known).score(rows[left], rows[right])) for left, right in ((0, 1), (1, 2), (0, 2))]
    assert len(decide(known, rows, pairs).links) == 2
    assert decide(known, rows, pairs).review == []


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ConfigError, match=r"matching needs duckdb: pip install 'threadline\[match\]'"):
        Workbench([])
