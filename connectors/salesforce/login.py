"""Sessions of one org: by OAuth's client credentials, refresh token or JWT bearer flow, or by SOAP login.

https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm
"""

import threading
import time
from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec
import requests
from pydantic import SecretStr

from connectors.salesforce.errors import login_failure
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import network_error
from threadline.sdk.oauth import Grant, Tokens

_LAST_SOAP_LOGIN = 64
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_SECONDS = 180
"""How long an assertion is good: the longest that Salesforce takes."""


class Session:
    """A session, and the host that serves it; it has no repr that could show it."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.token = grant.access_token
        self.instance = grant.about["instance_url"].partition("://")[2].rstrip("/")


class _Granted(msgspec.Struct):
    access_token: str
    instance_url: str
    refresh_token: str | None = None


class _Refused(msgspec.Struct):
    error: str
    error_description: str = ""


class Sessions:
    """Holds the org's one session, and makes another one, once, when it has ended."""

    def __init__(self, settings: SalesforceSettings, http: requests.Session, tokens: Tokens) -> None:
        self._settings = settings
        self._http = http
        self._tokens = tokens
        self._lock = threading.Lock()
        self._session: Session | None = None

    def current(self) -> Session:
        """Return the session; log in when there is none."""
        return self._other_than(None)

    def renewed(self, ended: Session) -> Session:
        """Return a session for one that has ended: a new one, unless somebody has made it already."""
        return self._other_than(ended)

    def _other_than(self, ended: Session | None) -> Session:
        with self._lock:
            if self._session is None or self._session is ended:
                self._session = None
                self._session = Session(self._log_in(ended.grant if ended else None))
            return self._session

    def _log_in(self, ended: Grant | None) -> Grant:
        settings = self._settings
        if settings.consumer_key and settings.private_key:
            return self._granted("JWT bearer", {"grant_type": _JWT_BEARER, "assertion": _assertion(settings)})
        if settings.consumer_key and settings.refresh_token:
            return self._tokens.refreshed(_said(settings.refresh_token), ended, self._refreshed)
        if settings.consumer_key and settings.consumer_secret:
            if settings.domain in ("login", "test"):
                raise ConfigError(
                    "consumer_key and consumer_secret need the org's own domain: set domain to its My Domain, such as acme.my"
                )
            client = settings.consumer_key, _said(settings.consumer_secret)
            return self._granted("client credentials", {"grant_type": "client_credentials"}, client)
        return self._soap()

    def _refreshed(self, refresh_token: str) -> Grant:
        settings = self._settings
        form = {"grant_type": "refresh_token", "client_id": settings.consumer_key or "", "refresh_token": refresh_token}
        return self._granted(
            "refresh token", form | ({"client_secret": _said(settings.consumer_secret)} if settings.consumer_secret else {})
        )

    def _granted(self, flow: str, form: Mapping[str, str], client: tuple[str, str] | None = None) -> Grant:
        url = f"https://{self._settings.domain}.salesforce.com/services/oauth2/token"
        try:
            response = self._http.post(url, data=form, auth=client, allow_redirects=False)
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", self._settings.base_url or url) from None
        if response.status_code != 200:
            refused = _decoded(response, _Refused)
            raise login_failure(refused.error if refused else response.status_code, refused.error_description if refused else "", flow)
        granted = _decoded(response, _Granted)
        if granted is None or not granted.access_token:
            raise _neither()
        # Salesforce does not say how long a session lives: until a call is refused.
        return Grant(granted.access_token, granted.refresh_token, about={"instance_url": granted.instance_url})

    def _soap(self) -> Grant:
        given = self._soap_credentials()
        try:
            from simple_salesforce.exceptions import SalesforceAuthenticationFailed
            from simple_salesforce.login import SalesforceLogin
        except ImportError:
            raise ConfigError("the salesforce connector needs simple-salesforce: pip install 'threadline[salesforce]'") from None
        settings = self._settings
        try:
            token, instance = SalesforceLogin(session=self._http, domain=settings.domain, sf_version=settings.api_version, **given)
        except SalesforceAuthenticationFailed as error:
            raise login_failure(error.code, error.auth_message, "SOAP") from None
        except requests.RequestException as error:
            raise network_error(error, "Salesforce", settings.base_url or f"https://{settings.domain}.salesforce.com") from None
        except (ExpatError, AttributeError):
            raise _neither() from None
        return Grant(token, about={"instance_url": f"https://{instance}"})

    def _soap_credentials(self) -> Mapping[str, Any]:
        settings = self._settings
        if not settings.username or not settings.password:
            raise ConfigError(
                "no credentials: set consumer_key and consumer_secret; or consumer_key and refresh_token; or consumer_key, private_key"
                " and username; or username, password and security_token"
            )
        if float(settings.api_version) > _LAST_SOAP_LOGIN:
            raise ConfigError(
                "SOAP login ends with API version 64.0: set api_version to that at most, or use consumer_key and consumer_secret"
            )
        return {"username": settings.username, "password": _said(settings.password), "security_token": _said(settings.security_token)}


def _assertion(settings: SalesforceSettings) -> str:
    if not settings.username or settings.private_key is None:
        raise ConfigError("the JWT bearer flow needs username: the user that the connected app has pre-authorized")
    try:
        import jwt
    except ImportError:
        raise ConfigError("the salesforce connector needs simple-salesforce: pip install 'threadline[salesforce]'") from None
    # My Domains of sandbox orgs: acme--uat.sandbox.my
    server = "test" if settings.domain == "test" or ".sandbox" in settings.domain else "login"
    claims = {
        "iss": settings.consumer_key,
        "sub": settings.username,
        "aud": f"https://{server}.salesforce.com",
        "exp": int(time.time()) + _JWT_SECONDS,
    }
    try:
        # Environment variables often carry the line ends of a key as \n.
        return jwt.encode(claims, _said(settings.private_key).replace("\\n", "\n"), algorithm="RS256")
    except (jwt.InvalidKeyError, ValueError, TypeError):
        raise ConfigError("private_key is no RSA key in PEM: give the whole file, with its first and last line") from None


def _decoded(response: requests.Response, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(response.content, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _neither() -> RetryableError:
    return RetryableError("Salesforce's login answered neither a session nor an error")


def _said(secret: SecretStr) -> str:
    return secret.get_secret_value()
