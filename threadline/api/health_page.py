"""What the health page says of each stream and target."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from threadline.api.account_rows import AccountRow, account_row
from threadline.api.charts import Equation, Part, Spark, spark
from threadline.api.tasks import Task, name_of, tasks
from threadline.api.words import count, day, duration, listed, spelled
from threadline.sync.health import Health, MatchingHealth, StreamHealth, TargetHealth

REFRESH = 30
"""Seconds after which the page loads itself again."""

# Icon, tone, word; the first needs eyes most.
_STATES = {
    "failed": ("stop", "bad", "Stopped"),
    "unbalanced": ("warn", "warn", "Does not balance"),
    "late": ("warn", "warn", "Late"),
    "waiting": ("retry", "warn", "Waiting"),
    "never": ("pause", "idle", "Not run yet"),
    "fresh": ("ok", "good", "Fresh"),
}
_ORDER = list(_STATES)
_CALM = ("fresh", "never")
_ONCE_BY = {"key": "Idempotency key", "upsert": "Upsert on external id", "marker": "Search, then write", "never": "Not repeatable"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of either table."""

    name: str
    about: str
    icon: str
    tone: str
    word: str
    calm: bool
    ago: float | None
    """Seconds since the last success; None when there was none."""
    share: float | None
    """Of twice the schedule, in percent: the bar beside `ago`. None without a schedule."""
    ledger: Equation


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow(Row):
    """A stream in."""

    rate: Spark | None
    open_dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow(Row):
    """An object of a target."""

    oldest_waiting: float | None
    once_by: str


@dataclass(frozen=True, slots=True)
class HealthPage:
    """Everything that the template writes."""

    as_of: str
    lede: str
    tasks: tuple[Task, ...]
    waiting: str | None
    streams: tuple[StreamRow, ...]
    targets: tuple[TargetRow, ...]
    accounts: tuple[AccountRow, ...]
    matching: MatchingHealth | None
    refresh: int = REFRESH


def health_page(health: Health) -> HealthPage:
    """Put the state of all syncs into words, what needs eyes first."""
    todo = tasks(health)
    as_of = health.as_of.astimezone(UTC)
    return HealthPage(
        as_of=f"{as_of:%H:%M:%S} UTC, {as_of:%a} {day(as_of)}",
        lede=" ".join(_lede(health, len(todo))),
        tasks=todo,
        waiting=_waiting(health.targets),
        streams=tuple(_stream(item) for item in sorted(health.streams, key=_urgency)),
        targets=tuple(_target(item, health.as_of) for item in sorted(health.targets, key=_urgency)),
        accounts=tuple(sorted((account_row(item, health.as_of) for item in health.accounts), key=lambda row: (row.calm, -row.share))),
        matching=health.matching,
    )


def _urgency(item: StreamHealth | TargetHealth) -> tuple[int, str]:
    return _ORDER.index(item.state), name_of(item)


def _lede(health: Health, todo: int) -> Iterator[str]:
    states: list[str] = [*(stream.state for stream in health.streams), *(target.state for target in health.targets)]
    if todo:
        yield f"{spelled(todo)} things need a person." if todo > 1 else "One thing needs a person."
    if states:
        fresh, never = states.count("fresh"), states.count("never")
        not_run = f", {never} {'has' if never == 1 else 'have'} not run yet" if never else ""
        yield f"{fresh} of {len(states)} streams and targets {'is' if fresh == 1 else 'are'} fresh{not_run}."
    if any(stream.ledger.read for stream in health.streams) and not any(stream.ledger.missing for stream in health.streams):
        yield "Every record read is accounted for."


def _waiting(targets: Sequence[TargetHealth]) -> str | None:
    each = [
        f"{count(target.waiting, 'push', 'pushes')} to {name_of(target)}"
        f"{f' (the oldest {duration(target.oldest_waiting)} ago)' if target.oldest_waiting else ''}"
        for target in targets
        if target.state == "waiting"
    ]
    return f"Nothing to do yet: {listed(each)} wait for the next try, in order." if each else None


def _stream(item: StreamHealth) -> StreamRow:
    icon, tone, word = _STATES[item.state]
    ledger = item.ledger
    return StreamRow(
        name=name_of(item),
        about=f"{_rhythm(item)} · {item.connector}",
        icon=icon,
        tone=tone,
        word=word,
        calm=item.state in _CALM,
        ago=item.lag,
        share=min(100.0, round(50 * item.lag / item.interval, 1)) if item.interval and item.lag is not None else None,
        ledger=Equation(
            "Read",
            ledger.read,
            (
                Part("New", "l-new", ledger.new),
                Part("Changed", "l-changed", ledger.changed),
                Part("Same", "l-same", ledger.unchanged),
                Part("Filtered", "l-filtered", ledger.filtered),
                Part("Dead", "l-dead", ledger.dead),
            ),
        ),
        rate=spark(item.rate),
        open_dead=item.open_dead,
    )


def _rhythm(item: StreamHealth) -> str:
    if item.interval:
        return f"every {duration(item.interval)}"
    return item.schedule or "by hand"


def _target(item: TargetHealth, as_of: datetime) -> TargetRow:
    icon, tone, word = _STATES[item.state]
    return TargetRow(
        name=name_of(item),
        about=item.connector,
        icon=icon,
        tone=tone,
        word=word,
        calm=item.state in _CALM,
        ago=(as_of - item.last_push).total_seconds() if item.last_push else None,
        share=None,
        ledger=Equation(
            "Due", item.due, (Part("Done", "l-new", item.done), Part("Waiting", "l-wait", item.waiting), Part("Dead", "l-dead", item.dead))
        ),
        oldest_waiting=item.oldest_waiting,
        once_by=_ONCE_BY[item.repeat],
    )
