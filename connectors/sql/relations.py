"""Tables and queries of the settings, looked up in the database: every identifier in SQL comes from here, quoted."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any
from warnings import catch_warnings, simplefilter

from sqlalchemy import (
    CHAR,
    NCHAR,
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    MetaData,
    String,
    Subquery,
    Table,
    Text,
    bindparam,
    cast,
    column,
    false,
    inspect,
    literal,
    literal_column,
    select,
    text,
    type_coerce,
)
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SAWarning
from sqlalchemy.sql.sqltypes import DATETIME, NullType
from sqlalchemy.types import TypeEngine

from connectors.sql.settings import Changes, Origin, ReadStream, WriteTable
from connectors.sql.values import is_unicode, python_type, text_bytes
from threadline.sdk import ConfigError

ORDER = "changes #"
"""What the order of changes is called beside the columns of the table, one of which may be an order, too."""


@dataclass(frozen=True, slots=True)
class Relation:
    """What a stream is read from: a table, or a query as a subquery."""

    setting: str
    origin: FromClause
    columns: Mapping[str, ColumnElement[Any]]
    """What is read, in order."""
    key: tuple[str, ...]
    changed_at: str | None
    dialect: str
    is_unique: bool = False
    """Whether the database lets no two rows have a key that it takes for the same."""

    def plain(self, name: str) -> ColumnElement[Any]:
        """Return a column without SQLAlchemy's conversions: they would fail for a whole page, ours fail for one row."""
        return type_coerce(self.columns[name], NullType())

    def bind(self, name: str, value: Any) -> ColumnElement[Any]:
        """Give a column's value back to the driver as it came from there."""
        if isinstance(value, str) and not is_unicode(value):
            # Only SQLite gives out, and takes, texts of other bytes.
            return cast(bindparam(None, text_bytes(value), unique=True), Text)
        parameter: ColumnElement[Any] = bindparam(None, value, type_=NullType(), unique=True)
        # SQL Server compares DATETIME (1/300 s) with a parameter in more digits than it gives out: a row would exceed itself.
        coarse = self.dialect == "mssql" and type(self.type_of(name)) is DATETIME
        return cast(parameter, self.type_of(name)) if coarse else parameter

    def type_of(self, name: str) -> TypeEngine[Any]:
        """Return a column's declared type: no type for a query's."""
        return self.columns[name].type


@contextmanager
def _unwarned() -> Generator[None]:
    """What SQLAlchemy does not know of a schema, such as a period of history, concerns no column that is read."""
    with catch_warnings():
        simplefilter("ignore", SAWarning)
        yield


@_unwarned()
def readable(connection: Connection, setting: str, stream: ReadStream, schema: str | None) -> Relation:
    """Look a stream's table or query up; ConfigError names what is missing and what there is."""
    origin = _origin(connection, setting, stream, schema)
    available = {each.name: each for each in origin.columns}
    needed = [*stream.key, *([stream.changed_at] if stream.changed_at else [])]
    wanted = dict.fromkeys([*needed, *(stream.columns or available)])
    _require(setting, wanted, available)
    ordered = {name: each for name, each in available.items() if name in wanted}
    is_unique = isinstance(origin, Table) and any(one and set(one) <= set(stream.key) for one in _unique_keys(inspect(connection), origin))
    relation = Relation(setting, origin, ordered, stream.key, stream.changed_at, connection.dialect.name, is_unique)
    _require_values(connection, relation, stream.key)
    return relation


@_unwarned()
def change_table(connection: Connection, setting: str, changes: Changes, table: Relation, schema: str | None) -> Relation:
    """Look up where the changes of a table are noted; keys are given the types of the table's, so that both are written alike."""
    origin = _origin(connection, setting, changes, schema)
    key = changes.key or table.key
    _require(setting, [changes.order, *key], (each.name for each in origin.columns))
    columns: dict[str, ColumnElement[Any]] = {ORDER: origin.columns[changes.order]}
    for name, of_table in zip(key, table.key, strict=True):
        wanted, element = table.type_of(of_table), origin.columns[name]
        forms = {_form(kind, connection) for kind in (wanted, element.type) if not isinstance(kind, NullType)}
        columns[f"changes {of_table}"] = cast(element, wanted) if len(forms) > 1 else element
    noted = Relation(setting, origin, columns, tuple(columns), None, connection.dialect.name)
    _require_values(connection, noted, [ORDER])
    return noted


def _form(kind: TypeEngine[Any], connection: Connection) -> str:
    """Name how values of a type are written; CHAR has blanks that VARCHAR has not."""
    if isinstance(kind, Integer):
        return "integer"
    if isinstance(kind, String) and not isinstance(kind, CHAR | NCHAR):
        return "text"
    return kind.compile(connection.dialect)


def _origin(connection: Connection, setting: str, declared: Origin, schema: str | None) -> Table | Subquery:
    return reflect(connection, setting, declared.table, schema) if declared.table else _subquery(connection, setting, str(declared.query))


@_unwarned()
def writable(connection: Connection, setting: str, write: WriteTable, schema: str | None) -> Table:
    """Look a write's table up; a key that rows are inserted under must be unique there, or a repeated push could write a row twice."""
    table = reflect(connection, setting, write.table, schema)
    _require(setting, [*write.key, *write.columns, *([write.version] if write.version else [])], table.columns.keys())
    if write.version and python_type(table.columns[write.version].type) not in (int, datetime, bytes):
        raise ConfigError(
            f"{setting}: the version {write.version!r} is no column that can be moved: of whole numbers, of times, or a rowversion"
        )
    if write.mode != "update" and not any(set(unique) == set(write.key) for unique in _unique_keys(inspect(connection), table)):
        raise ConfigError(
            f"{setting}: {write.table} has no unique constraint on {', '.join(write.key)}; "
            "create one, or a repeated push could insert a row twice"
        )
    return table


def reflect(connection: Connection, setting: str, name: str, schema: str | None) -> Table:
    """Read a table's columns from the database's catalogue; ConfigError with the nearest names when it is not there."""
    try:
        return Table(name, MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)
    except NoSuchTableError:
        inspector = inspect(connection)
        known = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
        within = f" in schema {schema}" if schema else ""
        raise ConfigError(f"{setting}: no table or view named {name!r}{within}{_instead(name, known)}") from None


def _subquery(connection: Connection, setting: str, query: str) -> Subquery:
    # A colon would begin a parameter.
    selected = text(query.strip().rstrip(";").replace(":", r"\:"))
    shape = selected.columns().subquery("records")
    try:
        everything: ColumnElement[Any] = literal_column("*")
        names = list(connection.execute(select(everything).select_from(shape).where(false())).keys())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        # Nothing has been read yet, so the database's words can only quote the query.
        reason = str(error.orig).partition("\n")[0]
        raise ConfigError(f"{setting}: the database refuses the query: {reason}") from None
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{setting}: the query returns {', '.join(sorted(doubled))} twice; name each column differently with AS")
    columns: list[ColumnClause[Any]] = [column(name) for name in names]
    return selected.columns(*columns).subquery("records")


def _require(setting: str, wanted: Iterable[str], available: Iterable[str]) -> None:
    known = list(available)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"{setting}: no column named {name!r}{_instead(name, known)}")


def _instead(name: str, known: Sequence[str]) -> str:
    folded = {each.lower(): each for each in known}
    near = [folded[each] for each in get_close_matches(name.lower(), folded, n=3, cutoff=0.5)]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; there are: {', '.join(sorted(known)[:20])}" if known else "; there are none that this user may see"


def _require_values(connection: Connection, relation: Relation, names: Sequence[str]) -> None:
    """Refuse rows that nothing identifies, or puts into an order: they could be neither found again nor told apart."""
    for element in (relation.columns[name] for name in names):
        if isinstance(element, Column) and not element.nullable:
            continue
        if connection.execute(select(literal(1)).select_from(relation.origin).where(element.is_(None)).limit(1)).first():
            raise ConfigError(
                f"{relation.setting}: rows have no value in the column {element.name!r}; "
                "choose one that every row has, or leave them out with a query (... WHERE ... IS NOT NULL)"
            )


def _unique_keys(inspector: Inspector, table: Table) -> Iterable[Sequence[str | None]]:
    yield [each.name for each in table.primary_key]
    for constraint in inspector.get_unique_constraints(table.name, table.schema):
        yield constraint["column_names"]
    for index in inspector.get_indexes(table.name, table.schema):
        partial = any(option.endswith("_where") for option in index.get("dialect_options", {}))
        if index["unique"] and not partial:
            yield index["column_names"]
