"""The make-believe company is the same each time, its events fit together, and its truth is what they say."""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any, get_args

import phonenumbers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threadline.model.identifiers import normalize_email, normalize_handle, normalize_phone
from threadline.testing.company import REGION, Company, Journey, Systems, make_company, trickle
from threadline.testing.desk import Desk, dice, once
from threadline.testing.story import Commented, Event, Garbled, Mailed, Moved, Opened, Ordered, Person, Posted, Registered

UNTIL = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ORDER_NUMBER = re.compile(r"NL-\d{5}(?!\d)")
MINUTE = timedelta(minutes=1)

companies = st.builds(
    make_company,
    seed=st.integers(0, 2**32),
    until=st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    customers=st.integers(40, 100),
)
any_company = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def company() -> Company:
    return make_company(7, UNTIL)


def of(kind: type, events: Iterable[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def person_of(event: Event) -> Any:
    return getattr(event, "person", None)


def said(event: Event) -> str:
    """All that the event says, where an order number may stand."""
    return " ".join(str(getattr(event, name, None) or "") for name in ("subject", "text", "order", "number"))


def identifiers(event: Event) -> set[tuple[str, str]]:
    """What the event shows of the customer, as it is compared."""
    match event:
        case Registered(person=person, knows=knows):
            shown = set(knows) - {"name"}
        case Mailed(person=person):
            shown = {"email"}
        case Posted(person=person):
            shown = {"handle"}
        case _:
            return set()
    values = {
        "email": normalize_email(person.email),
        "phone": normalize_phone(person.phone, REGION),
        "handle": normalize_handle(f"x:{person.handle}"),
    }
    return {(kind, values[kind]) for kind in shown}


def connected(knots: dict[object, set[object]]) -> list[set[object]]:
    """Walk the graph of knots (each with what it is tied to) and return its parts."""
    neighbours: dict[object, set[object]] = defaultdict(set)
    for knot, ties in knots.items():
        neighbours[knot] |= ties
        for tie in ties:
            neighbours[tie].add(knot)
    parts, seen = [], set()
    for start in neighbours:
        part, edge = set(), [start]
        while edge:
            knot = edge.pop()
            if knot not in seen:
                seen.add(knot)
                part.add(knot)
                edge += neighbours[knot]
        if part:
            parts.append(part)
    return parts


class Ledger:
    """What has happened so far: every reference must lead to something earlier that belongs to the same customer."""

    def __init__(self) -> None:
        self.mails: dict[str, Mailed] = {}
        self.posts: dict[int, Posted] = {}
        self.cases: dict[tuple[str, int], Opened] = {}
        self.orders: dict[str, Ordered] = {}
        self.closed: set[tuple[str, str]] = set()
        self.registered: set[tuple[str, int]] = set()

    def enter(self, event: Event) -> None:
        if isinstance(event, (Opened, Commented, Ordered)):
            assert (event.system, event.person.number) in self.registered
        if not isinstance(event, Ordered):
            self.check_mentions(event)
        if isinstance(event, Registered):
            self.registered.add((event.system, event.person.number))
        elif not isinstance(event, Garbled):
            getattr(self, type(event).__name__.lower())(event)

    def check_mentions(self, event: Event) -> None:
        for number in ORDER_NUMBER.findall(said(event)):
            person = person_of(event)
            assert person is None or person.role == "agent" or self.orders[number].person.number == person.number
            assert number in self.orders

    def mailed(self, event: Mailed) -> None:
        chain = [self.mails[answered] for answered in event.answers]
        assert all(mail.person == event.person for mail in chain)
        assert not chain or chain[-1].answers == event.answers[:-1]
        self.mails[event.mail] = event

    def posted(self, event: Posted) -> None:
        if event.answers is not None:
            assert self.posts[event.answers].person == event.person
            assert not self.posts[event.answers].direct
            assert not event.direct
        self.posts[event.post] = event

    def opened(self, event: Opened) -> None:
        self.cases[event.system, event.case] = event

    def commented(self, event: Commented) -> None:
        case = self.cases[event.system, event.case]
        assert (event.system, str(event.case)) not in self.closed
        assert event.person.role == "agent" or (event.person == case.person and event.public)

    def ordered(self, event: Ordered) -> None:
        assert all(quantity > 0 and cents > 0 for _, _, quantity, cents in event.lines)
        self.orders[event.order] = event

    def moved(self, event: Moved) -> None:
        if event.thing == "order":
            assert event.system == self.orders[event.number].system
            return
        assert (event.system, int(event.number)) in self.cases
        assert (event.system, event.number) not in self.closed
        if event.state == "closed":
            self.closed.add((event.system, event.number))


def assert_fits_together(events: Sequence[Event]) -> None:
    ledger = Ledger()
    for event in events:
        ledger.enter(event)


def assert_numbers_grow(events: Sequence[Event]) -> None:
    for kind, name in ((Posted, "post"), (Opened, "case"), (Commented, "comment"), (Ordered, "order")):
        numbers = [getattr(event, name) for event in of(kind, events)]
        assert all(earlier < later for earlier, later in pairwise(numbers))
    mails = [event.mail for event in of(Mailed, events)]
    assert len(set(mails)) == len(mails)
    assert all(re.fullmatch(r"[\w.]+@[\w.]+", mail) for mail in mails)


def test_the_same_seed_gives_the_same_company() -> None:
    assert make_company(7, UNTIL) == make_company(7, UNTIL)
    assert make_company(7, UNTIL).events != make_company(8, UNTIL).events


def test_another_process_and_time_zone_give_the_same_company() -> None:
    program = """
from datetime import *
from threadline.testing.company import *

company = make_company(7, datetime(2026, 3, 2, 12, tzinfo=UTC), 60)
print(ascii((company.events, company.people, company.truth.threads, trickle(company, company.until + timedelta(minutes=9)))))
"""
    told = [
        subprocess.run([sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert make_company(7, UNTIL.astimezone(timezone(timedelta(hours=5))), 60) == make_company(7, UNTIL, 60)


@any_company
@given(companies)
def test_events_come_in_order_within_the_month(company: Company) -> None:
    times = [event.at for event in company.events]
    assert times[0] >= company.until - timedelta(days=30)
    assert times[-1] < company.until
    assert times[-1] - times[0] > timedelta(days=27)
    assert all(later - earlier >= timedelta(seconds=1) for earlier, later in pairwise(times))


@any_company
@given(companies)
def test_what_events_refer_to_has_happened(company: Company) -> None:
    assert_fits_together(company.events)
    assert_numbers_grow(company.events)


@any_company
@given(companies)
def test_nobody_shares_an_identifier(company: Company) -> None:
    owners: dict[tuple[str, str], set[int]] = defaultdict(set)
    for event in company.events:
        for shown in identifiers(event):
            owners[shown].add(person_of(event).number)
    assert all(len(numbers) == 1 for numbers in owners.values())


@any_company
@given(companies)
def test_every_spelling_is_valid_in_its_system(company: Company) -> None:
    for event in company.events:
        person = person_of(event)
        if not person:
            continue
        assert phonenumbers.is_valid_number(phonenumbers.parse(person.phone, REGION))
        assert re.fullmatch(r"[A-Za-z0-9._]+@[A-Za-z.]+", person.email)
        assert re.fullmatch(r"\w{4,15}", person.handle, re.ASCII)
        assert person.given_name
        assert person.family_name
    # X takes 280 characters, of which a mention may take some.
    assert all(len(event.text) <= 240 for event in of(Posted, company.events) if not event.direct)
    assert all(event.text and "{" not in event.text + event.subject for event in of(Mailed, company.events))


@any_company
@given(companies)
def test_a_system_knows_a_customer_in_one_spelling_and_forgets_nothing(company: Company) -> None:
    spelled: dict[tuple[str, int], set[Person]] = defaultdict(set)
    records: dict[tuple[str, int], Registered] = {}
    for event in company.events:
        person = person_of(event)
        if person:
            spelled[event.system, person.number].add(person)
        if isinstance(event, Registered):
            before = records.get((event.system, person.number))
            if before:
                assert set(before.knows) <= set(event.knows)
                assert (before.knows, before.preferred_channel) != (event.knows, event.preferred_channel)
                assert before.preferred_channel in (None, event.preferred_channel)
            records[event.system, person.number] = event
    assert all(len(people) == 1 for people in spelled.values())


@any_company
@given(companies)
def test_the_truth_about_identity_is_what_the_events_show(company: Company) -> None:
    shown: dict[tuple[str, str, str], int] = {}
    records: dict[object, set[object]] = defaultdict(set)
    for event in company.events:
        person = person_of(event)
        if person and person.role == "customer":
            shown |= {(event.system, *identifier): person.number for identifier in identifiers(event)}
            records[event.system, person.number] |= {("identifier", *identifier) for identifier in identifiers(event)}
    assert company.truth.identity == shown
    profiles = connected(records)
    assert company.truth.reachable_profiles == len(profiles)
    halves = Counter(number for profile in profiles for number in {knot[1] for knot in profile if knot[0] != "identifier"})
    assert set(halves) == {person.number for person in company.people if person.role == "customer"}
    assert {number for number, count in halves.items() if count == 2} == set(company.truth.strangers)
    assert max(halves.values()) == 2
    # A post about an order would give the stranger away.
    assert not any(
        ORDER_NUMBER.search(event.text) for event in of(Posted, company.events) if event.person.number in company.truth.strangers
    )


def ties(event: Event) -> set[object]:
    """What says that the event belongs with others."""
    numbers: set[object] = {("order", number) for number in ORDER_NUMBER.findall(said(event))}
    match event:
        case Mailed():
            return numbers | {("mail", mail) for mail in (event.mail, *event.answers)}
        case Posted(direct=True):
            return numbers | {("direct", event.person.number)}
        case Posted():
            return numbers | {("post", event.post), ("post", event.answers or event.post)}
        case Opened() | Commented():
            return numbers | {("case", event.system, event.case)}
        case Moved(thing="case"):
            return numbers | {("case", event.system, int(event.number))}
        case _:
            return numbers


@any_company
@given(companies)
def test_threads_are_what_numbers_and_references_join(company: Company) -> None:
    talk = [event for event in company.events if not isinstance(event, (Registered, Garbled))]
    parts = connected({event: ties(event) for event in talk})
    found = {frozenset(knot for knot in part if not isinstance(knot, tuple)) for part in parts}
    assert found == {frozenset(thread.events) for thread in company.truth.threads}
    for thread in company.truth.threads:
        assert {event.person.number for event in thread.events if person_of(event) and event.person.role == "customer"} == {thread.customer}


def last_word(company: Company, journey: Journey) -> str:
    words = [
        event
        for event in journey.events
        if event.at < journey.answer.at
        and not (isinstance(event, Commented) and event.person.role == "agent")
        and (isinstance(event, (Opened, Commented)) or getattr(event, "direction", None) == "inbound")
    ]
    return words[-1].system


@any_company
@given(companies)
def test_journeys_cross_at_least_four_systems_and_are_answered_in_the_ticket(company: Company) -> None:
    journeys, tickets = company.truth.journeys, company.systems.tickets
    assert len(journeys) >= 12
    assert len({journey.customer for journey in journeys}) == len(journeys)
    for journey in journeys:
        assert {company.systems.orders, company.systems.mail, company.systems.social, tickets} <= set(journey.systems)
        for system in journey.systems:
            assert any(journey.order in said(event) for event in journey.events if event.system == system)
        answer = journey.answer
        assert answer in journey.events
        assert (answer.system, answer.public, answer.person.role) == (tickets, True, "agent")
        assert any(event.at < answer.at for event in of(Posted, journey.events))
        assert journey.carried_to == last_word(company, journey)
        assert journey.customer not in company.truth.strangers
    assert {journey.carried_to for journey in journeys} == {company.systems.social, company.systems.mail, tickets}


@any_company
@given(companies)
def test_some_journeys_are_over_and_some_are_not(company: Company) -> None:
    ends = [
        [event.state for event in of(Moved, journey.events) if event.system == company.systems.tickets][-1]
        for journey in company.truth.journeys
    ]
    assert ends.count("solved") + ends.count("pending") == len(ends)
    assert ends.count("solved") >= 4
    assert ends.count("pending") >= 4


@any_company
@given(companies)
def test_every_system_holds_something_unusable(company: Company) -> None:
    garbled = of(Garbled, company.events)
    assert len(garbled) >= 6
    assert {event.system for event in garbled} == {getattr(company.systems, field.name) for field in fields(Systems)}
    numbers = defaultdict(list)
    for event in garbled:
        numbers[event.system].append(event.number)
    assert all(sorted(given) == list(range(len(given))) for given in numbers.values())


@pytest.mark.parametrize("seed", range(6))
def test_a_company_of_two_hundred_has_a_month_of_traffic(seed: int) -> None:
    company = make_company(seed, UNTIL + timedelta(days=seed, hours=5 * seed))
    events, systems = company.events, company.systems
    opened = Counter(event.system for event in of(Opened, events))
    customers = [person for person in company.people if person.role == "customer"]
    assert len(customers) == 200
    assert len(company.agents) == 6
    assert len(of(Ordered, events)) == 200
    assert 230 <= len(of(Mailed, events)) <= 450
    assert 80 <= len(of(Posted, events)) <= 220
    assert 90 <= opened[systems.tickets] <= 170
    assert 20 <= opened[systems.crm] <= 70
    assert any(event.direct and event.direction == "outbound" for event in of(Posted, events))
    assert 18 <= len({event.person.number for event in of(Registered, events) if event.preferred_channel}) <= 22
    assert len(company.truth.strangers) == 5
    assert company.truth.reachable_profiles == 205
    comments = Counter(event.case for event in of(Commented, events))
    assert max(comments.values()) <= 4
    homes = defaultdict(set)
    for system, _, _ in company.truth.identity:
        homes[system] |= {number for (place, _, _), number in company.truth.identity.items() if place == system}
    assert set(Counter(number for numbers in homes.values() for number in numbers).values()) == {1, 2, 3, 4, 5}


def test_texts_mention_the_order_here_and_not_there(company: Company) -> None:
    for kind in (Mailed, Posted, Opened, Commented):
        mentioning = [bool(ORDER_NUMBER.search(event.text)) for event in of(kind, company.events)]
        assert 0.05 < sum(mentioning) / len(mentioning) < 0.9


def test_customers_with_two_addresses_are_joined_by_phone(company: Company) -> None:
    addresses = defaultdict(set)
    for (_, kind, value), number in company.truth.identity.items():
        if kind == "email":
            addresses[number].add(value)
    double = [number for number, values in addresses.items() if len(values) == 2]
    assert len(double) == 8
    phones = Counter(number for (_, kind, _), number in company.truth.identity.items() if kind == "phone")
    assert all(phones[number] >= 2 for number in double)


def test_names_come_from_several_alphabets(company: Company) -> None:
    names = "".join(person.name for person in company.people)
    assert re.search("[\u0400-\u04ff\u0370-\u03ff\u0590-\u06ff\u4e00-\u9fff\uac00-\ud7af]", names)
    assert re.search("[à-ž]", names)


def test_agents_answer_in_office_hours_on_working_days(company: Company) -> None:
    answers = [event.at for event in of(Commented, company.events) if event.person.role == "agent"]
    assert len(answers) > 100
    assert all(at.weekday() < 5 and 8 <= at.hour < 18 for at in answers)


def test_systems_can_have_other_names() -> None:
    systems = Systems(mail="post", tickets="desk", crm="base", social="birds", orders="store")
    company = make_company(7, UNTIL, 60, systems)
    assert {event.system for event in company.events} == {"post", "desk", "base", "birds", "store"}
    assert {system for system, _, _ in company.truth.identity} == {"post", "desk", "base", "birds", "store"}


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        make_company(7, UNTIL.replace(tzinfo=None))
    with pytest.raises(ValueError, match="customers is 39; a company has from 40 to 5000"):
        make_company(7, UNTIL, 39)
    with pytest.raises(ValueError, match="customers is 5001"):
        make_company(7, UNTIL, 5_001)


def live(company: Company, minutes: int) -> list[Event]:
    return [event for minute in range(1, minutes + 1) for event in trickle(company, company.until + minute * MINUTE)]


@settings(any_company, max_examples=8)
@given(companies)
def test_the_trickle_goes_on_where_the_month_ends(company: Company) -> None:
    events = live(company, 60)
    assert_fits_together([*company.events, *events])
    assert_numbers_grow([*company.events, *events])
    assert all(later.at - earlier.at >= timedelta(seconds=1) for earlier, later in pairwise(events))
    assert {type(event) for event in events} >= {Mailed, Posted, Opened, Commented, Moved, Ordered}
    assert {person_of(event).number for event in events if person_of(event)} <= {person.number for person in company.people}


def test_a_minute_of_the_trickle_is_the_same_whenever_it_is_asked_for(company: Company) -> None:
    for minute in (1, 2, 15, 16, 500):
        end = company.until + minute * MINUTE
        assert trickle(company, end) == trickle(company, end) == trickle(company, end + timedelta(seconds=59))
        assert all(end - MINUTE <= event.at < end for event in trickle(company, end))
    assert trickle(company, company.until) == []
    assert trickle(company, company.until - timedelta(days=1)) == []


def test_the_trickle_tells_whole_journeys(company: Company) -> None:
    systems: dict[str, set[str]] = defaultdict(set)
    for event in live(company, 15):
        for number in ORDER_NUMBER.findall(said(event)):
            systems[number].add(event.system)
    assert sum(len(places) >= 4 for places in systems.values()) >= 2


def test_nothing_is_written_once_the_story_is_over() -> None:
    desk = Desk(dice(1), Systems().by_role(), (), UNTIL - timedelta(seconds=2), UNTIL)

    def five() -> None:
        for number in range(5):
            desk.garble("mail", number)

    desk.plan(UNTIL - timedelta(seconds=2), once(five))
    desk.plan(UNTIL, once(lambda: desk.garble("crm", 0)))
    desk.play()
    assert [event.at for event in desk.events] == [UNTIL - timedelta(seconds=2), UNTIL - timedelta(seconds=1)]


def test_every_kind_of_event_is_told(company: Company) -> None:
    assert {type(event) for event in company.events} == set(get_args(Event))
