"""What the product's own rules join before any matching: its evidence and its partition, without a database between."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from threadline.identity.matching.person import Person, merged
from threadline.identity.neighbourhood import Neighbourhood, person_of
from threadline.identity.partition import people_among
from threadline.identity.rules import INBOX, USUAL, Rules, inbox_of, names_nobody
from threadline.model.identifiers import identify


def profiles(people: Sequence[Person], rules: Rules = USUAL) -> tuple[list[Person], list[int]]:
    """Return profiles, and for each record the number of its profile."""
    around = neighbourhood(people, rules)
    groups = around.partition(rules).of(around.parties, around.evidence(rules))
    home = {party: number for number, group in enumerate(groups) for party in group}
    place = {number: at for at, number in enumerate(dict.fromkeys(home[person.id] for person in people))}
    members: dict[int, list[Person]] = defaultdict(list)
    for person in people:
        members[place[home[person.id]]].append(person)
    return [merged(members[number][0].id, members[number]) for number in range(len(members))], [place[home[person.id]] for person in people]


def neighbourhood(people: Sequence[Person], rules: Rules) -> Neighbourhood:
    """Return what the store would know of people."""
    around = Neighbourhood({person.id for person in people})
    holders: dict[bytes, list[bytes]] = defaultdict(list)
    for person in people:
        given, family, formatted, born = (
            next(iter(told), None) for told in (person.given_names, person.family_names, person.formatted_names, person.birth_dates)
        )
        around.people[person.id] = person_of((given, family, formatted, born))
        for kind, value in dict.fromkeys(_identifiers(person, rules)):
            if not names_nobody(rules.of(kind)[1], kind, value):
                identifier = identify("email" if kind == INBOX else kind, value, value, "").id
                around.values.setdefault(identifier, (kind, value))
                holders[identifier].append(person.id)
    around.holders.update((identifier, tuple(sorted(held))) for identifier, held in holders.items())
    _note_shared(around, rules)
    return around


def _identifiers(person: Person, rules: Rules) -> Iterable[tuple[str, str]]:
    _, email = rules.of("email")
    for address in person.emails:
        yield "email", address
        if inbox := inbox_of(email, address):
            yield INBOX, inbox
    yield from (("phone", number) for number in person.phones)
    yield from (("handle", handle) for handle in person.handles)


def _note_shared(around: Neighbourhood, rules: Rules) -> None:
    for identifier, holders in around.holders.items():
        rule = rules.of(around.values[identifier][0])[1]
        if len(holders) > rule.records:
            around.shared[identifier] = "records"
        elif len(holders) > rule.people and people_among(around.people[party].name for party in holders) > rule.people:
            around.shared[identifier] = "people"
