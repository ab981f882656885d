"""The account's access token by OAuth 2.0, which lasts two hours; X takes each refresh token once.

https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token
"""

from connectors.x.settings import XSettings
from threadline.sdk import ConfigError
from threadline.sdk.oauth import Grant, RefusedGrantError, Tokens, ask_endpoint

PLACEHOLDER = "Bearer of-the-user"
"""What tweepy writes into calls, which logs its headers: the session puts the token in its place."""


class UserToken:
    """Gives the access token, another one when it has ended or was refused."""

    def __init__(self, settings: XSettings, tokens: Tokens) -> None:
        self._settings = settings
        self._tokens = tokens
        self._grant: Grant | None = None
        self._refused: Grant | None = None

    def header(self) -> str:
        """Return what the Authorization header shall say."""
        if self._grant is None or not self._grant.is_fresh:
            given = self._settings.refresh_token
            last = self._grant or self._refused
            self._grant = self._tokens.refreshed(given.get_secret_value() if given else "", last, self._ask)
        return f"Bearer {self._grant.access_token}"

    def refuse(self) -> None:
        """Use another token from now on."""
        self._grant, self._refused = None, self._grant or self._refused

    def _ask(self, refresh_token: str) -> Grant:
        settings = self._settings
        client, secret = settings.client_id or "", settings.client_secret
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **({} if secret else {"client_id": client})}
        basic = (client, secret.get_secret_value()) if secret else None
        try:
            # X says invalid_request of a token that it takes no more.
            return ask_endpoint(
                "X's token endpoint", f"{settings.base_url}/2/oauth2/token", form, basic, refusals=("invalid_grant", "invalid_request")
            )
        except RefusedGrantError:
            raise
        except ConfigError as error:
            raise ConfigError(f"{error} (client_id, client_secret where the app has one, and refresh_token)") from None
