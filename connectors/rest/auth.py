"""How credentials are sent. Tokens of OAuth 2.0 are fetched when they are first needed, and again when they have run out."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit, urlunsplit

import requests
from pydantic import SecretStr
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.rest.auths import Basic, Bearer, ClientCredentials, Header, Login, Query, RefreshToken
from connectors.rest.declaration import ApiFile
from connectors.rest.documents import decoded
from connectors.rest.errors import NotTakenError
from connectors.rest.paths import look_up
from connectors.rest.template import as_form, fill
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import Http
from threadline.sdk.oauth import SPARE_SECONDS, Grant, RefusedGrantError, Tokens, ask_endpoint


class _Sent(AuthBase):
    """A header with a secret in it; it has no repr that could show it."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it."""
        request.headers[self._name] = self._value
        return request


class _Parameter(AuthBase):
    """A parameter of the query with a secret in it."""

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it, instead of the one that a link may have."""
        parts = urlsplit(without_parameter(request.url or "", self._name))
        request.url = urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, urlencode({self._name: self._value}))))))
        return request


def without_parameter(url: str, name: str) -> str:
    """Return an address without a parameter of its query."""
    parts = urlsplit(url)
    kept = [pair for pair in parts.query.split("&") if unquote_plus(pair.partition("=")[0]) != name]
    return urlunsplit(parts._replace(query="&".join(kept)))


class Renewed(AuthBase, ABC):
    """What is fetched when it is first needed, sent in a header, and fetched again when it has run out."""

    def __init__(self, header: str) -> None:
        self._header = header
        self._value: str | None = None
        self._until = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add it, a new one where it is due."""
        if self._value is None or time.monotonic() > self._until:
            try:
                self._fetch()
            except RetryableError as error:
                # The call itself was not made: whoever makes it repeats both.
                raise NotTakenError(str(error), retry_after=error.retry_after) from None
        request.headers[self._header] = self._value or ""
        return request

    def forget(self) -> bool:
        """Drop it, so that the next call fetches another; False when there was none to drop."""
        had, self._value = self._value, None
        return had is not None

    @abstractmethod
    def _fetch(self) -> None:
        """Set the value, and until when it is good by the monotonic clock."""


class OAuth(Renewed):
    """Bearer tokens from a token endpoint (RFC 6749). `client` is sent as HTTP Basic; None where the form has it."""

    def __init__(self, system: str, url: str, form: Mapping[str, str], client: tuple[str, str] | None) -> None:
        super().__init__("Authorization")
        self._system = system
        self._url = url
        self._form = dict(form)
        self._client = client

    def _fetch(self) -> None:
        self._use(self._ask(self._form))

    def _ask(self, form: Mapping[str, str]) -> Grant:
        try:
            return ask_endpoint(f"{self._system}'s token endpoint", self._url, form, self._client)
        except RefusedGrantError:
            raise
        except ConfigError as error:
            raise ConfigError(f"{error} (client_id, client_secret, and refresh_token where there is one)") from None

    def _use(self, grant: Grant) -> None:
        self._value = f"Bearer {grant.access_token}"
        self._until = grant.until - SPARE_SECONDS


class Refreshed(OAuth):
    """Bearer tokens by a refresh token (RFC 6749, 6), which all processes share."""

    def __init__(
        self, system: str, url: str, form: Mapping[str, str], client: tuple[str, str] | None, tokens: Tokens, refresh_token: str
    ) -> None:
        super().__init__(system, url, form, client)
        self._tokens = tokens
        self._given = refresh_token
        self._last: Grant | None = None

    def _fetch(self) -> None:
        self._last = self._tokens.refreshed(self._given, self._last, lambda due: self._ask({**self._form, "refresh_token": due}))
        self._use(self._last)


class Session(Renewed):
    """What a login gives: a token, or cookies."""

    def __init__(self, system: str, base_url: str, declared: Login, secrets: Mapping[str, str]) -> None:
        super().__init__(declared.name if declared.token else "Cookie")
        self._system = system
        self._base_url = base_url
        self._declared = declared
        self._secrets = dict(secrets)

    def _fetch(self) -> None:
        login = self._declared
        http = Http(f"{self._system}'s login", self._base_url, headers={"Accept": "application/json"})
        filled = fill(login.body, self._secrets)
        try:
            response = http.once("POST", login.path, **({"data": as_form(filled)} if login.form else {"json": filled}))
            cookies = "; ".join(f"{name}={value}" for name, value in http.session.cookies.get_dict().items())
        finally:
            http.close()
        if not login.token:
            self._value = cookies or None
        else:
            token = look_up(decoded(response.content), login.token)
            self._value = f"{login.prefix}{token}" if isinstance(token, str) and token else None
        if self._value is None:
            raise ConfigError(f"{self._system}'s login answered without {f'a text at {login.token}' if login.token else 'a cookie'}")
        self._until = math.inf


def make_auth(api: ApiFile, system: str, base_url: str, secrets: Mapping[str, SecretStr], tokens: Tokens) -> Any:
    """Return what `requests` takes as auth; None for an API without credentials."""
    given = {name: secret.get_secret_value() for name, secret in secrets.items()}
    match api.auth:
        case Basic():
            return HTTPBasicAuth(given["user"].encode(), given["password"].encode())
        case Bearer():
            return _Sent("Authorization", f"Bearer {given['token']}")
        case Header():
            return _Sent(api.auth.name, f"{api.auth.prefix}{given['token']}")
        case Query():
            return _Parameter(api.auth.name, given["token"])
        case Login():
            return Session(system, base_url, api.auth, given)
        case ClientCredentials() | RefreshToken():
            return _oauth(api.auth, system, base_url, given, tokens)
        case _:
            return None


def _oauth(auth: ClientCredentials | RefreshToken, system: str, base_url: str, given: Mapping[str, str], tokens: Tokens) -> OAuth:
    url = auth.token_url
    if not url.lower().startswith(("http://", "https://")):
        url = f"{base_url.rstrip('/')}/{url.lstrip('/')}"
    form = auth.form | ({"scope": auth.scope} if auth.scope else {})
    credentials = {name: given[name] for name in ("client_id", "client_secret")}
    client = None if auth.client == "body" else (credentials["client_id"], credentials["client_secret"])
    form |= credentials if client is None else {}
    if isinstance(auth, RefreshToken):
        return Refreshed(system, url, form | {"grant_type": "refresh_token"}, client, tokens, given["refresh_token"])
    return OAuth(system, url, form | {"grant_type": "client_credentials"}, client)
