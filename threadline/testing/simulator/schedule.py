"""One schedule: a source that changes, workers that pull and push and are broken, and then a drain."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any, Literal, cast
from unittest.mock import patch

from threadline.journey.references import Finder
from threadline.model import ids
from threadline.sdk import Connector, Cursor, Intent, Page, PushObject, Receipt, RetryableError, Settings, Stream, Target
from threadline.store.database import Database, Transaction
from threadline.sync import pull as pulling
from threadline.sync.pull import SupersededError, pull
from threadline.sync.push import push
from threadline.sync.resolve import resolve
from threadline.testing.faults.database import FAULTS, Breakage, Crash, Observed
from threadline.testing.simulator import streams
from threadline.testing.simulator.crew import Crew, Seat
from threadline.testing.simulator.mutants import SOUND, Mutant, Sabotage
from threadline.testing.simulator.oracle import Findings, inspect
from threadline.testing.simulator.remote import Remote
from threadline.testing.simulator.source import Clock, Source

Work = Literal["pull", "full", "resolve", "push"]
_DAY = 86_400_000
"""Milliseconds: longer than any lease and any commit lag."""
_FAULT_WEIGHTS = (50, 15, 10, 15, 10)
_WORKS: tuple[Work, ...] = ("pull", "full", "resolve", "push")


@dataclass(frozen=True, slots=True)
class Temper:
    """What a schedule is hard on."""

    name: str
    rounds: tuple[int, int]
    works: tuple[int, int, int, int]
    """Weights of pull, full, resolve and push."""
    seats: int = 2
    doomed: float = 0.6
    """Share of workers that are broken."""
    interrupted: float = 0.1
    """Share of pages and sends after which the worker is held up: there the world moves under its feet."""
    pauses: int = 2
    """The most that a worker is held up at any other step."""
    late: float = 0.5
    """Share of changes that become visible late."""


TEMPERS = (
    Temper("late commits", (10, 16), (95, 0, 0, 5), seats=1, doomed=0.3, interrupted=0.6, pauses=0, late=0.7),
    Temper("rivals", (8, 14), (95, 0, 0, 5), doomed=0.35, pauses=4),
    Temper("crashes", (6, 12), (70, 3, 7, 20), doomed=0.9, pauses=1),
    Temper("pushes", (6, 12), (40, 0, 5, 55), interrupted=0.3),
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


class Simulated(Connector[Settings], Target):
    """Source and remote as one worker sees them."""

    name = "simulated"
    about = "A source and a remote under a simulator's control."
    streams = tuple(Stream(kind, ("id",), f"simulated/{kind}") for kind in streams.KINDS)

    def __init__(self, world: "World", step: Callable[[str], None]) -> None:
        super().__init__(Settings())
        self._world = world
        self._step = step

    def check(self) -> None:
        """Nothing can be wrong."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Read pages; between any two of them the source may change."""
        world = self._world
        for page in world.mutant.scan(world.source, since, world.page_size):
            yield page
            self._step(f"page of {stream}")

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Hand intents to the remote."""
        return self._world.remote.push(self._world.item, intents, self._step)


class Store(Observed):
    """A worker's database: its steps may pause or break, its clock is simulated, and a mutant may meddle."""

    def __init__(self, inner: Database, worker: "Worker") -> None:
        super().__init__(inner, worker.step)
        self._worker = worker

    @contextmanager
    def opened(self, kind: Literal["read", "write"]) -> Generator[Transaction]:
        """Wait for the other writer where there is only one at a time; let go on who waits for this one."""
        crew, seat, mutant = self._worker.world.crew, self._worker.seat, self._worker.world.mutant
        alone = crew.shares_file and kind == "write"
        if alone:
            seat.wait(lambda: crew.writer not in (None, seat))
            crew.writer = seat
        try:
            if mutant.torn and kind == "write":
                yield cast("Transaction", _Torn(self.inner))
            else:
                with super().opened(kind) as transaction:
                    yield transaction
        finally:
            if alone:
                crew.writer = None
            crew.settle()

    def perform(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Make one call, or what a mutant makes of it."""
        world, seat = self._worker.world, self._worker.seat
        if method.__name__ == "now":
            return world.clock.moment()
        try:
            return world.mutant.alter(world.sabotage, method, arguments) if world.mutant.alter else method(*arguments)
        finally:
            if seat.stuck:
                seat.pause()


class _Torn:
    """A transaction that is none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            with self._database.write() as transaction:
                return getattr(transaction, name)(*arguments)

        call.__name__ = name
        return call


class Worker:
    """One process at one piece of work, and what fate has in store for it."""

    def __init__(self, world: "World", seat: Seat, work: Work, name: str) -> None:
        self.world = world
        self.seat = seat
        self.work = work
        self.name = name
        self.killed = False
        self._steps = 0
        random, temper = world.random, world.temper
        doomed = not world.calm and random.random() < temper.doomed
        self._breakage = Breakage(random.choices(FAULTS, _FAULT_WEIGHTS)[0], _early(random)) if doomed else None
        self._pauses = set[int]() if world.calm else {_early(random) for _ in range(random.randint(0, temper.pauses))}
        self._unreadable = _early(random) if not world.calm and random.random() < temper.doomed / 4 else None

    def begin(self) -> None:
        """Sit down; nothing moves yet."""
        self.seat.start(self._job)

    def step(self, what: str) -> None:
        """Announce a step; it may pause, or raise what fate has chosen for it."""
        self._steps += 1
        self.world.outcome.counts["steps"] += 1
        self.world.tell(f"{self.name} {self._steps}: {what}")
        outside = what.startswith(("page", "send")) and not self.world.calm
        if self._steps in self._pauses or (outside and self.world.random.random() < self.world.temper.interrupted):
            self.world.note("pause")
            self.seat.pause()
        if self.killed:
            raise Crash
        if self._breakage:
            self._break(self._breakage, what)
        if self._unreadable is not None and self._steps >= self._unreadable and what.startswith("page"):
            self._unreadable = None
            self.world.note("unreadable page")
            raise RetryableError("the page cannot be read")

    def _break(self, breakage: Breakage, what: str) -> None:
        before = breakage.struck
        try:
            breakage(what)
        finally:
            if breakage.struck and not before:
                self.world.note(breakage.fault)

    def _job(self, inner: Database) -> Any:
        store, world = Store(inner, self), self.world
        connector = Simulated(world, self.step)
        if self.work in ("pull", "full"):
            ledger = pull(store, connector, streams.judge(world.kind), full=self.work == "full")
            return ledger.new + ledger.changed
        if self.work == "resolve":
            return resolve(store, Finder(None))
        resolve(store, Finder(None))
        return push(store, connector, streams.outgoing(world.kind, world.item)).sent


def _early(random: Random) -> int:
    return int(random.expovariate(1 / 20)) + 1


class World:
    """Everything that one seed decides."""

    def __init__(self, seed: int, crew: Crew, mutant: Mutant = SOUND, *, traced: bool = False) -> None:
        self.random = random = Random(seed)  # noqa: S311 - it is to be repeatable
        self.crew = crew
        self.mutant = mutant
        self.sabotage = Sabotage()
        self.outcome = Outcome(seed)
        self.calm = False
        self._traced = traced
        self._names = count(1)
        self.clock = Clock()
        self.temper = random.choice(TEMPERS)
        self.kind: streams.Kind = random.choice(streams.KINDS)
        shape = streams.SHAPES[self.kind]
        repeat: Literal["upsert", "key", "marker"] = "upsert" if self.kind == "people" else random.choice(("key", "marker"))
        self.item = PushObject(shape.push_object, random.randint(1, 3), repeat)
        self.source = Source(random, self.clock, random.choice((0, 10, 40)), self.temper.late, shape.write)
        self.remote = Remote(random)
        self.page_size = random.randint(1, 4)
        self.batch = random.choice((1, 2, 4, 1_000))
        self.workers: list[Worker] = []

    def tell(self, line: str) -> None:
        """Add a line to the trace."""
        if self._traced:
            self.outcome.trace.append(f"{self.clock.now} {line}")

    def note(self, what: str) -> None:
        """Count something that happened."""
        self.outcome.counts[what] += 1
        self.tell(f"-- {what}")

    def run(self) -> Outcome:
        """Play the schedule to its end, and look at what it left."""
        identities = SimpleNamespace(time=lambda: self.clock.moment().timestamp()), SimpleNamespace(urandom=self.random.randbytes)
        with patch.object(ids, "time", identities[0]), patch.object(ids, "os", identities[1]), patch.object(pulling, "BATCH", self.batch):
            try:
                self.crew.wipe()
                self._play()
                self._drain()
            finally:
                self._abandon()
        self.outcome.applied = self.sabotage.applied
        self.outcome.counts["pushes taken"] += self.remote.effects.total()
        return self.outcome

    def _play(self) -> None:
        for _ in range(self.random.randint(2, 8)):
            self._change()
        self.clock.now += 60
        for _ in range(self.random.randint(*self.temper.rounds)):
            self._change()
            self.clock.now += self.random.choice((0, 0, 1, self.source.lag // 4, self.source.lag, 4 * self.source.lag + 1))
            self._move()

    def _change(self) -> None:
        for _ in range(self.random.randrange(4)):
            self.tell(f"source: {self.source.change()}")
            self.clock.now += self.random.choice((0, 0, 1, 4))

    def _move(self) -> None:
        """Let one worker move: a new one, or one that was paused."""
        paused = [worker for worker in self.workers if worker.seat.ready]
        idle = [seat for seat in self.crew.seats[: self.temper.seats] if not seat.busy]
        if paused and (not idle or self.random.random() < 0.5):
            self._resume(self.random.choice(paused))
        elif idle:
            self._resume(self._hire(idle[0], self.random.choices(_WORKS, self.temper.works)[0]))
        else:
            self.crew.unlock()

    def _hire(self, seat: Seat, work: Work) -> Worker:
        worker = Worker(self, seat, work, f"{work}-{next(self._names)}")
        self.workers.append(worker)
        worker.begin()
        return worker

    def _resume(self, worker: Worker) -> None:
        worker.seat.resume()
        self.crew.settle()
        for one in [one for one in self.workers if not one.seat.busy]:
            self.workers.remove(one)
            self._ended(one)

    def _ended(self, worker: Worker) -> None:
        failure = worker.seat.failure
        self.tell(f"{worker.name} ended: {type(failure).__name__ if failure else worker.seat.result}")
        if failure is None:
            self.note(f"{worker.work} done")
        elif isinstance(failure, RetryableError):
            self.note("runs that gave way" if isinstance(failure, SupersededError) else "runs that failed")
        elif not isinstance(failure, Crash):
            self.outcome.findings.broken.append(f"{worker.name}: {type(failure).__name__}: {failure}")

    def _drain(self) -> None:
        """Stop the faults, let everybody finish, and do each piece of work once more."""
        self.calm = True
        self.remote.faulty = False
        for worker in self.workers:
            worker.killed = self.random.random() < 0.5
        self._finish()
        self.clock.now = max(self.clock.now, self.source.quiet_at) + _DAY
        for work in ("pull", "resolve", "push"):
            self._alone(work)
        expected = self.source.shown()
        with self.crew.look() as view:
            inspect(view, streams.SHAPES[self.kind], self.item, expected, self.remote, self.outcome.findings)
            before = _changes(view)
            self.outcome.counts["records moved"] += int(view.query("SELECT coalesce(sum(version), 0) FROM records")[0][0])
        moved = self._alone("full")
        with self.crew.look() as view:
            if moved or _changes(view) != before:
                self.outcome.findings.doubled.append("reading everything again changed something")

    def _finish(self) -> None:
        while self.workers:
            ready = [worker for worker in self.workers if worker.seat.ready]
            if ready:
                self._resume(ready[0])
            else:
                self.crew.unlock()

    def _alone(self, work: Work) -> int:
        worker = self._hire(self.crew.seats[0], work)
        self._finish()
        if worker.seat.failure:
            self.outcome.findings.broken.append(f"the drain's {work} failed: {worker.seat.failure}")
        return 0 if worker.seat.failure else int(worker.seat.result)

    def _abandon(self) -> None:
        for worker in self.workers:
            worker.killed = True
        self._finish()


def _changes(view: Transaction) -> int:
    return int(view.query("SELECT count(*) FROM changes")[0][0])
