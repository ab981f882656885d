"""Which scored pairs are joined, which people are asked about, and which are left apart; no labels are needed for it."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log2, prod

from msgspec import Struct, structs

from threadline.identity.matching.comparisons import COMPARISONS
from threadline.identity.matching.features import Features
from threadline.identity.matching.model import Model
from threadline.identity.matching.namesakes import called, several_peoples
from threadline.identity.matching.score import Match, Scorer, probability

LEAST_PRECISION = 0.98
"""Of all pairs that are joined, how many shall be one person by the model's own probabilities."""
THIN = log2(0.92 / 0.08)
"""The weight that evidence of one kind alone has to reach, or that of a household without a birth date: namesakes are not rare.

Birth dates alone never join, nor does a name that is known to be several people's."""
MOST_NAMESAKES = 0.25
"""A name alone joins only where less than so many others are expected to have it."""
KIN = 8.0
"""The weight that a pair has to reach which relatives of the classic kinds would look like."""
FAMILIES = 0.01
"""Pairs of relatives for each pair of one person, beyond which there are families to beware of."""
LOWEST, HIGHEST, REVIEW = 0.0, 6.0, -2.0
IMPOSSIBLE = -6.0
"""Two whose names and birth dates contradict each other, of a lower weight still, are in no profile together, whoever else is."""
LARGEST_PROFILE = 50
"""Records beyond which nothing more is joined to a profile."""
_AGREES, _KINDS_NEEDED, _DIFFERS = 2.0, 2, "differs"
_IMPERSONAL = {"place", "source"}
_KINDS = {comparison.name: comparison.kind for comparison in COMPARISONS}


class Pair(Struct, frozen=True):
    """Two people by their rows, and how they match."""

    left: int
    right: int
    match: Match


class Decision(Struct, frozen=True):
    """The links that join people to profiles, heaviest first, and the pairs that people should decide."""

    links: Sequence[Pair]
    review: Sequence[Pair]


def thin(match: Match) -> bool:
    """Tell whether what speaks for a pair is all of one kind."""
    return len(_agreeing_kinds(match)) < _KINDS_NEEDED


def _agreeing_kinds(match: Match) -> set[str]:
    return {_KINDS[field.field] for field in match.fields if field.weight > _AGREES} - _IMPERSONAL


def namesakes(model: Model, match: Match) -> float:
    """Return how many others are expected to have the names in which a pair agrees; none where it agrees in other things."""
    agreeing = [field for field in match.fields if _KINDS[field.field] == "name" and field.weight > 0]
    shares = [model.frequencies[field.field].mean * 2.0**-field.frequency for field in agreeing]
    return model.people * prod(shares) if shares else 0.0


def contradicted(match: Match) -> bool:
    """Tell whether a pair cannot be one person: given names and birth dates that have nothing in common."""
    return {"given", "birth"} <= {field.field for field in match.fields if field.level == _DIFFERS}


def resembles_kin(match: Match) -> bool:
    """Tell whether a pair may be twins, or a father and his son of one name: one of given name and birth date differs, the other not."""
    levels = {field.field: field.level for field in match.fields}
    return (levels.get("given") == _DIFFERS) != (levels.get("birth") == _DIFFERS) and {"given", "birth"} <= levels.keys()


def with_threshold(model: Model, pairs: Iterable[Pair]) -> Model:
    """Return the model with the weight from which pairs are joined, by its own probabilities of these.

    It is the one that promises the most F1, raised until the promised precision suffices.
    """
    weights = sorted((pair.match.weight for pair in pairs if not thin(pair.match)), reverse=True)
    reachable, joined, best, chosen = sum(map(probability, weights)), 0.0, -1.0, HIGHEST
    for number, (weight, following) in enumerate(pairwise([*weights, LOWEST]), 1):
        joined += probability(weight)
        f1 = 2 * joined / (number + reachable)
        if weight > following and joined >= LEAST_PRECISION * number and f1 > best:
            # In the middle of the gap, where a little more or less changes nothing.
            best, chosen = f1, (weight + following) / 2
    return structs.replace(model, threshold=round(min(max(chosen, LOWEST), HIGHEST), 3), review=REVIEW)


def joins(model: Model, match: Match) -> bool:
    """Tell whether a pair is joined, if nothing else speaks against it."""
    if thin(match):
        return match.weight >= THIN and not _says_too_little(model, match)
    families = model.relatives > FAMILIES * model.matches
    namesake = match.rival == "relatives" and not _births_known(match)
    least = KIN if families and resembles_kin(match) else THIN if namesake else model.threshold
    return match.weight >= max(least, model.threshold)


def _says_too_little(model: Model, match: Match) -> bool:
    """Tell whether a pair has nothing but a birth date, a family name and an initial, or a name that others are expected to have."""
    initial = any(field.field == "given" and field.level == "initial" for field in match.fields)
    return _agreeing_kinds(match) == {"birth"} or initial or namesakes(model, match) > MOST_NAMESAKES


def decide(model: Model, rows: Sequence[Features], pairs: Sequence[Pair]) -> Decision:
    """Join pairs, heaviest first, as long as the people on both sides agree on the whole; a chain of likenesses joins nobody."""
    groups = Groups(model, rows, pairs)
    common = several_peoples(rows)

    def open_to_others(pair: Pair) -> bool:
        return (
            by_name_alone(pair.match)
            and not _births_known(pair.match)
            and not common.isdisjoint((called(rows[pair.left]), called(rows[pair.right])))
        )

    links = [pair for pair in pairs if joins(model, pair.match) and not open_to_others(pair) and groups.join(pair)]
    review = [pair for pair in pairs if pair.match.weight >= model.review and not groups.together(pair)]
    return Decision(links, review)


def _births_known(match: Match) -> bool:
    return any(field.field == "birth" for field in match.fields)


def by_name_alone(match: Match) -> bool:
    """Tell whether little but a name speaks for a pair."""
    return _agreeing_kinds(match) <= {"name"}


class Groups:
    """Rows that were joined so far."""

    def __init__(self, model: Model, rows: Sequence[Features], pairs: Iterable[Pair]) -> None:
        self._rows, self._scorer = rows, Scorer(model)
        self._rare = log2((1 - model.matches) / model.matches)
        self._needed = self._rare + model.threshold
        self._kin = model.relatives > FAMILIES * model.matches
        self._known = {(pair.left, pair.right): pair.match for pair in pairs}
        self._group: dict[int, list[int]] = {}

    def together(self, pair: Pair) -> bool:
        """Tell whether both are in one group."""
        return pair.right in self._members(pair.left)

    def join(self, pair: Pair) -> bool:
        """Join two groups unless they disagree on the whole; True when the pair joined something."""
        left, right = self._members(pair.left), self._members(pair.right)
        if pair.right in left or not self._agree(left, right):
            return False
        left += right
        for row in left:
            self._group[row] = left
        return True

    def _members(self, row: int) -> list[int]:
        return self._group.get(row) or [row]

    def _agree(self, left: Sequence[int], right: Sequence[int]) -> bool:
        if len(left) + len(right) > LARGEST_PROFILE:
            return False
        matches = [self._match(one, other) for one in left for other in right]
        told = [match for match in matches if any(_KINDS[field.field] in ("name", "birth") for field in match.fields)]
        for_one = sum(min(match.weight + self._rare, self._needed) for match in told)
        against = any(
            (contradicted(match) and match.weight < IMPOSSIBLE) or (self._kin and resembles_kin(match) and match.weight < LOWEST)
            for match in told
        )
        return not against and for_one >= self._needed / 2 * len(told)

    def _match(self, one: int, other: int) -> Match:
        left, right = sorted((one, other))
        if (left, right) not in self._known:
            self._known[left, right] = self._scorer.score(self._rows[left], self._rows[right])
        return self._known[left, right]
