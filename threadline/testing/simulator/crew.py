"""Worker processes, played by threads of which exactly one moves at a time: the one that holds the baton."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from threading import Lock, Semaphore, Thread
from typing import Any, Self

from threadline.store.database import Database, Transaction, open_database
from threadline.store.schema import TABLES
from threadline.testing.faults.database import Crash

_LOOK = 0.005
"""Seconds without a sign of life after which PostgreSQL is asked whether a worker waits for a lock."""
_LONGEST = 30.0

Job = Callable[[Database], Any]


class Seat:
    """One worker with a connection of its own, kept from one job to the next unless a crash closed it."""

    def __init__(self, crew: "Crew", url: str) -> None:
        self.busy = False
        self.stuck = False
        """It waits for a lock that another worker holds."""
        self.waits_for: Callable[[], bool] | None = None
        """As `stuck`, where the crew itself keeps the lock: says whether that is still held."""
        self.result: Any = None
        self.failure: BaseException | None = None
        self.backend: int | None = None
        self._crew = crew
        self._url = url
        self._job: Job | None = None
        self._database: Database | None = None
        self._baton = Semaphore(0)
        self._returned = Semaphore(0)
        self._thread = Thread(target=self._work, name="simulated worker", daemon=True)
        self._thread.start()

    def start(self, job: Job) -> None:
        """Give the worker a job; it does not move before `resume`."""
        self.busy, self._job, self.result, self.failure = True, job, None, None

    def resume(self) -> None:
        """Let the worker move until it pauses, ends, or waits for a lock."""
        self._baton.release()
        self.settle()

    def settle(self) -> None:
        """Wait until the worker has given the baton back, or is known to wait for a lock."""
        end = time.monotonic() + _LONGEST
        while not self._returned.acquire(timeout=_LOOK):
            if self._crew.waits(self):
                self.stuck = True
                return
            if time.monotonic() > end:
                raise RuntimeError(f"a simulated worker did not move for {_LONGEST:.0f} s")
        self.stuck = False

    def pause(self) -> None:
        """Called by the worker itself: give the baton back, and wait for it."""
        self._returned.release()
        self._baton.acquire()

    def wait(self, held: Callable[[], bool]) -> None:
        """Called by the worker itself: pause while something is held by another."""
        while held():
            self.waits_for = held
            self.pause()
        self.waits_for = None

    @property
    def ready(self) -> bool:
        """Whether it has a job and could move."""
        return self.busy and not self.stuck and not (self.waits_for and self.waits_for())

    def _work(self) -> None:
        while True:
            self._baton.acquire()
            if self._job is None:
                self._close()
                return
            try:
                self.result = self._job(self._opened())
            except BaseException as error:
                self.failure = error
                if isinstance(error, Crash):
                    self._close()
            self.busy, self._job = False, None
            self._returned.release()

    def _opened(self) -> Database:
        if self._database is None:
            self._database = open_database(self._url, create=False)
            self.backend = backend(self._database)
        return self._database

    def _close(self) -> None:
        if self._database:
            self._database.close()
        self._database = None

    def leave(self) -> None:
        """End the thread; one that is in the middle of a job ends with the process."""
        if not self.busy:
            self._job = None
            self._baton.release()
            self._thread.join()


class Crew:
    """The workers of one process, and the connection that sees which of them wait for each other."""

    def __init__(self, url: str, size: int = 2) -> None:
        self._monitor = open_database(url, create=True)
        self._monitored = Lock()
        """A worker that ends a transaction looks who moves on, while the schedule looks what keeps that worker."""
        self.shares_file = backend(self._monitor) is None
        """SQLite: there is one writer, and a second one waits outside."""
        self.writer: Seat | None = None
        self.seats: Sequence[Seat] = [Seat(self, url) for _ in range(size)]

    def waits(self, seat: Seat) -> bool:
        """Whether PostgreSQL keeps a worker waiting for a lock."""
        if self.shares_file or seat.backend is None:
            return False
        with self._monitored, self._monitor.read() as transaction:
            ((blocked,),) = transaction.query("SELECT cardinality(pg_blocking_pids(?)) > 0", [seat.backend])
        return bool(blocked)

    def settle(self) -> None:
        """Wait until every worker that a released lock sets free has got as far as it can without the baton."""
        for seat in self.seats:
            if seat.stuck:
                seat.settle()

    def unlock(self) -> None:
        """Wait for PostgreSQL to break a ring of workers that wait for each other."""
        end = time.monotonic() + _LONGEST
        while all(seat.stuck for seat in self.seats if seat.busy) and time.monotonic() < end:
            time.sleep(_LOOK)
            self.settle()

    def look(self) -> AbstractContextManager[Transaction]:
        """Look at the store."""
        return self._monitor.read()

    def wipe(self) -> None:
        """Empty every table."""
        with self._monitor.write() as transaction:
            for table in TABLES:
                transaction.execute(f'DELETE FROM "{table.name}"')  # noqa: S608 - a name of the schema

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """End all workers."""
        for seat in self.seats:
            seat.leave()
        self._monitor.close()


def backend(database: Database) -> int | None:
    """Return the number of the server's process for this connection; None where there is no server."""
    with database.read() as transaction:
        # Only PostgreSQL numbers a commit horizon.
        return None if transaction.commit_horizon() is None else int(transaction.query("SELECT pg_backend_pid()")[0][0])
