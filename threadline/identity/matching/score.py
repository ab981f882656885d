"""Scores one pair in this process, exactly as a batch does."""

from collections.abc import Sequence
from math import log2

from msgspec import Struct

from threadline.identity.matching.comparisons import COMPARISONS, Comparison
from threadline.identity.matching.features import Features, features
from threadline.identity.matching.model import Field, Model
from threadline.identity.matching.person import Person
from threadline.identity.rules import USUAL, Rules


class FieldMatch(Struct, frozen=True):
    """What one field says: `weight` is log2 of how much likelier the level is for one person than for strangers.

    `frequency` is the part of it that is due to how frequent the value is, `against_relatives` the weight where the rival is kin.
    """

    field: str
    level: str
    frequency: float
    weight: float
    against_relatives: float


class Match(Struct, frozen=True):
    """How likely a pair is one person: `weight` is log2 of the odds, `evidence` the same before knowing how rare matches are."""

    weight: float
    probability: float
    evidence: float
    rival: str
    """Who the two would be if they were not one person: `strangers` or `relatives`, whichever is likelier."""
    fields: Sequence[FieldMatch]

    def told(self) -> list[tuple[str, str, float]]:
        """Return (field, level, weight) of each field, for people to read."""
        return [(field.field, field.level, round(field.weight, 2)) for field in self.fields]


class Scorer:
    """Reads people and scores pairs by a model."""

    def __init__(self, model: Model, rules: Rules = USUAL) -> None:
        by_name = {field.name: field for field in model.fields}
        self._compared = [_Weighed(one, by_name[one.name]) for one in COMPARISONS if one.name in by_name]
        self._model, self._rules = model, rules
        self._frequencies = {column: (frequency.values, frequency.rest, frequency.mean) for column, frequency in model.frequencies.items()}
        self._against_strangers = log2(model.matches / (1 - model.matches - model.relatives))
        self._against_relatives = log2(model.matches / model.relatives)

    def read(self, person: Person) -> Features:
        """Return what of a person is compared."""
        return features(person, self._model.generic, self._rules)

    def weight(self, left: Features, right: Features) -> float:
        """Return the weight that `score` gives, without the reasons and in half the time."""
        strangers, relatives = self._against_strangers, self._against_relatives
        for weighed in self._compared:
            if not weighed.absent(left, right):
                _, _, weight, apart = self._level(weighed, left, right)
                strangers += weight
                relatives += apart
        return _together(strangers, relatives)

    def score(self, left: Features, right: Features) -> Match:
        """Compare two people."""
        fields = [
            FieldMatch(weighed.name, *self._level(weighed, left, right)) for weighed in self._compared if not weighed.absent(left, right)
        ]
        evidence = sum([field.weight for field in fields])
        strangers = self._against_strangers + evidence
        relatives = self._against_relatives + sum([field.against_relatives for field in fields])
        weight = _together(strangers, relatives)
        return Match(weight, probability(weight), evidence, "relatives" if relatives < strangers else "strangers", fields)

    def _level(self, weighed: "_Weighed", left: Features, right: Features) -> tuple[str, float, float, float]:
        for name, holds, column, weight, apart in weighed.levels:
            if holds(left, right):
                if column is None:
                    return name, 0.0, weight, apart
                rarity = self._rarity(column, left, right)
                return name, rarity, weight + rarity, against_relatives(weight + rarity, weighed.kinship)
        return weighed.differs

    def _rarity(self, column: str, left: Features, right: Features) -> float:
        values, rest, mean = self._frequencies[column]
        one, other = getattr(left, column), getattr(right, column)
        share = values.get(one, rest)
        return log2(mean / (share if one == other else max(share, values.get(other, rest))))


class _Weighed:
    """A comparison with a model's weights, laid out for speed."""

    def __init__(self, comparison: Comparison, field: Field) -> None:
        self.name, self.kinship, self.absent = comparison.name, comparison.kinship, comparison.absent.holds
        weights = [log2(m / u) for m, u in zip(field.m, field.u, strict=True)]
        self.levels = [
            (level.name, level.condition.holds, level.frequency, weight, against_relatives(weight, self.kinship))
            for level, weight in zip(comparison.levels, weights, strict=False)
        ]
        self.differs = ("differs", 0.0, weights[-1], against_relatives(weights[-1], self.kinship))


def _together(strangers: float, relatives: float) -> float:
    low, high = (relatives, strangers) if relatives < strangers else (strangers, relatives)
    return low - log2(1 + 2.0 ** (low - high))


def against_relatives(weight: float, kinship: float) -> float:
    """Return a field's weight where the rival is kin: they agree as one person would in a share of cases, else as strangers."""
    return -log2(kinship + (1 - kinship) * 2.0**-weight)


def probability(weight: float) -> float:
    """Return the probability of log2 odds."""
    return 1 / (1 + 2.0**-weight) if weight > -1000 else 0.0
