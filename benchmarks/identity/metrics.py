"""How well a partition of records agrees with the truth."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from msgspec import Struct


class Agreement(Struct, frozen=True):
    """Shares of pairs (pairwise) and, averaged over records, of the record's cluster (B-cubed; Bagga and Baldwin 1998)."""

    precision: float
    recall: float
    f1: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f1: float
    joined_pairs: int
    true_pairs: int


def agreement(truth: Sequence[Hashable], found: Sequence[Hashable]) -> Agreement:
    """Compare two labellings of the same records, in the same order."""
    both = Counter(zip(truth, found, strict=True))
    people, clusters = Counter(truth), Counter(found)
    common, true, joined = _pairs(both.values()), _pairs(people.values()), _pairs(clusters.values())
    precision, recall = (common / joined if joined else 1.0), (common / true if true else 1.0)
    by_cluster = sum(count * count / clusters[cluster] for (_, cluster), count in both.items()) / len(truth)
    by_person = sum(count * count / people[person] for (person, _), count in both.items()) / len(truth)
    return Agreement(
        precision, recall, harmonic(precision, recall), by_cluster, by_person, harmonic(by_cluster, by_person), joined, true
    )  # fmt: skip


def harmonic(precision: float, recall: float) -> float:
    """Return F1."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)
