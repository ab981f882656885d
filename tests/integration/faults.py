"""A database that breaks at a chosen step: a statement, the commit, or just after it."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from threadline.store.database import Database, Transaction
from threadline.store.sqlite import SqliteDatabase


class Fault(Exception):  # noqa: N818 - it is none of threadline's errors
    """The step that was chosen has been reached."""


def steps(database: Database) -> Iterator[int]:
    """Yield the steps to break at: each one on SQLite, some on PostgreSQL, where each costs more and the code is the same."""
    return count(0, 1 if isinstance(database, SqliteDatabase) else 4)


class Breaking(Database):
    """Counts the steps of another database's transactions, and raises at number `at` (from 0)."""

    def __init__(self, inner: Database, at: int) -> None:
        self._inner = inner
        self._at = at
        self.steps = 0

    def step(self) -> None:
        """Go one step; break when it is the chosen one."""
        self.steps += 1
        if self.steps == self._at + 1:
            raise Fault

    @contextmanager
    def _block(self, opened: Any) -> Generator[Transaction]:
        with opened as transaction:
            yield _Counted(transaction, self.step)  # type: ignore[misc]
            self.step()
        # The commit went through, and nobody was told.
        self.step()

    def read(self) -> Any:
        return self._block(self._inner.read())

    def write(self, *, careful: bool = False) -> Any:
        return self._block(self._inner.write(careful=careful))

    def sole(self, name: str) -> Any:
        return self._inner.sole(name)

    def close(self) -> None:
        self._inner.close()


class _Counted:
    """A transaction whose every call is a step."""

    def __init__(self, inner: Transaction, step: Callable[[], None]) -> None:
        self._inner = inner
        self._step = step

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            self._step()
            return method(*arguments, **options)

        return call
