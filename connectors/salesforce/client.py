"""Calls to one org: log in, call, and log in again when the session has ended.

simple-salesforce's own client is not used beyond the SOAP login: it decodes every body, keeps the old host and drops
headers when it logs in again, and has no timeouts.
"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from connectors.salesforce.errors import REQUESTS_SPENT, failure
from connectors.salesforce.login import Session, Sessions
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import TIMEOUT, network_error, reroute, retrying

_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


class _Session(requests.Session):
    """A session whose calls end: the library's login sets no timeout."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        options["timeout"] = options.get("timeout") or TIMEOUT
        return super().send(request, **options)


class Client:
    """One org's REST API."""

    def __init__(self, settings: SalesforceSettings) -> None:
        self._settings = settings
        self._session = _Session()
        # Neither ~/.netrc nor proxy variables may add credentials or change where personal data goes.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "threadline/0.1"
        if settings.base_url:
            # The library knows only https and the host that the login names.
            reroute(self._session, "https://", settings.base_url)
        self._sessions = Sessions(settings, self._session)
        self._left: int | None = None

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

    def keep_reserve(self) -> None:
        """Stop with RetryableError when only `api_reserve` of the org's daily requests are left."""
        if self._left is not None and self._left <= self._settings.api_reserve:
            raise RetryableError(f"{self._left} of the org's daily API requests are left: the rest waits", retry_after=REQUESTS_SPENT)

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
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        self._left = int(usage[2]) - int(usage[1]) if usage else None
        return response

    def _send(self, session: Session, method: str, path: str, **options: Any) -> requests.Response:
        url = f"https://{session.instance}{path}"
        try:
            return self._session.request(method, url, headers={"Authorization": f"Bearer {session.token}"}, **options)
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", self._settings.base_url or url) from None
