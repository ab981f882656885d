"""What shall go wrong with which request."""

import re
import threading
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from random import Random
from typing import Literal

Kind = Literal[
    "refuse", "reset", "truncate", "delay", "slow", "status", "error body", "lost response",
    "gateway timeout", "repeated page", "reversed page", "shifted page",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to spoil an exchange.

    refuse          the connection is reset, and new ones are refused for `seconds`
    reset           the connection is reset; the server never saw the request
    truncate        the answer breaks off half-way, or after `size` bytes; over TCP half-way through what comes first of it
    delay           the answer begins `seconds` late
    slow            the answer takes `seconds`, byte by byte
    lost response   the server did what it was asked; the connection is reset before it can say so

    Over HTTP alone:

    status          `status`, `headers` and `body` instead of the answer; the server never saw the request
    gateway timeout the server did what it was asked; a gateway before it answers `status` instead
    error body      `body` with status 200 instead of the answer; the server never saw the request
    repeated page   the answer to the request before, of the same path, once more
    reversed page   the records of the answer from the last to the first
    shifted page    the answer begins with the last record of the one before, of the same path, and what was told beside it
    """

    kind: Kind
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    seconds: float = 0.2
    size: int | None = None


REFUSE = Fault("refuse")
RESET = Fault("reset")
TRUNCATE = Fault("truncate")
DELAY = Fault("delay")
SLOW = Fault("slow", seconds=0.5)
LIMITED = Fault("status", 429)
LIMITED_FOR = Fault("status", 429, {"Retry-After": "0"})
UNAVAILABLE = Fault("status", 503)
UNAVAILABLE_FOR = Fault("status", 503, {"Retry-After": "0"})
EXPIRED = Fault("status", 401, {"Content-Type": "application/json"}, b'{"error": "expired"}')
ERROR_BODY = Fault("error body", body=b"<html><body>We are back soon</body></html>", headers={"Content-Type": "text/html"})
LOST_RESPONSE = Fault("lost response")
GATEWAY_TIMEOUT = Fault("gateway timeout", 504)
REPEATED_PAGE = Fault("repeated page")
REVERSED_PAGE = Fault("reversed page")
SHIFTED_PAGE = Fault("shifted page")

PASSING: tuple[Fault, ...] = (
    REFUSE, RESET, TRUNCATE, DELAY, SLOW, LIMITED, LIMITED_FOR, UNAVAILABLE, UNAVAILABLE_FOR, ERROR_BODY, LOST_RESPONSE,
    GATEWAY_TIMEOUT,
)  # fmt: skip
"""Faults that a client gets over by asking again, wherever they strike."""
PAGES: tuple[Fault, ...] = (REPEATED_PAGE, REVERSED_PAGE, SHIFTED_PAGE)
"""What may happen to pages in the middle of a scan."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A fault for the requests that match: `number` counts from 1 those whose method and path match; None is each of them."""

    fault: Fault
    number: int | None = None
    path: str = ""
    """A regular expression, searched for in the path with its query."""
    method: str | None = None
    onwards: bool = False
    """Every later one as well."""

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is of those that the rule counts."""
        return self.method in (None, method) and re.search(self.path, path) is not None

    def strikes(self, count: int) -> bool:
        """Whether the count-th of them is spoiled."""
        return self.number is None or count == self.number or (self.onwards and count > self.number)


class Script:
    """Rules, of which the first that strikes decides."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules
        self._counts = [0] * len(rules)
        self._lock = threading.Lock()

    @property
    def kinds(self) -> AbstractSet[Kind]:
        """The kinds of faults that are in it."""
        return {rule.fault.kind for rule in self._rules}

    def next(self, method: str, path: str) -> Fault | None:
        """Return the fault for the next request, or None; several proxies may follow one script."""
        chosen: Fault | None = None
        with self._lock:
            for index, rule in enumerate(self._rules):
                if rule.matches(method, path):
                    self._counts[index] += 1
                    if chosen is None and rule.strikes(self._counts[index]):
                        chosen = rule.fault
        return chosen


def seeded(seed: int, faults: Sequence[Fault] = PASSING, *, share: float = 0.3, requests: int = 200) -> Script:
    """Return the script of a seed: of the first so many requests each is spoiled with a probability of `share`."""
    random = Random(seed)  # noqa: S311 - it is to be repeatable
    return Script(*(Rule(random.choice(faults), number) for number in range(1, requests + 1) if random.random() < share))
