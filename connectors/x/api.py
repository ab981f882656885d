"""The endpoints of X's API v2 that the connector uses, as JSON (https://docs.x.com/x-api)."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import requests

from connectors.x.session import XSession, server_time
from connectors.x.settings import XSettings
from threadline.sdk import JSON, ConfigError, RetryableError
from threadline.sdk.http import retrying


class Listing(NamedTuple):
    """One page of a list: the answer, the token of the next page, and X's clock in epoch seconds."""

    body: Mapping[str, JSON]
    next_token: str | None
    server_time: float


class XApi:
    """X on behalf of one account, in OAuth 1.0a user context."""

    def __init__(self, settings: XSettings) -> None:
        self._settings = settings
        self._session = XSession(settings.base_url)

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
            consumer_key=keys.consumer_key.get_secret_value(),
            consumer_secret=keys.consumer_secret.get_secret_value(),
            access_token=keys.access_token.get_secret_value(),
            access_token_secret=keys.access_token_secret.get_secret_value(),
            return_type=requests.Response,
        )
        client.session.close()
        client.session = self._session
        return client

    @cached_property
    def own_id(self) -> str:
        """The id of the account that the access token belongs to."""
        return retrying(self.who_am_i)

    def who_am_i(self) -> str:
        """Ask X once for the account's id."""
        response = self.client.request("GET", "/2/users/me", user_auth=True)
        return _id_of_data(response)

    def page(self, path: str, params: Mapping[str, str]) -> Listing:
        """GET one page of a list, with retries.

        X may answer 200 with `errors` beside `data`: what it could not show is left out, and the rest is a good page.
        """
        return retrying(lambda: self._page(path, params))

    def _page(self, path: str, params: Mapping[str, str]) -> Listing:
        response = self.client.request("GET", path, params=params, user_auth=True)
        body = _object(response)
        meta = body.get("meta")
        # An empty page has its meta, too; without it the list was not read, and its cursor must not move on.
        if not isinstance(meta, dict):
            raise RetryableError(f"X answered GET {path} without a list; the whole request failed on X's side")
        return Listing(body, cast("JSON", meta).get("next_token"), server_time(response.headers))

    def create_reply(self, text: str, in_reply_to_tweet_id: str) -> str:
        """Post a public reply, once; return its id."""
        response = self.client.create_tweet(text=text, in_reply_to_tweet_id=in_reply_to_tweet_id, user_auth=True)
        return _id_of_data(response)

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()


def _object(response: requests.Response) -> dict[str, JSON]:
    where = f"X answered {response.request.method} {urlsplit(response.url).path}"
    try:
        body: JSON = json.loads(response.content)
    except (ValueError, RecursionError):
        raise RetryableError(f"{where} with something that is not JSON: it was cut off, or it is an error page") from None
    if not isinstance(body, dict):
        raise RetryableError(f"{where} with JSON that is not an object; check base_url if this stays")
    return cast("dict[str, JSON]", body)


def _id_of_data(response: requests.Response) -> str:
    data = _object(response).get("data")
    identity = cast("JSON", data).get("id") if isinstance(data, dict) else None
    if not identity:
        raise RetryableError(
            f"X answered {response.request.method} {urlsplit(response.url).path} without an id; check base_url if this stays"
        )
    return str(identity)
