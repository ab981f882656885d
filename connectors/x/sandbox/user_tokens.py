"""X's side of OAuth 2.0 for the account: each refresh token is taken once, and brings the next one."""

import base64
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

USER_TOKEN = "/2/oauth2/token"  # noqa: S105 - a path
CLIENT_ID = "c2FuZGJveC1jbGllbnQ6MTpjaQ"
CLIENT_SECRET = "sandbox-client_secret"  # noqa: S105 - the stand-in's own
FIRST = "sandbox-refresh_token"
SCOPES = "tweet.read tweet.write users.read dm.read dm.write offline.access"


class UserTokens:
    """The account's tokens; a refresh token that comes a second time ends them all, as one that was stolen."""

    def __init__(self) -> None:
        self.refresh_token: str | None = FIRST
        self.spent: list[str] = []
        self._access: set[str] = set()

    def accepts(self, authorization: str) -> bool:
        """Check an access token."""
        return authorization.removeprefix("Bearer ") in self._access

    def expire(self) -> None:
        """End the access tokens, as two hours do."""
        self._access.clear()

    async def token(self, request: Request) -> Response:
        """Answer the token endpoint."""
        form = {name: values[-1] for name, values in parse_qs((await request.body()).decode()).items()}
        if not _is_client(form, request.headers.get("Authorization", "")):
            return JSONResponse({"error": "unauthorized_client", "error_description": "Missing valid authorization header"}, 401)
        token = form.get("refresh_token", "")
        if form.get("grant_type") != "refresh_token" or token != self.refresh_token:
            self.refresh_token = None if token in self.spent else self.refresh_token
            return JSONResponse({"error": "invalid_request", "error_description": "Value passed for the token was invalid."}, 400)
        self.spent.append(token)
        access, self.refresh_token = (f"sandbox-{kind}-{secrets.token_hex(8)}" for kind in ("access", "refresh"))
        self._access.add(access)
        granted = {"access_token": access, "refresh_token": self.refresh_token, "expires_in": 7200, "scope": SCOPES, "token_type": "bearer"}
        return JSONResponse(granted)


def _is_client(form: Mapping[str, str], authorization: str) -> bool:
    """Whether an app with a secret says it, or one without says its name."""
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    return authorization == f"Basic {basic}" or (not authorization and form.get("client_id") == CLIENT_ID)
