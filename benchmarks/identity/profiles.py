"""A plain deterministic pass, to have what matching starts from: records that share an identifier and contradict nothing are a profile."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from threadline.identity.matching.comparisons import COMPARISONS
from threadline.identity.matching.features import Features, features
from threadline.identity.matching.person import Person
from threadline.identity.matching.training import generic_values

_TELLING = [comparison for comparison in COMPARISONS if comparison.name in ("given", "birth")]


def profiles(people: Sequence[Person]) -> tuple[list[Person], list[int]]:
    """Return profiles, and for each record the number of its profile."""
    plain = [features(person) for person in people]
    generic = generic_values((row.given, (*row.accounts, *row.phones)) for row in plain)
    holders: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(plain):
        for value in (*row.accounts, *row.phones):
            if value not in generic:
                holders[value].append(number)
    group = list(range(len(people)))
    for numbers in holders.values():
        for one, other in _agreeing(numbers, plain):
            group[_root(group, other)] = _root(group, one)
    roots = [_root(group, number) for number in range(len(people))]
    order = {root: place for place, root in enumerate(dict.fromkeys(roots))}
    members: dict[int, list[Person]] = defaultdict(list)
    for person, root in zip(people, roots, strict=True):
        members[root].append(person)
    return [merged(members[root]) for root in order], [order[root] for root in roots]


def merged(people: Sequence[Person]) -> Person:
    """Return a profile that has what all its records have; those that say more come first."""
    best = sorted(people, key=lambda person: -len(person.given_names) - len(person.birth_dates) - len(person.addresses))
    several = [name for name in Person.__struct_fields__ if name != "id"]
    values = {name: tuple(dict.fromkeys(value for person in best for value in getattr(person, name))) for name in several}
    return Person(id=people[0].id, **values)


def _agreeing(numbers: Sequence[int], rows: Sequence[Features]) -> Iterable[tuple[int, int]]:
    # A record without a name joins only where all the others have one name.
    kinds: list[int] = []
    for number in (one for one in numbers if rows[one].given):
        same = next((kind for kind in kinds if agree(rows[kind], rows[number])), None)
        if same is None:
            kinds.append(number)
        else:
            yield same, number
    nameless = [number for number in numbers if not rows[number].given]
    if nameless and len(kinds) <= 1:
        first = (kinds or nameless)[0]
        yield from ((first, number) for number in nameless)


def agree(left: Features, right: Features) -> bool:
    """Tell whether given names and birth dates, where both are known, may be one person's."""
    return all(one.absent.holds(left, right) or any(level.condition.holds(left, right) for level in one.levels) for one in _TELLING)


def _root(group: list[int], number: int) -> int:
    while group[number] != number:
        group[number] = group[group[number]]
        number = group[number]
    return number
