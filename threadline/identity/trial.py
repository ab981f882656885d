"""Who is one customer among people that are in no store: the very rules and the very matching, on a list."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from threadline.identity.matching.person import Person, merged
from threadline.identity.neighbourhood import Neighbourhood, person_of, why_shared
from threadline.identity.partition import Attempt, Counted
from threadline.identity.rules import INBOX, USUAL, Rules, inbox_of, names_nobody
from threadline.model.identifiers import identify

if TYPE_CHECKING:
    from threadline.identity.matching.batch import Link, Outcome


_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Joined(Struct, frozen=True):
    """Two records that are one customer, or may be: by a value of a kind, or by a match, whose weight each field adds to."""

    one: bytes
    other: bytes
    by: str
    value: str | None = None
    weight: float | None = None
    fields: Sequence[tuple[str, str, float]] = ()


class Trial(Struct, frozen=True):
    """Customers, each by its records; what joins the records of each; and pairs for people to decide."""

    customers: Sequence[Sequence[bytes]]
    joined: Sequence[Joined]
    review: Sequence[Joined]
    threshold: float | None = None
    """The base-2 logarithm of the odds from which matching joins a pair."""


def resolve_people(people: Sequence[Person], rules: Rules = USUAL, *, matching: bool = True) -> Trial:
    """Say who is one customer; ids of records are distinct. ConfigError where matching is wanted without the extra `match`."""
    around = neighbourhood(people, rules)
    outcome = _match(around, people, rules) if matching else None
    attempts: list[Attempt] = []
    groups = around.partition(rules, watch=attempts.append).of(around.parties, around.evidence(rules))
    links = {frozenset((link.left, link.right)): link for link in outcome.links} if outcome else {}
    made = {(attempt.evidence.key, attempt.one, attempt.other): attempt for attempt in attempts if attempt.refused is None}
    joined = [_joined(attempt, around, links) for attempt in made.values()]
    order = {person.id: place for place, person in enumerate(people)}
    customers = sorted((sorted(group, key=order.__getitem__) for group in groups), key=lambda group: order[group[0]])
    review = [_matched(link) for link in outcome.review] if outcome else []
    return Trial(customers, joined, review, outcome.model.threshold if outcome else None)


def neighbourhood(people: Sequence[Person], rules: Rules) -> Neighbourhood:
    """Return what a store would know of people."""
    around = Neighbourhood({person.id for person in people})
    holders: dict[bytes, list[bytes]] = defaultdict(list)
    for person in people:
        given, family, formatted, born = (
            next(iter(told), None) for told in (person.given_names, person.family_names, person.formatted_names, person.birth_dates)
        )
        # What is no date can keep nobody apart for certain.
        around.people[person.id] = person_of((given, family, formatted, born if born and _DATE.fullmatch(born) else None))
        for kind, value in dict.fromkeys(values_of(person, rules)):
            if not names_nobody(rules.of(kind)[1], kind, value):
                identifier = identify("email" if kind == INBOX else kind, value, value, "").id
                around.values.setdefault(identifier, (kind, value))
                holders[identifier].append(person.id)
                if most := rules.of(kind)[1].per_customer:
                    around.counted[person.id].append(Counted(kind, None, identifier, most))
    around.holders.update((identifier, tuple(sorted(held))) for identifier, held in holders.items())
    _note_shared(around, rules)
    return around


def _match(around: Neighbourhood, people: Sequence[Person], rules: Rules) -> "Outcome":
    """Match the customers that the rules make, and note the matches in their neighbourhood."""
    from threadline.identity.matching.batch import match_people

    known = {person.id: person for person in people}
    groups = around.partition(rules).of(around.parties, around.evidence(rules))
    outcome = match_people([merged(min(group), [known[one] for one in group]) for group in groups], rules=rules)
    around.matches.update(((link.left, link.right), link.match.weight) for link in outcome.links)
    return outcome


def values_of(person: Person, rules: Rules) -> Iterable[tuple[str, str]]:
    """Yield (kind, value) of what a store would know somebody by, but for ids."""
    _, email = rules.of("email")
    for address in person.emails:
        yield "email", address
        if inbox := inbox_of(email, address):
            yield INBOX, inbox
    yield from (("phone", number) for number in person.phones)
    yield from (("handle", handle) for handle in person.handles)


def _note_shared(around: Neighbourhood, rules: Rules) -> None:
    for identifier, holders in around.holders.items():
        if why := why_shared(rules.of(around.values[identifier][0])[1], holders, around.people):
            around.shared[identifier] = why


def _joined(attempt: Attempt, around: Neighbourhood, links: dict[frozenset[bytes], "Link"]) -> Joined:
    if attempt.evidence.origin == "match":
        return _matched(links[frozenset(attempt.evidence.holders)])
    kind, value = around.values[attempt.evidence.key]
    return Joined(attempt.one, attempt.other, kind, value)


def _matched(link: "Link") -> Joined:
    return Joined(link.left, link.right, "match", weight=round(link.match.weight, 2), fields=link.match.told())


__all__ = ["Joined", "Trial", "neighbourhood", "resolve_people", "values_of"]
