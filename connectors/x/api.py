"""The endpoints of X's API v2 that the connector uses, as JSON (https://docs.x.com/x-api)."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr

from connectors.x.login import PLACEHOLDER, UserToken
from connectors.x.posts import Usage
from connectors.x.session import VENDOR_HOST, XSession
from connectors.x.settings import XSettings
from threadline.sdk import JSON, ConfigError, RetryableError
from threadline.sdk.budget import UNLIMITED, Budget
from threadline.sdk.http import retrying, server_time
from threadline.sdk.oauth import Tokens


class Listing(NamedTuple):
    """One page of a list: the answer, the token of the next page, and X's clock in epoch seconds."""

    body: Mapping[str, JSON]
    next_token: str | None
    server_time: float


class Account(NamedTuple):
    """Whose access token it is."""

    id: str
    username: str


class XApi:
    """X on behalf of one account, in the user context of OAuth 2.0 where there is a refresh token, else of OAuth 1.0a."""

    def __init__(self, settings: XSettings, tokens: Tokens, budget: Budget = UNLIMITED) -> None:
        self._settings = settings
        self._signs = settings.refresh_token is None
        self._session = XSession(settings.base_url, budget, None if self._signs else UserToken(settings, tokens))

    @cached_property
    def client(self) -> Any:
        """The tweepy client on the connector's session; it signs every call, and writes."""
        try:
            import tweepy
        except ImportError:
            raise ConfigError("the x connector needs tweepy: pip install 'threadline[x]'") from None
        keys = self._settings
        new_client: Any = tweepy.Client
        client = new_client(
            bearer_token=PLACEHOLDER.removeprefix("Bearer "),
            consumer_key=_said_in(keys.consumer_key),
            consumer_secret=_said_in(keys.consumer_secret),
            access_token=_said_in(keys.access_token),
            access_token_secret=_said_in(keys.access_token_secret),
            return_type=requests.Response,
        )
        client.session.close()
        client.session = self._session
        return client

    @cached_property
    def account(self) -> Account:
        """The account that the access token belongs to."""
        return retrying(self.who_am_i)

    def who_am_i(self) -> Account:
        """Ask X once for the account."""
        response = self.client.request("GET", "/2/users/me", user_auth=self._signs)
        return Account(_said(response, "id"), _said(response, "username"))

    def page(self, path: str, params: Mapping[str, str]) -> Listing:
        """GET one page of a list, with retries.

        X may answer 200 with `errors` beside `data`: what it could not show is left out, and the rest is a good page.
        """
        return retrying(lambda: self._page(path, params))

    def _page(self, path: str, params: Mapping[str, str]) -> Listing:
        response = self.client.request("GET", path, params=params, user_auth=self._signs)
        body = _object(response)
        meta = body.get("meta")
        # An empty page has its meta, too; without it the list was not read, and its cursor must not move on.
        if not isinstance(meta, dict) or not isinstance(body.get("data") or [], list):
            raise RetryableError(f"X answered GET {path} without a list; the whole request failed on X's side")
        return Listing(body, cast("JSON", meta).get("next_token"), _clock(response))

    def look_up(self, path: str, params: Mapping[str, str]) -> Mapping[str, JSON]:
        """GET single things, with retries; X says in `errors` which of them it has not."""
        return retrying(lambda: _object(self.client.request("GET", path, params=params, user_auth=self._signs)))

    def usage(self) -> Usage:
        """Ask X how many posts the app's project has read since the last monthly reset."""
        return retrying(self._usage)

    def _usage(self) -> Usage:
        keys = _said_in(self._settings.consumer_key), _said_in(self._settings.consumer_secret)
        grant = {"grant_type": "client_credentials"}
        token = _object(self._session.post(f"{VENDOR_HOST}/oauth2/token", data=grant, auth=keys)).get("access_token")
        # Only this endpoint takes no user's signature, but the app's own token.
        headers, fields = {"Authorization": f"Bearer {token}"}, {"usage.fields": "cap_reset_day,project_usage"}
        response = self._session.get(f"{VENDOR_HOST}/2/usage/tweets", params=fields, headers=headers)
        data, now = _data(response), datetime.fromtimestamp(_clock(response), UTC)
        try:
            return Usage(int(data["project_usage"]), int(data["cap_reset_day"]), now)
        except (KeyError, TypeError, ValueError):
            raise RetryableError("X answered GET /2/usage/tweets without project_usage and cap_reset_day") from None

    def create_reply(self, text: str, in_reply_to_tweet_id: str) -> str:
        """Post a public reply, once; return its id."""
        response = self.client.create_tweet(text=text, in_reply_to_tweet_id=in_reply_to_tweet_id, user_auth=self._signs)
        return _said(response, "id")

    def create_direct_message(self, text: str, dm_conversation_id: str) -> str:
        """Send a direct message, once; return the id of its event."""
        response = self.client.create_direct_message(text=text, dm_conversation_id=dm_conversation_id, user_auth=self._signs)
        return _said(response, "dm_event_id")

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()


def _said_in(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _clock(response: requests.Response) -> float:
    return server_time(response.headers) or time.time()


def _object(response: requests.Response) -> dict[str, JSON]:
    where = f"X answered {response.request.method} {urlsplit(response.url).path}"
    try:
        body: JSON = json.loads(response.content)
    except (ValueError, RecursionError):
        raise RetryableError(f"{where} with something that is not JSON: it was cut off, or it is an error page") from None
    if not isinstance(body, dict):
        raise RetryableError(f"{where} with JSON that is not an object; check base_url if this stays")
    return cast("dict[str, JSON]", body)


def _data(response: requests.Response) -> dict[str, JSON]:
    data = _object(response).get("data")
    if not isinstance(data, dict):
        where = f"X answered {response.request.method} {urlsplit(response.url).path}"
        raise RetryableError(f"{where} without data; check base_url if this stays")
    return cast("dict[str, JSON]", data)


def _said(response: requests.Response, name: str) -> str:
    identity = _data(response).get(name)
    if not identity:
        where = f"X answered {response.request.method} {urlsplit(response.url).path}"
        raise RetryableError(f"{where} without {name}; check base_url if this stays")
    return str(identity)
