"""Calls to one org: log in through simple-salesforce, call, and log in again when the session has ended.

simple-salesforce's own client is not used beyond the login: it decodes every body, keeps the old host and drops headers
when it logs in again, and has no timeouts.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.parsers.expat import ExpatError

import requests

from connectors.salesforce.errors import REQUESTS_SPENT, failure, login_failure
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import TIMEOUT, network_error, reroute, retrying

_LAST_SOAP_LOGIN = 64
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
        self._token: str | None = None
        self._instance = ""
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
        if self._token is None:
            self._log_in()
        response = self._send(method, path, **options)
        if response.status_code == 401:
            self._log_in()
            response = self._send(method, path, **options)
        if response.status_code >= 300:
            raise failure(response)
        usage = _USAGE.search(response.headers.get("Sforce-Limit-Info", ""))
        self._left = int(usage[2]) - int(usage[1]) if usage else None
        return response

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"https://{self._instance}{path}"
        try:
            return self._session.request(method, url, headers={"Authorization": f"Bearer {self._token}"}, **options)
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", self._settings.base_url or url) from None

    def _log_in(self) -> None:
        try:
            from simple_salesforce.exceptions import SalesforceAuthenticationFailed
            from simple_salesforce.login import SalesforceLogin
        except ImportError:
            raise ConfigError("the salesforce connector needs simple-salesforce: pip install 'threadline[salesforce]'") from None
        settings, self._token = self._settings, None
        try:
            self._token, instance = SalesforceLogin(
                session=self._session, domain=settings.domain, sf_version=settings.api_version, **self._credentials()
            )
        except SalesforceAuthenticationFailed as error:
            raise login_failure(error.code, error.auth_message) from None
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", settings.base_url or f"https://{settings.domain}.salesforce.com") from None
        except (ExpatError, AttributeError):
            raise RetryableError("Salesforce's login answered neither a session nor an error") from None
        self._instance = instance.rstrip("/")

    def _credentials(self) -> Mapping[str, Any]:
        settings = self._settings
        if settings.consumer_key and settings.consumer_secret:
            if settings.domain in ("login", "test"):
                raise ConfigError(
                    "consumer_key and consumer_secret need the org's own domain: set domain to its My Domain, such as acme.my"
                )
            return {"consumer_key": settings.consumer_key, "consumer_secret": settings.consumer_secret.get_secret_value()}
        if not settings.username or not settings.password:
            raise ConfigError("no credentials: set consumer_key and consumer_secret, or username, password and security_token")
        if float(settings.api_version) > _LAST_SOAP_LOGIN:
            raise ConfigError(
                "SOAP login ends with API version 64.0: set api_version to that at most, or use consumer_key and consumer_secret"
            )
        return {
            "username": settings.username,
            "password": settings.password.get_secret_value(),
            "security_token": settings.security_token.get_secret_value(),
        }
