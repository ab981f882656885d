"""Connections to the database, its clock, and its errors in words that hold no password and no data."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.pool import NullPool

from threadline.sdk import ConfigError, RetryableError

_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_PACKAGES = {"psycopg": "'threadline[postgres]'", "psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
_TAKE_CONNECT_TIMEOUT = {"psycopg", "psycopg2", "pymysql", "mysqldb"}
_UTC_SESSION = {"postgresql": "SET TIME ZONE 'UTC'", "mysql": "SET time_zone = '+00:00'", "mariadb": "SET time_zone = '+00:00'"}
"""Otherwise times with a zone would be shown in the session's, and the same row would read differently after a change of it."""
_UTC_CLOCK = {
    "sqlite": func.strftime("%Y-%m-%d %H:%M:%f", "now"),
    "mysql": func.utc_timestamp(6),
    "mariadb": func.utc_timestamp(6),
    "mssql": func.sysutcdatetime(),
}
"""Where CURRENT_TIMESTAMP carries no zone, or only whole seconds."""

_MYSQL_REFUSALS = {1044, 1045, 1049, 1698}
_ODBC_REFUSALS = {"28000", "42000"}
_POSTGRESQL_BUSY = ("starting up", "shutting down", "too many", "recovery", "remaining connection slots")


class Database:
    """One database; nothing is connected before it is used, and no connection outlives its use."""

    def __init__(self, url: str, time_zone: str) -> None:
        self._url = url
        self.zone = ZoneInfo(time_zone)

    @cached_property
    def url(self) -> URL:
        """The address with the driver that is meant; takes Airflow's spellings too."""
        try:
            url = make_url(self._url)
        except (ArgumentError, ValueError):
            raise ConfigError("url: not a database URL; write it like postgresql://user:password@host:5432/database") from None
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername)).difference_update_query(["__extra__"])
        if url.get_backend_name() == "sqlite" and url.host:
            url = URL.create(url.drivername, database=unquote(url.host), query=url.query)
        return url

    @property
    def where(self) -> str:
        """How messages name the database: without user and password."""
        host = self.url.host or self.url.query.get("host") or "local"
        return f"{self.url.get_backend_name()} database {self.url.database or ''} at {host}{f':{self.url.port}' if self.url.port else ''}"

    @cached_property
    def _engine(self) -> Engine:
        # Without it, a host that drops packets would hold a worker for minutes.
        waits = self.url.drivername.partition("+")[2] in _TAKE_CONNECT_TIMEOUT and "connect_timeout" not in self.url.query
        try:
            engine = create_engine(self.url, poolclass=NullPool, connect_args={"connect_timeout": 10} if waits else {})
        except NoSuchModuleError:
            raise ConfigError(f"url: no database kind {self.url.drivername!r}; use postgresql, mysql, mariadb, mssql or sqlite") from None
        except ImportError as error:
            module = (error.name or self.url.get_driver_name()).partition(".")[0]
            package = _PACKAGES.get(module, module.lower())
            raise ConfigError(f"the driver {module} of {self.url.drivername} is not installed: pip install {package}") from None
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
        return engine

    @contextmanager
    def connected(self) -> Generator[Connection]:
        """Connect; whatever the database refuses inside comes out as ConfigError or RetryableError."""
        file = self.url.database if self.url.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not file.startswith("file:") and not Path(file).is_file():
            raise ConfigError(f"url: there is no SQLite file {file}")
        engine = self._engine
        try:
            connection = engine.connect()
        except SQLAlchemyError as error:
            raise self._not_connected(error) from None
        try:
            with connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._failed(error) from None

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Connect for reading: each statement sees what is committed by then, and times with a zone come in UTC."""
        with self.connected() as connection:
            reader = connection.execution_options(isolation_level="AUTOCOMMIT")
            if statement := _UTC_SESSION.get(reader.dialect.name):
                reader.exec_driver_sql(statement)
            yield reader

    def now(self, connection: Connection) -> datetime:
        """Return the database's own time, in UTC."""
        clock = _UTC_CLOCK.get(connection.dialect.name)
        value: Any = connection.execute(select(func.current_timestamp() if clock is None else clock)).scalar_one()
        moment = datetime.fromisoformat(value) if isinstance(value, str) else cast("datetime", value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone if clock is None else UTC)
        return moment.astimezone(UTC)

    def _not_connected(self, error: SQLAlchemyError) -> ConfigError | RetryableError:
        if _refused(error):
            return ConfigError(f"{self.where} refused the connection: check user, password and database name, and what the user may do")
        return RetryableError(f"{self.where} cannot be reached; check host and port, the network and that the database runs")

    def _failed(self, error: SQLAlchemyError) -> ConfigError | RetryableError:
        # A driver's message quotes statements and values, so only its kind is told.
        kind = type(error.orig).__name__ if isinstance(error, DBAPIError) else type(error).__name__
        if isinstance(error, ProgrammingError | IntegrityError) and not error.connection_invalidated:
            return ConfigError(f"{self.where} refused a statement ({kind}): check what the user may do, and the tables in the settings")
        if isinstance(error, OperationalError | InterfaceError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return RetryableError(f"{self.where} failed while it was used ({kind}); check that it runs")
        return ConfigError(f"{self.where} gave an answer that cannot be used ({kind})")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Old files hold text that is not UTF-8: it must reach us, so that the row is rejected and not the whole page.
    connection.text_factory = _lenient_text
    connection.execute("PRAGMA foreign_keys = ON")


def _lenient_text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _refused(error: SQLAlchemyError) -> bool:
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    code = original.args[0] if getattr(original, "args", ()) else None
    if code in _MYSQL_REFUSALS or code in _ODBC_REFUSALS:
        return True
    text = str(original)
    # libpq gives connection errors no SQLSTATE; "FATAL" is what the server itself says.
    return ("FATAL" in text and not any(word in text for word in _POSTGRESQL_BUSY)) or "no password supplied" in text
