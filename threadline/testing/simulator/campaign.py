"""Many schedules: over a range of seeds, in several processes, or against each mutant."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from threadline.sync.lease import BusyError, SupersededError
from threadline.testing.faults.database import FAULTS
from threadline.testing.simulator.crew import Crew
from threadline.testing.simulator.mutants import MUTANTS, SOUND, Mutant
from threadline.testing.simulator.scene import Outcome
from threadline.testing.simulator.schedule import play
from threadline.testing.simulator.stores import store

_ENOUGH = 20
"""Schedules from which every kind of work and of fault must have happened."""


@dataclass(slots=True)
class Totals:
    """What schedules came to, all together."""

    schedules: int = 0
    seconds: float = 0.0
    applied: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    violations: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """(seed, what does not hold)."""

    def add(self, outcome: Outcome) -> None:
        """Add one schedule."""
        self.schedules += 1
        self.applied += outcome.applied
        self.counts += outcome.counts
        self.violations += [(outcome.seed, words) for words in outcome.findings.all()]

    def join(self, other: "Totals") -> None:
        """Add what another process did at the same time."""
        self.schedules += other.schedules
        self.seconds = max(self.seconds, other.seconds)
        self.applied += other.applied
        self.counts += other.counts
        self.violations += other.violations

    def violated(self, kind: str) -> int:
        """Return how many findings are of a kind."""
        return sum(words.startswith(f"{kind}:") for _, words in self.violations)

    @property
    def missing(self) -> list[str]:
        """What never happened, so that nothing was shown about it."""
        wanted = ("records moved", "pushes taken", "pause", SupersededError.__name__, BusyError.__name__, *FAULTS)
        return [what for what in wanted if not self.counts[what]] if self.schedules >= _ENOUGH else []


def run(database: str, seeds: Sequence[int]) -> Totals:
    """Run seeds one after the other in a database of their own."""
    with store(database) as url, Crew(url) as crew:
        return run_with(crew, seeds)


def run_with(crew: Crew, seeds: Sequence[int], mutant: Mutant = SOUND, *, until_violated: bool = False) -> Totals:
    """Run seeds one after the other with one crew."""
    totals, began = Totals(), time.monotonic()
    for seed in seeds:
        totals.add(play(seed, crew, mutant))
        if until_violated and totals.violations:
            break
    totals.seconds = time.monotonic() - began
    return totals


def run_parallel(database: str, seeds: Sequence[int], processes: int) -> Totals:
    """Share seeds out to processes, each with a database of its own: commit order is a server's."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(run, database, seeds[start::processes]) for start in range(processes)]
        totals = Totals()
        for part in parts:
            totals.join(part.result())
    return totals


def replay(database: str, seed: int, mutant: Mutant = SOUND) -> Outcome:
    """Run one seed, and keep its steps."""
    with store(database) as url, Crew(url) as crew:
        return play(seed, crew, mutant, traced=True)


def hunt(database: str, seeds: Sequence[int]) -> Iterator[tuple[str, Totals]]:
    """Plant every mutant in turn until a schedule shows it; one whose totals have no violation has survived."""
    with store(database) as url, Crew(url) as crew:
        for mutant in MUTANTS:
            yield mutant.name, run_with(crew, seeds, mutant, until_violated=True)
