"""Writing rows: one transaction for each intent, so that one refused row is refused alone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
    types,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.sql.sqltypes import NullType

from connectors.sql.settings import WriteTable
from connectors.sql.values import database_value, python_type
from threadline.sdk import Intent, Receipt, RecordError


class _OvertakenError(Exception):
    """Another writer was there between the look at a row and its change."""


class _NoRowError(RecordError):
    """No row has the key."""


class _Seen(NamedTuple):
    """The row before it is changed: its version, as the driver gives it, and how it compares with what is to be written."""

    version: Any
    differs: bool
    is_as_read: bool


class Writer:
    """Writes the intents of one object to its table; `clock` tells the database's time."""

    def __init__(self, connection: Connection, table: Table, declared: WriteTable, zone: tzinfo, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._table = table
        self._declared = declared
        self._zone = zone
        self._clock = clock
        self._write = {"insert": self._insert, "update": self._update, "upsert": self._upsert}[declared.mode]

    def write(self, intent: Intent) -> Receipt:
        """Write one row; what the database refuses is told without its words, which quote the row."""
        try:
            values = self._values(intent.payload)
            key = {name: values[name] for name in self._declared.key}
            self._write(values, key)
        except RecordError as error:
            return Receipt(intent.id, "dead", reason=str(error))
        except _OvertakenError:
            return Receipt(intent.id, "retry", reason="the row changed while it was being updated")
        except DBAPIError as error:
            if error.connection_invalidated or isinstance(error, ProgrammingError | InterfaceError):
                raise
            if isinstance(error, OperationalError):
                return Receipt(intent.id, "retry", reason=f"the database could not write now ({type(error.orig).__name__})")
            return Receipt(intent.id, "dead", reason=_refusal(error))
        return Receipt(intent.id, "done", remote_id=":".join(str(value) for value in key.values()))

    def _insert(self, values: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        try:
            self._add(values)
        except IntegrityError:
            # Where the row is there, an earlier attempt has arrived.
            if not self._is_there(key):
                raise

    def _upsert(self, values: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        """Update the row, or insert it: statements that do both take a row that shares any unique value for the one that is meant."""
        version = self._declared.version
        try:
            self._update(values, key)
        except _NoRowError:
            if version in values:
                raise
            try:
                self._add({**values, **self._next_version(None)})
            except IntegrityError:
                if not self._is_there(key):
                    raise
                raise _OvertakenError from None

    def _add(self, values: Mapping[str, Any]) -> None:
        with self._connection.begin():
            self._connection.execute(insert(self._table).values(values))

    def _update(self, values: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        version = self._declared.version
        new = {name: value for name, value in values.items() if name not in key and name != version}
        with self._connection.begin():
            row = self._seen(key, new, values)
            # A write that changes nothing would still move changed_at, and the row would come back as changed.
            if not row.differs:
                return
            condition = self._matches(key)
            if version:
                if not row.is_as_read:
                    raise RecordError(f"the row of {self._table.name} is no longer the one that was read: its {version} is another")
                condition = and_(condition, self._plain(version).is_not_distinct_from(literal(row.version, NullType())))
                new |= self._next_version(row.version)
            if self._connection.execute(update(self._table).where(condition).values(new)).rowcount != 1:
                raise _OvertakenError

    def _seen(self, key: Mapping[str, Any], new: Mapping[str, Any], values: Mapping[str, Any]) -> _Seen:
        """Look at the row; RecordError unless there is just one."""
        version = self._declared.version
        differs = or_(false(), *[self._table.c[name].is_distinct_from(value) for name, value in new.items()])
        as_read: ColumnElement[bool] = true()
        if version and version in values:
            as_read = self._table.c[version].is_not_distinct_from(values[version])
        held: ColumnElement[Any] = self._plain(version) if version else null()
        looked = select(held, case((differs, 1), else_=0), case((as_read, 1), else_=0)).where(self._matches(key)).limit(2)
        rows = self._connection.execute(looked).all()
        if len(rows) == 1:
            return _Seen(rows[0][0], bool(rows[0][1]), bool(rows[0][2]))
        kind = RecordError if rows else _NoRowError
        raise kind(f"{self._table.name} has {'several' if rows else 'no'} rows with this {', '.join(key)}")

    def _next_version(self, held: Any) -> Mapping[str, Any]:
        """Return the version that the row has when it is written; a row version is the database's own to move."""
        name = self._declared.version
        if name is None:
            return {}
        kind = python_type(self._table.c[name].type)
        if kind is int:
            return {name: (held or 0) + 1}
        return {} if kind is bytes else {name: self._value(name, self._clock().isoformat())}

    def _plain(self, name: str) -> ColumnElement[Any]:
        # What comes from the driver goes back as it came: SQLite's times are texts in many forms.
        return type_coerce(self._table.c[name], NullType())

    def _is_there(self, key: Mapping[str, Any]) -> bool:
        with self._connection.begin():
            return bool(self._connection.execute(select(func.count()).select_from(self._table).where(self._matches(key))).scalar_one())

    def _matches(self, key: Mapping[str, Any]) -> ColumnElement[bool]:
        return and_(*[self._table.c[name] == value for name, value in key.items()])

    def _values(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        allowed = {*self._declared.key, *self._declared.columns, *filter(None, [self._declared.version])}
        if unknown := sorted(set(payload) - allowed):
            raise RecordError(
                f"the settings allow no write to {', '.join(unknown)}; allowed: {', '.join(sorted(allowed))}", path=f"$.{unknown[0]}"
            )
        if missing := [name for name in self._declared.key if payload.get(name) in (None, "")]:
            raise RecordError(f"the record has no {', '.join(missing)}, which the settings name as the key", path=f"$.{missing[0]}")
        return {name: self._value(name, value) for name, value in payload.items()}

    def _value(self, name: str, value: Any) -> Any:
        declared = self._table.c[name].type
        # MySQL's TIMESTAMP is an instant, which is written in the zone of the session, and that is the server's affair.
        is_instant = isinstance(declared, types.TIMESTAMP) and self._connection.dialect.name in ("mysql", "mariadb")
        try:
            stored = database_value(value, declared, UTC if is_instant else self._zone)
        except ValueError as error:
            raise RecordError(f"column {name} {error}", path=f"$.{name}") from None
        return func.from_unixtime(_seconds(stored)) if is_instant and stored else stored


def _seconds(moment: datetime) -> Decimal:
    """Return the seconds since 1970, with all their digits."""
    return Decimal((moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)).scaleb(-6)  # noqa: DTZ001 - as the column has them


def _refusal(error: DBAPIError) -> str:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    named = f" {constraint}" if constraint else ""
    rule = (
        f"a constraint{named} (unique, foreign key, not null or check)"
        if isinstance(error, IntegrityError)
        else "a column's type or a trigger's rule"
    )
    return f"the database refused the row: it breaks {rule}"
