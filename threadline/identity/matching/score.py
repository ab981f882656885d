"""Scores one pair in this process, exactly as a batch does."""

from collections.abc import Sequence
from math import log2

from msgspec import Struct

from threadline.identity.matching.comparisons import COMPARISONS, Comparison
from threadline.identity.matching.features import Features, features
from threadline.identity.matching.model import Field, Model
from threadline.identity.matching.person import Person


class FieldMatch(Struct, frozen=True):
    """What one field says: `weight` is log2 of how much likelier the level is for one person than for strangers.

    `frequency` is the part of it that is due to how frequent the value is, `against_relatives` the weight where the rival is kin.
    """

    field: str
    level: str
    weight: float
    frequency: float
    against_relatives: float


class Match(Struct, frozen=True):
    """How likely a pair is one person: `weight` is log2 of the odds, `evidence` the same before knowing how rare matches are."""

    weight: float
    probability: float
    evidence: float
    rival: str
    """Who the two would be if they were not one person: `strangers` or `relatives`, whichever is likelier."""
    fields: Sequence[FieldMatch]


class Scorer:
    """Reads people and scores pairs by a model."""

    def __init__(self, model: Model) -> None:
        by_name = {field.name: field for field in model.fields}
        self._compared = [(one, _weights(by_name[one.name])) for one in COMPARISONS if one.name in by_name]
        self._model = model
        self._against_strangers = log2(model.matches / (1 - model.matches - model.relatives))
        self._against_relatives = log2(model.matches / model.relatives)

    def read(self, person: Person) -> Features:
        """Return what of a person is compared."""
        return features(person, self._model.generic)

    def score(self, left: Features, right: Features) -> Match:
        """Compare two people."""
        fields = [found for comparison, weights in self._compared if (found := self._field(comparison, weights, left, right))]
        evidence = sum([field.weight for field in fields])
        strangers = self._against_strangers + evidence
        relatives = self._against_relatives + sum([field.against_relatives for field in fields])
        low, high = (relatives, strangers) if relatives < strangers else (strangers, relatives)
        weight = low - log2(1 + 2.0 ** (low - high))
        return Match(weight, probability(weight), evidence, "relatives" if relatives < strangers else "strangers", fields)

    def _field(self, comparison: Comparison, weights: Sequence[float], left: Features, right: Features) -> FieldMatch | None:
        if comparison.absent.holds(left, right):
            return None
        for level, weight in zip(comparison.levels, weights, strict=False):
            if level.condition.holds(left, right):
                rarity = self._rarity(level.frequency, left, right) if level.frequency else 0.0
                return FieldMatch(
                    comparison.name, level.name, weight + rarity, rarity, against_relatives(weight + rarity, comparison.kinship)
                )
        return FieldMatch(comparison.name, "differs", weights[-1], 0.0, against_relatives(weights[-1], comparison.kinship))

    def _rarity(self, column: str, left: Features, right: Features) -> float:
        frequency = self._model.frequencies[column]
        known = [frequency.values.get(value, frequency.rest) for row in (left, right) if (value := getattr(row, column)) is not None]
        return log2(frequency.mean) - log2(max(known))


def _weights(field: Field) -> Sequence[float]:
    return [log2(m / u) for m, u in zip(field.m, field.u, strict=True)]


def against_relatives(weight: float, kinship: float) -> float:
    """Return a field's weight where the rival is kin: they agree as one person would in a share of cases, else as strangers."""
    return -log2(kinship + (1 - kinship) * 2.0**-weight)


def probability(weight: float) -> float:
    """Return the probability of log2 odds."""
    return 1 / (1 + 2.0**-weight) if weight > -1000 else 0.0
