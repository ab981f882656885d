"""Access tokens instead of a password, made from a refresh token (RFC 6749, 6): Gmail and Exchange Online take nothing else."""

import time
from typing import Any

from connectors.email.settings import EmailSettings
from threadline.sdk import ConfigError, ConnectorError, RetryableError

_SPARE_SECONDS = 60.0
"""A token that ends sooner than this is not used any more."""
_USUAL_SECONDS = 3_600.0


class Tokens:
    """The access token of one connector: fetched when it is needed, and again when it is about to end or was refused."""

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings
        self._token: str | None = None
        self._ends = 0.0
        self._fresh = False

    @property
    def wanted(self) -> bool:
        """Whether a token is used at all."""
        return self._settings.oauth_refresh_token is not None

    def token(self) -> str:
        """Return a token that is good for a while; ConfigError when the refresh token is not accepted."""
        self._fresh = self._token is None or time.monotonic() > self._ends - _SPARE_SECONDS
        if self._token is None or self._fresh:
            self._token, seconds = self._fetch()
            self._ends = time.monotonic() + seconds
        return self._token

    def refused(self, refusal: str) -> ConnectorError:
        """Drop the token, and return the error for its refusal: a token that was good before may only have been taken back."""
        self._token = None
        if self._fresh:
            return ConfigError(f"{refusal}; check user, oauth_scope and what the token may do")
        return RetryableError(f"{refusal}; the next attempt fetches a new one")

    def _fetch(self) -> tuple[str, float]:
        from threadline.sdk.http import Http, retrying

        http = Http("the OAuth token endpoint", self._settings.oauth_token_url or "")
        try:
            answer = retrying(lambda: http.once("POST", http.base_url, data=self._form()))
        except ConfigError as error:
            raise ConfigError(
                f"{error}; check oauth_client_id, oauth_client_secret and oauth_refresh_token, or grant access again"
            ) from None
        finally:
            http.close()
        return _read(answer)

    def _form(self) -> dict[str, str]:
        settings = self._settings
        secrets = {"refresh_token": settings.oauth_refresh_token, "client_secret": settings.oauth_client_secret}
        form = {"grant_type": "refresh_token", "client_id": settings.oauth_client_id, "scope": settings.oauth_scope}
        form |= {name: secret.get_secret_value() for name, secret in secrets.items() if secret}
        return {name: value for name, value in form.items() if value}


def _read(answer: Any) -> tuple[str, float]:
    try:
        document = answer.json()
        token, seconds = document["access_token"], float(document.get("expires_in") or _USUAL_SECONDS)
    except (ValueError, TypeError, KeyError, AttributeError):
        token, seconds = None, 0.0
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ConfigError("the OAuth token endpoint answered without an access_token; check oauth_token_url")
    return token, seconds


def xoauth2(user: str, token: str) -> str:
    """Return what XOAUTH2 sends in one go (Gmail's and Microsoft's mechanism)."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01"
