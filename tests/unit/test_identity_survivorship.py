"""Which value of several a profile shows: the file that is shipped, what is told of one that is wrong, and what each rule does."""

from importlib.resources import files
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.identity.survivorship import FIELDS, PLAIN, USUAL, Claim, Rule, Survivorship, read_survivorship
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import parse_yaml

FILE = "identity.yaml"
EARLY, LATE = "2026-01-02T03:04:05+00:00", "2026-02-03T04:05:06.5+00:00"


def read(text, sources=None):
    return read_survivorship(parse_yaml(f"version: 1\n{text}", FILE), sources)


def by(*rules):
    """Make rules that hold for every field; a text is a rule that takes nothing."""
    return Survivorship(tuple(Rule(rule) if isinstance(rule, str) else rule for rule in rules))


def claim(source, **more):
    return Claim(source, "1", source.encode(), **more)


def test_the_shipped_file_says_what_holds_without_one():
    text = files("mappings").joinpath(FILE).read_text(encoding="utf-8")
    assert read_survivorship(parse_yaml(text, FILE)) == USUAL


def test_a_file_that_says_nothing_of_it_leaves_the_usual_rules():
    assert read("") == read("survivorship: {fields: {}}") == USUAL


def test_fields_that_are_left_out_keep_their_rules_unless_the_file_says_what_is_usual():
    some = read("survivorship: {fields: {email: [{sources: [crm, shop]}, most_said]}}")
    assert some.fields["email"] == (Rule("sources", ("crm", "shop")), Rule("most_said"))
    assert {name: rules for name, rules in some.fields.items() if name != "email"} == {
        name: rules for name, rules in USUAL.fields.items() if name != "email"
    }
    assert some.usual == USUAL.usual
    all_of_them = read("survivorship: {usual: [most_recent], fields: {status: [{with: kind}]}}")
    assert all_of_them == Survivorship((Rule("most_recent"),), {"status": (Rule("with", field="kind"),)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "2: `survivorship` must be a mapping of keys to values, not a list"),
        ("{usualy: []}", "2: `survivorship` knows no key 'usualy'; did you mean 'usual'?"),
        ("\n  fields:\n    emial: [verified]", "4: `fields` knows no key 'emial'; did you mean 'email'?"),
        ("\n  usual:\n    - verified\n    - most_sayed", "5: no rule named 'most_sayed'; did you mean 'most_said'?"),
        ("{usual: []}", "2: the rules of a field are a list of: verified, preferred, most_said"),
        ("{usual: verified}", "2: the rules of a field are a list of: verified, preferred, most_said"),
        ("{usual: [7]}", "2: a rule is a word, {sources: [...]} or {with: field}, not a number"),
        ("{usual: [{}]}", "2: a rule is a word, {sources: [...]} or {with: field}, not a mapping"),
        ("{usual: [{verified: true}]}", "2: `verified` takes nothing: write the word alone"),
        ("{usual: [{source: [crm]}]}", "2: no rule named 'source'; did you mean 'sources'?"),
        ("{fields: {kind: [with]}}", "2: `with` names another field; known: address, birth_date"),
        ("{usual: [sources]}", "2: `sources` is a list of names of sources, the most trusted first"),
        ("{usual: [verified, verified]}", "2: `verified` stands here twice"),
        ("{usual: [{sources: crm}]}", "2: `sources` is a list of names of sources, the most trusted first"),
        ("{usual: [{sources: []}]}", "2: `sources` is a list of names of sources, the most trusted first"),
        ("\n  usual:\n    - sources:\n      - crm\n      - schop", "6: no source named 'schop' in threadline.yaml; did you mean 'shop'?"),
        ("{usual: [{with: kind}]}", "2: `with` belongs to a field of its own, not to what is usual"),
        ("{fields: {kind: [{with: kind}]}}", "2: `with` names another field; known: address, birth_date"),
        ("{fields: {kind: [{with: satus}]}}", "2: `with` names another field; did you mean 'status'?"),
        (
            "\n  fields:\n    kind: [{with: status}]\n    status: [{with: language}]\n    language: [{with: kind}]",
            "4: kind is chosen with a field that is itself chosen with kind",
        ),
        ("{fields: {formatted_name: [{with: given_name}]}}", "2: formatted_name is chosen with a field that is itself chosen with"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(text, message):
    with pytest.raises(ConfigError) as caught:
        read(f"survivorship: {text}", ["crm", "shop"])
    assert str(caught.value).startswith(f"identity.yaml:{message}")


def test_other_rules_are_told_from_these():
    assert by("verified").fingerprint == by("verified").fingerprint
    others = [by("verified"), by("most_said"), by("verified", "most_said"), by(Rule("sources", ("a",))), by(Rule("sources", ("b",))), USUAL]
    assert len({one.fingerprint for one in others}) == len(others)


A, B = "Bo", "Anselm"
"""Two values: B is longer, and the first in the alphabet."""


@pytest.mark.parametrize(
    ("rule", "of_a", "of_b"),
    [
        ("verified", [claim("w"), claim("x", verified=True)], [claim("y"), claim("z")]),
        ("preferred", [claim("x")], [claim("y", preferred=False), claim("z", preferred=False)]),
        ("most_said", [claim("x"), claim("y")], [claim("z"), claim("z"), claim("z")]),
        ("own_record", [claim("x")], [claim("y", mentioned=True), claim("z", mentioned=True)]),
        ("most_recent", [claim("x", at=LATE), claim("w")], [claim("y", at=EARLY), claim("z", at=EARLY)]),
        ("most_recent", [claim("x", at=EARLY)], [claim("y"), claim("z")]),
        (Rule("sources", ("x", "y")), [claim("z"), claim("x")], [claim("y"), claim("z")]),
        (Rule("sources", ("x",)), [claim("x")], [claim("y")]),
    ],
    ids=lambda one: "" if isinstance(one, list) else str(one),
)
def test_each_rule_prefers_what_it_says(rule, of_a, of_b):
    for said in ({"status": {A: of_a, B: of_b}}, {"status": {B: of_b, A: of_a}}):
        choice = by(rule).choose("status", said)
        assert (choice.value, choice.by) == (A, str(rule).replace("_", " "))
        assert by(rule).ranked("status", said) == [A, B]
        # A rule that tells no difference leaves the choice to the next.
        assert by("most_said", "most_complete").best("status", {"status": {A: of_a[:1], B: of_b[:1]}}) == B


@pytest.mark.parametrize(
    ("values", "best"),
    [(["Ana", "Ana Lima", "A. L."], "Ana Lima"), (["ANA LIMA", "ana lima", "Ana Lima"], "Ana Lima"), (["pt", "pt-BR"], "pt-BR")],
)
def test_the_most_complete_value_is_the_longest_and_best_in_both_kinds_of_letters(values, best):
    for order in permutations(values):
        said = {"formatted_name": {value: [claim("x")] for value in order}}
        choice = by("most_complete").choose("formatted_name", said)
        assert (choice.value, choice.by) == (best, "most complete")


def test_what_is_said_in_other_letters_counts_as_said():
    said = {"formatted_name": {"ANA LIMA": [claim("x")], "Ana Lima": [claim("y")], "Anne-Marie Lima": [claim("z")]}}
    assert by("most_said", "most_complete").ranked("formatted_name", said) == ["Ana Lima", "ANA LIMA", "Anne-Marie Lima"]


def test_names_are_those_of_who_says_the_name_that_is_shown():
    said = {
        "formatted_name": {"Ana Lima": [claim("x"), claim("y")], "Anamaria Costa": [claim("z")]},
        "given_name": {"Ana": [claim("x")], "Anamaria": [claim("z")]},
        "family_name": {"Lima": [claim("x")], "Costa": [claim("z")]},
    }
    assert [USUAL.best(name, said) for name in ("given_name", "family_name")] == ["Ana", "Lima"]
    assert USUAL.choose("family_name", said).by == "with formatted_name"
    assert USUAL.best("given_name", {name: said[name] for name in ("given_name", "family_name")}) == "Anamaria"


def test_what_only_gone_records_say_comes_last_and_they_are_no_longer_counted():
    gone = [claim(source, ended=True, verified=True, at=LATE) for source in "abc"]
    said = {"status": {"long gone": gone, "here": [claim("x")]}}
    choice = USUAL.choose("status", said)
    assert (choice.value, choice.by) == ("here", "not gone")
    assert USUAL.ranked("status", said) == ["here", "long gone"]
    both = {"status": {"said": [*gone, claim("x")], "by two": [claim("y"), claim("z")]}}
    assert by("most_said").best("status", both) == "by two"
    assert USUAL.best("status", {"status": {"long gone": gone}}) == "long gone"


def test_a_choice_names_the_record_that_says_it_best():
    claims = [claim("b", at=EARLY), claim("c", at=LATE), claim("a", at=LATE, ended=True), claim("d")]
    for order in permutations(claims):
        assert USUAL.choose("kind", {"kind": {"x": order}}).claim == claims[1]
    sure = claim("d", verified=True)
    assert USUAL.choose("kind", {"kind": {"x": [*claims, sure]}}).claim == sure


def test_nothing_is_chosen_where_nothing_is_said():
    assert USUAL.choose("email", {}) is None
    assert (USUAL.best("email", {}), USUAL.ranked("email", {})) == (None, [])
    assert USUAL.choose("email", {"email": {"a@b": [claim("x")]}}).by is None


claims = st.builds(
    Claim, st.sampled_from("abcd"), st.sampled_from("12"), st.sampled_from([b"p", b"q", b"r"]),
    at=st.sampled_from([None, EARLY, LATE]), ended=st.booleans(), mentioned=st.booleans(), verified=st.booleans(), preferred=st.booleans(),
)  # fmt: skip
# A record says a value once.
says = st.lists(
    st.tuples(st.sampled_from(["kind", "status"]), st.sampled_from(["Ab", "ab", "AB", "abc", "b"]), claims),
    max_size=10, unique_by=lambda one: (one[0], one[1], one[2].party),
)  # fmt: skip
rules = st.lists(
    st.sampled_from([*map(Rule, PLAIN), Rule("sources", ("b", "a")), Rule("with", field="kind")]), min_size=1, max_size=5, unique_by=str
)


def gathered(says):
    said: dict[str, dict[str, list[Claim]]] = {}
    for name, value, one in says:
        said.setdefault(name, {}).setdefault(value, []).append(one)
    return said


@settings(max_examples=200)
@given(says=says, rules=rules, chance=st.randoms(use_true_random=False))
def test_the_order_in_which_things_were_said_decides_nothing(says, rules, chance):
    survivorship = Survivorship((Rule("most_said"),), {"status": tuple(rules)})
    before = gathered(says)
    chance.shuffle(says)
    after = gathered(says)
    for name in ("kind", "status"):
        ranked = survivorship.ranked(name, before)
        choice = survivorship.choose(name, before)
        assert survivorship.ranked(name, after) == ranked
        assert survivorship.choose(name, after) == choice
        assert sorted(ranked) == sorted(before.get(name, {}))
        assert survivorship.best(name, before) == (choice and choice.value) == next(iter(ranked), None)
        assert (choice is not None and choice.by is not None) == (len(ranked) > 1)


def test_every_field_that_is_chosen_may_have_rules():
    for name in FIELDS:
        assert read(f"survivorship: {{fields: {{{name}: [most_complete]}}}}").fields[name] == (Rule("most_complete"),)
