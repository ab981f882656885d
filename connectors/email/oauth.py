"""Access tokens instead of a password, made from a refresh token (RFC 6749, 6): Gmail and Exchange Online take nothing else."""

from connectors.email.settings import EmailSettings
from threadline.sdk import ConfigError, ConnectorError, RetryableError
from threadline.sdk.oauth import Grant, RefusedGrantError, ask_endpoint
from threadline.sdk.oauth import Tokens as RefreshTokens


class Tokens:
    """The access token of one connector: fetched when it is needed, and again when it is about to end or was refused."""

    def __init__(self, settings: EmailSettings, refresh_tokens: RefreshTokens) -> None:
        self._settings = settings
        self._refresh_tokens = refresh_tokens
        self._grant: Grant | None = None
        self._refused: Grant | None = None
        self._asked = False

    @property
    def wanted(self) -> bool:
        """Whether a token is used at all."""
        return self._settings.oauth_refresh_token is not None

    def token(self) -> str:
        """Return a token that is good for a while; ConfigError when the refresh token is not accepted."""
        from threadline.sdk.http import retrying

        self._asked = False
        if self._grant is None or not self._grant.is_fresh:
            given = self._settings.oauth_refresh_token
            due, last = given.get_secret_value() if given else "", self._grant or self._refused
            self._grant = retrying(lambda: self._refresh_tokens.refreshed(due, last, self._ask))
        return self._grant.access_token

    def refused(self, refusal: str) -> ConnectorError:
        """Drop the token, and return the error for its refusal: a token that was good before may only have been taken back."""
        self._grant, self._refused = None, self._grant
        if self._asked:
            return ConfigError(f"{refusal}; check user, oauth_scope and what the token may do")
        return RetryableError(f"{refusal}; the next attempt fetches a new one")

    def _ask(self, refresh_token: str) -> Grant:
        settings, secret = self._settings, self._settings.oauth_client_secret
        form = {"grant_type": "refresh_token", "client_id": settings.oauth_client_id, "refresh_token": refresh_token}
        form |= {"client_secret": secret.get_secret_value() if secret else None, "scope": settings.oauth_scope}
        self._asked = True
        try:
            return ask_endpoint(
                "the OAuth token endpoint", settings.oauth_token_url or "", {name: value for name, value in form.items() if value}
            )
        except RefusedGrantError:
            raise
        except ConfigError as error:
            raise ConfigError(
                f"{error}; check oauth_client_id, oauth_client_secret and oauth_refresh_token, or grant access again"
            ) from None


def xoauth2(user: str, token: str) -> str:
    """Return what XOAUTH2 sends in one go (Gmail's and Microsoft's mechanism)."""
    return f"user={user}\x01auth=Bearer {token}\x01\x01"
