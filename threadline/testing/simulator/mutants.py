"""Planted faults of the engine and of cursors: the oracle is worth what it notices of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from threadline.store.schema import Table
from threadline.testing.simulator import scans
from threadline.testing.simulator.scans import Scan

Method = Callable[..., Any]


@dataclass(slots=True)
class Sabotage:
    """A mutant at work in one schedule; `applied` counts how often it did something."""

    remembered: dict[Any, Any] = field(default_factory=dict[Any, Any])
    applied: int = 0


Alter = Callable[[Sabotage, Method, tuple[Any, ...]], Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted fault: another way to read the source, or a change to the engine's statements."""

    name: str
    scan: Scan = scans.window
    alter: Alter | None = None
    torn: bool = False
    """Every statement commits by itself."""


SOUND = Mutant("none")


def _sql(method: Method, arguments: tuple[Any, ...]) -> str:
    return f"{method.__name__} {arguments[0]}" if arguments and isinstance(arguments[0], str) else method.__name__


def _table(method: Method, arguments: tuple[Any, ...]) -> str | None:
    writes = method.__name__ in ("append", "insert", "upsert")
    return arguments[0].name if writes and arguments and isinstance(arguments[0], Table) else None


def _unfenced(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Take a fence that let nobody through for one that did."""
    result = method(*arguments)
    if result == 0 and _sql(method, arguments).startswith("execute UPDATE streams SET cursor"):
        sabotage.applied += 1
        return 1
    return result


def _unclaimed(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Send without having noted that."""
    if "SET state = 'inflight'" in _sql(method, arguments):
        sabotage.applied += 1
        return None
    return method(*arguments)


def _first_digest(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Compare with the first version of a record instead of the newest."""
    result = method(*arguments)
    if method.__name__ != "unlike":
        return result
    sabotage.applied += 1
    first = {identity: sabotage.remembered.setdefault(identity, digest) for identity, digest in arguments[0].items()}
    return [row for row in result if row[1] is None or first[row[0]] != arguments[0][row[0]]]


def _first_meaning(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Compare what a record means with what its first version meant."""
    result = method(*arguments)
    if method.__name__ != "unlike":
        return result
    sabotage.applied += 1
    return [row if row[1] is None else (*row[:2], sabotage.remembered.setdefault(row[0], row[2]), *row[3:]) for row in result]


def _no_letters(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Drop what cannot be used."""
    if _table(method, arguments) == "dead_letters":
        sabotage.applied += 1
        return None
    return method(*arguments)


def _left_open(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Leave a dead letter open when its record is good again."""
    if "UPDATE dead_letters SET state = 'resolved'" in _sql(method, arguments):
        sabotage.applied += 1
        return None
    return method(*arguments)


def _hopeful(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Take an answer that never came for a good one."""
    if _sql(method, arguments).startswith("execute UPDATE outbox SET state = ?") and arguments[1][0] == "unknown":
        sabotage.applied += 1
        return method(arguments[0], ["done", *arguments[1][1:]])
    return method(*arguments)


def _unlogged(sabotage: Sabotage, method: Method, arguments: tuple[Any, ...]) -> Any:
    """Change entities that were there before without a word in the change log."""
    if _table(method, arguments) == "changes":
        sabotage.applied += 1
        rows = [row for row in arguments[1] if row[3] != "changed"]
        return method(arguments[0], rows)
    return method(*arguments)


MUTANTS: tuple[Mutant, ...] = (
    Mutant("cursor: later than the newest seen", scans.newest),
    Mutant("cursor: from the newest seen, no overlap", scans.at_least),
    Mutant("cursor: offset paging", scans.offset),
    Mutant("cursor: overlap without an upper bound", scans.unbounded),
    Mutant("cursor: overlap smaller than the commit lag", scans.narrow),
    Mutant("cursor: saved before its data", scans.ahead),
    Mutant("pull: every statement commits by itself", torn=True),
    Mutant("pull: no fence", alter=_unfenced),
    Mutant("pull: digest compared with the first version", alter=_first_digest),
    Mutant("pull: meaning compared with the first version", alter=_first_meaning),
    Mutant("pull: dead letters dropped", alter=_no_letters),
    Mutant("pull: dead letters never resolved", alter=_left_open),
    Mutant("pull: changes not logged", alter=_unlogged),
    Mutant("push: sent before inflight was committed", alter=_unclaimed),
    Mutant("push: no answer taken for a good one", alter=_hopeful),
)
