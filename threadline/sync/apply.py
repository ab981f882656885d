"""Writes a batch: raw bytes, rows, parties, profiles, dead letters and the change log, all in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import zstandard

from threadline.identity.graph import regroup
from threadline.mapping.compiled import PartyMention
from threadline.model.entities import Entity, Party
from threadline.model.identifiers import CONTACT_TYPES
from threadline.model.ids import entity_id, new_ulid
from threadline.store import schema
from threadline.store.database import Row, Transaction, distinct
from threadline.sync.batch import Incoming, Judge, Letter, Verdict

_NOWHERE = bytes(16)
_LONGEST_ADDRESS = 320
"""RFC 5321, 4.5.3.1; at a longer one nobody is reached, and PostgreSQL cannot index it."""
_compress = zstandard.ZstdCompressor(level=1).compress


class Writer:
    """Applies the verdicts on one stream's batches."""

    def __init__(self, judge: Judge, run_id: bytes) -> None:
        self.judge = judge
        self.run_id = run_id
        self.entity: type[Entity] = judge.mapping.entity
        self.target = judge.mapping.tree.target

    def apply(self, transaction: Transaction, verdict: Verdict) -> None:
        """Write everything that a verdict amounts to."""
        now = transaction.now()
        self._records(transaction, verdict, now)
        self._rows(transaction, verdict)
        touched = self._parties(transaction, verdict)
        profiles = regroup(transaction, touched)
        self._letters(transaction, verdict, now)
        self._log(transaction, verdict, touched, profiles, now)

    def _records(self, transaction: Transaction, verdict: Verdict, now: datetime) -> None:
        used = [record for record, _ in verdict.mapped] + verdict.filtered
        page, offset, rows = new_ulid(), 0, list[Row]()
        for state, records in (("ok", [record for record, _ in verdict.mapped]), ("filtered", verdict.filtered)):
            for record in records:
                rows.append(self._record(verdict, record, state, page, offset, now))
                offset += len(record.raw)
        if used:
            body = _compress(b"".join(record.raw for record in used))
            transaction.insert(schema.RAW_PAGES, [(page, self.judge.source, self.judge.stream, self.run_id, now, body)])
        # A dead letter keeps its own bytes.
        rows += [self._record(verdict, letter.record, "dead", _NOWHERE, 0, now) for letter in verdict.letters]
        transaction.upsert(schema.RECORDS, rows)

    def _record(self, verdict: Verdict, record: Incoming, state: str, page: bytes, offset: int, now: datetime) -> Row:
        known = verdict.known.get(record.id)
        # A record that turns dead keeps the rows of its last good version: its state there stays what it was made of.
        version, first_seen = (known.version + 1, known.first_seen) if known else (1, now)
        source, stream = self.judge.source, self.judge.stream
        return (record.id, source, stream, record.key, record.digest, state, page, offset, len(record.raw), version, first_seen, now)

    def _rows(self, transaction: Transaction, verdict: Verdict) -> None:
        gone = self._gone(verdict)
        if self.entity is not Party:
            table = schema.BY_NAME[self.entity.table]
            transaction.execute_in(f'DELETE FROM "{table.name}" WHERE id {{keys}}', gone)  # noqa: S608 - a name of the schema
            transaction.upsert(table, distinct((mapped.row for _, mapped in verdict.mapped if mapped.row is not None), table))
        children: dict[str, list[Row]] = defaultdict(list)
        for _, mapped in verdict.mapped:
            for name, rows in mapped.children:
                children[name] += rows
        stale = {*verdict.changed_ids, *(record.id for record in verdict.left)}
        for child in self.entity.children.values():
            table = schema.BY_NAME[child.table]
            transaction.execute_in(f'DELETE FROM "{table.name}" WHERE record_id {{keys}}', stale)  # noqa: S608 - a name of the schema
            transaction.upsert(table, distinct(children[table.name], table))
        if self.entity.has_parties:
            self._related(transaction, verdict, gone)

    def _gone(self, verdict: Verdict) -> list[bytes]:
        """Return the entities whose records the mapping now leaves out. A party stays: others may speak of it."""
        if self.entity is Party:
            return []
        return [entity_id(self.judge.source, self.target, record.key) for record in verdict.left]

    def _related(self, transaction: Transaction, verdict: Verdict, gone: Sequence[bytes]) -> None:
        changed = set(verdict.changed_ids)
        old = [mapped.row[0] for record, mapped in verdict.mapped if record.id in changed and mapped.row is not None]
        transaction.execute_in("DELETE FROM related_parties WHERE entity {keys}", [*old, *gone])
        rows = [(mapped.row[0], party.role, party.id) for _, mapped in verdict.mapped if mapped.row is not None for party in mapped.parties]
        transaction.insert(schema.RELATED_PARTIES, distinct(rows, schema.RELATED_PARTIES))

    def _parties(self, transaction: Transaction, verdict: Verdict) -> set[bytes]:
        """Write parties and what names them; return those whose identifiers changed."""
        mentions = [(record.id, party) for record, mapped in verdict.mapped for party in mapped.parties]
        if not mentions:
            return set()
        parties = distinct((party.row for _, party in mentions), schema.PARTIES)
        identifiers = distinct(_identifier_rows(mentions), schema.PARTY_IDENTIFIERS)
        contacts = distinct(_contact_rows(mentions), schema.CONTACT_POINTS)
        own = self.entity is Party
        retired = self._retire(transaction, verdict, identifiers) if own else set[bytes]()
        rows = transaction.query_in(
            "SELECT party, identifier FROM party_identifiers WHERE party {keys}", {party.id for _, party in mentions}
        )
        held = set(rows)
        # The source's own record of a person is what it knows; a mention elsewhere only adds one that is not there.
        for table, found in ((schema.PARTIES, parties), (schema.PARTY_IDENTIFIERS, identifiers), (schema.CONTACT_POINTS, contacts)):
            (transaction.upsert if own else transaction.insert)(table, found)
        return retired | {row[0] for row in identifiers if (row[0], row[1]) not in held}

    def _retire(self, transaction: Transaction, verdict: Verdict, identifiers: Sequence[Row]) -> set[bytes]:
        changed = verdict.changed_ids
        if not changed:
            return set()
        kept = {(row[0], row[1]) for row in identifiers}
        before = transaction.query_in("SELECT party, identifier, record_id FROM party_identifiers WHERE record_id {keys}", changed)
        gone = [(party, identifier) for party, identifier, _ in before if (party, identifier) not in kept]
        for party, identifier in gone:
            transaction.execute("DELETE FROM party_identifiers WHERE party = ? AND identifier = ?", [party, identifier])
        transaction.execute_in("DELETE FROM contact_points WHERE record_id {keys}", changed)
        return {party for party, _ in gone}

    def _letters(self, transaction: Transaction, verdict: Verdict, now: datetime) -> None:
        if verdict.letters:
            ids = [letter.record.id for letter in verdict.letters]
            before = {row[0]: row for row in transaction.query_in("SELECT id, first_seen, attempts FROM dead_letters WHERE id {keys}", ids)}
            transaction.upsert(schema.DEAD_LETTERS, [self._letter(letter, before.get(letter.record.id), now) for letter in verdict.letters])
        recovered = [record.id for record in [*(record for record, _ in verdict.mapped), *verdict.filtered]]
        cured = [identity for identity in recovered if identity in verdict.known and verdict.known[identity].state == "dead"]
        transaction.execute_in("UPDATE dead_letters SET state = 'resolved' WHERE id {keys}", cured)

    def _letter(self, letter: Letter, before: Row | None, now: datetime) -> Row:
        record = letter.record
        first_seen, attempts = (before[1], before[2]) if before else (now, 0)
        return (
            record.id, self.judge.source, self.judge.stream, record.key, letter.reason, letter.path, letter.site, record.raw,
            first_seen, now, attempts + 1, "open",
        )  # fmt: skip

    def _log(self, transaction: Transaction, verdict: Verdict, touched: set[bytes], profiles: set[bytes], now: datetime) -> None:
        changed = set(verdict.changed_ids)
        entries: list[tuple[str, bytes, str]] = []
        for record, mapped in verdict.mapped:
            kind = "changed" if record.id in changed else "new"
            if mapped.row is not None:
                entries.append((self.target, mapped.row[0], kind))
            elif mapped.parties:
                entries.append(("party", mapped.parties[-1].id, kind))
        entries += [(self.target, entity, "gone") for entity in self._gone(verdict)]
        entries += [("profile", profile, "changed") for profile in sorted(profiles)]
        if self.entity is not Party:
            entries += [("party", party, "new") for party in sorted(touched)]
        log(transaction, entries, self.run_id, now)


def log(transaction: Transaction, entries: Iterable[tuple[str, bytes, str]], run_id: bytes, now: datetime) -> None:
    """Append (entity type, id, new, changed or gone) to the change log."""
    rows = list(entries)
    if rows:
        txid = transaction.txid()
        transaction.upsert(schema.CHANGES, [(txid, now, kind, identity, what, run_id) for kind, identity, what in rows])


def _identifier_rows(mentions: Sequence[tuple[bytes, PartyMention]]) -> Iterable[Row]:
    for record_id, party in mentions:
        for identifier in party.identifiers:
            yield (party.id, identifier.id, identifier.owner, identifier.kind, identifier.value, identifier.normalized, record_id)


def _contact_rows(mentions: Sequence[tuple[bytes, PartyMention]]) -> Iterable[Row]:
    for record_id, party in mentions:
        for identifier in party.identifiers:
            kind = CONTACT_TYPES.get(identifier.kind)
            if kind and len(identifier.normalized) <= _LONGEST_ADDRESS:
                yield (party.id, kind, identifier.normalized, False, None, None, None, record_id)


__all__ = ["Writer", "log"]
