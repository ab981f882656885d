"""One schedule: a source that changes, workers that pull and push and are broken, and then a drain."""

from itertools import count
from types import SimpleNamespace
from unittest.mock import patch

from threadline.model import ids
from threadline.sdk import RetryableError
from threadline.store.database import Transaction
from threadline.sync import pull as pulling
from threadline.testing.faults.database import Crash
from threadline.testing.simulator import streams
from threadline.testing.simulator.crew import Crew, Seat
from threadline.testing.simulator.mutants import SOUND, Mutant
from threadline.testing.simulator.oracle import inspect
from threadline.testing.simulator.scene import Outcome, Scene, Work
from threadline.testing.simulator.worker import Worker

_WORKS: tuple[Work, ...] = ("pull", "full", "resolve", "push")
_RESUMED = 0.35
"""Share of moves in which a worker that was held up goes on, though another could begin."""
_KILLED = 0.25
"""Share of those still held up at the end that never go on."""
_LOGGED = "SELECT count(*) FROM changes"
_HOUR = 3_600_000
"""Milliseconds: longer than a lease, so that a run that is held up may lose it."""
_DAY = 24 * _HOUR


def play(seed: int, crew: Crew, mutant: Mutant = SOUND, *, traced: bool = False) -> Outcome:
    """Play the schedule of a seed in the crew's database, which is emptied first."""
    return Schedule(Scene(seed, crew, mutant, traced=traced)).run()


class Schedule:
    """One schedule, from its first change to what the oracle says of it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._random = scene.random
        self._workers: list[Worker] = []
        self._names = count(1)

    def run(self) -> Outcome:
        """Play the schedule to its end, and look at what it left."""
        scene = self._scene
        clock = SimpleNamespace(time=lambda: scene.clock.moment().timestamp())
        chance = SimpleNamespace(urandom=scene.random.randbytes)
        with (
            patch.object(ids, "time", clock),
            patch.object(ids, "os", chance),
            patch.object(pulling, "BATCH", scene.batch),
            patch.object(pulling, "BATCH_SECONDS", float("inf")),
        ):
            scene.crew.wipe()
            try:
                self._play()
                self._drain()
            finally:
                self._abandon()
        scene.outcome.applied = scene.sabotage.applied
        scene.outcome.counts["pushes taken"] = scene.remote.effects.total()
        return scene.outcome

    def _play(self) -> None:
        scene, random = self._scene, self._random
        for _ in range(random.randint(2, 8)):
            self._change()
        lag = scene.source.lag
        for _ in range(random.randint(*scene.temper.rounds)):
            self._change()
            scene.clock.now += _HOUR if random.random() < scene.temper.hours else random.choice((0, 0, 1, lag // 4, lag, 4 * lag + 1))
            for _ in range(random.randint(1, scene.temper.moves)):
                self._move()

    def _change(self) -> None:
        for _ in range(self._random.randint(0, self._scene.temper.changes)):
            self._scene.tell(f"source: {self._scene.source.change()}")
            self._scene.clock.now += self._random.choice((0, 0, 1, 4))

    def _move(self) -> None:
        """Let one worker move: a new one, or one that was paused."""
        paused = [worker for worker in self._workers if worker.seat.ready]
        idle = [seat for seat in self._scene.crew.seats[: self._scene.temper.seats] if not seat.busy]
        if paused and (not idle or self._random.random() < _RESUMED):
            self._resume(self._random.choice(paused))
        elif idle:
            self._resume(self._hire(idle[0], self._random.choices(_WORKS, self._scene.temper.works)[0]))
        else:
            self._scene.crew.unlock()

    def _hire(self, seat: Seat, work: Work) -> Worker:
        worker = Worker(self._scene, seat, work, f"{work}-{next(self._names)}")
        self._workers.append(worker)
        worker.begin()
        return worker

    def _resume(self, worker: Worker) -> None:
        worker.seat.resume()
        self._scene.crew.settle()
        for one in [one for one in self._workers if not one.seat.busy]:
            self._workers.remove(one)
            self._ended(one)

    def _ended(self, worker: Worker) -> None:
        failure = worker.seat.failure
        self._scene.tell(f"{worker.name} ended: {type(failure).__name__ if failure else worker.seat.result}")
        if failure is None:
            self._scene.note(f"{worker.work} done")
        elif isinstance(failure, RetryableError):
            self._scene.note(type(failure).__name__)
        elif not isinstance(failure, Crash):
            self._scene.outcome.findings.broken.append(f"{worker.name}: {type(failure).__name__}: {failure}")

    def _drain(self) -> None:
        """Stop the faults, let everybody finish, and do each piece of work once more."""
        scene = self._scene
        scene.calm, scene.remote.faulty = True, False
        for worker in self._workers:
            worker.killed = self._random.random() < _KILLED
        self._finish()
        scene.clock.now = max(scene.clock.now, scene.source.quiet_at) + _DAY
        self._alone("pull")
        self._alone("push")
        with scene.crew.look() as view:
            inspect(view, streams.SHAPES[scene.kind], scene.item, scene.source.shown(), scene.remote, scene.outcome.findings)
            scene.outcome.counts["records moved"] = _number(view, "SELECT coalesce(sum(version), 0) FROM records")
            before = _number(view, _LOGGED)
        moved = self._alone("full")
        with scene.crew.look() as view:
            if moved or _number(view, _LOGGED) != before:
                scene.outcome.findings.doubled.append("reading everything again changed something")

    def _finish(self) -> None:
        while self._workers:
            ready = [worker for worker in self._workers if worker.seat.ready]
            if ready:
                self._resume(ready[0])
            else:
                self._scene.crew.unlock()

    def _alone(self, work: Work) -> int:
        worker = self._hire(self._scene.crew.seats[0], work)
        self._finish()
        if worker.seat.failure:
            self._scene.outcome.findings.broken.append(f"the drain's {work} failed: {worker.seat.failure}")
        return 0 if worker.seat.failure else int(worker.seat.result)

    def _abandon(self) -> None:
        for worker in self._workers:
            worker.killed = True
        self._finish()


def _number(view: Transaction, sql: str) -> int:
    return int(view.query(sql)[0][0])
