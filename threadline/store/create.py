"""Makes the tables of an empty database as all migrations together leave them: to load Alembic costs more than a small pull."""

from collections.abc import Iterator, Mapping

from threadline.store.database import Transaction
from threadline.store.schema import POSTGRES_TYPES, TABLES, VIEWS, ColumnKind, Table

_TYPES: Mapping[str, Mapping[ColumnKind, str]] = {
    "postgresql": {**POSTGRES_TYPES, "serial": "bigserial"},
    # SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
    "sqlite": {
        "id": "BLOB", "text": "TEXT", "integer": "BIGINT", "real": "FLOAT", "boolean": "BOOLEAN", "time": "DATETIME",
        "date": "DATE", "json": "TEXT", "bytes": "BLOB", "serial": "INTEGER",
    },
}  # fmt: skip


def create(transaction: Transaction, dialect: str, revision: str) -> None:
    """Make every table, index and view; note the migration that the database is thereby at."""
    for table in TABLES:
        for statement in _statements(table, dialect):
            transaction.execute(statement)
    for name, query in VIEWS.items():
        transaction.execute(f"CREATE VIEW {name} AS {query}")
    key = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    transaction.execute(f"CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, {key})")
    transaction.execute("INSERT INTO alembic_version (version_num) VALUES (?)", [revision])


def _statements(table: Table, dialect: str) -> Iterator[str]:
    columns = [f'"{column.name}" {_TYPES[dialect][column.kind]}{"" if column.nullable else " NOT NULL"}' for column in table.columns]
    key = f"CONSTRAINT {table.name}_key PRIMARY KEY ({_names(*table.key)})"
    clustered = " WITHOUT ROWID" if table.clustered and dialect == "sqlite" else ""
    yield f"CREATE TABLE {table.name} ({', '.join([*columns, key])}){clustered}"
    for names in table.indexes:
        yield f"CREATE INDEX {table.name}_by_{'_'.join(names)} ON {table.name} ({_names(*names)})"
    for name in table.looked_up:
        yield f"CREATE INDEX {table.name}_by_{name} ON {table.name} {'USING hash ' * (dialect == 'postgresql')}({_names(name)})"
    for index, names, condition in table.some:
        yield f"CREATE INDEX {index} ON {table.name} ({_names(*names)}) WHERE {condition}"
    if dialect == "postgresql":
        for column in table.columns:
            if column.kind == "bytes":
                yield f'ALTER TABLE {table.name} ALTER COLUMN "{column.name}" SET STORAGE EXTERNAL'


def _names(*names: str) -> str:
    return ", ".join(f'"{name}"' for name in names)
