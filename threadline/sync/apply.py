"""Writes a batch: raw bytes, rows, parties, profiles, dead letters and the change log, all in the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from threadline.identity.graph import NOTHING, Regrouped, regroup
from threadline.identity.neighbourhood import PEOPLE, Fresh, person_in, person_of
from threadline.identity.related import customers_of, write_related
from threadline.identity.rules import INBOX, Rules, inbox_of
from threadline.mapping.compiled import PartyMention
from threadline.model.entities import Entity, Party
from threadline.model.identifiers import CONTACT_TYPES, Identifier, identify
from threadline.model.ids import entity_id
from threadline.store import schema
from threadline.store.database import Row, Transaction, distinct
from threadline.sync import archive
from threadline.sync.batch import Incoming, Judge, Letter, State, Verdict
from threadline.sync.mentions import enrich, spoken_of
from threadline.sync.policy import USUAL, Policy
from threadline.sync.retarget import take_back

_WRITTEN = schema.PARTY_IDENTIFIERS.names.index("value")
_LONGEST_ADDRESS = 320
"""RFC 5321, 4.5.3.1; at a longer one nobody is reached, and PostgreSQL cannot index it."""


class Writer:
    """Applies the verdicts on one stream's batches."""

    def __init__(self, judge: Judge, run_id: bytes, policy: Policy = USUAL) -> None:
        self.judge = judge
        self.policy = policy
        self.run_id = run_id
        self.entity: type[Entity] = judge.mapping.entity
        self.target = judge.mapping.tree.target

    def apply(self, transaction: Transaction, verdict: Verdict) -> None:
        """Write everything that a verdict amounts to."""
        now = transaction.now()
        self._records(transaction, verdict, now)
        if self.judge.earlier_targets:
            mapped = [one.record for one in verdict.mapped if one.record.id in verdict.known]
            again = {record.id: record.key for record in (*mapped, *verdict.left)}
            log(transaction, take_back(transaction, self.judge.source, self.judge.earlier_targets, again), self.run_id, now)
        gone = self._gone(verdict)
        self._rows(transaction, verdict, gone)
        touched, regrouped = self._parties(transaction, verdict)
        self._letters(transaction, verdict, now)
        transaction.upsert(schema.STREAM_FIELDS, self.judge.fields.rows(now))
        self._log(transaction, verdict, gone, touched, regrouped, now)

    def _records(self, transaction: Transaction, verdict: Verdict, now: datetime) -> None:
        judged: list[tuple[Incoming, State, bytes | None]] = [
            *((one.record, "ok", one.result.canonical) for one in verdict.mapped),
            *((record, "ok", verdict.known[record.id].canonical) for record in verdict.same),
            *((record, "filtered", None) for record in verdict.filtered),
            *((letter.record, "dead", None) for letter in verdict.letters if not verdict.is_dead_already(letter.record)),
        ]
        source, stream = self.judge.source, self.judge.stream
        unkept = (record.raw for record, _, _ in judged if record.place is None)
        places = iter(archive.keep(transaction, source, stream, self.run_id, now, unkept))
        new, again, earlier = list[Row](), list[Row](), list[Row]()
        for record, state, canonical in judged:
            place = record.place or next(places)
            row = (record.id, source, stream, record.key, record.digest, canonical, state, *place)
            known = verdict.known.get(record.id)
            if known is None:
                new.append((*row, 1, now, now))
            elif record.place:
                again.append((*row, known.version, known.first_seen, known.changed_at))
            else:
                again.append((*row, known.version + 1, known.first_seen, now))
                earlier.append((record.id, known.version, *known.place, known.changed_at))
        transaction.append(schema.RECORDS, new)
        transaction.upsert(schema.RECORDS, again)
        transaction.append(schema.RECORD_VERSIONS, earlier)
        most = self.policy.archive_versions
        archive.drop_versions(transaction, [row[0] for row in earlier if row[1] > most], most)

    def _rows(self, transaction: Transaction, verdict: Verdict, gone: Sequence[bytes]) -> None:
        if self.entity is not Party:
            table = schema.BY_NAME[self.entity.table]
            rows = self._entities(transaction, verdict, gone)
            transaction.execute_in(f'DELETE FROM "{table.name}" WHERE id {{keys}}', gone)  # noqa: S608 - a name of the schema
            transaction.append(table, [row for again, row in rows if not again])
            transaction.upsert(table, [row for again, row in rows if again])
        children: dict[str, list[Row]] = defaultdict(list)
        for one in verdict.mapped:
            for name, rows_of_child in one.result.children:
                children[name] += rows_of_child
        stale = {*verdict.changed_ids, *(record.id for record in verdict.left)}
        for child in self.entity.children.values():
            table = schema.BY_NAME[child.table]
            transaction.execute_in(f'DELETE FROM "{table.name}" WHERE record_id {{keys}}', stale)  # noqa: S608 - a name of the schema
            transaction.append(table, distinct(children[table.name], table))

    def _gone(self, verdict: Verdict) -> list[bytes]:
        """Return the entities whose records the mapping now leaves out. A party stays: others may speak of it."""
        if self.entity is Party:
            return []
        return [entity_id(self.judge.source, self.target, record.key) for record in verdict.left]

    def _entities(self, transaction: Transaction, verdict: Verdict, gone: Sequence[bytes]) -> list[tuple[bool, Row]]:
        """Return the entities' rows, each with whether there may be an earlier one; keep what leads from customers to them."""
        mapped = [(one.record.id in verdict.known, one.result.row, one.result.parties) for one in verdict.mapped if one.result.row]
        if not self.entity.has_parties:
            return [(again, row) for again, row, _ in mapped]
        now = {(party.id, row[0]) for _, row, parties in mapped for party in parties if party.role == "customer"}
        before = customers_of(transaction, self.entity.table, [*(row[0] for again, row, _ in mapped if again), *gone])
        for pair in before - now:
            transaction.execute("DELETE FROM related_customers WHERE party = ? AND entity = ?", pair)
        transaction.append(schema.RELATED_CUSTOMERS, list(now - before))
        return [(again, (*row, write_related((party.role, party.id) for party in parties))) for again, row, parties in mapped]

    def _parties(self, transaction: Transaction, verdict: Verdict) -> tuple[set[bytes], Regrouped]:
        """Write parties and what names them; return the parties that are known otherwise by now, and what became of profiles."""
        mentions = [(one.record.id, party) for one in verdict.mapped for party in one.result.parties]
        if not mentions:
            return set(), NOTHING
        own = self.entity is Party
        identifiers = _identifier_rows(mentions, self.policy.identity, ranked=own)
        gone = self._retire(transaction, verdict, identifiers) if own else []
        parties = {party.id: party.row for _, party in mentions} if own else spoken_of(mentions)
        rows = transaction.query_in("SELECT party, identifier, value FROM party_identifiers WHERE party {keys}", parties)
        held = {(party, identifier): value for party, identifier, value in rows}
        known = {party for party, _ in held}
        added, again = _divided(identifiers, held)
        transaction.append(schema.PARTIES, [row for party, row in parties.items() if party not in known])
        transaction.append(schema.PARTY_IDENTIFIERS, added)
        transaction.insert(schema.CONTACT_POINTS, distinct(_contact_rows(added), schema.CONTACT_POINTS))
        told = {party: row for party, row in parties.items() if party in known}
        if own:
            changed, renamed = set[bytes](), _register(transaction, told, [_written(row, value) for row, value in again])
        else:
            changed, renamed = enrich(transaction, told)
            _respell(transaction, [row for row, value in again if row[_WRITTEN] > value])
        fresh = {row[0] for row in added} - known
        touched = {party for party, _ in gone} | {row[0] for row in added}
        regrouped = regroup(
            transaction,
            touched | renamed,
            Fresh(
                [(row[0], row[1], row[3], row[5]) for row in added if row[0] in fresh],
                {party: person_in(parties[party]) for party in fresh},
            ),
            retired={identifier for _, identifier in gone},
            rules=self.policy.identity,
            cause=f"{self.judge.source}.{self.judge.stream}",
        )
        # A party that is new is told of by its profile, which is new as well.
        return (touched | changed) - fresh, regrouped

    def _retire(self, transaction: Transaction, verdict: Verdict, identifiers: Sequence[Row]) -> list[tuple[bytes, bytes]]:
        """Take away what changed records say no longer; return (party, identifier) of it."""
        changed = verdict.changed_ids
        if not changed:
            return []
        kept = {(row[0], row[1]) for row in identifiers}
        before = transaction.query_in("SELECT party, identifier, record_id FROM party_identifiers WHERE record_id {keys}", changed)
        gone = [(party, identifier) for party, identifier, _ in before if (party, identifier) not in kept]
        for party, identifier in gone:
            transaction.execute("DELETE FROM party_identifiers WHERE party = ? AND identifier = ?", [party, identifier])
        transaction.execute_in("DELETE FROM contact_points WHERE record_id {keys}", changed)
        return gone

    def _letters(self, transaction: Transaction, verdict: Verdict, now: datetime) -> None:
        if verdict.letters:
            ids = [letter.record.id for letter in verdict.letters]
            before = {row[0]: row for row in transaction.query_in("SELECT id, first_seen, attempts FROM dead_letters WHERE id {keys}", ids)}
            transaction.upsert(schema.DEAD_LETTERS, [self._letter(letter, before.get(letter.record.id), now) for letter in verdict.letters])
        recovered = [*(one.record.id for one in verdict.mapped), *(record.id for record in verdict.filtered)]
        cured = [identity for identity in recovered if identity in verdict.known and verdict.known[identity].state == "dead"]
        transaction.execute_in("UPDATE dead_letters SET state = 'resolved' WHERE id {keys}", cured)

    def _letter(self, letter: Letter, before: Row | None, now: datetime) -> Row:
        record = letter.record
        first_seen, attempts = (before[1], before[2]) if before else (now, 0)
        return (
            record.id, self.judge.source, self.judge.stream, record.key, letter.reason, letter.path, letter.site, record.raw,
            first_seen, now, attempts + 1, "open",
        )  # fmt: skip

    def _log(
        self, transaction: Transaction, verdict: Verdict, gone: Sequence[bytes], touched: set[bytes], regrouped: Regrouped, now: datetime
    ) -> None:
        own = self.entity is Party
        new, changed = list[bytes](), list[bytes]()
        for one in verdict.mapped:
            if one.result.row is not None:
                entity = one.result.row[0]
            elif one.result.parties:
                entity = one.result.parties[-1].id
            else:
                continue
            (changed if one.record.id in verdict.known else new).append(entity)
        entries = [
            (self.target, "new", new), (self.target, "changed", changed), (self.target, "gone", gone),
            *profile_entries(regrouped), ("party", "new", [] if own else sorted(touched)),
        ]  # fmt: skip
        log(transaction, entries, self.run_id, now)


def profile_entries(regrouped: Regrouped) -> list[tuple[str, str, Iterable[bytes]]]:
    """Return what the change log says of profiles; `profile_events` says which went into which."""
    return [
        ("profile", "changed", sorted(regrouped.changed)), ("profile", "merged", sorted(regrouped.merged)),
        ("profile", "split", sorted(regrouped.split)),
    ]  # fmt: skip


def log_profiles(transaction: Transaction, regrouped: Regrouped, run_id: bytes) -> None:
    """Append what became of profiles, where no batch tells of it, to the change log."""
    log(transaction, profile_entries(regrouped), run_id, transaction.now())


def log(transaction: Transaction, entries: Iterable[tuple[str, str, Iterable[bytes]]], run_id: bytes, now: datetime) -> None:
    """Append (entity type; new, changed or gone; ids) to the change log."""
    joined = [(kind, what, b"".join(ids)) for kind, what, ids in entries]
    if any(ids for _, _, ids in joined):
        txid = transaction.txid()
        transaction.append(schema.CHANGES, [(txid, now, kind, what, run_id, ids) for kind, what, ids in joined if ids])


def _register(transaction: Transaction, parties: Mapping[bytes, Row], identifiers: Sequence[Row]) -> set[bytes]:
    """Let a source's own records of people replace whatever was known; return those whose names or birth dates are new."""
    renamed = _told_otherwise(transaction, list(parties.values()))
    transaction.upsert(schema.PARTIES, list(parties.values()))
    transaction.upsert(schema.PARTY_IDENTIFIERS, identifiers)
    transaction.upsert(schema.CONTACT_POINTS, distinct(_contact_rows(identifiers), schema.CONTACT_POINTS))
    return renamed


def _respell(transaction: Transaction, identifiers: Iterable[Row]) -> None:
    for party, identifier, _, _, value, *_ in identifiers:
        transaction.execute("UPDATE party_identifiers SET value = ? WHERE party = ? AND identifier = ?", [value, party, identifier])


def _told_otherwise(transaction: Transaction, rows: Sequence[Row]) -> set[bytes]:
    """Return those of these parties whose names or birth dates are new: that may join them to others, or keep them apart."""
    ids = [row[0] for row in rows]
    before = {row[0]: person_of(row[1:]) for row in transaction.query_in(PEOPLE, ids)}
    return {row[0] for row in rows if row[0] in before and before[row[0]] != person_in(row)}


def _identifier_rows(mentions: Iterable[tuple[bytes, PartyMention]], rules: Rules, *, ranked: bool) -> list[Row]:
    """Return the rows of all identifiers, each of a party's once; whoever has an alias of an inbox has the inbox, too.

    `ranked` says that the first of a kind is preferred: many records mention somebody, and each in its own order.
    """
    rows: dict[tuple[bytes, bytes], Row] = {}
    inboxes: dict[tuple[bytes, bytes], Row] = {}
    _, email = rules.of("email")
    for record_id, party in mentions:
        before = None
        for one in party.identifiers:
            preferred, before = not ranked or one.kind != before, one.kind
            if (party.id, one.id) not in rows:
                told = (one.value, one.normalized, record_id, one.verified, preferred)
                rows[party.id, one.id] = (party.id, one.id, one.owner, one.kind, *told)
                if one.kind == "email" and (inbox := inbox_of(email, one.normalized)):
                    identifier = identify("email", one.value, inbox, "").id
                    inboxes[party.id, identifier] = (party.id, identifier, None, INBOX, one.value, inbox, record_id, one.verified, False)
            elif one.verified or one.value > rows[party.id, one.id][_WRITTEN]:
                rows[party.id, one.id] = _joined(rows[party.id, one.id], one)
    return list((inboxes | rows).values())


def _divided(identifiers: Iterable[Row], held: Mapping[tuple[bytes, bytes], str]) -> tuple[list[Row], list[tuple[Row, str]]]:
    """Return the identifiers that are new, and the others, each with how the store writes it."""
    added, again = list[Row](), list[tuple[Row, str]]()
    for row in identifiers:
        value = held.get((row[0], row[1]))
        if value is None:
            added.append(row)
        else:
            again.append((row, value))
    return added, again


def _joined(row: Row, told: Identifier) -> Row:
    """Add what is told of an identifier once more."""
    *same, verified, preferred = _written(row, told.value)
    return (*same, verified or told.verified, preferred)


def _written(row: Row, otherwise: str) -> Row:
    """Return an identifier's row in the spelling that does not depend on the order in which it was told."""
    return (*row[:_WRITTEN], max(row[_WRITTEN], otherwise), *row[_WRITTEN + 1 :])


def _contact_rows(identifiers: Iterable[Row]) -> Iterable[Row]:
    for party, _, _, kind, _, normalized, record_id, _, preferred in identifiers:
        contact = CONTACT_TYPES.get(kind)
        if contact and len(normalized) <= _LONGEST_ADDRESS:
            yield (party, contact, normalized, preferred, None, None, None, record_id)


__all__ = ["Writer", "log", "profile_entries"]
