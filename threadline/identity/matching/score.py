"""Scores one pair in this process, exactly as a batch does."""

from collections.abc import Sequence
from math import log2

from msgspec import Struct

from threadline.identity.matching.comparisons import COMPARISONS, Comparison
from threadline.identity.matching.features import Features
from threadline.identity.matching.model import Field, Frequency, Model


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
    """Scores pairs by a model."""

    def __init__(self, model: Model) -> None:
        by_name = {field.name: field for field in model.fields}
        self._compared = [(comparison, by_name[comparison.name]) for comparison in COMPARISONS if comparison.name in by_name]
        self._model = model

    def score(self, left: Features, right: Features) -> Match:
        """Compare two people."""
        fields = [found for comparison, field in self._compared if (found := self._field(comparison, field, left, right))]
        evidence, apart = sum(field.weight for field in fields), sum(field.against_relatives for field in fields)
        strangers = log2(self._model.matches / (1 - self._model.matches - self._model.relatives)) + evidence
        relatives = log2(self._model.matches / self._model.relatives) + apart
        low, high = sorted((strangers, relatives))
        weight = low - log2(1 + 2.0 ** (low - high))
        return Match(weight, probability(weight), evidence, "relatives" if relatives < strangers else "strangers", fields)

    def _field(self, comparison: Comparison, field: Field, left: Features, right: Features) -> FieldMatch | None:
        if comparison.absent.holds(left, right):
            return None
        place = next((place for place, level in enumerate(comparison.levels) if level.condition.holds(left, right)), len(comparison.levels))
        base, rarity, name = log2(field.m[place] / field.u[place]), 0.0, "differs"
        if place < len(comparison.levels):
            level = comparison.levels[place]
            name = level.name
            if level.frequency:
                rarity = self._rarity(self._model.frequencies[level.frequency], level.frequency, left, right)
        weight = base + rarity
        return FieldMatch(comparison.name, name, weight, rarity, against_relatives(weight, comparison.kinship))

    @staticmethod
    def _rarity(frequency: Frequency, column: str, left: Features, right: Features) -> float:
        known = [frequency.values.get(value, frequency.rest) for row in (left, right) if (value := getattr(row, column)) is not None]
        return log2(frequency.mean) - log2(max(known))


def against_relatives(weight: float, kinship: float) -> float:
    """Return a field's weight where the rival is kin: they agree as one person would in a share of cases, else as strangers."""
    return -log2(kinship + (1 - kinship) * 2.0**-weight)


def probability(weight: float) -> float:
    """Return the probability of log2 odds."""
    return 1 / (1 + 2.0**-weight) if weight > -1000 else 0.0
