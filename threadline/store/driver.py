"""What the PostgreSQL store asks of a driver, and the choice between libpq itself and psycopg."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Protocol

from threadline.sdk.errors import ConfigError
from threadline.store.database import Row
from threadline.store.schema import Column

CHOICE = "THREADLINE_POSTGRES_DRIVER"
"""Environment variable that chooses `libpq`, the default where it is known, or `psycopg` (docs/adr/0007)."""

OPTIONS = {"connect_timeout": "10", "options": "-c timezone=UTC", "client_encoding": "UTF8"}
"""What every connection is opened with, whatever its address says."""

LOST = "08006"
"""SQLSTATE connection_failure: for a connection that broke without a word from the server."""


class PostgresError(Exception):
    """A statement or connection failed; `code` is its SQLSTATE, or empty for what the client refused.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class AddressError(Exception):
    """What was given is no address of a PostgreSQL server; it may hold a password and is not quoted."""


class Connection(Protocol):
    """One connection that commits each statement unless BEGIN was executed. Its errors are PostgresError."""

    @property
    def closed(self) -> bool:
        """Whether the connection was closed, or found broken."""
        ...

    def query(self, sql: str, parameters: Sequence[Any]) -> list[Row]:
        """Return the rows of a statement with `?` placeholders."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any]) -> int:
        """Run a statement with `?` placeholders; return how many rows it touched."""
        ...

    def copy(self, statement: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Load rows through a `COPY ... FROM STDIN (FORMAT BINARY)` of these columns."""
        ...

    def close(self) -> None:
        """Release the connection; may be repeated."""
        ...


def connect(address: str) -> Connection:
    """Connect; PostgresError when the server cannot be used, AddressError for what is no address."""
    choice = os.environ.get(CHOICE) or ""
    if choice not in ("", "libpq", "psycopg"):
        raise ConfigError(f"{CHOICE} is {choice!r}: use libpq or psycopg, or leave it out")
    if find_spec("psycopg") is None:
        raise ConfigError("PostgreSQL needs its driver: pip install 'threadline[postgres]'")
    if choice != "psycopg":
        from threadline.store.libpq_library import library

        if library():
            from threadline.store.libpq import LibpqConnection

            return LibpqConnection(address)
        if choice:
            raise ConfigError(f"{CHOICE} is libpq, but no libpq from 14 to 18 is installed: pip install 'psycopg[binary]'")
    from threadline.store.psycopg3 import PsycopgConnection

    return PsycopgConnection(address)
