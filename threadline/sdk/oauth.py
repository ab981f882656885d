"""Refresh tokens (RFC 6749, 6), of which each use may bring the next one (RFC 9700, 4.14.2): the one before is good no more.

A connector calls `Connector.tokens` with the refresh token of its settings and a function that asks the token endpoint. Which refresh
token is due, and whether somebody else has an access token already, is known there.
"""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from threadline.sdk.errors import ConfigError, RetryableError

if TYPE_CHECKING:
    import requests

SPARE_SECONDS = 60.0
"""A token that ends sooner is not used any more."""
_USUAL_SECONDS = 3_600.0


class Grant(Struct, frozen=True):
    """What a token endpoint gave: an access token, good until a time of the monotonic clock, and the next refresh token, if any."""

    access_token: str
    refresh_token: str | None = None
    until: float = inf
    about: Mapping[str, str] = field(default_factory=dict[str, str])
    """What else the vendor says, such as the host that the token is for."""
    generation: int = 0

    def __repr__(self) -> str:
        # Whatever prints it, a token must not show.
        return f"Grant(generation={self.generation})"

    @property
    def is_fresh(self) -> bool:
        """Whether it is good for a while."""
        return time.monotonic() < self.until - SPARE_SECONDS


Ask: TypeAlias = Callable[[str], Grant]
"""Asks a token endpoint, once, with a refresh token; RefusedGrantError where it is good no more."""


class RefusedGrantError(ConfigError):
    """The endpoint refuses the refresh token itself (RFC 6749, 5.2: invalid_grant)."""


class Tokens:
    """Knows what refresh tokens have become, for as long as the process lives. The engine's knows it for all processes, and for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._grants: dict[str, Grant] = {}

    def refreshed(self, given: str, last: Grant | None, ask: Ask) -> Grant:
        """Return a grant by the refresh token of the settings, other than the `last` one, which has ended or was refused."""
        with self._lock:
            known = self._grants.get(given)
            if known is not None and known is not last and known.is_fresh:
                return known
            due = (known and known.refresh_token) or given
            grant = ask(due)
            self._grants[given] = msgspec.structs.replace(grant, refresh_token=grant.refresh_token or due)
            return self._grants[given]


class _Answer(Struct):
    access_token: str
    expires_in: float | str | None = None
    refresh_token: str | None = None


class _Refusal(Struct):
    error: str


def ask_endpoint(
    where: str,
    url: str,
    form: Mapping[str, str],
    client: tuple[str, str] | None = None,
    *,
    refusals: Collection[str] = ("invalid_grant",),
) -> Grant:
    """Ask a token endpoint once; `client` is sent as HTTP Basic, None where the form has it (RFC 6749, 2.3.1).

    RefusedGrantError, ConfigError or RetryableError name it by `where`; `refusals` are the errors that mean the first.
    """
    from requests.auth import HTTPBasicAuth

    from threadline.sdk.http import Http

    http = Http(where, url, auth=client and HTTPBasicAuth(*client))
    try:
        response = http.once("POST", url, data=form, hooks={"response": partial(_raise_refused_grant, where, refusals)})
    finally:
        http.close()
    try:
        answer = msgspec.json.decode(response.content, type=_Answer)
        seconds = float(answer.expires_in or _USUAL_SECONDS)
    except (msgspec.DecodeError, ValueError):
        raise RetryableError(f"{where} answered with something else than a token") from None
    if not (answer.access_token.isascii() and answer.access_token.isprintable()):
        raise RetryableError(f"{where} answered with a token that no header can carry")
    return Grant(answer.access_token, answer.refresh_token or None, time.monotonic() + seconds)


def _raise_refused_grant(where: str, refusals: Collection[str], response: "requests.Response", *_: Any, **__: Any) -> None:
    if response.status_code in (400, 401):
        try:
            refusal = msgspec.json.decode(response.content, type=_Refusal)
        except msgspec.DecodeError:
            return
        if refusal.error in refusals:
            raise RefusedGrantError(
                f"{where} answered {response.status_code} to POST {urlsplit(response.url).path}: it takes the refresh token no more "
                f"({refusal.error}); grant access again, and set the new one"
            )
