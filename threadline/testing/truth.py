"""What there is to find in the make-believe company: who is who, and what belongs together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from threadline.model.identifiers import normalize_email, normalize_handle, normalize_phone
from threadline.testing.desk import Matter
from threadline.testing.people import NETWORK, REGION, Customer
from threadline.testing.story import Commented, Event, Mailed, Person, Posted, Registered, Role

Shown = tuple[str, str]
"""An identifier: kind, and value as it is compared."""


@dataclass(frozen=True, slots=True)
class Journey:
    """Events that belong in one thread: what one customer wants, on all channels.

    A full journey has the agent's public `answer` in the ticket; `carried_to` is the system in which the customer had
    spoken last before it.
    """

    customer: int
    order: str | None
    events: tuple[Event, ...]
    answer: Commented | None = None
    carried_to: str | None = None

    @property
    def systems(self) -> tuple[str, ...]:
        """The systems that it runs through, in order of first use."""
        return tuple(dict.fromkeys(event.system for event in self.events))


@dataclass(frozen=True, slots=True)
class Truth:
    """What there is to find.

    `identity`: (source, kind, value as it is compared) of each identifier that a customer has shown, and the customer's
    number. `threads`: all that belongs together, as far as a number or a reference in it says so; `journeys`: those of
    them in which a customer goes through four systems or more. `strangers`: customers whose account on X no other system
    knows of, so that even a perfect match of identifiers gives them two profiles; with these, customers have
    `reachable_profiles`.
    """

    identity: Mapping[tuple[str, str, str], int]
    threads: tuple[Journey, ...]
    journeys: tuple[Journey, ...]
    strangers: tuple[int, ...]
    reachable_profiles: int


def find_truth(events: Iterable[Event], matters: Iterable[Matter], cast: Sequence[Customer], systems: Mapping[Role, str]) -> Truth:
    """Tell the truth of a story that has been played; `systems` are the sources' names."""
    shown = _shown_identifiers(events)
    strangers = tuple(customer.person.number for customer in cast if customer.stranger)
    threads = tuple(_thread(matter, systems) for matter in matters if matter.events)
    return Truth(
        identity={(system, kind, value): number for (system, number), values in shown.items() for kind, value in values},
        threads=threads,
        journeys=tuple(thread for thread in threads if len(thread.systems) >= 4),
        strangers=strangers,
        reachable_profiles=_count_joined(shown.values()),
    )


def _thread(matter: Matter, systems: Mapping[Role, str]) -> Journey:
    events = tuple(sorted(matter.events, key=lambda event: event.at))
    carried_to = systems[matter.spoke_last] if matter.answer and matter.spoke_last else None
    return Journey(matter.customer.person.number, matter.order, events, matter.answer, carried_to)


def _shown_identifiers(events: Iterable[Event]) -> dict[tuple[str, int], set[Shown]]:
    shown: dict[tuple[str, int], set[Shown]] = defaultdict(set)
    for event in events:
        match event:
            case Registered(person=person, knows=knows) if person.role == "customer":
                fields = knows
            case Mailed(person=person):
                fields = ("email",)
            case Posted(person=person):
                fields = ("handle",)
            case _:
                continue
        shown[event.system, person.number] |= {_identifier(person, name) for name in fields if name != "name"}
    return shown


def _identifier(person: Person, name: str) -> Shown:
    if name == "email":
        return name, normalize_email(person.email)
    if name == "phone":
        return name, normalize_phone(person.phone, REGION)
    return name, normalize_handle(f"{NETWORK}:{person.handle}")


def _count_joined(records: Iterable[set[Shown]]) -> int:
    """Count what is left when records that share an identifier are joined."""
    parent: dict[Shown, Shown] = {}

    def root(value: Shown) -> Shown:
        while parent.setdefault(value, value) != value:
            parent[value] = value = parent[parent[value]]
        return value

    for record in records:
        first, *others = record
        for other in others:
            parent[root(other)] = root(first)
    return len({root(value) for record in records for value in record})
