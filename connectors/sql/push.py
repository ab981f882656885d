"""Writing rows: one transaction for each intent, so that one refused row is refused alone."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, case, false, func, insert, null, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError

from connectors.sql.settings import WriteTable
from connectors.sql.values import database_value
from threadline.sdk import Intent, Receipt, RecordError


class _OvertakenError(Exception):
    """Another writer was there between the look at a row and its update."""


class Writer:
    """Writes the intents of one object to its table."""

    def __init__(self, connection: Connection, table: Table, declared: WriteTable, zone: tzinfo) -> None:
        self._connection = connection
        self._table = table
        self._declared = declared
        self._zone = zone

    def write(self, intent: Intent) -> Receipt:
        """Write one row; what the database refuses is told without its words, which quote the row."""
        try:
            values = self._values(intent.payload)
            key = {name: values[name] for name in self._declared.key}
            if self._declared.mode == "insert":
                self._insert(values, key)
            else:
                self._update(values, key)
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
            with self._connection.begin():
                self._connection.execute(insert(self._table).values(values))
        except IntegrityError:
            # Where the row is there, an earlier attempt has arrived.
            with self._connection.begin():
                if not self._count(key):
                    raise

    def _update(self, values: Mapping[str, Any], key: Mapping[str, Any]) -> None:
        version = self._declared.version
        new = {name: value for name, value in values.items() if name not in key and name != version}
        differs = or_(false(), *[self._table.c[name].is_distinct_from(value) for name, value in new.items()])
        with self._connection.begin():
            held, changes = self._held(key, differs)
            # A write that changes nothing would still move changed_at, and the row would come back as changed.
            if not changes:
                return
            condition = self._matches(key)
            if version:
                if values.get(version, held) != held:
                    raise RecordError(f"the row of {self._table.name} is no longer the one that was read: its {version} is another")
                condition = and_(condition, self._table.c[version].is_not_distinct_from(held))
                new[version] = (held or 0) + 1
            if self._connection.execute(update(self._table).where(condition).values(new)).rowcount != 1:
                raise _OvertakenError

    def _held(self, key: Mapping[str, Any], differs: ColumnElement[bool]) -> tuple[Any, bool]:
        """Return the version of the row (None: it has none), and whether it differs; RecordError unless there is just one."""
        version: ColumnElement[Any] = self._table.c[self._declared.version] if self._declared.version else null()
        rows = self._connection.execute(select(version, case((differs, 1), else_=0)).where(self._matches(key)).limit(2)).all()
        if len(rows) != 1:
            raise RecordError(f"{self._table.name} has {'several' if rows else 'no'} rows with this {', '.join(key)}")
        ((held, changes),) = rows
        return held, bool(changes)

    def _count(self, key: Mapping[str, Any]) -> int:
        return self._connection.execute(select(func.count()).select_from(self._table).where(self._matches(key))).scalar_one()

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
        try:
            return database_value(value, self._table.c[name].type, self._zone)
        except ValueError as error:
            raise RecordError(f"column {name} {error}", path=f"$.{name}") from None


def _refusal(error: DBAPIError) -> str:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    named = f" {constraint}" if constraint else ""
    rule = (
        f"a constraint{named} (unique, foreign key, not null or check)"
        if isinstance(error, IntegrityError)
        else "a column's type or a trigger's rule"
    )
    return f"the database refused the row: it breaks {rule}"
