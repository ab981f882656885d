"""How many posts may still be read in X's month: its own count of them against the bound of the settings."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.x.limits import POSTS
from threadline.sdk.budget import Budget, Left


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


class Posts:
    """Posts that may be read: X is asked once how many were; without a bound it is asked nothing."""

    def __init__(self, bound: int | None, budget: Budget, usage: Callable[[], Usage]) -> None:
        self._bound = bound
        self._budget = budget
        self._ask = usage
        self._asked = False

    def take(self, wanted: int, least: int) -> int:
        """Return how many posts to ask for, from `least` to `wanted`; RetryableError when that many may not be read any more."""
        if self._bound is None:
            return wanted
        if not self._asked:
            usage = self._ask()
            self._budget.tell(POSTS, Left(max(0, self._bound - usage.posts), usage.until_reset()))
            self._asked = True
        return self._budget.take(POSTS, wanted, least)

    def give_back(self, posts: int) -> None:
        """Return those that X did not show."""
        self._budget.give_back(POSTS, posts)
