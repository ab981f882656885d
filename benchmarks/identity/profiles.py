"""What the product's own rules join before any matching: its evidence and its partition, without a database between."""

from collections import defaultdict
from collections.abc import Sequence

from threadline.identity.matching.person import Person, merged
from threadline.identity.rules import USUAL, Rules
from threadline.identity.trial import neighbourhood


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
