"""A database that breaks at a chosen step: a statement, the commit, or just after it."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Literal, cast

from threadline.sdk.errors import RetryableError
from threadline.store.database import Database, Transaction

Fault = Literal["crash", "connection lost", "serialization failure", "unknown outcome", "disk full"]
FAULTS: tuple[Fault, ...] = ("crash", "connection lost", "serialization failure", "unknown outcome", "disk full")
_WORDS = {
    "connection lost": "the connection to the database failed",
    "serialization failure": "the database asked to repeat the transaction",
    "unknown outcome": "the connection to the database failed while it committed",
    "disk full": "the disk that holds the database is full: make room; nothing was written",
}
_WRITES = ("execute", "append", "insert", "upsert", "commit ")


class Crash(BaseException):
    """The process is gone: nothing catches this but what started it."""


class Observed(Database):
    """Another database whose every step is announced first; what `step` raises happens instead of the step.

    Steps are "begin read", "begin write", the calls of a transaction ("query SELECT ...", "insert records", ...),
    "commit read" or "commit write", and "committed" once a write went through and nobody was told yet.
    """

    def __init__(self, inner: Database, step: Callable[[str], None]) -> None:
        self.inner = inner
        self.step = step

    def read(self) -> AbstractContextManager[Transaction]:
        """See `Database`."""
        return self._block("read")

    def write(self) -> AbstractContextManager[Transaction]:
        """See `Database`."""
        return self._block("write")

    @contextmanager
    def _block(self, kind: Literal["read", "write"]) -> Generator[Transaction]:
        self.step(f"begin {kind}")
        with self.opened(kind) as transaction:
            # Not a Transaction by inheritance: what a later engine adds to the interface is announced as well.
            yield cast("Transaction", _Announced(transaction, self.call))
            self.step(f"commit {kind}")
        if kind == "write":
            self.step("committed")

    def opened(self, kind: Literal["read", "write"]) -> AbstractContextManager[Transaction]:
        """Open the transaction itself."""
        return self.inner.read() if kind == "read" else self.inner.write()

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Make one call of a transaction."""
        self.step(described(method.__name__, arguments))
        return self.perform(method, *arguments)

    def perform(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Do what was announced."""
        return method(*arguments)

    def sole(self, name: str) -> AbstractContextManager[None]:
        """See `Database`."""
        self.step(f"sole {name}")
        return self.inner.sole(name)

    def close(self) -> None:
        """See `Database`."""
        self.inner.close()


class _Announced:
    def __init__(self, inner: Transaction, call: Callable[..., Any]) -> None:
        self._inner = inner
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, getattr(self._inner, name))


def described(name: str, arguments: tuple[Any, ...]) -> str:
    """Name a call by its statement or table; parameters, which may be personal, are left out."""
    about = arguments[0] if arguments else ""
    return f"{name} {about if isinstance(about, str) else getattr(about, 'name', '')}".strip()


class Breakage:
    """One fault, struck at the first step from number `at` on (from 0) where it can happen.

    After a crash or a lost connection every further step fails in the same way.
    """

    def __init__(self, fault: Fault, at: int) -> None:
        self.fault = fault
        self.at = at
        self.steps = 0
        self.struck = False

    def __call__(self, step: str) -> None:
        """Announce a step; raise when it is the chosen one."""
        self.steps += 1
        lasting = self.struck and self.fault in ("crash", "connection lost")
        if lasting or (not self.struck and self.steps > self.at and self._fits(step)):
            self.struck = True
            raise Crash if self.fault == "crash" else RetryableError(_WORDS[self.fault])

    def _fits(self, step: str) -> bool:
        if self.fault == "unknown outcome":
            return step == "committed"
        # A transaction that went through can be neither refused nor cut off any more.
        if self.fault in ("serialization failure", "disk full"):
            return step.startswith(_WRITES) and step != "commit read"
        return True


class Breaking(Observed):
    """A database that breaks once."""

    def __init__(self, inner: Database, at: int, fault: Fault = "crash") -> None:
        self.breakage = Breakage(fault, at)
        super().__init__(inner, self.breakage)

    @property
    def steps(self) -> int:
        """How many steps were announced."""
        return self.breakage.steps
