"""What refresh tokens have become, kept in the store: one request at the token endpoint for each generation, whoever needs it (G12).

Who asks holds a lock that ends with its process, and notes that it asks before it does. So what a crash may have lost is known: an answer
that came and was not kept. The vendor has then replaced a refresh token by one that nobody has.
"""

import hashlib
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cached_property
from math import inf
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from threadline.sdk.errors import ConfigError, RetryableError
from threadline.sdk.oauth import SPARE_SECONDS, Ask, Grant, RefusedGrantError, Tokens
from threadline.store import schema
from threadline.store.database import Database, Transaction, moment, open_database

KEY = "THREADLINE_SECRET_KEY"
"""The environment variable with the key; several, separated by commas: the first encrypts, all decrypt."""
_PATIENCE = 120.0
"""Seconds: longer than a token endpoint may take."""
_PAUSE = 0.1
_KEEP_ATTEMPTS = 5


class UnkeptTokens(Tokens):
    """Refuses to use a refresh token: the vendor might replace it, and nothing here could keep the next one."""

    def __init__(self, holder: str) -> None:
        super().__init__()
        self._holder = holder

    def refreshed(self, given: str, last: Grant | None, ask: Ask) -> Grant:
        """See `Tokens`."""
        raise ConfigError(
            f"{self._holder} logs in with a refresh token, which a vendor may replace whenever it is used; the next one is kept encrypted, "
            f"and that needs a key: set {KEY} to what `threadline secret-key` prints"
        )


class _Secret(Struct):
    access_token: str
    refresh_token: str
    about: Mapping[str, str]


class _Row(Struct):
    generation: int
    secret: bytes | None
    expires_at: datetime | None
    asked_at: datetime | None
    now: datetime


class SharedTokens(Tokens):
    """Keeps them in the store at `url`, encrypted; `holder` names whose they are, in messages."""

    def __init__(self, url: str, holder: str, key: str) -> None:
        super().__init__()
        self._url = url
        self._holder = holder
        self._key = key

    def refreshed(self, given: str, last: Grant | None, ask: Ask) -> Grant:
        """See `Tokens`."""
        # A key that is none must not be found out when the answer is there.
        self._encrypted(_Secret("", "", {}))
        token = hashlib.sha256(given.encode()).digest()[:16]
        waited_until = time.monotonic() + _PATIENCE
        while time.monotonic() < waited_until:
            with open_database(self._url, create=True) as database, ExitStack() as stack:
                if found := self._other_than(last, self._read(database, token)):
                    return found
                try:
                    stack.enter_context(database.sole(f"token {token.hex()}"))
                except RetryableError:
                    time.sleep(_PAUSE)
                    continue
                return self._asked(database, token, given, last, ask)
        raise RetryableError(f"{self._holder}: another process has been asking for an access token for {_PATIENCE:.0f} s: try again later")

    def _asked(self, database: Database, token: bytes, given: str, last: Grant | None, ask: Ask) -> Grant:
        """Ask the endpoint; nobody else does."""
        row = self._read(database, token)
        if found := self._other_than(last, row):
            return found
        due = self._decrypted(row.secret).refresh_token if row and row.secret else given
        self._note(database, token)
        try:
            grant = ask(due)
        except ConfigError as error:
            # Should the lock have gone with its connection, somebody else may have asked after all.
            if found := self._other_than(last, self._read(database, token)):
                return found
            # This was an answer: what may be lost is an earlier one.
            self._note_again(database, token, row.asked_at if row else None)
            raise self._dead(error, row) if isinstance(error, RefusedGrantError) else error from None
        return self._keep(token, row.generation if row else 0, replace(grant, refresh_token=grant.refresh_token or due))

    def _dead(self, refused: RefusedGrantError, row: _Row | None) -> ConfigError:
        lost = f"; an answer of {row.asked_at:%Y-%m-%d %H:%M} UTC may be lost, and the next token with it" if row and row.asked_at else ""
        return ConfigError(f"{self._holder}: {refused}{lost}")

    def _other_than(self, last: Grant | None, row: _Row | None) -> Grant | None:
        """Return the grant that is kept, if it is another one than the last and good for a while."""
        if row is None or row.secret is None or (last and last.generation == row.generation):
            return None
        seconds = (row.expires_at - row.now).total_seconds() if row.expires_at else inf
        if seconds <= SPARE_SECONDS:
            return None
        secret = self._decrypted(row.secret)
        return Grant(secret.access_token, secret.refresh_token, time.monotonic() + seconds, secret.about, row.generation)

    def _read(self, database: Database, token: bytes) -> _Row | None:
        with database.read() as view:
            rows = view.query("SELECT generation, secret, expires_at, asked_at FROM tokens WHERE token = ?", [token])
            now = view.now()
        if not rows:
            return None
        generation, secret, expires_at, asked_at = rows[0]
        return _Row(generation, secret, moment(expires_at), moment(asked_at), now)

    def _note(self, database: Database, token: bytes) -> None:
        with database.write() as transaction:
            now = transaction.now()
            transaction.insert(schema.TOKENS, [(token, self._holder, 0, None, None, None, now)])
            # The first of several that were not answered is the one whose answer may be lost.
            transaction.execute("UPDATE tokens SET asked_at = coalesce(asked_at, ?) WHERE token = ?", [now, token])

    def _note_again(self, database: Database, token: bytes, asked_at: datetime | None) -> None:
        with database.write() as transaction:
            transaction.execute("UPDATE tokens SET asked_at = ? WHERE token = ?", [asked_at, token])

    def _keep(self, token: bytes, generation: int, grant: Grant) -> Grant:
        """Write down what came; the vendor takes the old token no more, so a connection that broke meanwhile is opened again."""
        secret = self._encrypted(_Secret(grant.access_token, grant.refresh_token or "", grant.about))
        for attempt in range(1, _KEEP_ATTEMPTS + 1):
            try:
                with open_database(self._url, create=True) as database, database.write() as transaction:
                    self._write(transaction, token, generation, secret, grant.until)
                break
            except RetryableError:
                if attempt == _KEEP_ATTEMPTS:
                    raise
                time.sleep(_PAUSE * attempt)
        return replace(grant, generation=generation + 1)

    def _write(self, transaction: Transaction, token: bytes, generation: int, secret: bytes, until: float) -> None:
        now = transaction.now()
        expires_at = None if until == inf else now + timedelta(seconds=until - time.monotonic())
        transaction.execute(
            "UPDATE tokens SET generation = ?, secret = ?, expires_at = ?, asked_at = NULL, changed_at = ? "
            "WHERE token = ? AND generation = ?",
            [generation + 1, secret, expires_at, now, token, generation],
        )

    @cached_property
    def _cipher(self) -> Any:
        from cryptography.fernet import Fernet, MultiFernet

        try:
            return MultiFernet([Fernet(one.strip()) for one in self._key.split(",")])
        except ValueError:
            raise ConfigError(
                f"{KEY} is no key (32 bytes in base64), nor several with commas between: `threadline secret-key` makes one"
            ) from None

    def _encrypted(self, secret: _Secret) -> bytes:
        encrypted: bytes = self._cipher.encrypt(msgspec.json.encode(secret))
        return encrypted

    def _decrypted(self, secret: bytes) -> _Secret:
        from cryptography.fernet import InvalidToken

        try:
            return msgspec.json.decode(self._cipher.decrypt(bytes(secret)), type=_Secret)
        except InvalidToken:
            raise ConfigError(
                f"{self._holder}: what its refresh token has become was encrypted with another key: set {KEY} to the new and the old one, "
                "with a comma between, or grant access again and set the new refresh token"
            ) from None
