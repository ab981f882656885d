"""A database is brought up to date by whoever opens it first, and one that is not ours is left alone."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command, op
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

import threadline.store
from tests.integration.lab import Lab, contents
from threadline.sdk import ConfigError, RetryableError
from threadline.store.database import open_database
from threadline.store.metadata import metadata
from threadline.store.migrate import HEAD, revision
from threadline.store.schema import TABLES, VIEWS

FOLDER = Path(threadline.store.__file__).parent / "migrations"
OPEN = "import sys; from threadline.store.database import open_database; open_database(sys.argv[1], create=True).close()"


def change(url: str, *statements: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def migrate(url: str, step: Callable[[Config, str], None], to: str) -> None:
    """Move a database to another migration, as `threadline.store.migrate` does."""
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        step(config, to)
    engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        names = set(engine.dialect.get_table_names(connection))
    engine.dispose()
    return names


CATALOG = {
    "sqlite": (
        "SELECT m.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
        (
            "SELECT m.name, i.name, i.origin, c.seqno, c.name "
            "FROM sqlite_schema m, pragma_index_list(m.name) i, pragma_index_info(i.name) c WHERE m.type = 'table'"
        ),
        "SELECT name, sql FROM sqlite_schema WHERE type = 'view'",
    ),
    "postgresql": (
        (
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage, "
            "pg_get_expr(d.adbin, d.adrelid) "
            "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        ),
        (
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace AND contype = 'p'"
        ),
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT viewname, definition FROM pg_views WHERE schemaname = 'public'",
    ),
}


def catalog(url: str) -> list[list[tuple[object, ...]]]:
    """Return what a database says of its columns, keys, indexes and views, whatever order they were made in."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = [sorted(map(tuple, connection.execute(text(query))), key=repr) for query in CATALOG[engine.dialect.name]]
    engine.dispose()
    return found


def test_head_is_the_newest_migration_of_the_folder():
    assert ScriptDirectory(str(FOLDER)).get_heads() == [HEAD]


def test_the_migrations_make_exactly_the_declared_tables(empty_url):
    migrate(empty_url, command.upgrade, HEAD)
    engine = create_engine(empty_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata()) == []
    engine.dispose()
    assert tables(empty_url) == {table.name for table in TABLES} | {"alembic_version"}


def test_a_new_database_has_all_that_the_migrations_make(empty_url):
    open_database(empty_url, create=True).close()
    created = catalog(empty_url)
    migrate(empty_url, command.downgrade, "base")
    assert tables(empty_url) == {"alembic_version"}
    migrate(empty_url, command.upgrade, HEAD)
    assert created == catalog(empty_url)


def test_four_processes_that_open_an_empty_database_at_once_all_succeed(empty_url):
    processes = [subprocess.Popen([sys.executable, "-c", OPEN, empty_url], stderr=subprocess.PIPE) for _ in range(4)]
    errors = [process.communicate(timeout=60)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], errors
    assert {table.name for table in TABLES} <= tables(empty_url)


def test_opening_again_changes_nothing(database_url):
    before = tables(database_url)
    with open_database(database_url, create=False) as database:
        assert revision(database) == HEAD
    assert tables(database_url) == before


def test_an_interrupted_upgrade_leaves_nothing_and_is_done_by_the_next(empty_url, monkeypatch):
    def failing(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    migrate(empty_url, command.upgrade, "0001")
    before = tables(empty_url)
    with monkeypatch.context() as patch:
        patch.setattr(op, "drop_table", failing)
        with pytest.raises(KeyboardInterrupt):
            open_database(empty_url, create=True)
    assert tables(empty_url) == before
    open_database(empty_url, create=True).close()
    assert {table.name for table in TABLES} <= tables(empty_url)


def test_an_interrupted_creation_leaves_nothing_and_is_done_by_the_next(empty_url, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(VIEWS, "party_profiles", "SELECT ) FROM parties")
        with pytest.raises(Exception, match=r"\)"):
            open_database(empty_url, create=True)
    assert tables(empty_url) == set()
    open_database(empty_url, create=True).close()
    assert {table.name for table in TABLES} <= tables(empty_url)


def test_a_database_of_a_newer_version_is_refused(empty_url):
    open_database(empty_url, create=True).close()
    change(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ConfigError, match=r"another version of threadline.*use that version, or a new database"):
        open_database(empty_url, create=True)


def test_a_database_of_an_older_version_is_upgraded_and_keeps_what_it_holds(empty_url):
    with open_database(empty_url, create=True) as database:
        Lab(database).read("people", {"id": 1, "email": "ana@example.org"})
        before = contents(database)
    migrate(empty_url, command.downgrade, "0001")
    with open_database(empty_url, create=False) as database:
        assert revision(database) == HEAD
        assert contents(database) == before


def test_an_upgrade_knows_who_is_only_mentioned(empty_url):
    with open_database(empty_url, create=True) as database:
        lab = Lab(database)
        lab.read("people", {"id": 1, "email": "ana@example.org"})
        lab.read("orders", {"id": 5, "number": "A-1", "at": "2026-01-01T00:00:00Z", "person": 2})
    migrate(empty_url, command.downgrade, "0010")
    with open_database(empty_url, create=False) as database:
        told = Lab(database).rows("SELECT external_id, mentioned FROM parties ORDER BY external_id")
        assert [(external_id, bool(mentioned)) for external_id, mentioned in told] == [("1", False), ("2", True)]
        assert {bool(preferred) for (preferred,) in Lab(database).rows("SELECT preferred FROM party_identifiers")} == {True}


def test_the_database_of_another_application_is_refused_and_not_touched(empty_url, tmp_path):
    (tmp_path / "empty").mkdir(exist_ok=True)
    change(empty_url, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)", "INSERT INTO orders VALUES (1, 'Ana')")
    with pytest.raises(ConfigError, match=r"(?s)tables.*orders.*new database"):
        open_database(empty_url, create=True)
    assert tables(empty_url) == {"orders"}


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("These are notes, and not a database. " * 100)
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        open_database(f"sqlite:///{path}", create=True)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot be opened.*check that the path"):
        open_database(f"sqlite:///{tmp_path}/file/threadline.db", create=True)


def test_commands_that_only_look_make_no_database(tmp_path):
    path = tmp_path / "threadline.db"
    with pytest.raises(ConfigError, match=r"no database at .*run `threadline sync` first"):
        open_database(f"sqlite:///{path}", create=False)
    assert not path.exists()


@pytest.mark.parametrize("url", ["mysql://root:secret@localhost/shop", "threadline.db", ""])
def test_other_databases_are_refused_without_their_password(url):
    with pytest.raises(ConfigError, match="use sqlite:///PATH or postgresql://") as error:
        open_database(url, create=True)
    assert "secret" not in str(error.value)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("address", "kind", "said"),
    [
        ("postgresql://nobody:s3cret@127.0.0.1:1/none", RetryableError, "PostgreSQL cannot be used: .*check THREADLINE_DATABASE_URL"),
        ("postgresql://user:s3cret@[bad/none", ConfigError, "is not a PostgreSQL address"),
    ],
)
def test_a_server_that_is_not_there_is_an_error_without_a_password(address, kind, said):
    with pytest.raises(kind, match=said) as error:
        open_database(address, create=True)
    assert "s3cret" not in str(error.value)


@pytest.mark.postgres
def test_a_database_that_does_not_exist_is_named(postgres_server):
    with pytest.raises(ConfigError, match='"nowhere" does not exist'):
        open_database(postgres_server.url("nowhere"), create=True)


@pytest.mark.postgres
@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_usual_way_to_write_the_address_works(postgres_server, scheme):
    url = postgres_server.database(migrated=False).replace("postgresql", scheme, 1)
    with open_database(url, create=True) as database:
        assert revision(database) == HEAD
