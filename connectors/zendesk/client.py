"""Calls to one Zendesk account: reads as bytes, writes through zenpy, both over the same session and with the same errors."""

import logging
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import msgspec
import requests

from connectors.zendesk.settings import ZendeskSettings
from threadline.sdk import ConfigError, RecordError, RetryableError
from threadline.sdk.http import TIMEOUT, Http, network_error, raise_for_status, reroute, retrying

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
        self.fields = sorted(cast("dict[str, Any]", details)) if isinstance(details, dict) else []
        # The description is left out: it quotes names and addresses.
        blamed = f" ({', '.join(self.fields)})" if self.fields else ""
        super().__init__(f"Zendesk answered {self.status} {body.get('error') or response.reason}{blamed}")


def _error_body(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


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


class Client:
    """One account, as one user."""

    def __init__(self, settings: ZendeskSettings) -> None:
        self._settings = settings
        # With a base_url zenpy still insists on calling a host under zendesk.com, which the session sends to the real one.
        self._subdomain = settings.subdomain or "rerouted"
        vendor = f"https://{self._subdomain}.zendesk.com"
        auth = (f"{settings.email}/token", settings.token.get_secret_value())
        self.http = Http(SYSTEM, settings.base_url or vendor, auth=auth)
        self.http.session.hooks["response"].append(_raise_what_passes)
        if settings.base_url:
            reroute(self.http.session, vendor, settings.base_url)

    def read(self, path: str, shape: type[T], *, about_one: bool = False, **params: Any) -> tuple[T, bytes]:
        """GET a JSON document of a shape, with retries; also its bytes. Another shape, such as an error with status 200, is retried.

        With `about_one` a refusal concerns one record (RefusalError); otherwise it is a matter of the settings (ConfigError).
        """
        hook = _raise_refusal if about_one else _raise_too_recent

        def once() -> tuple[T, bytes]:
            body = self.http.once("GET", path, params=params, hooks={"response": hook}).content
            try:
                return msgspec.json.decode(body, type=shape), body
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RetryableError(f"Zendesk answered GET {path} with something else than was asked for: {error}") from None

        return retrying(once)

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
