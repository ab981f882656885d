"""The tables as SQLAlchemy metadata, for migrations."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

from threadline.store import schema

_TYPES: dict[schema.ColumnKind, TypeEngine[Any]] = {
    "id": LargeBinary(), "text": Text(), "integer": BigInteger(), "real": Float(53), "boolean": Boolean(), "time": DateTime(timezone=True),
    "date": Date(), "json": Text(), "bytes": LargeBinary(),
    # SQLite numbers rows by itself only in a column whose type is exactly INTEGER.
    "serial": BigInteger().with_variant(Integer(), "sqlite"),
}  # fmt: skip


def metadata() -> MetaData:
    """Return all tables of `threadline.store.schema`."""
    result = MetaData()
    for table in schema.TABLES:
        columns: list[Column[Any]] = [
            Column(column.name, _TYPES[column.kind], nullable=column.nullable, autoincrement=column.kind == "serial")
            for column in table.columns
        ]
        indexes = [Index(f"{table.name}_by_{'_'.join(names)}", *names) for names in table.indexes]
        indexes += [Index(f"{table.name}_by_{name}", name, postgresql_using="hash") for name in table.looked_up]
        indexes += [
            Index(name, *names, sqlite_where=text(condition), postgresql_where=text(condition)) for name, names, condition in table.some
        ]
        Table(
            table.name,
            result,
            *columns,
            PrimaryKeyConstraint(*table.key, name=f"{table.name}_key"),
            *indexes,
            sqlite_with_rowid=not table.clustered,
        )
    return result
