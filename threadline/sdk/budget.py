"""How much an account allows: its connector declares it, and the engine counts for all processes together.

A call is written as in HTTP, with its method: `GET /2/tweets?ids=17`.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    import requests

_ANY_MOMENT = 1_000_000_000
"""A reset above this is a time in seconds since 1970; below, seconds from now."""


class Left(NamedTuple):
    """What a vendor says of an account: what is left, in how many seconds it is renewed, and of how many, where it says so."""

    calls: int
    seconds: float | None
    of: int | None = None


Told: TypeAlias = Callable[[Mapping[str, str]], Left | None]
"""Reads `Left` from the headers of a response; None where they do not say."""


def limit_headers(*prefixes: str) -> Told:
    """Return what reads {prefix}-Limit, -Remaining and -Reset of the first prefix that a response has."""
    return lambda headers: next((left for prefix in prefixes if (left := _left(headers, prefix))), None)


def _left(headers: Mapping[str, str], prefix: str) -> Left | None:
    calls, reset = (_number(headers.get(f"{prefix}-{what}")) for what in ("remaining", "reset"))
    if calls is None:
        return None
    # Zendesk writes X-Rate-Limit alone.
    limit = _number(headers.get(f"{prefix}-limit")) or _number(headers.get(prefix))
    return Left(calls, _from_now(reset, headers) if reset and reset > _ANY_MOMENT else reset, limit)


def _from_now(reset: int, headers: Mapping[str, str]) -> float:
    from threadline.sdk.http import server_time

    # By the clock that wrote it, which Date shows in whole seconds: this machine's may differ.
    return max(0.0, reset + 1 - (server_time(headers) or time.time()))


rate_limit_headers = limit_headers("x-rate-limit", "ratelimit", "x-ratelimit")
"""(X-)RateLimit-Remaining and its like, as most vendors spell them (draft-ietf-httpapi-ratelimit-headers, and before it)."""


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


WindowKind: TypeAlias = Literal["fixed", "sliding", "month"]
"""How a vendor counts: in windows one after the other, over the last so many seconds, or by the calendar's months (in UTC)."""
MONTH = 31 * 86_400


class Allowance(Struct, frozen=True):
    """So many `calls` of an account in a window of so many seconds.

    `call` is a regular expression of the calls that count; None: what counts is no call, and is taken by name (`Budget.take`).
    `calls` None: as many as the vendor says (`told`); nobody knows before its first answer. `kept` of them are left to others.
    """

    name: str
    calls: int | None
    seconds: float
    call: str | None = ""
    told: Told = rate_limit_headers
    kind: WindowKind = "fixed"
    kept: int = 0

    def counts(self, call: str) -> bool:
        """Whether a call is one of those."""
        return self.call is not None and (not self.call or _pattern(self.call).search(call) is not None)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


class Budget:
    """What an account has left. This one has no end; the engine's counts."""

    def spend(self, call: str) -> None:
        """Take a call; wait for it while that is short, else RetryableError says when the next run may go on."""

    def heard(self, call: str, headers: Mapping[str, str]) -> None:
        """Take note of what the vendor says is left, in the headers of a response."""

    def tell(self, name: str, left: Left) -> None:
        """Take note of what the vendor says elsewhere is left of an allowance."""

    def take(self, name: str, wanted: int, least: int = 1) -> int:
        """Take up to `wanted` of an allowance, and not fewer than `least`: waits or raises as `spend` does."""
        del name, least
        return wanted

    def give_back(self, name: str, units: int) -> None:
        """Return what was taken and not used."""


UNLIMITED = Budget()


def metered(session: "requests.Session", budget: Budget) -> None:
    """Let every call of a session, a vendor library's too, be taken from a budget."""
    if budget is UNLIMITED:
        return
    find = session.get_adapter

    # Below the session's hooks, so that what they refuse is heard as well.
    def counted(url: str) -> Any:
        return _Counted(find(url), budget)

    session.get_adapter = counted  # type: ignore[method-assign]


class _Counted:
    def __init__(self, adapter: Any, budget: Budget) -> None:
        self._adapter = adapter
        self._budget = budget

    def send(self, request: "requests.PreparedRequest", **options: Any) -> "requests.Response":
        parts = urlsplit(request.url or "")
        call = f"{request.method} {parts.path}?{parts.query}" if parts.query else f"{request.method} {parts.path}"
        self._budget.spend(call)
        response: requests.Response = self._adapter.send(request, **options)
        self._budget.heard(call, response.headers)
        return response
