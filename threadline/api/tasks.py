"""What needs a person: each task says what, since when, why, and the command that comes next."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from threadline.api.words import clock, count, duration, listed, number
from threadline.sync.health import Health, MatchingHealth, StreamHealth, TargetHealth
from threadline.sync.views import Problem

Item = TypeVar("Item", StreamHealth, TargetHealth)


@dataclass(frozen=True, slots=True)
class Task:
    """One entry of the list. `said` are the words of what refused; `safe` tells what is not lost."""

    icon: Literal["stop", "cut", "warn"]
    tone: Literal["bad", "warn"]
    title: str
    safe: str
    command: str | None = None
    said: str | None = None


def tasks(health: Health) -> tuple[Task, ...]:
    """Return the tasks, the most urgent kind first; what has one cause is one task."""
    return (
        *(_unusable(problem) for problem in health.problems),
        *(_stopped(streams) for streams in _by_cause(health.streams, lambda stream: stream.source)),
        *(_refused(targets) for targets in _by_cause(health.targets, lambda target: target.target)),
        *_dead_letters(health),
        *(_unbalanced(stream) for stream in health.streams if stream.state == "unbalanced"),
        *_late([stream for stream in health.streams if stream.state == "late"]),
        *_matching_late(health.matching),
    )


def name_of(item: StreamHealth | TargetHealth) -> str:
    """Return the name that commands take: source.stream or target.object."""
    return f"{item.source}.{item.stream}" if isinstance(item, StreamHealth) else f"{item.target}.{item.object}"


def _by_cause(items: Iterable[Item], system: Callable[[Item], str]) -> Iterator[list[Item]]:
    """Group what failed of the same error in the same system: one token refused stops every stream of it."""
    causes: dict[tuple[str, str | None], list[Item]] = {}
    for item in items:
        if item.state == "failed":
            causes.setdefault((system(item), item.error), []).append(item)
    yield from causes.values()


def _unusable(problem: Problem) -> Task:
    return Task(
        "stop",
        "bad",
        f"threadline.yaml: {problem.entry} cannot be used. Correct the entry, then check it.",
        "The other entries run on.",
        "threadline check",
        said=problem.message,
    )


def _stopped(streams: list[StreamHealth]) -> Task:
    lags = [stream.lag for stream in streams if stream.lag is not None]
    tried = max((stream.failed_at for stream in streams if stream.failed_at), default=None)
    return Task(
        "stop",
        "bad",
        f"{_names(streams)} stopped: {f'last good sync {duration(max(lags))} ago' if lags else 'no good sync yet'}. "
        "Correct the cause, then pull again.",
        f"{f'Last tried at {clock(tried)} UTC. ' if tried else ''}The cursor is held: the next run reads on where the last good one ended.",
        f"threadline pull {streams[0].source} --stream {streams[0].stream}",
        said=streams[0].error,
    )


def _refused(targets: list[TargetHealth]) -> Task:
    longest = max(target.oldest_waiting or 0 for target in targets)
    waiting = sum(target.waiting for target in targets)
    return Task(
        "stop",
        "bad",
        f"{_names(targets)} {'takes' if len(targets) == 1 else 'take'} no pushes"
        f"{f': the oldest waits for {duration(longest)}' if longest else ''}. Correct the cause, then push again.",
        f"{count(waiting, 'push', 'pushes')} kept, in order.",
        f"threadline push {targets[0].target}",
        said=targets[0].error,
    )


def _dead_letters(health: Health) -> Iterator[Task]:
    records = {name_of(stream): stream.open_dead for stream in health.streams if stream.open_dead}
    if records:
        yield Task(
            "cut",
            "bad",
            f"{count(sum(records.values()), 'record')} of {_where(records, 'streams')} could not be used. "
            "See why, correct the mapping, then replay.",
            f"{_shares(records)}Each is kept as it was read, and blocks no other.",
            "threadline dead list",
        )
    pushes = {name_of(target): target.dead for target in health.targets if target.dead}
    if pushes:
        yield Task(
            "cut",
            "bad",
            f"{count(sum(pushes.values()), 'push', 'pushes')} to {_where(pushes, 'targets')} will not be tried again. "
            "See why, correct it, then replay.",
            f"{_shares(pushes)}Each is kept with the answer that it got.",
            "threadline dead list",
        )


def _unbalanced(stream: StreamHealth) -> Task:
    gap, read = stream.ledger.missing, number(stream.ledger.read)
    what = (
        f"{number(gap)} of {read} records read are not accounted for"
        if gap > 0
        else f"{number(-gap)} more are accounted for than the {read} read"
    )
    return Task(
        "warn",
        "warn",
        f"{name_of(stream)} does not balance: {what}. Report it, with the log of its last runs.",
        "This is a fault of threadline. What was stored stays; only these records are in doubt.",
    )


def _late(streams: list[StreamHealth]) -> Iterator[Task]:
    if streams:
        longest = max(stream.lag or 0 for stream in streams)
        yield Task(
            "warn",
            "warn",
            f"{_names(streams)} {'is' if len(streams) == 1 else 'are'} late: no good sync for {duration(longest)}. "
            "See that the scheduler runs, or pull by hand.",
            "Nothing failed: the runs that were due did not end, or did not start.",
            f"threadline pull {streams[0].source} --stream {streams[0].stream}",
        )


def _matching_late(matching: MatchingHealth | None) -> Iterator[Task]:
    if matching and matching.state == "late":
        yield Task(
            "warn",
            "warn",
            f"Matching is late: it learned {duration(matching.lag or 0)} ago. See how threadline_match ended, or match by hand.",
            "Whom it joined stays joined, and who is new is matched by what it learned then.",
            "threadline identity match",
        )


_NAMED = 3


def _names(items: list[Item]) -> str:
    names = [name_of(item) for item in items]
    return listed(names) if len(names) <= _NAMED else f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def _where(shares: dict[str, int], kind: str) -> str:
    return next(iter(shares)) if len(shares) == 1 else f"{len(shares)} {kind}"


def _shares(shares: dict[str, int]) -> str:
    return f"{', '.join(f'{name} {number(amount)}' for name, amount in shares.items())}. " if len(shares) > 1 else ""
