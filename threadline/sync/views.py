"""What is shown of the syncs: the shapes that the command line, the API and the pages share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What became of the records read: read = new + changed + unchanged + filtered + dead."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    filtered: int = 0
    dead: int = 0

    @property
    def missing(self) -> int:
        """Records read that are not accounted for; 0 when the ledger balances."""
        return self.read - (self.new + self.changed + self.unchanged + self.filtered + self.dead)


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
class Problem:
    """An entry of threadline.yaml that cannot be used; the others can."""

    entry: str
    """Such as "source helpdesk"."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Everything on the health page."""

    as_of: datetime
    streams: tuple[StreamHealth, ...]
    targets: tuple[TargetHealth, ...]
    problems: tuple[Problem, ...]
