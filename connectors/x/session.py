"""HTTP as X wants it, below tweepy: the signed host, the rate limits, and errors that say what to do.

tweepy 4.17 writes https://api.twitter.com into every call, sets no timeout, lets the errors of requests through and
logs bodies at DEBUG. It leaves its session open to be replaced, so all of that is put right here, once, for reads and writes.
"""

import logging
from typing import Any, cast
from urllib.parse import urlsplit

import requests

from connectors.x.limits import seconds_until_reset
from connectors.x.login import PLACEHOLDER, UserToken
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.budget import UNLIMITED, Budget, metered
from threadline.sdk.http import TIMEOUT, network_error, raise_for_status, retry_after

TWEEPY_HOST = "https://api.twitter.com"
VENDOR_HOST = "https://api.x.com"
USAGE_CAP_WAIT = 3600.0
"""Seconds; a monthly cap gives no time of reset, and asking again soon costs calls."""
APP_PROBLEMS = ("oauth1-permissions", "client-forbidden", "unsupported-authentication", "usage-capped")
"""Last words of the problem types that concern the app or the account, not the one request."""

# These write texts, tokens and signatures of customers' messages at DEBUG.
QUIET_LOGGERS = ("tweepy.client", "requests_oauthlib.oauth1_auth", "oauthlib.oauth1.rfc5849", "oauthlib.oauth1.rfc5849.signature")


class RefusedError(ConfigError):
    """X refuses this one request whatever the credentials (400, 403, 404): for a write, the record is at fault."""

    def __init__(self, message: str, *, status: int, duplicate: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.duplicate = duplicate


class UnauthorizedError(ConfigError):
    """X does not know whose call it is (401)."""


class XSession(requests.Session):
    """A session whose calls raise a ConnectorError instead of answering with an error status; `user` logs in by OAuth 2.0."""

    def __init__(self, base_url: str, budget: Budget = UNLIMITED, user: UserToken | None = None) -> None:
        super().__init__()
        self._user = user
        self.trust_env = False
        self._base_url = base_url.rstrip("/")
        metered(self, budget)
        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.INFO)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Sign for X's own host, then address the call to `base_url`: the signature covers the host that X knows itself by."""
        request.url = str(request.url).replace(TWEEPY_HOST, VENDOR_HOST, 1)
        prepared = super().prepare_request(request)
        if self._user and prepared.headers.get("Authorization") == PLACEHOLDER:
            prepared.headers["Authorization"] = self._user.header()
        prepared.url = str(prepared.url).replace(VENDOR_HOST, self._base_url, 1)
        return prepared

    def request(self, *given: Any, **options: Any) -> requests.Response:
        """Make a call, once more with another token where X has ended the user's."""
        try:
            return super().request(*given, **options)
        except UnauthorizedError:
            headers: dict[str, str] = options.get("headers") or {}
            if self._user is None or headers.get("Authorization") != PLACEHOLDER:
                raise
            self._user.refuse()
            return super().request(*given, **options)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Make one call that ends."""
        options["timeout"] = options.get("timeout") or TIMEOUT
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            raise network_error(error, "X", self._base_url) from None
        _raise_for_problem(response)
        return response


def _problem(response: requests.Response) -> dict[str, Any]:
    try:
        body: Any = response.json()
    except requests.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _raise_for_problem(response: requests.Response) -> None:
    """Turn an error (RFC 7807, with X's problem types) into the exception that says who must act; values are not quoted."""
    status = response.status_code
    if status < 400:
        return
    problem = _problem(response)
    kind = str(problem.get("type", "")).rpartition("/")[2]
    where = f"X answered {status} to {response.request.method} {urlsplit(response.url).path}"
    if status == 401:
        raise UnauthorizedError(
            f"{where}: the credentials were refused; check consumer_key, consumer_secret, access_token, access_token_secret "
            "(new permissions need a new access token) and this machine's clock, or client_id, client_secret and refresh_token"
        )
    if status == 429:
        reset = seconds_until_reset(response.headers) or retry_after(response.headers)
        wait = USAGE_CAP_WAIT if kind == "usage-capped" else reset
        raise RetryableError(f"{where}: {problem.get('title', 'rate limit reached')}", retry_after=wait)
    if status == 402 or (status == 403 and kind in APP_PROBLEMS):
        raise ConfigError(
            f"{where}: {problem.get('title', 'Forbidden')} ({kind or 'no type'}); the app needs credits, a plan that includes the "
            "endpoint, and the permission 'Read and write and Direct message' from before its access token was made"
        )
    # Without a problem document it is not X that answers: the address is wrong, not the request.
    if status in (400, 403, 404) and "title" in problem:
        # X's 403 details are fixed sentences; those of other problems may repeat what was sent.
        said = str(problem.get("detail") if status == 403 else problem["title"])
        raise RefusedError(f"{where}: {said}", status=status, duplicate=status == 403 and "duplicate" in said.lower())
    raise_for_status(response, "X")
