"""How the syncs are: read from the ledger of runs, the dead letters and the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from threadline.sdk.registry import connector_class
from threadline.store.database import Row, Transaction, moment
from threadline.sync.config import Config, Source, TargetEntry
from threadline.sync.offered import offered_objects
from threadline.sync.views import Ledger, Problem
from threadline.sync.window import COLUMNS, Window, read_window

_DAY = timedelta(hours=24)
_HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHealth:
    """One stream: how fresh it is, and what its runs of the last 24 hours did."""

    source: str
    stream: str
    connector: str
    schedule: str | None
    """As in threadline.yaml (cron, or None when it is only run by hand)."""
    interval: float | None
    """Seconds between two scheduled runs."""
    state: Literal["fresh", "late", "failed", "unbalanced", "never"]
    """`failed`: the last run ended with an error; `late`: no success for over twice the interval; `never`: not run yet."""
    last_success: datetime | None
    lag: float | None
    """Seconds since the last success."""
    error: str | None
    """What the last run failed of, in words; None after a success."""
    failed_at: datetime | None
    ledger: Ledger
    open_dead: int
    """Dead letters that wait for a person, of any age."""
    rate: tuple[float, ...]
    """Records per minute, hour by hour over the last 24 hours, oldest first."""
    paused: str | None = None
    """Why pulls of the stream stop before they begin, until the mapping changes or a person resumes it."""
    drifted: int = 0
    """Fields that came, went or changed their type, and were not accepted."""
    held_until: datetime | None = None
    """When the lease of the run under way ends, unless that renews it; None when none is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """One object of a push target: what is due, and what became of it, over the last 24 hours."""

    target: str
    object: str
    connector: str
    state: Literal["fresh", "waiting", "failed", "never"]
    last_push: datetime | None
    oldest_waiting: float | None
    """Seconds; None when nothing waits."""
    done: int
    waiting: int
    dead: int
    error: str | None
    repeat: Literal["key", "upsert", "marker", "never"]
    """What makes a repeated push harmless (`threadline.sdk.PushObject.repeat`)."""

    @property
    def due(self) -> int:
        """All pushes: done, waiting and dead."""
        return self.done + self.waiting + self.dead


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountHealth:
    """What a vendor allows an account, and what is left of it in the window under way."""

    account: str
    allowance: str
    calls: int
    """In each window."""
    kept: int
    """Of those, what is left to others."""
    used: int
    left: int
    """What may be taken yet."""
    renewed: datetime | None
    """When the window ends, and all is there again; None where each call comes back by itself."""
    exhausted: datetime | None
    """When the last is taken if it goes on as in this window; None where it lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingHealth:
    """When matching learned last, and what came of it."""

    schedule: str | None
    state: Literal["fresh", "late", "never"]
    learned: datetime | None
    lag: float | None
    """Seconds since then."""
    joined: int
    """Pairs that it joins."""
    review: int
    """Pairs that wait for a person, also those that rules ask about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything on the health page."""

    as_of: datetime
    streams: tuple[StreamHealth, ...]
    targets: tuple[TargetHealth, ...]
    problems: tuple[Problem, ...]
    accounts: tuple[AccountHealth, ...] = ()
    matching: MatchingHealth | None = None
    """None where nobody is matched, and nothing waits for a person."""


def health(transaction: Transaction, config: Config) -> Health:
    """Return the state of every stream and target of threadline.yaml."""
    now = transaction.now()
    runs = _runs(transaction, now - _DAY)
    open_dead = {(source, stream): count for source, stream, count in transaction.query(_OPEN_DEAD)}
    conditions = _conditions(transaction, now)
    streams = [
        replace(
            _stream(transaction, source, name, runs.get((source.name, name), []), open_dead.get((source.name, name), 0), now),
            **conditions.get((source.name, name), {}),
        )
        for source in config.sources.values()
        for name in source.streams
    ]
    targets = [_target(transaction, config, target, name, now) for target in config.targets.values() for name in target.objects]
    return Health(
        as_of=now, streams=tuple(streams), targets=tuple(targets), problems=config.problems, accounts=_accounts(transaction, now),
        matching=_matching(transaction, config, now),
    )  # fmt: skip


def _matching(transaction: Transaction, config: Config, now: datetime) -> MatchingHealth | None:
    schedule = config.matching.schedule if config.matching else None
    learned = moment(transaction.query("SELECT max(trained_at) FROM match_models")[0][0])
    counts: dict[str, int] = dict(transaction.query("SELECT state, count(*) FROM matches GROUP BY state"))
    review = counts.get("review", 0)
    if not (schedule or learned or review):
        return None
    lag = (now - learned).total_seconds() if learned else None
    state = _state(failed=False, missing=0, lag=lag, interval=seconds_between(schedule, now))
    return MatchingHealth(schedule=schedule, state=state, learned=learned, lag=lag, joined=counts.get("accepted", 0), review=review)


def _accounts(transaction: Transaction, now: datetime) -> tuple[AccountHealth, ...]:
    rows = transaction.query(f"SELECT account, name, {COLUMNS} FROM budgets ORDER BY account, name")  # noqa: S608
    return tuple(_account(account, name, read_window(columns).at(now), now) for account, name, *columns in rows)


def _account(account: str, name: str, window: Window, now: datetime) -> AccountHealth:
    return AccountHealth(
        account=account, allowance=name, calls=window.calls, kept=window.kept, used=window.used, left=window.free,
        renewed=None if window.kind == "sliding" else window.until, exhausted=window.exhausted(now),
    )  # fmt: skip


def _conditions(transaction: Transaction, now: datetime) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what the engine notes of each stream besides its runs."""
    drifted = {(source, stream): count for source, stream, count in transaction.query(_DRIFTED)}
    return {
        (source, stream): {
            "paused": paused,
            "drifted": drifted.get((source, stream), 0),
            "held_until": until if (until := moment(lease_until)) and until > now else None,
        }
        for source, stream, paused, lease_until in transaction.query("SELECT source, stream, paused, lease_until FROM streams")
    }


_DRIFTED = "SELECT source, stream, count(DISTINCT field) FROM stream_fields WHERE state <> 'known' GROUP BY source, stream"
_OPEN_DEAD = "SELECT source, stream, count(*) FROM dead_letters WHERE state = 'open' GROUP BY source, stream"
_RUN = 'id, state, started, ended, "read", "new", changed, unchanged, filtered, dead, error'


def _runs(transaction: Transaction, since: datetime) -> dict[tuple[str, str], list[Row]]:
    rows = transaction.query(f"SELECT source, stream, {_RUN} FROM runs WHERE kind = 'pull' AND started >= ? ORDER BY started", [since])  # noqa: S608
    found: dict[tuple[str, str], list[Row]] = {}
    for source, stream, *run in rows:
        found.setdefault((source, stream), []).append(tuple(run))
    return found


def _last(transaction: Transaction, kind: str, source: str, stream: str | None, *states: str) -> Row | None:
    where = " AND stream = ?" if stream else ""
    marks = ", ".join("?" for _ in states)
    rows = transaction.query(
        f"SELECT {_RUN} FROM runs WHERE kind = ? AND source = ?{where} AND state IN ({marks}) ORDER BY started DESC LIMIT 1",  # noqa: S608
        [kind, source, *([stream] if stream else []), *states],
    )
    return rows[0] if rows else None


def _stream(transaction: Transaction, source: Source, name: str, runs: list[Row], open_dead: int, now: datetime) -> StreamHealth:
    success = _last(transaction, "pull", source.name, name, "done")
    latest = _last(transaction, "pull", source.name, name, "done", "failed", "lost")
    last_success = moment(success[3]) if success else None
    failed = latest is not None and latest[1] != "done"
    ledger = Ledger(**{name: sum(run[column] for run in runs) for column, name in enumerate(Ledger.__dataclass_fields__, start=4)})
    # Between a batch and the note of it nothing is open: a run under way balances too.
    missing = ledger.missing
    interval = seconds_between(source.schedule, now)
    lag = (now - last_success).total_seconds() if last_success else None
    return StreamHealth(
        source=source.name, stream=name, connector=source.connector, schedule=source.schedule, interval=interval,
        state=_state(failed=failed, missing=missing, lag=lag, interval=interval), last_success=last_success, lag=lag,
        error=latest[10] if failed and latest else None, failed_at=moment(latest[3]) if failed and latest else None,
        ledger=ledger, open_dead=open_dead, rate=_rate(runs, now),
    )  # fmt: skip


def _state(*, failed: bool, missing: int, lag: float | None, interval: float | None) -> Any:
    if failed:
        return "failed"
    if missing:
        return "unbalanced"
    if lag is None:
        return "never"
    return "late" if interval and lag > 2 * interval else "fresh"


def _rate(runs: list[Row], now: datetime) -> tuple[float, ...]:
    """Return records per minute for each of the last 24 hours, oldest first."""
    hours = [0.0] * _HOURS
    for run in runs:
        started = moment(run[2])
        if started:
            age = int((now - started).total_seconds() // 3600)
            hours[_HOURS - 1 - min(max(age, 0), _HOURS - 1)] += run[4] / 60
    return tuple(hours)


def seconds_between(schedule: str | None, now: datetime) -> float | None:
    """Return the time between two runs of a cron schedule; None where there is none, or it cannot be told."""
    if schedule is None:
        return None
    from croniter import croniter

    try:
        times = croniter(schedule, now)
        coming: list[float] = [times.get_next(float) for _ in range(3)]
    except ValueError:
        return None
    return max(later - earlier for earlier, later in pairwise(coming))


_OUTBOX = "SELECT state, count(*), min(created_at), max(changed_at) FROM outbox WHERE target = ? AND object = ? AND {when} GROUP BY state"


def _target(transaction: Transaction, config: Config, target: TargetEntry, name: str, now: datetime) -> TargetHealth:
    source = config.sources[target.system]
    item = next(item for item in offered_objects(connector_class(source.connector), source.settings) if item.name == name)
    recent = _states(transaction.query(_OUTBOX.format(when="changed_at >= ?"), [target.name, name, now - _DAY]))
    ever = _states(transaction.query(_OUTBOX.format(when="1 = 1"), [target.name, name]))
    waiting = [ever[state] for state in ("pending", "inflight", "unknown") if state in ever]
    oldest = min((moment(row[2]) or now for row in waiting), default=None)
    latest = _last(transaction, "push", target.name, None, "done", "failed", "lost")
    failed = latest is not None and latest[1] != "done"
    dead = ever["dead"][1] if "dead" in ever else 0
    state = "failed" if failed else "waiting" if waiting else "fresh" if latest else "never"
    return TargetHealth(
        target=target.name, object=name, connector=source.connector, state=state,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        last_push=moment(ever["done"][3]) if "done" in ever else None,
        oldest_waiting=(now - oldest).total_seconds() if oldest else None, done=recent["done"][1] if "done" in recent else 0,
        waiting=sum(row[1] for row in waiting), dead=dead, error=latest[10] if failed and latest else None, repeat=item.repeat,
    )  # fmt: skip


def _states(rows: list[Row]) -> Mapping[str, Row]:
    return {row[0]: row for row in rows}
