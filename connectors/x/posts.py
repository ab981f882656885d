"""How many posts may still be read in X's month: its own count of them against the bound of the settings."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from threadline.sdk import RetryableError


@dataclass(frozen=True, slots=True)
class Usage:
    """What X has counted for the app's project since the last reset; `at` is X's clock, the reset on `reset_day` of a month."""

    posts: int
    reset_day: int
    at: datetime

    def until_reset(self) -> float:
        """Return the seconds until the count begins anew."""
        today = self.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        reset = _on(today, self.reset_day)
        if reset <= self.at:
            following = today.replace(year=today.year + today.month // 12, month=today.month % 12 + 1, day=1)
            reset = _on(following, self.reset_day)
        return (reset - self.at).total_seconds()


def _on(month: datetime, day: int) -> datetime:
    return month.replace(day=min(max(day, 1), calendar.monthrange(month.year, month.month)[1]))


class PostBudget:
    """Posts that may be read: asks X once how many were, and counts from there; without a bound it asks nothing."""

    def __init__(self, posts_per_month: int | None, usage: Callable[[], Usage]) -> None:
        self._bound = posts_per_month
        self._ask = usage
        self._usage: Usage | None = None
        self._read = 0

    def room(self, wanted: int, least: int) -> int:
        """Return how many posts to ask for, from `least` to `wanted`; RetryableError when that many may not be read any more."""
        if self._bound is None:
            return wanted
        self._usage = self._usage or self._ask()
        left = self._bound - self._usage.posts - self._read
        if left < least:
            raise RetryableError(
                f"X: of the {self._bound} posts a month that posts_per_month allows, {max(left, 0)} are left, and a call reads "
                f"{least} at least; what follows is read after the reset, or with a higher bound",
                retry_after=self._usage.until_reset(),
            )
        return min(wanted, left)

    def spend(self, posts: int) -> None:
        """Count posts that were read."""
        self._read += posts
