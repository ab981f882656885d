"""What a changed mapping would change, before anything does: the fields of records, the customers, and the pushes.

Fields come from running both mappings over the archive. Customers and pushes come from doing it all, threads included, in
one transaction that is then rolled back.
"""

from collections import Counter, defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from threadline.journey.references import Finder
from threadline.mapping.compiled import MappedRecord, PullMapping
from threadline.mapping.errors import MappingError
from threadline.model.ids import show_id
from threadline.store import schema
from threadline.store.database import Database, Row, Transaction
from threadline.sync.apply import Writer
from threadline.sync.batch import Judge
from threadline.sync.lease import Run
from threadline.sync.policy import USUAL, Policy
from threadline.sync.push import Outgoing, plan
from threadline.sync.replay import stored_batches
from threadline.sync.resolve import ids_of, resolve

_EXAMPLES = 3
"""Records shown for each field."""
_OURS = ("mapping", "record_id", "run_id")
"""Columns that say how a row was made, and nothing of its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of one record, before and after."""

    key: str
    table: str
    field: str
    before: Any
    after: Any


@dataclass(slots=True, kw_only=True)
class Difference:
    """What a changed mapping would change."""

    source: str
    stream: str
    records: int = 0
    changed: int = 0
    fields: Counter[str] = field(default_factory=Counter[str])
    """How many records have another value there, by "table.field"."""
    examples: list[FieldChange] = field(default_factory=list[FieldChange])
    dead_before: int = 0
    dead_after: int = 0
    profiles: list[str] = field(default_factory=list[str])
    """Customers who would be joined, split or look different."""
    threads: int = 0
    pushes: Counter[str] = field(default_factory=Counter[str])
    """Pushes that would become due, by "target.object"."""


def difference(
    database: Database, judge: Judge, old: PullMapping, finder: Finder, outgoing: Sequence[Outgoing], policy: Policy = USUAL
) -> Difference:
    """Compare a stream's mapping (`judge`'s) with the one in force; nothing is changed."""
    found = Difference(source=judge.source, stream=judge.stream)
    with _rehearsal(database) as rehearsal:
        before = _settle(rehearsal, finder, outgoing)
        run = Run(rehearsal, judge.source, judge.stream, "rehearsal")
        writer = Writer(judge, run.id, policy)
        with rehearsal.read() as view:
            judge.fields.load(view)
            ((begin,),) = view.query("SELECT coalesce(max(seq), 0) FROM changes")
        for batch in stored_batches(rehearsal, judge):
            for record in batch:
                _compare(
                    found,
                    record.key,
                    (_mapped(old, record), old.entity.table),
                    (_mapped(judge.mapping, record), judge.mapping.entity.table),
                )
            with rehearsal.write() as transaction:
                transaction.take_care()
                writer.apply(transaction, judge.judge(transaction, batch, run.id))
        resolve(rehearsal, finder)
        with rehearsal.read() as view:
            rows = view.query(_CHANGED, [begin, view.txid()])
        changed = {
            kind: {entity for told, entities in rows if told == kind for entity in ids_of(entities)} for kind in ("thread", "profile.ready")
        }
        found.profiles = sorted(map(show_id, changed["profile.ready"]))
        found.threads = len(changed["thread"])
        found.pushes = _planned(rehearsal, outgoing) - before
    return found


_CHANGED = "SELECT entity_type, entities FROM changes WHERE seq > ? AND txid = ? AND entity_type IN ('thread', 'profile.ready')"


def _settle(rehearsal: Database, finder: Finder, outgoing: Sequence[Outgoing]) -> Counter[str]:
    """Do what is due anyway; return the pushes that wait then."""
    resolve(rehearsal, finder)
    return _planned(rehearsal, outgoing)


def _planned(rehearsal: Database, outgoing: Sequence[Outgoing]) -> Counter[str]:
    for one in outgoing:
        plan(rehearsal, one, bytes(16))
    with rehearsal.read() as view:
        rows = view.query("SELECT target, object, count(*) FROM outbox WHERE state = 'pending' GROUP BY target, object")
    return Counter({f"{target}.{name}": int(count) for target, name, count in rows})


def _mapped(mapping: PullMapping, record: Any) -> MappedRecord | str | None:
    if record.reason is not None:
        return str(record.reason)
    try:
        return mapping(record.raw, record.key, record.id, bytes(16))
    except MappingError as error:
        return f"{error.path}: {error}"


_Outcome: TypeAlias = tuple[MappedRecord | str | None, str]
"""What a mapping makes of a record, and the table of its entity."""


def _compare(found: Difference, key: str, before: _Outcome, after: _Outcome) -> None:
    found.records += 1
    found.dead_before += isinstance(before[0], str)
    found.dead_after += isinstance(after[0], str)
    changes = list(_changes(key, before, after))
    if changes:
        found.changed += 1
        places = {f"{change.table}.{change.field}": change for change in changes}
        found.examples += [change for place, change in places.items() if found.fields[place] < _EXAMPLES]
        found.fields.update(places.keys())


def _changes(key: str, was: _Outcome, becomes: _Outcome) -> Iterator[FieldChange]:
    (before, old_table), (after, new_table) = was, becomes
    if isinstance(before, MappedRecord) and isinstance(after, MappedRecord):
        old, new = _cells(before, old_table), _cells(after, new_table)
        for place in sorted(old.keys() | new.keys()):
            if old.get(place) != new.get(place):
                table, _, column = place
                yield FieldChange(key=key, table=table, field=column, before=old.get(place), after=new.get(place))
    elif before != after:
        yield FieldChange(key=key, table="record", field="state", before=_state(before), after=_state(after))


def _state(outcome: MappedRecord | str | None) -> str:
    if outcome is None:
        return "left out"
    return f"dead: {outcome}" if isinstance(outcome, str) else "mapped"


def _cells(mapped: MappedRecord, own: str) -> dict[tuple[str, bytes, str], Any]:
    """Return the values of all rows by table, row and column; identifiers of a party by their kind."""
    rows: list[tuple[str, Row]] = [(name, row) for name, rows in mapped.children for row in rows]
    rows += [("parties", party.row) for party in mapped.parties]
    if mapped.row is not None:
        rows.append((own, mapped.row))
    # The last column of an entity with parties names them; it is written when the row is.
    cells = {
        (table, row[0], column): value
        for table, row in rows
        for column, value in zip(schema.BY_NAME[table].names, row, strict=False)
        if column not in _OURS and value is not None
    }
    named: dict[tuple[str, bytes, str], list[str]] = defaultdict(list)
    for party in mapped.parties:
        for identifier in party.identifiers:
            named["identifiers", party.id, identifier.kind].append(identifier.normalized)
    return cells | {place: ", ".join(values) for place, values in named.items()}


class _RolledBackError(Exception):
    """The rehearsal is over."""


@contextmanager
def _rehearsal(database: Database) -> Generator[Database]:
    """Open a database whose transactions are all one, and leave no trace."""
    with suppress(_RolledBackError), database.write() as transaction:
        yield _Rehearsal(transaction)
        raise _RolledBackError


class _Rehearsal(Database):
    """Everything is done in one transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction: Any = _Unfenced(transaction)

    @contextmanager
    def read(self) -> Generator[Transaction]:
        """See `Database`."""
        yield self._transaction

    @contextmanager
    def write(self) -> Generator[Transaction]:
        """See `Database`."""
        yield self._transaction

    @contextmanager
    def sole(self, name: str) -> Generator[None]:
        """See `Database`."""
        yield

    def close(self) -> None:
        """See `Database`."""


class _Unfenced:
    """A transaction that reads its own part of the change log."""

    def __init__(self, inner: Transaction) -> None:
        self._inner = inner

    def commit_horizon(self) -> int | None:
        """See `Transaction`."""
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


__all__ = ["Difference", "FieldChange", "difference"]
