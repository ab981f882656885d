"""Signed sessions: proof that somebody had the token, without holding it."""

import hmac

LIFETIME = 12 * 3600
"""Seconds from signing in until the token is asked for again."""


class Sessions:
    """Issues and checks sessions, "<expiry, UNIX seconds>.<HMAC-SHA256>". The key comes from the token: a new token ends all sessions."""

    def __init__(self, token: str) -> None:
        self._key = hmac.digest(token.encode(), b"threadline session", "sha256")

    def issue(self, now: float) -> str:
        """Return a session that holds for `LIFETIME` seconds."""
        return self._signed(str(int(now) + LIFETIME))

    def holds(self, session: str, now: float) -> bool:
        """Tell whether it was issued here and has not ended."""
        expiry = session.partition(".")[0]
        return hmac.compare_digest(session.encode(), self._signed(expiry).encode()) and now < int(expiry)

    def _signed(self, expiry: str) -> str:
        return f"{expiry}.{hmac.digest(self._key, expiry.encode(), 'sha256').hex()}"
