"""HTTP for connectors: a requests session with timeouts, retries and errors that say what to do.

Vendor libraries that insist on their own host are given a session whose calls `reroute` sends elsewhere, so that the
same code talks to the vendor and to its stand-in.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from threadline.sdk.errors import ConfigError, RetryableError

T = TypeVar("T")
TIMEOUT = (10.0, 60.0)
"""Seconds to connect and to wait between two bytes."""
ATTEMPTS = 5
LONGEST_WAIT = 90.0
"""Seconds; a remote that asks for more is left for the next scheduled run."""


def retrying(call: Callable[[], T]) -> T:
    """Repeat a call while it raises RetryableError: five attempts, waiting what the remote asked or a growing random time."""
    try:
        return call()
    except RetryableError as error:
        failed = error
    return _repeated(call, failed)


def _backoff(state: Any) -> float:
    from tenacity import wait_random_exponential

    return float(wait_random_exponential(multiplier=0.5, max=30)(state))


def _repeated(call: Callable[[], T], failed: RetryableError | None) -> T:
    """Go on after a first attempt that failed."""
    # Loaded at the first failure: most runs have none, and it costs as much to import as to read a page of records.
    from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RetryableError) else None
        return _backoff(state) if asked is None else asked

    def give_up(state: RetryCallState) -> bool:
        return stop_after_attempt(ATTEMPTS)(state) or wait(state) > LONGEST_WAIT

    def again() -> T:
        nonlocal failed
        if failed is not None:
            first, failed = failed, None
            raise first
        return call()

    return Retrying(retry=retry_if_exception_type(RetryableError), stop=give_up, wait=wait, sleep=time.sleep, reraise=True)(again)


def server_time(headers: Mapping[str, str]) -> float | None:
    """Read Date (RFC 9110, 6.6.1) as seconds since 1970; None where it is absent or unreadable."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, OverflowError):
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3) as seconds from now; None where it is absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def raise_for_status(response: requests.Response, system: str) -> None:
    """Turn an HTTP error into ConfigError (3xx, 401, 403, other 4xx) or RetryableError (408, 425, 429, 5xx); bodies are not quoted."""
    status = response.status_code
    if status < 300:
        return
    where = f"{system} answered {status} to {response.request.method} {urlsplit(response.url).path}"
    if status < 400:
        raise ConfigError(f"{where}: it answers at another address; set base_url to that")
    if status in (408, 425, 429) or status >= 500:
        raise RetryableError(where, retry_after=retry_after(response.headers))
    if status in (401, 403):
        raise ConfigError(f"{where}: the credentials were refused; check them and what they may do")
    raise ConfigError(f"{where}: check the address and the settings")


def network_error(error: Exception, system: str, url: str) -> RetryableError | ConfigError:
    """Name a failure below HTTP: an invalid address is a ConfigError, everything else may pass."""
    where = _place(system, url)
    if isinstance(error, (requests.exceptions.InvalidHeader, UnicodeEncodeError)):
        return ConfigError(f"{where}: the credentials hold a line end or another character that HTTP cannot carry")
    if isinstance(error, ValueError):
        return ConfigError(f"{where}: not a usable address; it must begin with http:// or https://, and a port is below 65536")
    if isinstance(error, requests.Timeout):
        return RetryableError(f"{where} did not answer in time")
    return RetryableError(f"{where} cannot be reached; check the address, the network and that the service runs")


def _place(system: str, url: str) -> str:
    # Never the address as it was written: what is no address may hold a password.
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return system
    if not parts.hostname:
        return system
    return f"{system} at {parts.hostname}:{port}" if port else f"{system} at {parts.hostname}"


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url.lower())
    port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.scheme, parts.netloc.removesuffix(port)


class Http:
    """Calls to one system's API: base address, authentication, timeout, retries, classified errors."""

    def __init__(
        self,
        system: str,
        base_url: str,
        *,
        auth: Any = None,
        headers: Mapping[str, str] | None = None,
        session: requests.Session | None = None,
    ) -> None:
        self.system = system
        self.base_url = base_url.rstrip("/")
        self.session = session or requests.Session()
        # Neither ~/.netrc nor proxy variables may add credentials or change where personal data goes.
        self.session.trust_env = False
        self.session.auth = auth
        self.session.headers.update({"User-Agent": "threadline/0.1", **(headers or {})})

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET with retries; `path` is relative to the base address or a full address on the same host."""
        return retrying(lambda: self.once("GET", path, **options))

    def once(self, method: str, path: str, **options: Any) -> requests.Response:
        """Make one call without retries: for writes, whose repetition the connector decides. Redirects are not followed."""
        url = self._url(path)
        try:
            # requests turns a redirected POST into a GET: a write would be lost, and its answer look well.
            response = self.session.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)
        except (requests.RequestException, ValueError) as error:
            raise network_error(error, self.system, url) from None
        raise_for_status(response, self.system)
        return response

    def _url(self, path: str) -> str:
        if not path.lower().startswith(("http://", "https://")):
            return f"{self.base_url}/{path.lstrip('/')}"
        # A link from a response must not carry the credentials to another host.
        if _origin(path) != _origin(self.base_url):
            raise ConfigError(f"{self.system} linked to another host, {urlsplit(path).netloc}; set base_url to the host that answers")
        return path

    def close(self) -> None:
        """Close pooled connections."""
        self.session.close()


class _Reroute(HTTPAdapter):
    def __init__(self, vendor: str, base_url: str) -> None:
        super().__init__()
        self._vendor = urlsplit(vendor)
        self._real = urlsplit(base_url)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        vendor_url = request.url or ""
        parts = urlsplit(vendor_url)
        path = self._real.path.rstrip("/") + parts.path
        request.url = urlunsplit((self._real.scheme, self._real.netloc, path, parts.query, ""))
        try:
            response = super().send(request, **options)
        finally:
            request.url = vendor_url
        # zenpy picks its handler by the address that it called, so the answer must carry it.
        response.url = vendor_url
        return response


def reroute(session: requests.Session, vendor: str, base_url: str) -> None:
    """Send the session's calls to `vendor` (scheme and host) to `base_url` instead; requests and responses keep the vendor's address."""
    session.mount(vendor, _Reroute(vendor, base_url))
