"""How many calls an account allows: its connector declares it, and the engine counts for all processes together."""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

if TYPE_CHECKING:
    import requests

_ANY_MOMENT = 1_000_000_000
"""A reset above this is a time in seconds since 1970; below, seconds from now."""


class Left(NamedTuple):
    """What a vendor says of an account: how many calls are left, and in how many seconds they are renewed, where it says so."""

    calls: int
    seconds: float | None


Told: TypeAlias = Callable[[Mapping[str, str]], Left | None]
"""Reads `Left` from the headers of a response; None where they do not say."""


def rate_limit_headers(headers: Mapping[str, str]) -> Left | None:
    """Read (X-)RateLimit-Remaining and -Reset, as most vendors spell them (draft-ietf-httpapi-ratelimit-headers, and before it)."""
    for prefix in ("x-rate-limit", "ratelimit", "x-ratelimit"):
        calls = _number(headers.get(f"{prefix}-remaining"))
        if calls is not None:
            reset = _number(headers.get(f"{prefix}-reset"))
            return Left(calls, max(0.0, reset - time.time()) if reset and reset > _ANY_MOMENT else reset)
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


class Allowance(Struct, frozen=True):
    """So many calls of an account in each window of so many seconds. `path` is a regular expression: other calls do not count."""

    name: str
    calls: int
    seconds: float
    path: str = ""
    told: Told = rate_limit_headers

    def counts(self, path: str) -> bool:
        """Whether a call of this path (with its query) is one of those."""
        return not self.path or _pattern(self.path).search(path) is not None


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


class Budget(ABC):
    """The calls that an account has left."""

    @abstractmethod
    def spend(self, path: str) -> None:
        """Take a call; wait for it while that is short, else RetryableError says when the next run may go on."""

    @abstractmethod
    def heard(self, path: str, headers: Mapping[str, str]) -> None:
        """Take note of what the vendor says is left."""


class _Unlimited(Budget):
    def spend(self, path: str) -> None:
        """See `Budget`."""

    def heard(self, path: str, headers: Mapping[str, str]) -> None:
        """See `Budget`."""


UNLIMITED: Budget = _Unlimited()


def metered(session: "requests.Session", budget: Budget) -> None:
    """Let every call of a session, a vendor library's too, be taken from a budget."""
    if budget is UNLIMITED:
        return
    send = session.send

    def counted(request: "requests.PreparedRequest", **options: Any) -> "requests.Response":
        parts = urlsplit(request.url or "")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        budget.spend(path)
        response = send(request, **options)
        budget.heard(path, response.headers)
        return response

    session.send = counted  # type: ignore[method-assign]  # its adapters come and go with `mount`
