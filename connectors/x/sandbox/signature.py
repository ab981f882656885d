"""The server's side of OAuth 1.0a: checking who signed a request (RFC 5849, section 3)."""

import base64
import hmac
import time
from collections import deque
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

CLOCK_SKEW = 300.0
"""Seconds by which a request's timestamp may differ from this clock."""


class SignatureCheck:
    """Takes requests signed with HMAC-SHA1 by one consumer for one access token, each nonce once."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._keys = keys
        self._seen: deque[str] = deque(maxlen=1000)

    def accepts(self, method: str, url: str, query: Iterable[tuple[str, str]], authorization: str) -> bool:
        """Say whether the Authorization header signs this call; `url` is without its query."""
        oauth = _header_parameters(authorization)
        claimed = oauth.pop("oauth_signature", "")
        nonce = oauth.get("oauth_nonce", "")
        if (
            oauth.get("oauth_consumer_key") != self._keys["consumer_key"]
            or oauth.get("oauth_token") != self._keys["access_token"]
            or oauth.get("oauth_signature_method") != "HMAC-SHA1"
            or not _is_now(oauth.get("oauth_timestamp", ""))
            or nonce in self._seen
        ):
            return False
        expected = self._signature(method, url, [*query, *oauth.items()])
        if not hmac.compare_digest(claimed.encode(), expected.encode()):
            return False
        self._seen.append(nonce)
        return True

    def _signature(self, method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
        pairs = sorted((_escape(name), _escape(value)) for name, value in parameters)
        joined = "&".join(f"{name}={value}" for name, value in pairs)
        base = "&".join((method.upper(), _escape(url), _escape(joined)))
        key = f"{_escape(self._keys['consumer_secret'])}&{_escape(self._keys['access_token_secret'])}"
        return base64.b64encode(hmac.digest(key.encode(), base.encode(), "sha1")).decode()


def _escape(text: str) -> str:
    return quote(text, safe="~")


def _is_now(timestamp: str) -> bool:
    return timestamp.isdigit() and abs(time.time() - int(timestamp)) <= CLOCK_SKEW


def _header_parameters(authorization: str) -> dict[str, str]:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    pairs = (part.strip().partition("=") for part in rest.split(","))
    return {unquote(name): unquote(value.strip('"')) for name, _, value in pairs if name != "realm"}
