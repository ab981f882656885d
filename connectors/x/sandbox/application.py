"""What X knows of an app by itself: its bearer token, and how many posts it has read in the month."""

import base64
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

TOKEN = "/oauth2/token"  # noqa: S105 - a path
USAGE = "/2/usage/tweets"


class Application:
    """The app's project: `cap` posts a month, of which `read` are used, until the day `cap_reset_day`."""

    paths = (TOKEN, USAGE)

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._basic = base64.b64encode(f"{keys['consumer_key']}:{keys['consumer_secret']}".encode()).decode()
        self._bearer = "AAAAsandbox%2Fbearer%3D"
        self.cap = 10_000
        self.read = 0
        self.cap_reset_day = 14

    def accepts(self, path: str, authorization: str) -> bool:
        """Check the app's keys (RFC 6749, 4.4), or the bearer token that they are given for."""
        return authorization == (f"Basic {self._basic}" if path == TOKEN else f"Bearer {self._bearer}")

    async def token(self, request: Request) -> Response:
        """Give the app its bearer token."""
        form = await request.body()
        if form != b"grant_type=client_credentials":
            return JSONResponse({"errors": [{"code": 170, "message": "Missing required parameter: grant_type"}]}, status_code=403)
        return JSONResponse({"token_type": "bearer", "access_token": self._bearer})

    async def usage(self, request: Request) -> Response:
        """Say how much of the month's cap is used."""
        usage = {"cap_reset_day": self.cap_reset_day, "project_cap": str(self.cap), "project_id": "1", "project_usage": str(self.read)}
        asked = {"project_cap", "project_id", "project_usage"} | set(request.query_params.get("usage.fields", "").split(","))
        return JSONResponse({"data": {name: value for name, value in usage.items() if name in asked}})
