"""What one seed decides, and what its workers share: source, remote, clock, and the tale of what happened."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from threadline.sdk import PushObject
from threadline.testing.simulator import streams
from threadline.testing.simulator.crew import Crew
from threadline.testing.simulator.mutants import SOUND, Mutant, Sabotage
from threadline.testing.simulator.oracle import Findings
from threadline.testing.simulator.remote import Remote
from threadline.testing.simulator.source import Clock, Source

Work = Literal["pull", "full", "resolve", "push"]


@dataclass(frozen=True, slots=True)
class Temper:
    """What a schedule is hard on."""

    name: str
    rounds: tuple[int, int]
    works: tuple[int, int, int, int]
    """Weights of pull, full, resolve and push."""
    places: tuple[str, ...]
    """Steps at which workers are held up, because there it hurts."""
    changes: int = 3
    """The most that the source changes in a round."""
    seats: int = 2
    doomed: float = 0.6
    """Share of workers that are broken."""
    interrupted: float = 0.1
    """Share of the steps in `places` at which a worker is held up."""
    pauses: int = 1
    """The most that a worker is held up at any other step."""
    moves: int = 1
    """The most that workers move in a round."""
    late: float = 0.5
    """Share of changes that become visible late."""
    hours: float = 0.03
    """Share of rounds in which an hour passes."""


TEMPERS = (
    Temper("late commits", (8, 14), (97, 0, 0, 3), ("page",), changes=5, seats=1, doomed=0.2, interrupted=0.5, pauses=0, late=0.7),
    Temper("rivals", (10, 16), (97, 0, 0, 3), ("page", "begin write"), doomed=0.1, interrupted=0.15, hours=0.6),
    Temper("crashes", (5, 9), (60, 3, 7, 30), ("page",), doomed=0.9, moves=3),
    Temper("pushes", (5, 9), (45, 0, 5, 50), ("send",), doomed=0.5, moves=3),
)


@dataclass(slots=True)
class Outcome:
    """What one schedule came to."""

    seed: int
    findings: Findings = field(default_factory=Findings)
    counts: Counter[str] = field(default_factory=Counter[str])
    """How often each fault struck, and what else happened."""
    trace: list[str] = field(default_factory=list[str])
    applied: int = 0
    """How often the mutant did its work."""


class Scene:
    """The world of one schedule. Whoever draws from `random` holds the baton, so that a seed always tells the same tale."""

    def __init__(self, seed: int, crew: Crew, mutant: Mutant = SOUND, *, traced: bool = False) -> None:
        self.random = random = Random(seed)  # noqa: S311 - it is to be repeatable
        self.crew = crew
        self.mutant = mutant
        self.sabotage = Sabotage()
        self.outcome = Outcome(seed)
        self.calm = False
        self._traced = traced
        self.clock = Clock()
        self.temper = random.choice(TEMPERS)
        self.kind: streams.Kind = random.choice(streams.KINDS)
        shape = streams.SHAPES[self.kind]
        repeat: Literal["upsert", "key", "marker"] = "upsert" if self.kind == "people" else random.choice(("key", "marker", "marker"))
        self.item = PushObject(shape.push_object, random.randint(1, 3), repeat)
        self.source = Source(random, self.clock, random.choice((0, 10, 40)), self.temper.late, shape.write)
        self.remote = Remote(random)
        self.page_size = random.randint(1, 3)
        self.batch = random.choice((1, 2, 4, 1_000))

    def tell(self, line: str) -> None:
        """Add a line to the trace."""
        if self._traced:
            self.outcome.trace.append(f"{self.clock.now} {line}")

    def note(self, what: str) -> None:
        """Count something that happened."""
        self.outcome.counts[what] += 1
        self.tell(f"-- {what}")
