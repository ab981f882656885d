"""An account's allowances, counted in the store: all tasks and processes that use the account share them."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from threadline.sdk.budget import Allowance, Budget, Left
from threadline.sdk.errors import RetryableError
from threadline.sdk.http import LONGEST_WAIT
from threadline.store import schema
from threadline.store.database import Transaction, open_database
from threadline.sync.window import COLUMNS, SHARES, Window, begun, read_window


class _Grant(Struct, frozen=True):
    """What a process has, with what it was given at a time, and the window that this is of."""

    units: int
    window: Window
    at: datetime


class _Stock(Struct):
    """What this process has taken and not used yet; it is lost when its window ends. Times are this process's monotonic clock."""

    units: int = 0
    until: float = 0.0
    heard: Left | None = None
    heard_at: float = 0.0
    is_whole: bool = True
    """Whether the vendor said how many there are in all."""

    @property
    def ready(self) -> int:
        return self.units if time.monotonic() < self.until else 0

    def use(self, units: int) -> None:
        self.units -= units
        if self.heard:
            self.heard = self.heard._replace(calls=self.heard.calls - units)

    def fill(self, grant: _Grant | None, wanted: int) -> None:
        if grant is None:
            # The answer to this call may say how many there are; where it does not, the next ones cost no look.
            self.units, self.until = SHARES if self.until == inf else wanted, inf
        else:
            seconds = (grant.window.until - grant.at).total_seconds()
            self.units, self.until, self.heard = grant.units, time.monotonic() + seconds, None

    def told(self, window: Window, now: datetime, at: datetime) -> Window:
        """Return a window as it is after what was heard `at` a moment, unless that was of an earlier one."""
        if (left := self.heard) is None:
            return window
        if left.seconds is None:
            outdated = at < window.since
        else:
            left = left._replace(seconds=left.seconds - (now - at).total_seconds())
            outdated = (left.seconds or 0) <= 0
        return window if outdated else window.told(left, now, unmade=self.ready)


class SharedBudget(Budget):
    """Counts in the store at `url`; used by one thread at a time."""

    def __init__(self, url: str, account: str, allowances: Sequence[Allowance]) -> None:
        self.account = account
        self._url = url
        self._allowances = {one.name: one for one in allowances}
        self._stocks = {name: _Stock() for name in self._allowances}

    def spend(self, call: str) -> None:
        """See `Budget`."""
        self._take([one for one in self._allowances.values() if one.counts(call)], 1, 1)

    def heard(self, call: str, headers: Mapping[str, str]) -> None:
        """See `Budget`: others may use the account too, and the vendor knows of them."""
        for name, allowance in self._allowances.items():
            if allowance.counts(call) and (left := allowance.told(headers)):
                self.tell(name, left)

    def tell(self, name: str, left: Left) -> None:
        """See `Budget`."""
        if name not in self._allowances:
            return
        stock, allowance = self._stocks[name], self._allowances[name]
        # Some vendors say only what is left: then there were so many at least, and the call that told.
        stock.heard, stock.is_whole = (left, True) if left.of else (left._replace(of=left.calls + 1), False)
        stock.heard_at = time.monotonic()
        stock.units = min(stock.units, max(0, left.calls - allowance.kept))

    def take(self, name: str, wanted: int, least: int = 1) -> int:
        """See `Budget`; what is no allowance of the account has no end."""
        return self._take([self._allowances[name]], wanted, least) if name in self._allowances else wanted

    def _take(self, allowances: Sequence[Allowance], wanted: int, least: int) -> int:
        """Take as many of each, or of none."""
        while True:
            # Looked at once: a window may end between two looks.
            ready = [self._stocks[one.name].ready for one in allowances]
            short = [one for one, units in zip(allowances, ready, strict=True) if units < least]
            if not short:
                break
            self._refill(short, wanted, least)
        units = min([wanted, *ready])
        for one in allowances:
            self._stocks[one.name].use(units)
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

    def _refill(self, allowances: Sequence[Allowance], wanted: int, least: int) -> None:
        """Take some out of the store; where there is not enough, wait until it is renewed."""
        with open_database(self._url, create=True) as database, database.write() as transaction:
            grants = [self._grant(transaction, one, wanted) for one in allowances]
        for one, grant in zip(allowances, grants, strict=True):
            self._stocks[one.name].fill(grant, wanted)
        for one, grant in zip(allowances, grants, strict=True):
            if grant and self._stocks[one.name].units < least:
                self._wait(one, grant.window, least, (grant.window.renewed(least, grant.at) - grant.at).total_seconds())

    def _grant(self, transaction: Transaction, allowance: Allowance, wanted: int) -> _Grant | None:
        """Take some out of the store; None where nobody has said yet how many there are."""
        transaction.lock(self._lock(allowance))
        stock, now = self._stocks[allowance.name], transaction.now()
        ready, window = stock.ready, self._window(transaction, allowance, stock, now)
        if window is None:
            return None
        # What is taken by name comes in large pieces already, and those that a crash leaves behind are gone for a month.
        share = 0 if allowance.call is None else window.calls // SHARES
        granted = min(max(wanted - ready, share), window.free)
        window = window.taken(granted)
        self._write(transaction, allowance, window)
        return _Grant(ready + granted, window, now)

    def _wait(self, allowance: Allowance, window: Window, least: int, seconds: float) -> None:
        if seconds <= LONGEST_WAIT:
            time.sleep(max(seconds, 0.01))
            return
        left = self._stocks[allowance.name].units
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
        calls = _limit(allowance, stock, stored)
        if calls is None:
            return None
        at = now - timedelta(seconds=time.monotonic() - stock.heard_at) if stock.heard else now
        if stored and stored.kind == allowance.kind:
            window = replace(stored, calls=calls, kept=allowance.kept)
        else:
            window = begun(allowance, calls, at)
        return stock.told(window.at(now), now, at)

    def _write(self, transaction: Transaction, allowance: Allowance, window: Window) -> None:
        values = (window.kind, window.calls, window.kept, window.used, window.since, window.until, window.pace)
        transaction.upsert(schema.BUDGETS, [(self.account, allowance.name, *values)])

    def _lock(self, allowance: Allowance) -> str:
        return f"budget {self.account} {allowance.name}"


def _limit(allowance: Allowance, stock: _Stock, stored: Window | None) -> int | None:
    if allowance.calls is not None:
        return allowance.calls
    known, said = stored.calls if stored else 0, (stock.heard and stock.heard.of) or 0
    return (said if said and stock.is_whole else max(known, said)) or None


def span(seconds: float) -> str:
    """Write a span of time in words."""
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{max(seconds, 1):.0f} s"
