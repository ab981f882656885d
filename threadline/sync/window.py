"""How much of an allowance is used in the window under way, and until when it lasts."""

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import exp
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from threadline.sdk.budget import Allowance, Left, WindowKind
from threadline.store.database import moment

SHARES = 50
"""A process takes this part of an allowance at once, so that not every call costs a transaction."""
_RECENT = 12
"""The pace of a sliding window is that of its last twelfth, more or less."""
_JITTER = 10
"""A reset that moves by this part of a window is that of the next one: vendors round. What is used in less is a burst, not a pace."""


class Window(Struct, frozen=True):
    """A row of the store. A sliding window has no end: `since` is when `used` was true, and what is used since then wears off evenly."""

    kind: WindowKind
    calls: int
    kept: int
    used: int
    since: datetime
    until: datetime
    pace: float = 0.0
    """Of a sliding window: calls in a second, lately."""

    @property
    def span(self) -> timedelta:
        """How long it is."""
        return self.until - self.since

    @property
    def free(self) -> int:
        """What may be taken yet."""
        return max(0, self.calls - self.kept - self.used)

    def at(self, now: datetime) -> "Window":
        """Return the window that is under way at a moment, not before `since`."""
        if self.kind == "sliding":
            return self._worn(now)
        window = self
        while window.until <= now:
            since = window.until if window.kind == "month" else now
            window = replace(window, used=0, since=since, until=_month_later(since) if window.kind == "month" else now + self.span)
        return window

    def _worn(self, now: datetime) -> "Window":
        age = max(now - self.since, timedelta())
        gone = min(int(self.used * (age / self.span)), self.used)
        # What is less than a call wears off with what comes later.
        moved = age if gone == self.used else self.span * (gone / self.used)
        pace = self.pace * exp(-_RECENT * (moved / self.span))
        return replace(self, used=self.used - gone, since=self.since + moved, until=self.until + moved, pace=pace)

    def taken(self, units: int) -> "Window":
        """Count what is taken, or given back."""
        pace = self.pace + units * _RECENT / self.span.total_seconds() if self.kind == "sliding" else 0.0
        return replace(self, used=max(0, self.used + units), pace=max(0.0, pace))

    def told(self, left: Left, now: datetime, *, unmade: int = 0) -> "Window":
        """Believe the vendor, who knows of others too; `unmade` calls are counted already and not made."""
        used = max(0, self.calls - left.calls) + unmade
        if self.kind == "sliding":
            return replace(self, used=used, since=now, until=now + self.span)
        if left.seconds is None:
            return replace(self, used=max(self.used, used))
        until = now + timedelta(seconds=left.seconds)
        is_next = until - self.until > self.span / _JITTER
        since = _month_earlier(until) if self.kind == "month" else until - self.span
        return replace(self, used=used if is_next else max(self.used, used), since=since, until=until)

    def renewed(self, units: int, now: datetime) -> datetime:
        """Return when so many may be taken again; of a sliding window it is worth a try when a share is free."""
        if self.kind != "sliding":
            return self.until
        missing = max(units, self.calls // SHARES) - self.free
        return now + self.span * min(missing / max(self.used, 1), 1.0)

    def exhausted(self, now: datetime) -> datetime | None:
        """Return when all is taken if it goes on like this; None where it lasts."""
        if not self.free:
            return now
        seconds = max(now - self.since, self.span / _JITTER).total_seconds()
        growth = self.pace - self.used / self.span.total_seconds() if self.kind == "sliding" else self.used / seconds
        lasts = self.span if self.kind == "sliding" else self.until - now
        return now + timedelta(seconds=self.free / growth) if growth > 0 and self.free < growth * lasts.total_seconds() else None


COLUMNS = "kind, calls, kept, used, since, until, pace"


def read_window(row: Sequence[Any]) -> Window:
    """Make a window of the `COLUMNS` of a row."""
    kind, calls, kept, used, since, until, pace = row
    return Window(kind, calls, kept, used, cast("datetime", moment(since)), cast("datetime", moment(until)), pace)


def begun(allowance: Allowance, calls: int, now: datetime) -> Window:
    """Return a window that begins now, or with the month."""
    since, until = now, now + timedelta(seconds=allowance.seconds)
    if allowance.kind == "month":
        since = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        until = _month_later(since)
    return Window(allowance.kind, calls, allowance.kept, 0, since, until)


def _month_later(moment: datetime) -> datetime:
    return _in_month(moment, moment.year + moment.month // 12, moment.month % 12 + 1)


def _month_earlier(moment: datetime) -> datetime:
    return _in_month(moment, moment.year - (moment.month == 1), (moment.month - 2) % 12 + 1)


def _in_month(moment: datetime, year: int, month: int) -> datetime:
    return moment.replace(year=year, month=month, day=min(moment.day, calendar.monthrange(year, month)[1]))
