"""How often whole names are several people's, by the birth dates that are known: no labels are needed for it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from threadline.identity.matching.features import Features

Called = tuple[str, str]
"""A given and a family name."""
_FEW = 5.0
"""Pairs of namesakes as many as these, seen or expected, tell little."""
_YEAR = 4


def called(row: Features) -> Called | None:
    """Return the whole name, where it is known."""
    return (row.given, row.family) if row.given and row.family else None


def several_peoples(rows: Sequence[Features]) -> AbstractSet[Called]:
    """Return the names that two people have, at least."""
    return {name for name, births in _births(rows).items() if _apart(births)}


def excess(rows: Sequence[Features]) -> float:
    """Return how many times more people have one whole name than would, were given and family names independent.

    They are not: both go with the country, and in a country with age. Pairs that share neither year nor day of birth are two people.
    """
    births = _births(rows)
    people = sum(map(len, births.values()))
    alike = [_pairs(Counter(row[part] for row in births for _ in births[row])) for part in (0, 1)]
    pairs = people * (people - 1) / 2
    expected = alike[0] * alike[1] / pairs if pairs else 0.0
    return (sum(map(_apart, births.values())) + _FEW) / (expected + _FEW)


def _births(rows: Iterable[Features]) -> Mapping[Called, list[str]]:
    found: dict[Called, list[str]] = defaultdict(list)
    for row in rows:
        if row.birth and (name := called(row)):
            found[name].append(row.birth)
    return found


def _apart(births: Sequence[str]) -> float:
    """Count the pairs of dates that differ in both year and day: one miswritten differs in either."""
    years, days = (Counter(birth[:_YEAR] for birth in births), Counter(birth[_YEAR:] for birth in births))
    return len(births) * (len(births) - 1) / 2 - _pairs(years) - _pairs(days) + _pairs(Counter(births))


def _pairs(counts: Mapping[str, int]) -> float:
    return sum(count * (count - 1) / 2 for count in counts.values())
