"""Pushes: what changed becomes intents in the outbox; the outbox is sent, and each receipt is kept.

An intent is committed with the position in the change log that caused it, marked `inflight` before it is sent, and
settled by its receipt. A crash in between leaves it `inflight`: it is handed in again with a higher attempt, and the
connector looks before it writes twice (docs: guarantees, G5). Of one entity at most one intent is under way, and of one
target at most one push.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from xxhash import xxh3_128_digest, xxh3_128_hexdigest

from threadline.identity.survivorship import USUAL, Survivorship
from threadline.journey.documents import interaction_documents
from threadline.journey.profile import load_profiles, profile_document
from threadline.journey.references import carried
from threadline.mapping.compiled import PushMapping, encode_json
from threadline.mapping.errors import MappingError
from threadline.model.ids import entity_id, new_ulid, parse_id, show_id
from threadline.sdk.contract import Connector, Intent, PushObject, Receipt, Target
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.store import schema
from threadline.store.database import Database, Row, Transaction, chunks, storable
from threadline.sync.apply import log
from threadline.sync.lease import LOST
from threadline.sync.resolve import Change, advance, changes_after

_GIVE_UP = 10
"""Attempts after which a refused intent waits for a person."""
_WAITING = "('pending', 'inflight', 'unknown')"

Progress = Callable[["PushCounts"], None]


@dataclass(slots=True)
class PushCounts:
    """What became of a target's intents in one run."""

    sent: int = 0
    failed: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One object of a target, and the mapping that makes its records."""

    target: str
    system: str
    object: PushObject
    mapping: PushMapping
    survivorship: Survivorship = USUAL

    @property
    def consumer(self) -> str:
        """Name of its position in the change log; a changed mapping or choice of values starts anew, and pushes only what differs."""
        rules = xxh3_128_hexdigest(self.mapping.fingerprint + self.survivorship.fingerprint)
        return f"push {self.target} {self.object.name} {rules}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The kinds of change that may make something due."""
        return ("profile.ready",) if self.mapping.tree.source == "profile" else ("thread",)

    @property
    def is_state(self) -> bool:
        """Whether the object holds a state that each push replaces; otherwise it is an event, which happens once."""
        return self.object.repeat == "upsert"

    def due_again(self, digest: bytes, last_digest: bytes, last_state: str) -> bool:
        """Whether an entity that was pushed before is due again, now that its record has this digest."""
        return digest != last_digest and (self.is_state or last_state in ("pending", "dead"))


def push(database: Database, connector: Connector[Any], outgoing: Sequence[Outgoing], progress: Progress | None = None) -> PushCounts:
    """Plan and send everything that is due at one target."""
    if not isinstance(connector, Target):
        raise ConfigError(f"{connector.name} takes no pushes")
    # Two senders would hand in the same intents: what is `inflight` here was left by one that is gone.
    with database.sole(f"push {outgoing[0].target}"):
        return _push(database, connector, outgoing, progress)


def _push(database: Database, connector: Target, outgoing: Sequence[Outgoing], progress: Progress | None) -> PushCounts:
    counts = PushCounts()
    run = _begin(database, outgoing)
    try:
        for one in outgoing:
            plan(database, one, run)
            _send_all(database, connector, one, counts, progress)
    except ConnectorError as error:
        _end(database, run, counts, "failed", str(error))
        raise
    except BaseException as error:
        _end(database, run, counts, "failed", f"ended by {type(error).__name__}")
        raise
    with database.read() as transaction:
        counts.waiting = waiting(transaction, outgoing[0].target)
    _end(database, run, counts, "done", None)
    return counts


def _begin(database: Database, outgoing: Sequence[Outgoing]) -> bytes:
    run = new_ulid()
    with database.write() as transaction:
        now, target = transaction.now(), outgoing[0].target
        transaction.execute(
            "UPDATE runs SET state = 'lost', ended = ?, error = ? WHERE kind = 'push' AND source = ? AND state = 'running'",
            [now, LOST, target],
        )
        row = (run, "push", target, ",".join(one.object.name for one in outgoing), "running", now, None)
        transaction.insert(schema.RUNS, [(*row, 0, 0, 0, 0, 0, 0, None)])
    return run


def _end(database: Database, run: bytes, counts: PushCounts, state: str, error: str | None) -> None:
    with database.write() as transaction:
        transaction.execute(
            'UPDATE runs SET state = ?, ended = ?, "read" = ?, changed = ?, dead = ?, error = ? WHERE id = ?',
            [state, transaction.now(), counts.sent + counts.failed, counts.sent, counts.failed, error and storable(error), run],
        )


def plan(database: Database, outgoing: Outgoing, run_id: bytes) -> int:
    """Turn what changed into intents; return how many. An intent is due when the record to push differs from the last one."""
    planned = 0
    while True:
        with database.write() as transaction:
            transaction.lock(f"push {outgoing.target}")
            changes = changes_after(transaction, outgoing.consumer, outgoing.reads)
            if not changes:
                return planned
            rows = list(_intents(transaction, outgoing, changes))
            transaction.upsert(schema.OUTBOX, rows)
            advance(transaction, outgoing.consumer, changes)
            planned += len(rows)


def _documents(transaction: Transaction, outgoing: Outgoing, changes: list[Change]) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """Yield (id, document) of what changed; None for a profile that was merged into another."""
    ids = {change.entity_id for change in changes if change.entity_type in outgoing.reads}
    if outgoing.mapping.tree.source == "profile":
        profiles = load_profiles(transaction, ids, outgoing.survivorship)
        yield from ((one, profile_document(profiles[one], outgoing.system) if one in profiles else None) for one in sorted(ids))
    else:
        documents = interaction_documents(transaction, ids, outgoing.system, outgoing.survivorship)
        yield from ((parse_id(one["id"]) or b"", one) for one in documents)


@dataclass(frozen=True, slots=True)
class _Made:
    """What a document becomes at the target."""

    digest: bytes
    record: str
    state: str
    why: str | None = None


def _make(outgoing: Outgoing, document: dict[str, Any] | None) -> _Made | None:
    try:
        record = outgoing.mapping(document) if document else None
    except MappingError as error:
        reason = f"{error.site}: {error.path}: {error}"
        return _Made(xxh3_128_digest(reason.encode()), "{}", "dead", reason)
    if record is None:
        return None
    return _Made(xxh3_128_digest(encode_json(outgoing.mapping.compared(record))), encode_json(record).decode(), "pending")


def _intents(transaction: Transaction, outgoing: Outgoing, changes: list[Change]) -> Iterator[Row]:
    made = {entity: _make(outgoing, document) for entity, document in _documents(transaction, outgoing, changes)}
    last = _last(transaction, outgoing, made)
    now = transaction.now()
    for position, (entity, one) in enumerate(made.items()):
        if one and entity in last and not outgoing.due_again(one.digest, *last[entity]):
            continue
        # An intent that still waits is replaced, or withdrawn: the target needs the newest state, not each step.
        if entity in last:
            transaction.execute(
                "DELETE FROM outbox WHERE target = ? AND object = ? AND entity_id = ? AND state = 'pending'",
                [outgoing.target, outgoing.object.name, entity],
            )
        if one:
            identity = entity_id(f"{outgoing.target} {outgoing.object.name}", entity.hex(), one.digest.hex() if outgoing.is_state else "")
            place = (identity, outgoing.target, outgoing.object.name, entity)
            yield (*place, one.record, one.digest, one.state, 0, None, one.why, now, now, changes[-1].seq * 1_000_000 + position, None)


def _last(transaction: Transaction, outgoing: Outgoing, entities: Iterable[bytes]) -> dict[bytes, tuple[bytes, str]]:
    rows = transaction.query_in(
        "SELECT entity_id, position, digest, state FROM outbox WHERE target = ? AND object = ? AND entity_id {keys}", entities,
        [outgoing.target, outgoing.object.name],
    )  # fmt: skip
    return {entity: (digest, state) for entity, _, digest, state in sorted(rows, key=lambda row: (row[0], row[1]))}


def _send_all(database: Database, connector: Target, outgoing: Outgoing, counts: PushCounts, progress: Progress | None) -> None:
    tried: set[bytes] = set()
    while due := [identity for identity in _due(database, outgoing) if identity not in tried]:
        for part in chunks(due, outgoing.object.batch):
            _send(database, connector, outgoing, _claim(database, outgoing, part), counts)
            if progress:
                progress(counts)
        tried.update(due)


def _due(database: Database, outgoing: Outgoing) -> list[bytes]:
    """Return the oldest waiting intent of each entity."""
    with database.read() as transaction:
        rows = transaction.query(
            f"SELECT id, entity_id FROM outbox WHERE target = ? AND object = ? AND state IN {_WAITING} ORDER BY position",  # noqa: S608 - a constant
            [outgoing.target, outgoing.object.name],
        )
    oldest: dict[bytes, bytes] = {}
    for identity, entity in rows:
        oldest.setdefault(entity, identity)
    return list(oldest.values())


def _claim(database: Database, outgoing: Outgoing, ids: list[bytes]) -> list[Intent]:
    """Mark intents as under way, and commit that before anything is sent."""
    with database.write() as transaction:
        transaction.execute_in("UPDATE outbox SET state = 'inflight', attempts = attempts + 1 WHERE id {keys}", ids)
        rows = transaction.query_in("SELECT id, payload, attempts, position FROM outbox WHERE id {keys}", ids)
    ordered = sorted(rows, key=lambda row: (row[3], row[0]))
    return [Intent(show_id(identity), outgoing.object.name, msgspec.json.decode(payload), tries) for identity, payload, tries, _ in ordered]


def _send(database: Database, connector: Target, outgoing: Outgoing, intents: list[Intent], counts: PushCounts) -> None:
    attempts = {intent.id: intent.attempt for intent in intents}
    receipts: dict[str, Receipt] = {}
    failure: BaseException | None = None
    try:
        for receipt in connector.push(outgoing.object.name, intents):
            receipts[receipt.intent] = receipt
    except BaseException as error:
        # What was answered before an error counts, whatever the error is.
        failure = error
    why = str(failure) if isinstance(failure, ConnectorError) else "the connector gave no receipt"
    settled = [receipts.get(identity) or Receipt(identity, "unknown", None, why) for identity in attempts]
    with database.write() as transaction:
        for receipt in settled:
            _settle(transaction, receipt, attempts[receipt.intent], _opened(outgoing, receipt))
        _refer(transaction, outgoing, settled)
    counts.sent += sum(receipt.status == "done" for receipt in settled)
    counts.failed += sum(receipt.status != "done" for receipt in settled)
    if failure:
        raise failure


def _opened(outgoing: Outgoing, receipt: Receipt) -> bytes | None:
    """Return the id that the case which was opened will have when it is read."""
    if not outgoing.object.opens_case or receipt.status != "done" or not receipt.remote_id:
        return None
    return entity_id(outgoing.system, "case", receipt.remote_id)


def _refer(transaction: Transaction, outgoing: Outgoing, settled: Sequence[Receipt]) -> None:
    """Let an answer to what was sent (such as a mail), or the case that it opened, find the thread of the interaction that was sent."""
    if outgoing.mapping.tree.source != "interaction" or (outgoing.is_state and not outgoing.object.opens_case):
        return
    done = [receipt for receipt in settled if receipt.status == "done" and receipt.remote_id]
    copies = {parse_id(receipt.intent): carried(receipt.remote_id or "", _opened(outgoing, receipt)) for receipt in done}
    rows = transaction.query_in("SELECT id, entity_id FROM outbox WHERE id {keys}", copies)
    found = [(copy.id, entity, copy.kind, copy.label) for intent, entity in rows if (copy := copies[intent])]
    answered = transaction.query_in("SELECT reference FROM thread_references WHERE reference {keys}", [row[0] for row in found])
    transaction.insert(schema.THREAD_REFERENCES, found)
    # An answer may have been read before the receipt: then there are two threads to join.
    early = [entity for reference, entity, *_ in found if (reference,) in answered]
    log(transaction, [("interaction", "changed", early)], new_ulid(), transaction.now())


def _settle(transaction: Transaction, receipt: Receipt, attempt: int, case: bytes | None) -> None:
    state = {"retry": "pending"}.get(receipt.status, receipt.status)
    if state == "pending" and attempt >= _GIVE_UP:
        state = "dead"
    remote_id, reason = (text and storable(text) for text in (receipt.remote_id, receipt.reason))
    transaction.execute(
        'UPDATE outbox SET state = ?, remote_id = ?, reason = ?, changed_at = ?, "case" = ? WHERE id = ?',
        [state, remote_id, reason, transaction.now(), case, parse_id(receipt.intent)],
    )


def waiting(transaction: Transaction, target: str) -> int:
    """Return how many intents of a target wait."""
    return int(transaction.query(f"SELECT count(*) FROM outbox WHERE target = ? AND state IN {_WAITING}", [target])[0][0])  # noqa: S608 - a constant
