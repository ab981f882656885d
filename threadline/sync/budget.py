"""An account's allowances, counted in the store: all tasks and processes that use the account share them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from threadline.sdk.budget import Allowance, Budget, Left
from threadline.sdk.errors import RetryableError
from threadline.sdk.http import LONGEST_WAIT
from threadline.store import schema
from threadline.store.database import Transaction, open_database
from threadline.sync.window import COLUMNS, SHARES, Window, begun, read_window


class _Stock(Struct):
    """What this process has taken and not used yet; it is lost when its window ends. Times are this process's monotonic clock."""

    units: int = 0
    until: float = 0.0
    heard: Left | None = None
    heard_at: float = 0.0

    @property
    def ready(self) -> int:
        return self.units if time.monotonic() < self.until else 0

    def use(self, units: int) -> None:
        self.units -= units
        if self.heard:
            self.heard = self.heard._replace(calls=self.heard.calls - units)

    def told(self, window: Window, now: datetime) -> Window:
        """Return a window as it is after what was heard, unless that was of an earlier one."""
        if self.heard is None:
            return window
        age, seconds = time.monotonic() - self.heard_at, self.heard.seconds
        if seconds is None:
            outdated = now - timedelta(seconds=age) < window.since
        else:
            seconds -= age
            outdated = seconds <= 0
        return window if outdated else window.told(self.heard._replace(seconds=seconds), now, unmade=self.ready)


class SharedBudget(Budget):
    """Counts in the store at `url`; used by one thread at a time."""

    def __init__(self, url: str, account: str, allowances: Sequence[Allowance]) -> None:
        self.account = account
        self._url = url
        self._allowances = {one.name: one for one in allowances}
        self._stocks = {name: _Stock() for name in self._allowances}

    def spend(self, call: str) -> None:
        """See `Budget`."""
        spent: list[str] = []
        for name, allowance in self._allowances.items():
            if allowance.counts(call):
                try:
                    self.take(name, 1)
                except RetryableError:
                    for other in spent:
                        self.give_back(other, 1)
                    raise
                spent.append(name)

    def heard(self, call: str, headers: Mapping[str, str]) -> None:
        """See `Budget`: others may use the account too, and the vendor knows of them."""
        for name, allowance in self._allowances.items():
            if allowance.counts(call) and (left := allowance.told(headers)):
                self.tell(name, left)

    def tell(self, name: str, left: Left) -> None:
        """See `Budget`."""
        stock, allowance = self._stocks[name], self._allowances[name]
        stock.heard, stock.heard_at = left, time.monotonic()
        stock.units = min(stock.units, max(0, left.calls - allowance.kept))

    def take(self, name: str, wanted: int, least: int = 1) -> int:
        """See `Budget`; what is no allowance of the account has no end."""
        if name not in self._allowances:
            return wanted
        allowance, stock = self._allowances[name], self._stocks[name]
        while (ready := stock.ready) < least:
            self._refill(allowance, stock, wanted, least)
        units = min(wanted, ready)
        stock.use(units)
        return units

    def give_back(self, name: str, units: int) -> None:
        """See `Budget`."""
        if stock := self._stocks.get(name):
            stock.use(-units)

    def close(self) -> None:
        """Give back what was taken and not used, and write down what the vendor said last."""
        due = [one for one in self._allowances.values() if self._stocks[one.name].heard or self._stocks[one.name].ready]
        if not due:
            return
        with open_database(self._url, create=True) as database, database.write() as transaction:
            for allowance in due:
                stock = self._stocks[allowance.name]
                transaction.lock(self._lock(allowance))
                if window := self._window(transaction, allowance, stock, transaction.now()):
                    self._write(transaction, allowance, window.taken(-stock.ready))
        self._stocks = {name: _Stock() for name in self._allowances}

    def _refill(self, allowance: Allowance, stock: _Stock, wanted: int, least: int) -> None:
        """Take some out of the store; where there is not enough, wait until it is renewed."""
        with open_database(self._url, create=True) as database, database.write() as transaction:
            transaction.lock(self._lock(allowance))
            now, ready = transaction.now(), stock.ready
            window = self._window(transaction, allowance, stock, now)
            if window is None:
                # Nobody has said yet how many there are: the answer to this call may.
                stock.units, stock.until = wanted, float("inf")
                return
            granted = min(max(wanted - ready, window.calls // SHARES), window.free)
            window = window.taken(granted)
            self._write(transaction, allowance, window)
        stock.units, stock.until = ready + granted, time.monotonic() + (window.until - now).total_seconds()
        stock.heard = None
        if stock.units < least:
            self._wait(allowance, window, stock.units, least, (window.renewed(least, now) - now).total_seconds())

    def _wait(self, allowance: Allowance, window: Window, left: int, least: int, seconds: float) -> None:
        if seconds <= LONGEST_WAIT:
            time.sleep(max(seconds, 0.01))
            return
        short = f", and {least} at least are needed" if left else ""
        others = f" ({window.kept:,} more are left to others)" if window.kept else ""
        whole = f"{window.calls:,} {allowance.name} in {span(allowance.seconds)}"
        raise RetryableError(
            f"{self.account} has {left or 'none'} left of its {whole}{short}{others}; "
            f"they are renewed in {span(seconds)}, and the next run after that goes on",
            retry_after=seconds,
        )

    def _window(self, transaction: Transaction, allowance: Allowance, stock: _Stock, now: datetime) -> Window | None:
        """Return the window under way; None where nobody has said how many calls there are."""
        rows = transaction.query(f"SELECT {COLUMNS} FROM budgets WHERE account = ? AND name = ?", [self.account, allowance.name])  # noqa: S608
        stored = read_window(rows[0]) if rows else None
        calls = _limit(allowance, stock.heard, stored)
        if calls is None:
            return None
        if stored and stored.kind == allowance.kind:
            window = replace(stored, calls=calls, kept=allowance.kept).at(now)
        else:
            window = begun(allowance, calls, now)
        return stock.told(window, now)

    def _write(self, transaction: Transaction, allowance: Allowance, window: Window) -> None:
        values = (window.kind, window.calls, window.kept, window.used, window.since, window.until, window.pace)
        transaction.upsert(schema.BUDGETS, [(self.account, allowance.name, *values)])

    def _lock(self, allowance: Allowance) -> str:
        return f"budget {self.account} {allowance.name}"


def _limit(allowance: Allowance, heard: Left | None, stored: Window | None) -> int | None:
    if allowance.calls is not None:
        return allowance.calls
    known = stored.calls if stored else 0
    # Some vendors say only what is left: then there were so many at least, and the call that told.
    return ((heard.of or max(known, heard.calls + 1)) if heard else known) or None


def span(seconds: float) -> str:
    """Write a span of time in words."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 1):.0f} s"
