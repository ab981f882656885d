"""Calls to one org: log in, call, and log in again when the session has ended.

simple-salesforce's own client is not used beyond the SOAP login: it decodes every body, keeps the old host and drops
headers when it logs in again, and has no timeouts.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from connectors.salesforce.errors import failure
from connectors.salesforce.login import Session, Sessions
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError
from threadline.sdk.budget import UNLIMITED, Allowance, Budget, Left, metered
from threadline.sdk.http import TIMEOUT, network_error, reroute, retrying
from threadline.sdk.oauth import Tokens

_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
_DAY = 24 * 3600


def requests_left(headers: Mapping[str, str]) -> Left | None:
    """Read how many requests the org has left of the last 24 hours' from Sforce-Limit-Info: "api-usage=18/5000"."""
    usage = _USAGE.search(headers.get("Sforce-Limit-Info", ""))
    return Left(max(0, int(usage[2]) - int(usage[1])), None, int(usage[2])) if usage else None


def daily_requests(reserve: int) -> Allowance:
    """Return the org's allowance, of which a reserve is left to others; logins and the list of versions are free."""
    return Allowance("requests", None, _DAY, r"^\w+ .*/services/data/v", requests_left, "sliding", kept=reserve)


class _Session(requests.Session):
    """A session whose calls end: the library's login sets no timeout."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or TIMEOUT
        return super().send(request, **options)


class Client:
    """One org's REST API."""

    def __init__(self, settings: SalesforceSettings, tokens: Tokens, budget: Budget = UNLIMITED) -> None:
        self._settings = settings
        self._session = _Session()
        # Neither ~/.netrc nor proxy variables may add credentials or change where personal data goes.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "threadline/0.1"
        if settings.base_url:
            # The library knows only https and the host that the login names.
            reroute(self._session, "https://", settings.base_url)
        metered(self._session, budget)
        self._sessions = Sessions(settings, self._session, tokens)

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Call the REST API and repeat what may pass; `path` is below /services/data/vNN.N."""
        return retrying(lambda: self._once(method, f"/services/data/v{self._settings.api_version}{path}", **options))

    def server_time(self) -> datetime:
        """Return the server's clock, in whole seconds; the list of versions tells it at no cost of API requests."""
        date = retrying(lambda: self._once("GET", "/services/data")).headers.get("Date", "")
        try:
            return parsedate_to_datetime(date)
        except ValueError:
            raise ConfigError("Salesforce answered without a readable Date header: let the proxy at base_url pass it on") from None

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()

    def _once(self, method: str, path: str, **options: Any) -> requests.Response:
        session = self._sessions.current()
        response = self._send(session, method, path, **options)
        if response.status_code == 401:
            response = self._send(self._sessions.renewed(session), method, path, **options)
        if response.status_code >= 300:
            raise failure(response)
        return response

    def _send(self, session: Session, method: str, path: str, **options: Any) -> requests.Response:
        url = f"https://{session.instance}{path}"
        try:
            return self._session.request(method, url, headers={"Authorization": f"Bearer {session.token}"}, **options)
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", self._settings.base_url or url) from None
