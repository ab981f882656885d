"""Brings a database's tables up to date, once, however many processes open it at the same time."""

from pathlib import Path
from typing import Any

from threadline.sdk.errors import ConfigError
from threadline.store.database import Database
from threadline.store.schema import BY_NAME

HEAD = "0015"
"""The newest migration; a test holds it against the folder."""

_LOCK = "migrations"


def ensure_current(database: Database, url: str) -> None:
    """Make the tables, or run the migrations that are missing; ConfigError for a database of newer code, or of somebody else."""
    current = revision(database)
    if current != HEAD and not (current is None and _create(database)):
        _upgrade(url)


def revision(database: Database) -> str | None:
    """Return the database's migration; None for an empty one."""
    with database.read() as transaction:
        try:
            rows = transaction.query("SELECT version_num FROM alembic_version")
        except Exception as error:  # the two drivers share no class for "no such table"
            if "alembic_version" in str(error):
                return None
            raise
    return str(rows[0][0]) if rows else None


def _create(database: Database) -> bool:
    """Make all tables, unless one of them is there: another process was quicker, or the database is somebody else's."""
    from threadline.store.create import create

    try:
        with database.write() as transaction:
            transaction.lock(_LOCK)
            create(transaction, database.dialect, HEAD)
    except Exception as error:
        if "already exists" in str(error):
            return False
        raise
    return True


def _upgrade(url: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(_sqlalchemy_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": f"threadline {_LOCK}"})
        else:
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        _refuse_strangers(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(
                f"the database was made by another version of threadline ({error}): use that version, or a new database"
            ) from None
        connection.commit()
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("COMMIT") if connection.connection.driver_connection.in_transaction else None  # type: ignore[union-attr]


def _refuse_strangers(connection: Any) -> None:
    from alembic.migration import MigrationContext
    from sqlalchemy import inspect

    if MigrationContext.configure(connection).get_current_revision() is None and (
        taken := sorted(BY_NAME.keys() & set(inspect(connection).get_table_names()))
    ):
        raise ConfigError(
            f"the database is used by another application: it has tables named {', '.join(taken)} that threadline did not make; "
            "use a new database"
        )


def _sqlalchemy_url(url: str) -> str:
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return f"postgresql+psycopg://{url.removeprefix(prefix)}"
    return url
