"""A worker: the engine's own functions over a database and a connector that a schedule controls."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any, Literal, cast

from threadline.journey.references import Finder
from threadline.sdk import Connector, Cursor, Intent, Page, Receipt, RetryableError, Settings, Stream, Target
from threadline.store.database import Database, Transaction
from threadline.sync.policy import Policy
from threadline.sync.pull import pull
from threadline.sync.push import push
from threadline.sync.resolve import resolve
from threadline.testing.faults.database import FAULTS, Breakage, Crash, Observed
from threadline.testing.simulator import streams
from threadline.testing.simulator.crew import Seat
from threadline.testing.simulator.scene import Scene, Work

_FAULT_WEIGHTS = (50, 15, 10, 15, 10)
_PLACES = {"pull": ("page", "begin write", "committed"), "push": ("send", "sent", "committed")}
"""Where a crash does most harm."""
_AT_A_PLACE = 0.5
_USUAL = 20
"""Steps after which, on average, fate strikes; a pull has about twice as many."""


# Whoever is asleep has outslept its lease, and may be superseded at any moment.
_POLICY = Policy(lease=timedelta(0), ahead=0, breaker_percent=100)


class Simulated(Connector[Settings], Target):
    """Source and remote as one worker sees them."""

    name = "simulated"
    about = "A source and a remote under a simulator's control."
    streams = tuple(Stream(kind, ("id",), f"simulated/{kind}") for kind in streams.KINDS)

    def __init__(self, scene: Scene, step: Callable[[str], None]) -> None:
        super().__init__(Settings())
        self._scene = scene
        self._step = step

    def check(self) -> None:
        """Nothing can be wrong."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Read pages; between any two of them the source may change."""
        scene = self._scene
        for page in scene.mutant.scan(scene.source, since, scene.page_size):
            yield page
            self._step(f"page of {stream}")

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Hand intents to the remote."""
        return self._scene.remote.push(self._scene.item, intents, self._step)


class Store(Observed):
    """A worker's database: its steps may pause or break, its clock is simulated, and a mutant may meddle."""

    def __init__(self, inner: Database, worker: "Worker") -> None:
        super().__init__(inner, worker.step)
        self._worker = worker

    @contextmanager
    def opened(self, kind: Literal["read", "write"]) -> Generator[Transaction]:
        """Wait for the other writer where there is only one at a time; let go on who waits for this one."""
        crew, seat, mutant = self._worker.scene.crew, self._worker.seat, self._worker.scene.mutant
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
        scene, seat = self._worker.scene, self._worker.seat
        if method.__name__ == "now":
            return scene.clock.moment()
        try:
            return scene.mutant.alter(scene.sabotage, method, arguments) if scene.mutant.alter else method(*arguments)
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

    def __init__(self, scene: Scene, seat: Seat, work: Work, name: str) -> None:
        self.scene = scene
        self.seat = seat
        self.work = work
        self.name = name
        self.killed = False
        self._steps = 0
        random, temper = scene.random, scene.temper
        self._where = ""
        self._breakage = self._doom(random) if not scene.calm and random.random() < temper.doomed else None
        self._pauses = set[int]() if scene.calm else {_early(random) for _ in range(random.randint(0, temper.pauses))}
        self._unreadable = _early(random) if not scene.calm and random.random() < temper.doomed / 4 else None

    def begin(self) -> None:
        """Sit down; nothing moves yet."""
        self.seat.start(self._job)

    def step(self, what: str) -> None:
        """Announce a step; it may pause, or raise what fate has chosen for it."""
        self._steps += 1
        self.scene.outcome.counts["steps"] += 1
        self.scene.tell(f"{self.name} {self._steps}: {what}")
        temper = self.scene.temper
        exposed = what.startswith(temper.places) and not self.scene.calm
        if self._steps in self._pauses or (exposed and self.scene.random.random() < temper.interrupted):
            self.scene.note("pause")
            self.seat.pause()
        if self.killed:
            raise Crash
        if self._breakage and (self._breakage.struck or what.startswith(self._where)):
            self._break(self._breakage, what)
        if self._unreadable is not None and self._steps >= self._unreadable and what.startswith("page"):
            self._unreadable = None
            self.scene.note("unreadable page")
            raise RetryableError("the page cannot be read")

    def _doom(self, random: Random) -> Breakage:
        fault = random.choices(FAULTS, _FAULT_WEIGHTS)[0]
        if fault == "crash" and random.random() < _AT_A_PLACE:
            self._where = random.choice(_PLACES["push" if self.work == "push" else "pull"])
            return Breakage(fault, random.randrange(3))
        return Breakage(fault, _early(random))

    def _break(self, breakage: Breakage, what: str) -> None:
        before = breakage.struck
        try:
            breakage(what)
        finally:
            if breakage.struck and not before:
                self.scene.note(breakage.fault)

    def _job(self, inner: Database) -> Any:
        store, scene = Store(inner, self), self.scene
        connector = Simulated(scene, self.step)
        if self.work in ("pull", "full"):
            ledger = pull(store, connector, streams.judge(scene.kind), full=self.work == "full", policy=_POLICY)
            return ledger.new + ledger.changed
        if self.work == "resolve":
            return resolve(store, Finder(None))
        resolve(store, Finder(None))
        return push(store, connector, streams.outgoing(scene.kind, scene.item)).sent


def _early(random: Random) -> int:
    return int(random.expovariate(1 / _USUAL)) + 1
