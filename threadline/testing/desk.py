"""The clock of the make-believe company, its agenda, and the hand that writes down what happens in its systems.

What somebody does is a script: a generator that yields the times at which it goes on. The desk wakes the script whose
time has come first, so events come about in order and their numbers grow with time.
"""

import heapq
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from threadline.testing.people import COMPANY_HOST, Customer
from threadline.testing.phrases import Words
from threadline.testing.story import Commented, Event, Garbled, Mailed, Moved, Opened, Ordered, Person, Posted, Registered, Role
from threadline.testing.topics import Topic

Script: TypeAlias = Iterator[datetime]
Direction: TypeAlias = Literal["inbound", "outbound"]
CaseChannel: TypeAlias = Literal["email", "web", "voice", "chat"]

_BETWEEN_EVENTS = timedelta(seconds=1)
_OPENING_HOURS = range(8, 18)
_WAKING_HOURS = range(7, 23)


def dice(*seed: object) -> random.Random:
    """Return the randomness that belongs to a seed."""
    return random.Random(repr(seed))  # noqa: S311 - a story is no secret


def once(action: Callable[[], None]) -> Script:
    """Make a script of one step."""
    action()
    yield from ()


class _ClosedError(Exception):
    """The story has reached its end."""


@dataclass(slots=True)
class Numbers:
    """The last numbers given out."""

    order: int = 41_000
    case: int = 3_000
    comment: int = 10_000
    post: int = 0


@dataclass(slots=True, eq=False)
class Matter:
    """What a customer and an agent have to do with each other, over all channels; grows while the story goes on."""

    customer: Customer
    agent: Person
    topic: Topic
    item: str
    order: str | None = None
    subject: str = ""
    events: list[Event] = field(default_factory=list[Event])
    mails: list[str] = field(default_factory=list[str])
    post: int | None = None
    answer: Commented | None = None
    """The agent's public answer at the end of a full journey."""
    spoke_last: Role | None = None
    """Where the customer spoke last before it."""

    def words(self, *, mention: bool = True) -> Words:
        """Return what fills the templates; without `mention`, the order number is not told."""
        return Words(self.customer.person.given_name, self.agent.given_name, self.item, self.order if mention else None)

    def absorb(self, other: "Matter") -> None:
        """Take over a matter that turns out to be the same."""
        self.events += other.events
        self.mails, self.subject = other.mails, other.subject
        other.events = []


@dataclass(slots=True)
class Record:
    """What a register holds of a person by now."""

    fields: tuple[str, ...]
    preferred: str | None = None


def _office_is_open(at: datetime) -> bool:
    return at.weekday() < 5 and at.hour in _OPENING_HOURS


class Desk:
    """Plays scripts from `now` until `until`; `pace` 1 keeps office hours, anything else shrinks the waiting and keeps none."""

    def __init__(
        self,
        rng: random.Random,
        systems: Mapping[Role, str],
        agents: Sequence[Person],
        now: datetime,
        until: datetime,
        *,
        numbers: Numbers | None = None,
        records: Mapping[tuple[str, int], Record] | None = None,
        pace: float = 1.0,
    ) -> None:
        self.rng = rng
        self.agents = agents
        self.now = now
        self.until = until
        self.events: list[Event] = []
        self.matters: list[Matter] = []
        self._systems = systems
        self._numbers = numbers or Numbers()
        self._records = dict(records or {})
        self._pace = pace
        self._messaged: set[int] = set()
        self._agenda: list[tuple[datetime, int, Script]] = []
        self._planned = 0

    def plan(self, at: datetime, script: Script) -> None:
        """Put a script on the agenda."""
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, script))

    def play(self) -> None:
        """Let happen all that is on the agenda, and what comes of it, as long as the story lasts."""
        while self._agenda:
            at, _, script = heapq.heappop(self._agenda)
            if at >= self.until:
                return
            self.now = max(self.now, at)
            try:
                goes_on = next(script, None)
            except _ClosedError:
                return
            if goes_on:
                self.plan(goes_on, script)

    def later(self, shortest: float, longest: float) -> datetime:
        """Return a time after so many hours at which customers are awake."""
        return self.awake(self._after(shortest, longest))

    def awake(self, at: datetime) -> datetime:
        """Return that time, or one on the next morning when it is at night."""
        if self._pace == 1 and at.hour not in _WAKING_HOURS:
            at = self._next(at, lambda then: then.hour in _WAKING_HOURS)
        return at

    def at_work(self, shortest: float, longest: float) -> datetime:
        """Return a time after so many hours at which agents work."""
        at = self._after(shortest, longest)
        if self._pace == 1 and not _office_is_open(at):
            at = self._next(at, _office_is_open)
        return at

    def _next(self, at: datetime, fits: Callable[[datetime], bool]) -> datetime:
        hour = at.replace(minute=0, second=0)
        while not fits(hour):
            hour += timedelta(hours=1)
        return hour + timedelta(hours=self.rng.triangular(0, 4, 0.5))

    def _after(self, shortest: float, longest: float) -> datetime:
        return self.now + self._pace * timedelta(hours=self.rng.uniform(shortest, longest))

    def begin(self, matter: Matter) -> Matter:
        """Keep track of a new matter."""
        self.matters.append(matter)
        return matter

    def _tick(self) -> datetime:
        if self.events:
            self.now = max(self.now, self.events[-1].at + _BETWEEN_EVENTS)
        if self.now >= self.until:
            raise _ClosedError
        return self.now

    def _write(self, event: Event, matter: Matter | None = None) -> None:
        self.events.append(event)
        if matter:
            matter.events.append(event)

    def register(self, customer: Customer, role: Role, *, all_of_it: bool = False, preferred: str | None = None) -> None:
        """Write down a customer where they are not known yet; `all_of_it` and `preferred` change the record."""
        known = customer.known[role]
        key = (self._systems[role], known.person.number)
        old = self._records.get(key)
        fields = known.fields if all_of_it else tuple(name for name in known.fields if name not in known.learned)
        if old:
            fields = known.fields if all_of_it else old.fields
            preferred = preferred or old.preferred
        new = Record(fields, preferred)
        if new != old:
            self._write(Registered(self._tick(), key[0], known.person, fields, preferred))
            self._records[key] = new

    def employ(self, agent: Person) -> None:
        """Write down an agent in the ticket system."""
        self._write(Registered(self._tick(), self._systems["tickets"], agent, ("name", "email")))

    def order(self, matter: Matter, lines: tuple[tuple[str, str, int, int], ...]) -> None:
        """Place an order, which becomes the matter's."""
        self.register(matter.customer, "orders")
        at = self._tick()
        self._numbers.order += 1
        matter.order = f"NL-{self._numbers.order}"
        self._write(Ordered(at, self._systems["orders"], matter.customer.known["orders"].person, matter.order, lines), matter)

    def move_order(self, number: str, state: str, matter: Matter | None = None) -> None:
        """Change an order's state."""
        self._write(Moved(self._tick(), self._systems["orders"], "order", number, state), matter)

    def mail(self, matter: Matter, direction: Direction, text: str) -> None:
        """Send the next e-mail of a matter."""
        at = self._tick()
        person = matter.customer.known["mail"].person
        host = COMPANY_HOST if direction == "outbound" else person.email.partition("@")[2]
        identity = f"{at:%Y%m%d%H%M%S}.{self.rng.getrandbits(40):010x}@{host}"
        subject = f"Re: {matter.subject}" if matter.mails else matter.subject
        self._write(Mailed(at, self._systems["mail"], person, direction, identity, subject, text, tuple(matter.mails)), matter)
        matter.mails.append(identity)

    def post(self, matter: Matter, direction: Direction, text: str, *, direct: bool = False) -> None:
        """Post in public as the next of the matter's posts, or send a direct message."""
        at = self._tick()
        self._numbers.post += 1
        person = matter.customer.known["social"].person
        answers = None if direct else matter.post
        self._write(Posted(at, self._systems["social"], person, direction, self._numbers.post, text, direct, answers), matter)
        if not direct:
            matter.post = self._numbers.post

    def claim_direct_messages(self, matter: Matter) -> bool:
        """Take a customer's direct messages for this matter, if no other has: they are one conversation for ever."""
        number = matter.customer.person.number
        free = number not in self._messaged
        self._messaged.add(number)
        return free

    def open_case(
        self,
        matter: Matter,
        role: Literal["tickets", "crm"],
        subject: str,
        text: str,
        channel: CaseChannel,
        order: str | None,
    ) -> int:
        """Open a ticket or a CRM case and return its number; `order` is what its field for the order holds."""
        self.register(matter.customer, role)
        at = self._tick()
        self._numbers.case += 1
        case = self._numbers.case
        person = matter.customer.known[role].person
        self._write(Opened(at, self._systems[role], person, case, subject, text, channel, order), matter)
        return case

    def comment(self, case: int, person: Person, text: str, *, public: bool = True, matter: Matter | None = None) -> Commented:
        """Add to a ticket."""
        at = self._tick()
        self._numbers.comment += 1
        event = Commented(at, self._systems["tickets"], person, case, self._numbers.comment, text, public)
        self._write(event, matter)
        return event

    def move_case(self, role: Literal["tickets", "crm"], case: int, state: str, matter: Matter | None = None) -> None:
        """Change a ticket's or a CRM case's state."""
        self._write(Moved(self._tick(), self._systems[role], "case", str(case), state), matter)

    def garble(self, role: Role, number: int) -> None:
        """Let a system hold a record that cannot be used."""
        self._write(Garbled(self._tick(), self._systems[role], number))
