"""Values that several people share join nobody who is not one person, in whatever order records arrive."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import Lab, Partition, party, profiles, wipe
from tests.integration.test_identity import batches_of, read_batches
from threadline.identity.explain import explain
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import USUAL, Rule, Rules
from threadline.sync.identity import follow_rules
from threadline.sync.policy import Policy

quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MAIL, PHONE, LINE = "box@example.org", "+49 1512 3456780", "+49 30 901820"
EITHER = "+1 212 736 5000"


def together(lab: Lab) -> Partition:
    """Return the numbers of the people who are one customer."""
    with lab.database.read() as transaction:
        numbers = {party(number): number for number in range(200)}
        return frozenset(frozenset(numbers[one] for one in group) for group in profiles(transaction))


def apart(*groups: Iterable[int]) -> Partition:
    return frozenset(frozenset(group) for group in groups)


def people(*names: str | None, **values: Any) -> list[dict[str, Any]]:
    return [{"id": number, **({"name": name} if name else {}), **values} for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["Ana Lima", "Ana Lima", "Bo Lima"], [[0, 1], [2]]),
        (["Ana Lima", "A. Lima", "Bo Lima"], [[0, 1], [2]]),
        (["Ana Lima", "A. Lima", "Anton Lima"], [[0], [1], [2]]),
        (["Ana Lima", "Bo Lima", None], [[0], [1], [2]]),
        (["Ana Lima", None, None], [[0, 1, 2]]),
        (["Ana Lima", "Ana Costa"], [[0, 1]]),
        (["Dani Rossi", "Daniela Rossi"], [[0, 1]]),
        (["Jan Weber", "Jana Weber"], [[0], [1]]),
        (["Laura Weber", "Luara Weber"], [[0, 1]]),
        (["Laura Weber", "Luara Costa"], [[0], [1]]),
        (["Benny Weber", "Denny Weber"], [[0], [1]]),
        (["Alice Weber", "Aline Weber"], [[0], [1]]),
        (["Karim Weber", "Harim Weber"], [[0], [1]]),
        (["Maria José García", "José García"], [[0, 1]]),
        (["Ana García López", "Eva García López"], [[0], [1]]),
        (["Teresa Lo Presti", "Daniela Lo Presti"], [[0], [1]]),
        (["Robert Lee", "Bob Lee", "Lee, Robert", "ROBERT LEE"], [[0, 1, 2, 3]]),
        (["Jürgen Groß", "Juergen Gross"], [[0, 1]]),
        (["John Lee Jr.", "John Lee Sr."], [[0], [1]]),
        (["Maria Rossi", "Mario Rossi"], [[0], [1]]),
        (["ana.lima@example.org", "Ana Lima"], [[0, 1]]),
    ],
)
def test_an_inbox_joins_those_whose_names_one_person_may_have(lab, names, groups):
    lab.read("people", *people(*names, email=MAIL))
    assert together(lab) == apart(*groups)


@pytest.mark.parametrize(
    ("number", "names", "groups"),
    [
        (PHONE, ["Ana Lima", "Ana Lima", None], [[0, 1, 2]]),
        (PHONE, ["Ana Lima", None, None], [[0], [1, 2]]),
        (PHONE, ["Ana Lima", "Ana Costa"], [[0], [1]]),
        (PHONE, ["Ana Lima", "Bo Lima", None], [[0], [1], [2]]),
        (PHONE, [None, None], [[0, 1]]),
        (LINE, ["Ana Lima", "Ana Lima", None], [[0, 1], [2]]),
        (EITHER, ["Ana Lima", "Ana Lima", None], [[0, 1], [2]]),
        (EITHER, ["Ana Lima", "Ana Lima", "Ana Lima", None], [[0, 1, 2, 3]]),
        (LINE, [None, None], [[0], [1]]),
    ],
)
def test_a_phone_joins_those_of_the_same_name_and_who_calls_from_ones_own(lab, number, names, groups):
    lab.read("people", *people(*names, phone=number))
    assert together(lab) == apart(*groups)


@pytest.mark.parametrize(
    ("inbox", "names", "groups"),
    [
        ("ana.lima@example.org", ["Ana Lima", None], [[0, 1]]),
        ("alima7@example.org", ["Ana Lima", None], [[0, 1]]),
        ("bluefox@example.org", ["Ana Lima", None], [[0, 1]]),
        ("bo.lima@example.org", ["Ana Lima", None], [[0], [1]]),
        ("lima77@example.org", ["Ana Lima", None, None], [[0], [1], [2]]),
        ("rosa.costa@example.org", ["Ana Lima", None], [[0], [1]]),
        ("info@example.org", ["Ana Lima", None, None], [[0], [1], [2]]),
        ("lima@lima.org", ["Ana Lima", "A. Lima", None], [[0], [1], [2]]),
    ],
)
def test_whoever_has_no_name_is_taken_for_the_one_whose_address_it_is(lab, inbox, names, groups):
    lab.read("people", *people(*names, email=inbox))
    assert together(lab) == apart(*groups)


@pytest.mark.parametrize("value", [{"phone": LINE}, {"email": "info@example.org"}])
def test_a_birth_date_says_who_it_is_where_no_name_does(lab, value):
    lab.read(
        "people", {"id": 0, "name": "Ana Lima", "born": "1980-03-04", **value}, {"id": 1, "name": "Bo Lima", "born": "1978-11-05", **value}
    )
    lab.read("people", {"id": 2, "born": "1978-11-05", **value}, {"id": 3, "born": "1991-01-30", **value}, {"id": 4, **value})
    assert together(lab) == apart([0], [1, 2], [3], [4])


def test_of_two_with_one_name_it_is_open_who_has_no_birth_date(lab):
    same = {"name": "Ana Lima", "email": MAIL}
    lab.read("people", {"id": 0, "born": "1950-03-04", **same}, {"id": 1, "born": "1978-11-05", **same}, {"id": 2, **same})
    assert together(lab) == apart([0], [1], [2])


def test_an_address_of_a_role_joins_those_of_the_same_name(lab):
    lab.read("people", *people("Ana Lima", "Ana Costa", "Ana Lima", email="info@example.org"))
    assert together(lab) == apart([0, 2], [1])


@pytest.mark.parametrize("values", [{"email": "none@none.com"}, {"email": "noreply@example.org"}, {"phone": "+49 30 0000000"}])
def test_what_people_write_who_have_none_joins_nobody(lab, values):
    lab.read("people", *people("Ana Lima", "Ana Lima", **values))
    assert together(lab) == apart([0], [1])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1980-03-04", "1980-03-04", True), ("1980-03-04", "1980-04-03", True), ("1980-03-04", "1981-03-04", True),
        ("1980-03-04", "1955-07-21", False), ("1980-03-04", "1900-01-01", True),
    ],
)  # fmt: skip
def test_birth_dates_that_differ_keep_apart(lab, one, other, same):
    lab.read("people", {"id": 0, "name": "Ana Lima", "handle": "x:ana", "born": one})
    lab.read("people", {"id": 1, "name": "Ana Lima", "handle": "x:ana", "born": other})
    assert together(lab) == (apart([0, 1]) if same else apart([0], [1]))


FAMILY = ["Ana Lima", "Bo Lima", "Cy Lima", "Di Lima", "Ed Lima"]


def test_a_value_that_too_many_people_hold_joins_nobody_from_then_on_nor_before(lab):
    lab.read("people", *people(*FAMILY, "Ana Lima", email=MAIL))
    assert apart([0, 5]) < together(lab)
    lab.read("people", {"id": 6, "name": "Flo Lima", "email": MAIL})
    assert together(lab) == apart(*([number] for number in range(7)))
    assert lab.rows("SELECT type, value, reason FROM shared_identifiers") == [("email", MAIL, "people")]
    lab.read("people", {"id": 6, "name": "Flo Lima", "email": "flo@example.org"})
    assert apart([0, 5]) < together(lab)
    assert lab.rows("SELECT 1 FROM shared_identifiers") == []


def test_a_value_that_too_many_records_hold_joins_nobody_from_then_on_nor_before(lab):
    lab.policy = Policy(identity=Rules({**USUAL.identifiers, "handle": Rule(records=3)}))
    lab.read("people", *people(None, None, None, handle="x:kiosk"))
    assert together(lab) == apart([0, 1, 2])
    lab.read("people", {"id": 3, "handle": "x:kiosk"})
    assert together(lab) == apart([0], [1], [2], [3])
    lab.read("people", {"id": 4, "handle": "x:kiosk"})
    lab.read("people", {"id": 3, "handle": "x:other"})
    assert together(lab) == apart([0], [1], [2], [3], [4])
    lab.read("people", {"id": 4, "handle": "x:other"})
    assert together(lab) == apart([0, 1, 2], [3, 4])


def test_a_new_name_joins_and_parts(lab):
    lab.read("people", *people("Ana Lima", "Bo Lima", email=MAIL))
    assert together(lab) == apart([0], [1])
    lab.read("people", {"id": 1, "name": "Ana Lima", "email": MAIL})
    assert together(lab) == apart([0, 1])
    lab.read("people", {"id": 1, "name": "Cy Lima", "email": MAIL})
    assert together(lab) == apart([0], [1])


def test_what_would_grow_too_large_is_asked_about(lab):
    lab.policy = Policy(identity=Rules(most_records=3))
    lab.read("people", *people(*["Ana Lima"] * 3, email=MAIL))
    lab.read("people", {"id": 3, "name": "Ana Lima", "email": MAIL})
    assert sorted(map(len, together(lab))) == [1, 3]
    assert len(lab.rows("SELECT 1 FROM matches WHERE state = 'review'")) == 1


NAMES = ["Ana Lima", "Bo Lima", "A. Lima", "Ana Costa", "Ana", None, "Anton Lima"]


def person() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(
        st.sampled_from(["desk", "shop"]),
        st.fixed_dictionaries(
            {"id": st.integers(1, 8), "name": st.sampled_from(NAMES)},
            optional={
                "email": st.sampled_from(["a@example.org", "b@example.org", "info@example.org"]),
                "phone": st.sampled_from([f"+49 30 90182{digit}" for digit in range(3)]),
                "handle": st.sampled_from(["x:ana", "x:bo"]),
                "born": st.sampled_from(["1980-03-04", "1955-07-21"]),
            },
        ),
    )


TIGHT = Policy(identity=Rules({**USUAL.identifiers, "email": Rule("alike", people=2, records=5, roles=("info",))}, most_records=6))
cuts = st.lists(st.integers(0, 99))


def grouped(lab: Lab) -> Partition:
    with lab.database.read() as transaction:
        return profiles(transaction)


def fresh(database: Any) -> Lab:
    wipe(database)
    return Lab(database, policy=TIGHT)


@quick
@given(people=st.lists(person(), max_size=14, unique_by=lambda one: (one[0], one[1]["id"])), cuts=cuts, chance=st.randoms())
def test_with_all_guards_any_order_and_any_batches_give_the_same_customers(database, people, cuts, chance):
    lab = fresh(database)
    read_batches(lab, [people])
    wanted = grouped(lab)
    lab = fresh(database)
    chance.shuffle(people)
    read_batches(lab, batches_of(people, cuts))
    assert grouped(lab) == wanted


@quick
@given(versions=st.lists(person(), max_size=20), cuts=cuts)
def test_with_all_guards_changes_leave_what_the_latest_alone_would_give(database, versions, cuts):
    lab = fresh(database)
    read_batches(lab, batches_of(versions, cuts))
    found, shared = grouped(lab), sorted(lab.rows("SELECT id, reason FROM shared_identifiers"))
    lab = fresh(database)
    latest = {(source, record["id"]): (source, record) for source, record in versions}
    read_batches(lab, [list(latest.values())])
    assert grouped(lab) == found
    assert sorted(lab.rows("SELECT id, reason FROM shared_identifiers")) == shared


@quick
@given(people=st.lists(person(), max_size=14, unique_by=lambda one: (one[0], one[1]["id"])), cuts=cuts)
def test_a_rebuild_changes_nothing(database, people, cuts):
    lab = fresh(database)
    read_batches(lab, batches_of(people, cuts))
    before = lab.rows("SELECT party, profile FROM party_profiles ORDER BY party")
    with lab.database.write() as transaction:
        assert not rebuild(transaction, TIGHT.identity, "rebuild").changed
    assert lab.rows("SELECT party, profile FROM party_profiles ORDER BY party") == before


@quick
@given(people=st.lists(person(), min_size=2, max_size=10, unique_by=lambda one: (one[0], one[1]["id"])))
def test_every_two_records_of_a_customer_are_explained_by_what_both_sides_say(database, people):
    lab = fresh(database)
    read_batches(lab, [people])
    with lab.database.read() as transaction:
        held = set(transaction.query("SELECT party, value_normalized FROM party_identifiers"))
        for group in profiles(transaction):
            for one, other in combinations(sorted(group), 2):
                found = explain(transaction, one, other, TIGHT.identity)
                assert found.same
                assert [one, *(step.other.party for step in found.path)] == [*(step.one.party for step in found.path), other]
                for step in found.path:
                    assert {(step.one.party, step.value), (step.other.party, step.value)} <= held
        for one, other in combinations(sorted(min(group) for group in profiles(transaction)), 2):
            assert not explain(transaction, one, other, TIGHT.identity).same


def test_new_rules_make_all_profiles_anew(lab):
    lab.read("people", *people("Ana Lima", "Bo Lima", email=MAIL))
    assert follow_rules(lab.database, USUAL) == 0
    loose = Rules({**USUAL.identifiers, "email": Rule("any")})
    assert follow_rules(lab.database, loose) > 0
    assert together(lab) == apart([0, 1])
    assert follow_rules(lab.database, loose) == 0
    assert follow_rules(lab.database, USUAL) > 0
    assert together(lab) == apart([0], [1])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("ana.lima+shop@gmail.com", "analima@gmail.com", True),
        ("ana+news@outlook.com", "ana@outlook.com", True),
        ("a.na@outlook.com", "ana@outlook.com", False),
        ("ana+shop@example.org", "ana@example.org", False),
        ("ana+a@gmail.com", "an.a+b@gmail.com", True),
    ],
)
def test_aliases_of_an_inbox_are_one_address_and_stay_what_they_are(lab, one, other, same):
    lab.read("people", {"id": 0, "email": one}, {"id": 1, "email": other})
    assert together(lab) == (apart([0, 1]) if same else apart([0], [1]))
    assert {value for (value,) in lab.rows("SELECT value FROM contact_points")} == {one, other}
    lab.read("people", {"id": 0, "email": "elsewhere@example.org"})
    assert together(lab) == apart([0], [1])


@pytest.mark.parametrize(("most", "groups"), [(0, [[0, 1, 2]]), (1, [[0], [1], [2]]), (2, [[0, 1], [2]])])
def test_a_customer_has_no_more_values_of_a_kind_than_the_rules_allow(lab, most, groups):
    lab.policy = Policy(identity=Rules({**USUAL.identifiers, "list_person": Rule(per_customer=most)}))
    lab.read("people", *people("Ana Lima", "Ana Lima", "Ana Lima", email=MAIL))
    # Each record has an id of its own in the source: which two are one follows from the ids alone.
    assert sorted(map(len, together(lab))) == sorted(map(len, groups))
    before = together(lab)
    with lab.database.write() as transaction:
        assert not rebuild(transaction, lab.policy.identity, "again").changed
    assert together(lab) == before
    with lab.database.read() as transaction:
        apart = explain(transaction, party(0), party(2), lab.policy.identity)
        reasons = {step.refused for step in apart.against}
        assert reasons == (set() if apart.same else {"together they would have too many values of list_person"})


def test_the_same_id_of_two_sources_is_no_second_value_of_either(lab):
    lab.policy = Policy(identity=Rules({**USUAL.identifiers, "list_person": Rule(per_customer=1)}))
    read_batches(lab, [[("desk", {"id": 1, "email": MAIL}), ("shop", {"id": 2, "email": MAIL})]])
    with lab.database.read() as transaction:
        assert len(profiles(transaction)) == 1
