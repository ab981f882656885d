"""Scores of single pairs: what is read of a person, what a field says, and that a batch says the same."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.identity.channels import generate
from threadline.identity.matching.comparisons import COMPARISONS
from threadline.identity.matching.features import features
from threadline.identity.matching.keys import keys
from threadline.identity.matching.model import Field, Frequency, Model, read_model
from threadline.identity.matching.person import Address, Person
from threadline.identity.matching.score import Match, Scorer, probability

HOME = Address("Lindenstraße", "5", "Köln", "50674", "", "DE")


def hand_made(**values: object) -> Model:
    fields = [
        Field(one.name, [0.8, *[0.1] * (len(one.levels) - 1), 0.1], [0.001, *[0.01] * (len(one.levels) - 1), 0.9]) for one in COMPARISONS
    ]
    columns = {level.frequency for one in COMPARISONS for level in one.levels if level.frequency}
    frequencies = {column: Frequency(0.001, 0.001, {"muller": 0.01, "zywiec": 0.0001}) for column in columns}
    model = Model(
        fields=fields, frequencies=frequencies, matches=0.001, relatives=0.001, threshold=0.0, review=-2.0, largest_block=100
    )  # fmt: skip
    return msgspec.structs.replace(model, **values)


def person(**values: object) -> Person:
    return Person(id=b"1", **values)  # type: ignore[arg-type]


def scored(left: Person, right: Person) -> Match:
    scorer = Scorer(hand_made())
    return scorer.score(scorer.read(left), scorer.read(right))


def level(field: str, left: Person, right: Person) -> str | None:
    return next((found.level for found in scored(left, right).fields if found.field == field), None)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("William Hill", "william hill", "same"),
        ("Bill Hill", "William Hill", "short form"),
        ("Kasia Wrona", "Katarzyna Wrona", "short form"),
        ("W Hill", "William Hill", "initial"),
        ("W. J. Hill", "William James Hill", "initial"),
        ("W Hill", "W. Hill", "initial"),
        ("W Hill", "V Hill", "differs"),
        ("Wiliam Hill", "William Hill", "very close"),
        ("Hill William", "William Hill", "swapped with the family name"),
        ("Hill, William", "William Hill", "same"),
        ("Dr. William Hill Jr.", "William Hill", "same"),
        ("Сергей Кузнецов", "Sergej Kuznetsov", "very close"),
        ("Jürgen Müller", "Juergen Mueller", "same"),
        ("Robert van der Berg", "Robert Berg", "same"),
        ("Anna Hill", "William Hill", "differs"),
    ],
)
def test_given_names_agree_in_degrees(one: str, other: str, expected: str) -> None:
    assert level("given", person(formatted_names=(one,)), person(formatted_names=(other,))) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1970-04-18", "1970-04-18", "same"),
        ("1970-04-08", "1970-08-04", "day and month swapped"),
        ("1970-04-18", "1970-04-16", "one digit"),
        ("1970-04-18", "1952-04-18", "two of day, month, year"),
        ("1970-04-18", "1970-11-02", "year"),
        ("1970-04-18", "1981-11-02", "differs"),
        ("1970-04-18", "1900-01-01", None),
        ("1970-04-18", "", None),
    ],
)
def test_birth_dates_agree_in_degrees(one: str, other: str, expected: str | None) -> None:
    assert level("birth", person(birth_dates=(one,)), person(birth_dates=(other,))) == expected


@pytest.mark.parametrize(
    ("field", "other", "expected"),
    [
        ("street", Address("Lindenstr.", "5", "Koeln", "50674"), "same"),
        ("street", Address("Lindenstrasse 5", "", "Köln", "50674"), "same"),
        ("street", Address("Lindenstrase", "5", "Köln", "50674"), "close, and the house number"),
        ("street", Address("Lindenstraße", "77", "Köln", "50674"), "same, another house number"),
        ("street", Address("Am Ring", "140", "Köln", "51105"), "differs"),
        ("street", Address("", "", "Köln", ""), None),
        ("place", Address("", "", "Köln", ""), "town"),
        ("place", Address("", "", "Köln", "50675"), "town, post code close"),
        ("place", Address("", "", "Bonn", "53111"), "differs"),
    ],
)
def test_addresses_agree_in_degrees(field: str, other: Address, expected: str | None) -> None:
    assert level(field, person(addresses=(HOME,)), person(addresses=(other,))) == expected


def test_one_of_several_values_is_enough() -> None:
    moved = Address("Am Ring", "140", "Köln", "51105")
    one = person(
        given_names=("Anna",), family_names=("Wrona", "Zalewska"), addresses=(moved, HOME), phones=("+4917148213307", "+4915229871460")
    )
    other = person(given_names=("Anna",), family_names=("Zalewska",), addresses=(HOME,), phones=("+4915229871460",))
    found = [level(field, one, other) for field in ("family", "street", "phone")]
    assert found == ["one of them the same", "one of them the same", "same"]


@pytest.mark.parametrize("inbox", ["info@acme.com", "support@acme.com", "none@none.com", "test@test.com", "noreply@acme.com"])
def test_an_inbox_that_is_nobodys_says_nothing(inbox: str) -> None:
    assert level("account", person(emails=(inbox,)), person(emails=(inbox,))) is None
    assert not keys(features(person(emails=(inbox,))))


@pytest.mark.parametrize("number", ["0000000000", "+11111111111", "+1234567890", "12"])
def test_a_number_that_is_nobodys_says_nothing(number: str) -> None:
    assert level("phone", person(phones=(number,)), person(phones=(number,))) is None


def test_an_alias_is_the_same_inbox() -> None:
    assert level("account", person(emails=("mara+shop@acme.com",)), person(emails=("mara@acme.com",))) == "same"
    assert level("account", person(emails=("ma.ra@gmail.com",)), person(emails=("mara+x@gmail.com",))) == "same"


def test_ones_own_name_in_another_inbox_is_no_further_evidence() -> None:
    one = person(formatted_names=("Charles Rodriguez",), emails=("charles.rodriguez@web.de",))
    other = person(formatted_names=("Charles Rodriguez",), emails=("charles.rodriguez@acme.com",))
    assert level("account", one, other) == "differs"
    assert level("account", person(emails=("bluefox77@web.de",)), person(handles=("x:bluefox77",))) == "same name elsewhere"


def test_other_systems_are_likelier_to_know_somebody_than_the_same_one_again() -> None:
    one, other, twice = (person(formatted_names=("Anna Hill",), sources=sources) for sources in (("crm",), ("shop",), ("shop", "crm")))
    assert [level("source", one, seen) for seen in (other, twice, person())] == ["of other systems", "differs", None]


def test_a_whole_name_is_a_level_of_its_own() -> None:
    assert level("name", person(formatted_names=("Anna Hill",)), person(formatted_names=("Ana Hill",))) == "alike"
    assert level("name", person(formatted_names=("Anna Hill",)), person(formatted_names=("Bea Hill",))) is None


def test_a_name_the_other_way_around_makes_nobody_of_ones_relatives() -> None:
    anna, bea = (person(formatted_names=(f"{name} Hill", f"Hill {name}")) for name in ("Anna", "Bea"))
    assert level("given", anna, bea) == "differs"
    assert level("given", anna, person(formatted_names=("Hill Anna",))) == "swapped with the family name"


def test_what_is_rare_weighs_more() -> None:
    common, rare = (scored(*[person(formatted_names=(f"Anna {name}",))] * 2) for name in ("Müller", "Zywiec"))
    family = [next(field for field in match.fields if field.field == "family") for match in (common, rare)]
    assert family[0].frequency < 0 < family[1].frequency
    assert family[1].weight - family[0].weight == pytest.approx(6.644, abs=0.001)
    assert rare.weight > common.weight


def test_relatives_are_the_rival_of_those_who_share_a_home() -> None:
    father = person(formatted_names=("Gerald Ostrander",), addresses=(HOME,), birth_dates=("1948-01-22",))
    daughter = person(formatted_names=("Maud Ostrander",), addresses=(HOME,), birth_dates=("1979-09-06",))
    match = scored(father, daughter)
    assert match.evidence > 10
    assert (match.rival, match.probability < 0.05) == ("relatives", True)


def test_a_score_is_the_sum_of_what_its_fields_say() -> None:
    match = scored(*[person(formatted_names=("Anna Müller",), birth_dates=("1970-04-18",))] * 2)
    assert match.evidence == pytest.approx(sum(field.weight for field in match.fields))
    assert match.probability == pytest.approx(probability(match.weight))


people = st.sampled_from(generate(400).people)


@given(people, people)
def test_a_pair_scores_alike_from_both_sides(one: Person, other: Person) -> None:
    there, back = scored(one, other), scored(other, one)
    assert there.weight == pytest.approx(back.weight)
    assert [field.level for field in there.fields] == [field.level for field in back.fields]


@given(people)
def test_keys_are_the_same_each_time_and_fit_a_database(one: Person) -> None:
    found = keys(features(one))
    assert found == keys(features(one))
    assert len(set(found)) == len(found)
    assert all(0 <= key < 2**63 for key in found)


def test_a_model_comes_back_from_json_as_it_was() -> None:
    model = hand_made(generic=frozenset({"info@acme.com", "+49"}))
    assert read_model(model.to_json()) == model
    assert read_model(model.to_json()).version() == model.version() != hand_made(threshold=1.0).version()


@pytest.mark.parametrize("text", ["{", "{}", '{"fields": 1}'])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a matching model: .*train it again"):
        read_model(text)


def test_a_model_with_other_levels_is_refused() -> None:
    model = hand_made(fields=[Field("given", [0.5, 0.5], [0.1, 0.9])])
    with pytest.raises(ValueError, match="'given' has other levels; train it again"):
        read_model(model.to_json())
