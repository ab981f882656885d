"""Reads everything that a source has, repairs what incremental pulls missed, and marks what is gone.

Found so: records that were never read, records that changed without moving the cursor, and records that the source has no
longer. The last are concluded from a listing that was read to its end, of a stream whose kind of cursor lists all; or from
what the source says when it is asked for each record that was not listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from threadline.model.entities import Party
from threadline.model.ids import entity_id
from threadline.sdk.contract import Connector, Cursor, Lookup, Stream
from threadline.sdk.cursors import Window
from threadline.sdk.errors import ConfigError
from threadline.store import schema
from threadline.store.database import Database, Row, Transaction, chunks
from threadline.sync.apply import Writer, log
from threadline.sync.batch import Incoming, Judge
from threadline.sync.breaker import Breaker
from threadline.sync.lease import Run
from threadline.sync.policy import USUAL, Policy
from threadline.sync.pull import Batches, Progress, pull
from threadline.sync.views import Ledger

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What a sweep found, and repaired."""

    read: int
    never_read: int
    stale: int
    """Other than the store had it, although nothing had told of a change."""
    gone: int | None
    """No longer at the source; None where that cannot be known."""
    dead: int


class GoneError(ConfigError):
    """So much is gone that it may be an error of the source: a person must say that it is not."""


def reconcile(
    database: Database,
    connector: Connector[Any],
    judge: Judge,
    stream: Stream,
    *,
    remove: bool = False,
    progress: Progress | None = None,
    policy: Policy = USUAL,
) -> Reconciled:
    """Sweep one stream. GoneError when more is gone than the breaker allows, unless `remove` says that this is so.

    BreakerError when too much of what it would repair cannot be used: the stream is then paused, and nothing marked as gone.
    """
    # What is due regularly is no finding.
    pull(database, connector, judge, policy=policy)
    run = Run(database, judge.source, judge.stream, "reconcile", policy.lease)
    with run.under_way():
        writer = Writer(judge, run.id, policy)
        sweep = _Sweep(run, writer)
        sweep.begin()
        sweep.read(connector, None, progress)
        found = run.ledger
        if isinstance(stream.cursor, Window):
            # A record that changed during the sweep has moved to where the sweep no longer came.
            sweep.read(connector, sweep.cursor, progress)
        missing = sweep.missing(connector, stream)
        gone = None if missing is None else sweep.remove(missing, policy, confirmed=remove)
        sweep.end()
    return Reconciled(read=found.read, never_read=found.new, stale=found.changed, gone=gone, dead=found.dead)


class _Sweep(Batches):
    """Batches that also note which records were seen."""

    def __init__(self, run: Run, writer: Writer) -> None:
        super().__init__(run, writer, Breaker(run.source, run.stream, writer.policy, full=True))
        self.cursor: Cursor | None = None

    def begin(self) -> None:
        """Forget what a sweep that was broken off has noted."""
        self.prepare()
        self.end()

    def end(self) -> None:
        """Forget what was seen."""
        place = [self.run.source, self.run.stream]
        with self.run.database.write() as transaction:
            transaction.execute("DELETE FROM swept WHERE source = ? AND stream = ?", place)

    def read(self, connector: Connector[Any], since: Cursor | None, progress: Progress | None) -> None:
        """Read from a cursor to the end."""
        for page in self.pages(connector, since):
            self.write(self.incoming(page), None)
            self.cursor = page.cursor or self.cursor
            if progress:
                progress(self.run.ledger)

    def also(self, transaction: Transaction, incoming: Sequence[Incoming]) -> None:
        """Note the batch's records."""
        seen = dict.fromkeys(record.id for record in incoming)
        transaction.append(schema.SWEPT, [(self.run.source, self.run.stream, identity) for identity in seen])

    def missing(self, connector: Connector[Any], stream: Stream) -> list[Row] | None:
        """Return (record's id, key, state) of what the source has no longer; None where that cannot be known."""
        if stream.cursor and stream.cursor.lists_all:
            return self._unseen()
        if not isinstance(connector, Lookup) or not connector.looks_up(stream.name):
            return None
        unseen, told = self._unseen(), set[str]()
        for keys in connector.gone(stream.name, [key for _, key, _ in unseen]):
            told.update(keys)
            self.run.renew()
        return [row for row in unseen if row[1] in told]

    def _unseen(self) -> list[Row]:
        with self.run.database.read() as view:
            return view.query(_UNSEEN, [self.run.source, self.run.stream])

    def remove(self, gone: list[Row], policy: Policy, *, confirmed: bool) -> int:
        """Mark records as gone; return how many they were."""
        run = self.run
        with run.database.read() as view:
            ((seen,),) = view.query("SELECT count(*) FROM swept WHERE source = ? AND stream = ?", [run.source, run.stream])
        # What the mapping left out, such as records that the source marked as deleted before, nobody misses.
        missed = sum(1 for _, _, state in gone if state != "filtered")
        total = int(seen) + missed
        # A source that lists nothing at all has more often lost our rights than its records.
        much = total >= policy.breaker_of and missed > total * policy.breaker_percent / 100
        if missed and not confirmed and (much or not seen):
            raise GoneError(
                f"{run.source}.{run.stream}: {missed} of {total} records are no longer at the source; nothing was marked as gone. "
                f"If that is so: threadline reconcile {run.source} --stream {run.stream} --remove"
            )
        for part in chunks(gone, _AT_ONCE):
            with run.database.write() as transaction:
                self._mark(transaction, part)
                run.commit(transaction, Ledger(), None)
        return len(gone)

    def _mark(self, transaction: Transaction, gone: Sequence[Row]) -> None:
        writer, now = self.writer, transaction.now()
        records = [identity for identity, _, _ in gone]
        if writer.entity is Party:
            rows = transaction.query_in("SELECT DISTINCT party FROM party_identifiers WHERE record_id {keys}", records)
            entities = [party for (party,) in rows]
        else:
            # What a mapping left out or could not use has no row.
            named = [entity_id(self.run.source, writer.target, key) for _, key, _ in gone]
            rows = transaction.query_in(f'SELECT id FROM "{writer.entity.table}" WHERE id {{keys}}', named)  # noqa: S608 - a name of the schema
            entities = [entity for (entity,) in rows]
        table = writer.entity.table
        transaction.execute_in(f'UPDATE "{table}" SET valid_to = ? WHERE id {{keys}}', entities, [now])  # noqa: S608 - a name of the schema
        transaction.execute_in("UPDATE records SET state = 'gone', changed_at = ? WHERE id {keys}", records, [now])
        transaction.execute_in("UPDATE dead_letters SET state = 'gone' WHERE state = 'open' AND id {keys}", records)
        log(transaction, [(writer.target, "gone", entities)], self.run.id, now)


_UNSEEN = (
    "SELECT r.id, r.key, r.state FROM records r WHERE r.source = ? AND r.stream = ? AND r.state <> 'gone' "
    "AND NOT EXISTS (SELECT 1 FROM swept s WHERE s.source = r.source AND s.stream = r.stream AND s.record_id = r.id)"
)

__all__ = ["GoneError", "Reconciled", "reconcile"]
