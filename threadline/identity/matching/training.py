"""Learns a model from people without being told who is whom."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from threadline.identity.matching.comparisons import COMPARISONS, Comparison
from threadline.identity.matching.features import Features
from threadline.identity.matching.model import Field, Frequency, Model
from threadline.identity.matching.namesakes import excess
from threadline.identity.matching.workbench import Workbench

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RANDOM_PAIRS, CANDIDATE_PAIRS = 400_000, 200_000
LISTED_VALUES = 20_000
"""Values of a column whose frequency a model names, the most frequent ones."""
_ROUNDS, _ENOUGH = 100, 1e-7
_TRUST = 25.0
"""How many pairs the expectation before any data counts as."""
_RAREST = 1e-12
_LEAST_KIN = 0.003
"""Pairs of relatives for each pair of one person, at least: there may be families where too few are seen to count them."""
_LEAST_COMPARED = 20
"""Random pairs in which a field must be known on both sides to be compared at all."""


def train(bench: Workbench, largest_block: int, *, seed: int = 1, generic: frozenset[str] = frozenset()) -> Model:
    """Return a model of the people on the bench, whose pairs are blocked: u from random pairs, m and the classes' shares by EM.

    The same people and seed give the same model; where nothing can be compared it has no fields.
    """
    total = len(bench.rows) * (len(bench.rows) - 1) / 2
    compared = _compared(bench.rows)
    if not compared:
        return Model(fields=[], frequencies={}, matches=_RAREST, relatives=_RAREST, threshold=0.0, review=0.0, largest_block=largest_block)
    bench.pair_up("random_pairs", *_random_pairs(len(bench.rows), seed))
    strangers = bench.levels("random_pairs", compared)
    share = bench.sample("sampled", CANDIDATE_PAIRS)
    mixture = Mixture(compared, total, strangers, bench.levels("sampled", compared), share)
    mixture.fit()
    return Model(
        fields=[
            *(Field(comparison.name, m.tolist(), u.tolist()) for comparison, m, u in zip(compared, mixture.m, mixture.u, strict=True)),
            _whole_names(bench.rows),
        ],
        frequencies=dict(_frequencies(bench.rows, compared)),
        matches=mixture.matches, relatives=mixture.relatives, threshold=0.0, review=0.0,
        largest_block=largest_block, generic=generic, people=len(bench.rows),
    )  # fmt: skip


class Mixture:
    """Pairs are of one person, of relatives, or of strangers; what is seen of a pair tells how likely each is.

    Relatives have no levels of their own to learn: in each field they agree as one person would in the share that
    `Comparison.kinship` says, and as strangers otherwise.
    """

    def __init__(self, compared: Sequence[Comparison], total: float, strangers: "Levels", candidates: "Levels", share: float) -> None:
        import numpy as np

        self._compared, self._total, self._candidates, self._share = compared, total, candidates, share
        self._random = [_counted(strangers, number, len(comparison.levels) + 1) for number, comparison in enumerate(compared)]
        self._expected = [_expected(comparison) for comparison in compared]
        self.m = list(self._expected)
        self.u = [_smoothed(counts) for counts in self._random]
        self.matches = max(_RAREST, min(0.5, 0.2 * float(candidates[1].sum()) / share / total)) if total else 0.5
        self.relatives = self.matches / 2
        self._kinship = np.array([comparison.kinship for comparison in compared])

    def fit(self) -> None:
        """Repeat until nothing moves."""
        for _ in range(_ROUNDS):
            before = (self.matches, self.relatives)
            self._improve(self._posterior())
            if max(abs(self.matches - before[0]), abs(self.relatives - before[1])) < _ENOUGH * before[0]:
                break

    def _posterior(self) -> "NDArray[np.float64]":
        import numpy as np

        levels, _ = self._candidates
        logs = np.zeros((3, len(levels)))
        for number, (m, u) in enumerate(zip(self.m, self.u, strict=True)):
            known = levels[:, number] >= 0
            place = np.where(known, levels[:, number], 0)
            kin = self._kinship[number] * m + (1 - self._kinship[number]) * u
            logs += np.where(known, np.log(np.stack([m, kin, u]))[:, place], 0)
        logs += np.log([[self.matches], [self.relatives], [1 - self.matches - self.relatives]])
        likely = np.exp(logs - logs.max(axis=0))
        posterior: NDArray[np.float64] = likely / likely.sum(axis=0)
        return posterior

    def _improve(self, posterior: "NDArray[np.float64]") -> None:
        import numpy as np

        levels, pairs = self._candidates
        one, kin = posterior[0] * pairs, posterior[1] * pairs
        self.matches = max(_RAREST, float(one.sum()) / self._share / self._total)
        self.relatives = max(_LEAST_KIN * self.matches, float(kin.sum()) / self._share / self._total)
        for number, expected in enumerate(self._expected):
            counts = _counted((levels, one), number, len(expected))
            self.m[number] = (counts + _TRUST * expected) / (counts.sum() + _TRUST)
            # Random pairs hold their share of matches and relatives, which in a small set is not small.
            seen = self._random[number]
            share = self._kinship[number]
            known = self.matches * self.m[number] + self.relatives * (share * self.m[number] + (1 - share) * self.u[number])
            self.u[number] = _smoothed(np.maximum(seen - known * seen.sum(), 0))


Levels = tuple["NDArray[np.int64]", "NDArray[np.float64]"]
"""Distinct combinations of levels, and how many pairs have each."""


def _compared(rows: Sequence[Features]) -> list[Comparison]:
    # Neighbours in the order of arrival are as good as random for telling which fields are known at all.
    pairs = list(zip(rows[::2], rows[1::2], strict=False))[:: max(1, len(rows) // 4_000)]
    wanted = max(1, min(_LEAST_COMPARED, len(pairs) / 50))
    return [one for one in COMPARISONS if one.learned and sum(not one.absent.holds(left, right) for left, right in pairs) >= wanted]


def _random_pairs(size: int, seed: int) -> "tuple[NDArray[np.int64], NDArray[np.int64]]":
    import numpy as np

    if size * (size - 1) / 2 <= RANDOM_PAIRS:
        left, right = np.triu_indices(size, 1)
        return left.astype(np.int64), right.astype(np.int64)
    chance = np.random.default_rng(seed)
    one, other = chance.integers(0, size, (2, RANDOM_PAIRS))
    return np.minimum(one, other)[one != other], np.maximum(one, other)[one != other]


def _counted(levels: "Levels", number: int, size: int) -> "NDArray[np.float64]":
    import numpy as np

    column, pairs = levels[0][:, number], levels[1]
    return np.bincount(column[column >= 0], weights=pairs[column >= 0], minlength=size).astype(np.float64)


def _smoothed(counts: "NDArray[np.float64]") -> "NDArray[np.float64]":
    smoothed: NDArray[np.float64] = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return smoothed


def _expected(comparison: Comparison) -> "NDArray[np.float64]":
    import numpy as np

    near, agreed = len(comparison.levels) - 1, 1 - comparison.mistaken
    return np.array(
        [agreed * (0.85 if near else 1), *[agreed * 0.15 / near] * near, comparison.mistaken] if near else [agreed, comparison.mistaken]
    )


def _whole_names(rows: Sequence[Features]) -> Field:
    """Return what it says that two have one whole name, beyond what both of its parts say."""
    return Field("name", [1 / max(excess(rows), 1.0), 1.0], [1.0, 1.0])


def _frequencies(rows: Sequence[Features], compared: Iterable[Comparison]) -> Iterable[tuple[str, Frequency]]:
    columns = dict.fromkeys(level.frequency for comparison in compared for level in comparison.levels if level.frequency)
    for column in columns:
        counts = Counter(value for row in rows if (value := getattr(row, column)) is not None)
        total = counts.total()
        listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:LISTED_VALUES]
        unlisted, values = total - sum(count for _, count in listed), len(counts) - len(listed)
        rest = unlisted / values / total if values else 1 / (total + 1)
        yield (
            column,
            Frequency(sum(count * count for count in counts.values()) / total**2, rest, {value: count / total for value, count in listed}),
        )


def generic_values(people: Iterable[tuple[str | None, Iterable[str]]], most: int = 5) -> frozenset[str]:
    """Return the values held under more than `most` given names: inboxes and numbers that are nobody's own.

    `people` gives for each the given name and the phones, e-mail addresses and handles.
    """
    names: dict[str, set[str]] = defaultdict(set)
    for name, values in people:
        for value in values:
            if name:
                names[value].add(name)
    return frozenset(value for value, holders in names.items() if len(holders) > most)
