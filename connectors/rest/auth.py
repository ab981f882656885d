"""How credentials are sent. Tokens of OAuth 2.0 are fetched when they are first needed, and again when they have run out."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import requests
from pydantic import SecretStr
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.rest.declaration import ApiFile, Basic, Bearer, ClientCredentials, Header, RefreshToken
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import Http, retrying

_MARGIN = 60.0
"""Seconds: a token that ends sooner is not used any more."""


class _Sent(AuthBase):
    """A header with a secret in it; it has no repr that could show it."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it."""
        request.headers[self._name] = self._value
        return request


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float | None = None
    refresh_token: str | None = None


class OAuth(AuthBase):
    """Bearer tokens from a token endpoint (RFC 6749). `client` is sent as HTTP Basic; None where the form has it."""

    def __init__(self, system: str, url: str, form: Mapping[str, str], client: tuple[str, str] | None) -> None:
        self._system = system
        self._url = url
        self._form = dict(form)
        self._client = client
        self._token: str | None = None
        self._until = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token, a new one where it is due."""
        if self._token is None or time.monotonic() > self._until:
            retrying(self._fetch)
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def forget(self) -> bool:
        """Drop the token, so that the next call fetches another; False when there was none to drop."""
        had, self._token = self._token, None
        return had is not None

    def _fetch(self) -> None:
        http = Http(f"{self._system}'s token endpoint", self._url, auth=self._client and HTTPBasicAuth(*self._client))
        try:
            body = http.once("POST", self._url, data=self._form).content
            token = msgspec.json.decode(body, type=_Token)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RetryableError(f"{self._system}'s token endpoint answered with something else than a token") from None
        except ConfigError as error:
            raise ConfigError(f"{error} (client_id, client_secret, and refresh_token where there is one)") from None
        finally:
            http.close()
        if token.refresh_token:
            # Servers that give a new one may take the old one no more.
            self._form["refresh_token"] = token.refresh_token
        self._token = token.access_token
        self._until = time.monotonic() + max(0.0, (token.expires_in or 3600) - _MARGIN)


def make_auth(api: ApiFile, system: str, base_url: str, secrets: Mapping[str, SecretStr]) -> Any:
    """Return what `requests` takes as auth; None for an API without credentials."""
    given = {name: secret.get_secret_value() for name, secret in secrets.items()}
    match api.auth:
        case Basic():
            return HTTPBasicAuth(given["user"].encode(), given["password"].encode())
        case Bearer():
            return _Sent("Authorization", f"Bearer {given['token']}")
        case Header():
            return _Sent(api.auth.name, f"{api.auth.prefix}{given['token']}")
        case ClientCredentials() | RefreshToken():
            return _oauth(api.auth, system, base_url, given)
        case _:
            return None


def _oauth(auth: ClientCredentials | RefreshToken, system: str, base_url: str, given: Mapping[str, str]) -> OAuth:
    url = auth.token_url
    if not url.lower().startswith(("http://", "https://")):
        url = f"{base_url.rstrip('/')}/{url.lstrip('/')}"
    form = {**auth.form, "grant_type": "client_credentials"}
    if isinstance(auth, RefreshToken):
        form = {**auth.form, "grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    if auth.scope:
        form["scope"] = auth.scope
    client = {name: given[name] for name in ("client_id", "client_secret")}
    if auth.client == "body":
        return OAuth(system, url, form | client, None)
    return OAuth(system, url, form, (client["client_id"], client["client_secret"]))
