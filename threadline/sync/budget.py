"""An account's calls, counted in the store: all tasks and processes that use the account share them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from threadline.sdk.budget import Allowance, Budget, Left
from threadline.sdk.errors import RetryableError
from threadline.sdk.http import LONGEST_WAIT
from threadline.store import schema
from threadline.store.database import Transaction, moment, open_database

_SHARES = 50
"""A process takes this part of an allowance at once, so that not every call costs a transaction."""


class _Stock:
    """The calls that this process has taken and not made yet; they are lost when their window ends."""

    def __init__(self) -> None:
        self.calls = 0
        self.until = 0.0
        """By this process's monotonic clock."""
        self.heard: Left | None = None

    def take(self) -> bool:
        if self.calls and time.monotonic() < self.until:
            self.calls -= 1
            if self.heard:
                self.heard = self.heard._replace(calls=self.heard.calls - 1)
            return True
        return False


class SharedBudget(Budget):
    """Counts in the store at `url`; used by one thread at a time."""

    def __init__(self, url: str, account: str, allowances: Sequence[Allowance]) -> None:
        self.account = account
        self._url = url
        self._allowances = allowances
        self._stocks = {one.name: _Stock() for one in allowances}

    def spend(self, path: str) -> None:
        """See `Budget`."""
        for allowance in self._allowances:
            if allowance.counts(path):
                stock = self._stocks[allowance.name]
                while not stock.take():
                    self._refill(allowance, stock)

    def heard(self, path: str, headers: Mapping[str, str]) -> None:
        """See `Budget`: others may use the account too, and the vendor knows of them."""
        for allowance in self._allowances:
            if allowance.counts(path) and (left := allowance.told(headers)):
                stock = self._stocks[allowance.name]
                stock.heard, stock.calls = left, min(stock.calls, left.calls)

    def close(self) -> None:
        """Give back what was taken and not used."""
        left = {name: stock.calls for name, stock in self._stocks.items() if stock.calls and time.monotonic() < stock.until}
        if not left:
            return
        with open_database(self._url, create=True) as database, database.write() as transaction:
            for name, calls in left.items():
                transaction.execute("UPDATE budgets SET used = used - ? WHERE account = ? AND name = ?", [calls, self.account, name])
                self._stocks[name].calls = 0

    def _refill(self, allowance: Allowance, stock: _Stock) -> None:
        """Take some calls out of the store; where there are none, wait until they are renewed."""
        with open_database(self._url, create=True) as database, database.write() as transaction:
            transaction.lock(f"budget {self.account} {allowance.name}")
            now = transaction.now()
            used, since = self._window(transaction, allowance, stock.heard, now)
            granted = min(max(1, allowance.calls // _SHARES), allowance.calls - used)
            row = (self.account, allowance.name, allowance.calls, int(allowance.seconds), used + max(granted, 0), since)
            transaction.upsert(schema.BUDGETS, [row])
        stock.heard = None
        left = (since + timedelta(seconds=allowance.seconds) - now).total_seconds()
        if granted > 0:
            stock.calls, stock.until = granted, time.monotonic() + left
        elif left > LONGEST_WAIT:
            raise RetryableError(
                f"{self.account} has used up its {allowance.calls:,} {allowance.name} in {span(allowance.seconds)}; "
                f"they are renewed in {span(left)}, and the next run after that goes on",
                retry_after=left,
            )
        else:
            time.sleep(max(left, 0.01))

    def _window(self, transaction: Transaction, allowance: Allowance, heard: Left | None, now: datetime) -> tuple[int, datetime]:
        """Return how much of the window under way is used, and when it began."""
        rows = transaction.query("SELECT used, since FROM budgets WHERE account = ? AND name = ?", [self.account, allowance.name])
        used, since = (int(rows[0][0]), moment(rows[0][1]) or now) if rows else (0, now)
        if since + timedelta(seconds=allowance.seconds) <= now:
            used, since = 0, now
        if heard:
            used = max(used, allowance.calls - heard.calls)
            if heard.seconds is not None and heard.seconds <= allowance.seconds:
                since = now + timedelta(seconds=heard.seconds - allowance.seconds)
        return used, since


def span(seconds: float) -> str:
    """Write a span of time in words."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 1):.0f} s"
