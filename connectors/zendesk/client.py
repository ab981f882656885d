"""Calls to one Zendesk account: reads as bytes, writes through zenpy, both over the same session and with the same errors."""

import logging
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, TypeVar, cast

import requests

from connectors.zendesk.settings import ZendeskSettings
from threadline.sdk import ConfigError, RecordError, RetryableError
from threadline.sdk.budget import UNLIMITED, Budget, metered
from threadline.sdk.http import TIMEOUT, Http, network_error, raise_for_status, reroute, retrying
from threadline.sdk.records import UNREADABLE, read_around

SYSTEM = "Zendesk"

T = TypeVar("T")


class TooRecentError(Exception):
    """An export was asked for what changed within the last minute, which Zendesk keeps back."""


class RefusalError(RecordError):
    """Zendesk took the call and said no to what was in it. `fields` are those that it complained about."""

    def __init__(self, response: requests.Response) -> None:
        body = _error_body(response)
        details = body.get("details")
        self.status = response.status_code
        self.error = str(body.get("error") or response.reason)
        self.fields = sorted(cast("dict[str, Any]", details)) if isinstance(details, dict) else []
        # The description is left out: it quotes names and addresses.
        blamed = f" ({', '.join(self.fields)})" if self.fields else ""
        super().__init__(f"Zendesk answered {self.status} {self.error}{blamed}")


def _error_body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def _decoded(call: str, body: bytes, shape: type[T], records: str = "") -> T:
    try:
        return read_around(body, shape, *filter(None, [records]))
    except UNREADABLE as error:
        raise RetryableError(f"Zendesk answered {call} with something else than was asked for: {error}") from None


def _raise_what_passes(response: requests.Response, *_: Any, **__: Any) -> None:
    # Before zenpy sees it: zenpy would sleep through any Retry-After, for as long as the server likes.
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        response.close()
        raise_for_status(response, SYSTEM)


def _raise_too_recent(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.status_code not in (400, 422):
        return
    body = _error_body(response)
    if body.get("error") == "StartTimeTooRecent" or "too recent" in str(body.get("description")).lower():
        raise TooRecentError


def _raise_refusal(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.status_code in (403, 404, 422):
        raise RefusalError(response)


def _raise_refused_write(response: requests.Response, *_: Any, **__: Any) -> None:
    if response.status_code in (400, 403, 404, 409, 413, 422):
        raise RefusalError(response)


class Client:
    """One account, as one user."""

    def __init__(self, settings: ZendeskSettings, budget: Budget = UNLIMITED) -> None:
        self._settings = settings
        # With a base_url zenpy still insists on calling a host under zendesk.com, which the session sends to the real one.
        self._subdomain = settings.subdomain or "rerouted"
        vendor = f"https://{self._subdomain}.zendesk.com"
        auth = (f"{settings.email}/token", settings.token.get_secret_value())
        self.http = Http(SYSTEM, settings.base_url or vendor, auth=auth)
        self.http.session.hooks["response"].append(_raise_what_passes)
        metered(self.http.session, budget)
        if settings.base_url:
            reroute(self.http.session, vendor, settings.base_url)

    def read(self, path: str, shape: type[T], *, records: str = "", about_one: bool = False, **params: Any) -> tuple[T, bytes]:
        """GET a JSON document of a shape, with retries; also its bytes. Another shape, such as an error with status 200, is retried.

        What is in the array that `records` names does not matter, where the shape is without it.
        With `about_one` a refusal concerns one record (RefusalError); otherwise it is a matter of the settings (ConfigError).
        """
        hook = _raise_refusal if about_one else _raise_too_recent

        def once() -> tuple[T, bytes]:
            body = self.http.once("GET", path, params=params, hooks={"response": hook}).content
            return _decoded(f"GET {path}", body, shape, records), body

        return retrying(once)

    def send(self, method: str, path: str, document: Any, shape: type[T], **headers: str) -> T:
        """Write a JSON document that zenpy cannot, without retries; RefusalError when Zendesk says no to it."""
        options: Any = {"json": document, "headers": headers, "hooks": {"response": _raise_refused_write}}
        return _decoded(f"{method} {path}", self.http.once(method, path, **options).content, shape)

    def clock(self) -> datetime:
        """Return the time by Zendesk's clock (RFC 9110, 6.6.1)."""
        told = self.http.get("/api/v2/users/me.json").headers.get("Date", "")
        try:
            return parsedate_to_datetime(told)
        except ValueError:
            raise RetryableError("Zendesk's answer does not say what time it is (Date)") from None

    def write(self, call: Callable[[Any], Any], expected: str) -> Any:
        """Make one zenpy call, without retries, and return the record of the zenpy class that is `expected`.

        RefusalError when Zendesk says no to what is written.
        """
        zenpy = self.zenpy
        from zenpy.lib.exception import APIException, ZenpyException

        try:
            written = call(zenpy)
        except (APIException, requests.HTTPError) as error:
            raise self._refusal(cast("requests.Response", error.response)) from None  # pyright: ignore[reportUnknownMemberType]
        except requests.RequestException as error:
            raise network_error(error, SYSTEM, self.http.base_url) from None
        except ZenpyException:
            written = None
        # zenpy makes the best of any answer: it may hand back another record, a text, or the bare response.
        if type(written).__name__ != expected:
            raise RetryableError("Zendesk answered with something that is not the record written")
        return written

    def _refusal(self, response: requests.Response) -> RefusalError:
        if response.status_code == 401:
            raise_for_status(response, SYSTEM)
        return RefusalError(response)

    @cached_property
    def zenpy(self) -> Any:
        """The vendor's library, with this account's session."""
        try:
            from zenpy import Zenpy
        except ImportError:
            raise ConfigError("the zendesk connector writes with zenpy: pip install 'threadline[zendesk]'") from None
        # At DEBUG zenpy logs whole records.
        logging.getLogger("zenpy").setLevel(logging.WARNING)
        return Zenpy(
            subdomain=self._subdomain,
            email=self._settings.email,
            token=self._settings.token.get_secret_value(),
            session=self.http.session,
            timeout=TIMEOUT,
            disable_cache=True,
        )
