"""Nordlicht Outdoor, a make-believe shop whose customers turn up in five systems: one seed is one month of its traffic.

The truth is known: who is who, and which messages, cases and orders belong together. So tests and demos can compare
what threadline finds with what there is to find.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle, islice

from threadline.testing import scripts
from threadline.testing.desk import Desk, Matter, Numbers, Record, Script, dice, once
from threadline.testing.people import REGION, REGISTERS, Customer, invent_agents, invent_customers
from threadline.testing.story import Commented, Event, Moved, Opened, Ordered, Person, Posted, Registered, Role
from threadline.testing.truth import Journey, Truth, find_truth

SPAN = timedelta(days=30)
BLOCK = timedelta(minutes=15)
"""Follow-up traffic is made in blocks, in each of which a whole journey takes place."""

_ROUTES: tuple[tuple[Role, ...], ...] = (
    ("mail", "tickets", "social"),
    ("mail", "tickets", "social"),
    ("mail", "social", "tickets"),
    ("social", "tickets", "mail"),
)
_SMALL_TALK: tuple[tuple[Role, Callable[[Desk, Matter], Script], float], ...] = (
    ("mail", scripts.mails, 0.2),
    ("social", scripts.posts, 0.5),
    ("tickets", scripts.ticket, 0.6),
    ("crm", scripts.call, 0.5),
)
"""What has to do with no order: where, how, and how many of the customers known there do it."""
_GARBLED: Mapping[Role, int] = {"mail": 2, "tickets": 2, "crm": 1, "social": 1, "orders": 2}
_LIVE_PACE = 1 / 700
"""An hour passes in five seconds, so that a journey of some days ends within its block."""
_LIVE_NUMBERS = 60
"""How many numbers of each kind, at most, are given out in a block."""


@dataclass(frozen=True, slots=True)
class Systems:
    """The sources' names in threadline.yaml, by what they are for."""

    mail: str = "mail"
    tickets: str = "helpdesk"
    crm: str = "crm"
    social: str = "x"
    orders: str = "shop"

    def by_role(self) -> dict[Role, str]:
        """Return the names by role."""
        return {"mail": self.mail, "tickets": self.tickets, "crm": self.crm, "social": self.social, "orders": self.orders}


@dataclass(frozen=True, slots=True)
class Company:
    """One seed's company: `people` are customers, then agents; `events` are sorted by time, each at its own second or more apart."""

    seed: int
    until: datetime
    systems: Systems
    people: tuple[Person, ...] = field(repr=False)
    customers: tuple[Customer, ...] = field(repr=False)
    events: tuple[Event, ...] = field(repr=False)
    truth: Truth = field(repr=False)

    @property
    def agents(self) -> tuple[Person, ...]:
        """The people who answer."""
        return tuple(person for person in self.people if person.role == "agent")


def make_company(seed: int, until: datetime, customers: int = 200, systems: Systems | None = None) -> Company:
    """Make up the 30 days before `until`: the same arguments give the same company. ValueError for arguments out of range."""
    if until.tzinfo is None:
        raise ValueError("until has no time zone; give it one, such as datetime.now(UTC)")
    if not 40 <= customers <= 5_000:
        raise ValueError(f"customers is {customers}; a company has from 40 to 5000")
    until = until.astimezone(UTC)
    systems = systems or Systems()
    rng = dice(seed)
    cast = invent_customers(rng, customers)
    agents = invent_agents(customers + 1)
    desk = Desk(rng, systems.by_role(), agents, until - SPAN, until)
    _plan_registers(desk, cast)
    _plan_journeys(desk, cast)
    _plan_orders(desk, cast)
    _plan_small_talk(desk, cast)
    for role, count in _GARBLED.items():
        for number in range(count):
            desk.plan(_day(desk, 2, 28), once(partial(desk.garble, role, number)))
    desk.play()
    people = (*(customer.person for customer in cast), *agents)
    truth = find_truth(desk.events, desk.matters, cast, systems.by_role())
    return Company(seed, until, systems, people, cast, tuple(desk.events), truth)


def trickle(company: Company, at: datetime) -> list[Event]:
    """Return what happens in the last whole minute before `at`, counted from the company's `until`.

    Each minute is the same whenever it is asked for. Ask for every minute in turn: later ones refer to earlier ones.
    """
    minute = (at - company.until) // timedelta(minutes=1) - 1
    if minute < 0:
        return []
    begin = company.until + minute * timedelta(minutes=1)
    block = (begin - company.until) // BLOCK
    return [event for event in _live_block(company, block) if begin <= event.at < begin + timedelta(minutes=1)]


def _day(desk: Desk, earliest: float, latest: float) -> datetime:
    return desk.awake(desk.until - SPAN + timedelta(days=desk.rng.uniform(earliest, latest)))


def _plan_registers(desk: Desk, cast: Sequence[Customer]) -> None:
    for agent in desk.agents:
        desk.plan(_day(desk, 0, 0.2), once(partial(desk.employ, agent)))
    for customer in cast:
        for role in REGISTERS:
            if role not in customer.known:
                continue
            when = _day(desk, 0.2, 1.2) if desk.rng.random() < 0.6 else _day(desk, 1.2, 20)
            desk.plan(when, once(partial(desk.register, customer, role)))
            if customer.known[role].learned:
                desk.plan(_day(desk, 20, 28), once(partial(desk.register, customer, role, all_of_it=True)))
    places: tuple[Role, Role] = ("tickets", "orders")
    choosers = [customer for customer in cast if customer.known.keys() >= set(places)]
    for position, customer in enumerate(desk.rng.sample(choosers, min(len(choosers), len(cast) // 10))):
        wish = desk.rng.choice(("email", "email", "voice", "sms", "chat"))
        desk.plan(_day(desk, 5, 28), once(partial(desk.register, customer, places[position % 2], preferred=wish)))


def _plan_journeys(desk: Desk, cast: Sequence[Customer]) -> None:
    travellers = [customer for customer in cast if customer.traveller]
    for position, customer in enumerate(travellers):
        stays_open = position % 3 == 0
        # They take two weeks at the very most; those that are solved take some days more.
        begins = _day(desk, 12, 16) if stays_open else _day(desk, 2, 12)
        desk.plan(begins, _journey(desk, customer, position, stays_open=stays_open))


def _journey(desk: Desk, customer: Customer, position: int, *, stays_open: bool) -> Script:
    route = _ROUTES[position % len(_ROUTES)]
    if "crm" in customer.known:
        route = (route[0], "crm", *route[1:])
    matter = scripts.pick_topic(desk, customer)
    return scripts.journey(desk, matter, route, stays_open=stays_open)


def _plan_orders(desk: Desk, cast: Sequence[Customer]) -> None:
    buyers = [customer for customer in cast if "orders" in customer.known]
    desk.rng.shuffle(buyers)
    others = len(cast) - sum(customer.traveller for customer in cast)
    for customer in islice(cycle(buyers), others):
        matter = scripts.pick_topic(desk, customer)
        channel = _channel_for_trouble(desk, customer)
        script = scripts.troubled(desk, matter, channel) if channel else scripts.uneventful(desk, matter)
        desk.plan(_day(desk, 1.5, 29.5), script)


def _channel_for_trouble(desk: Desk, customer: Customer) -> Role | None:
    # A stranger's post about an order would join two profiles in one thread.
    channels: list[Role] = [role for role in customer.known if role != "orders" and not (role == "social" and customer.stranger)]
    if not channels or desk.rng.random() < 0.35:
        return None
    return "social" if "social" in channels and desk.rng.random() < 0.5 else desk.rng.choice(channels)


def _plan_small_talk(desk: Desk, cast: Sequence[Customer]) -> None:
    for customer in cast:
        for role, tell, share in _SMALL_TALK:
            # Mail and X know only those who wrote; travellers will.
            certain = role not in REGISTERS and not customer.traveller
            if role in customer.known and (certain or desk.rng.random() < share):
                matter = scripts.pick_topic(desk, customer, general=True)
                desk.plan(_day(desk, 1.5, 29), tell(desk, matter))


def _live_block(company: Company, block: int) -> list[Event]:
    rng = dice(company.seed, "live", block)
    begin = company.until + block * BLOCK
    desk = Desk(
        rng,
        company.systems.by_role(),
        company.agents,
        begin + timedelta(seconds=1),
        begin + BLOCK,
        numbers=_numbers_after(company.events, block),
        records=_records(company.events),
        pace=_LIVE_PACE,
    )

    def when(latest: float) -> datetime:
        return begin + timedelta(minutes=rng.uniform(0, latest))

    _plan_live_talk(desk, company, block, when)
    for order in _unsettled(company, "order", "shipped", block):
        desk.plan(when(14), once(partial(desk.move_order, order, "delivered")))
    for case in _unsettled(company, "case", "pending", block):
        desk.plan(when(8), scripts.late_answer(desk, int(case)))
    desk.play()
    return desk.events


def _plan_live_talk(desk: Desk, company: Company, block: int, when: Callable[[float], datetime]) -> None:
    travellers = [customer for customer in company.customers if customer.traveller]
    for position in range(2):
        customer = travellers[(2 * block + position) % len(travellers)]
        desk.plan(when(3), _journey(desk, customer, desk.rng.randrange(len(_ROUTES)), stays_open=position == 1))
    for role, tell in (("mail", scripts.mails), ("mail", scripts.mails), ("social", scripts.posts), ("tickets", scripts.ticket)):
        writer = desk.rng.choice([customer for customer in company.customers if role in customer.known])
        desk.plan(when(14), tell(desk, scripts.pick_topic(desk, writer, general=True)))
    buyer = desk.rng.choice([customer for customer in company.customers if "orders" in customer.known])
    desk.plan(when(8), scripts.uneventful(desk, scripts.pick_topic(desk, buyer)))


def _unsettled(company: Company, thing: str, state: str, block: int) -> list[str]:
    """Return the two that were left in a state at the end of the month, and whose turn it is in this block."""
    last: dict[str, str] = {}
    places = (company.systems.orders, company.systems.tickets)
    for event in company.events:
        if isinstance(event, Moved) and event.thing == thing and event.system in places:
            last[event.number] = event.state
    return [number for number, final in last.items() if final == state][2 * block : 2 * block + 2]


def _numbers_after(events: Iterable[Event], block: int) -> Numbers:
    numbers = Numbers()
    for event in events:
        match event:
            case Ordered():
                numbers.order += 1
            case Opened(case=case):
                numbers.case = case
            case Commented(comment=comment):
                numbers.comment = comment
            case Posted(post=post):
                numbers.post = post
            case _:
                pass
    used = block * _LIVE_NUMBERS
    return Numbers(numbers.order + block * 3, numbers.case + used, numbers.comment + used, numbers.post + used)


def _records(events: Iterable[Event]) -> dict[tuple[str, int], Record]:
    found = (event for event in events if isinstance(event, Registered))
    return {(event.system, event.person.number): Record(event.knows, event.preferred_channel) for event in found}


__all__ = ["REGION", "Company", "Journey", "Systems", "Truth", "make_company", "trickle"]
