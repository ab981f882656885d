"""Pushes: what changed becomes intents in the outbox; the outbox is sent, and each receipt is kept.

An intent is committed with the position in the change log that caused it, marked `inflight` before it is sent, and
settled by its receipt. A crash in between leaves it `inflight`: it is handed in again with a higher attempt, and the
connector looks before it writes twice (docs: guarantees, G5). Of one entity at most one intent is under way.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from xxhash import xxh3_128_digest

from threadline.journey.documents import interaction_documents
from threadline.journey.profile import load_profiles, profile_document
from threadline.mapping.compiled import PushMapping, encode_json
from threadline.mapping.errors import MappingError
from threadline.model.ids import entity_id, new_ulid, parse_id, show_id
from threadline.sdk.contract import Connector, Intent, PushObject, Receipt, Target
from threadline.sdk.errors import ConfigError, ConnectorError, RetryableError
from threadline.store import schema
from threadline.store.database import Database, Row, Transaction
from threadline.sync.apply import log
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

    @property
    def consumer(self) -> str:
        """Name of its position in the change log; a changed mapping starts anew, and pushes only what differs."""
        return f"push {self.target} {self.object.name} {self.mapping.fingerprint.hex()}"

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
        row = (run, "push", outgoing[0].target, ",".join(one.object.name for one in outgoing), "running", transaction.now(), None)
        transaction.insert(schema.RUNS, [(*row, 0, 0, 0, 0, 0, 0, None)])
    return run


def _end(database: Database, run: bytes, counts: PushCounts, state: str, error: str | None) -> None:
    with database.write() as transaction:
        transaction.execute(
            'UPDATE runs SET state = ?, ended = ?, "read" = ?, changed = ?, dead = ?, error = ? WHERE id = ?',
            [state, transaction.now(), counts.sent + counts.failed, counts.sent, counts.failed, error, run],
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


def _documents(transaction: Transaction, outgoing: Outgoing, changes: list[Change]) -> Iterator[dict[str, Any]]:
    ids = {change.entity_id for change in changes}
    if outgoing.mapping.tree.source == "profile":
        profiles = load_profiles(transaction, {change.entity_id for change in changes if change.entity_type == "profile.ready"})
        yield from (profile_document(profile, outgoing.system) for profile in profiles.values())
    else:
        yield from interaction_documents(transaction, ids, outgoing.system)


def _intents(transaction: Transaction, outgoing: Outgoing, changes: list[Change]) -> Iterator[Row]:
    made: dict[bytes, tuple[bytes, str, str, str | None]] = {}
    for document in _documents(transaction, outgoing, changes):
        try:
            payload = outgoing.mapping(document)
        except MappingError as error:
            reason = f"{error.site}: {error.path}: {error}"
            made[parse_id(document["id"]) or b""] = (xxh3_128_digest(reason.encode()), "{}", "dead", reason)
            continue
        if payload is not None:
            digest = xxh3_128_digest(encode_json(outgoing.mapping.compared(payload)))
            made[parse_id(document["id"]) or b""] = (digest, encode_json(payload).decode(), "pending", None)
    last = _last(transaction, outgoing, made)
    now = transaction.now()
    for position, (entity, (digest, record, state, why)) in enumerate(made.items()):
        if entity in last and not outgoing.due_again(digest, *last[entity]):
            continue
        # An intent that still waits is replaced: the target needs the newest state, not each step.
        transaction.execute(
            "DELETE FROM outbox WHERE target = ? AND object = ? AND entity_id = ? AND state = 'pending'",
            [outgoing.target, outgoing.object.name, entity],
        )
        identity = entity_id(f"{outgoing.target} {outgoing.object.name}", entity.hex(), digest.hex() if outgoing.is_state else "")
        order = changes[-1].seq * 10_000 + position
        yield (identity, outgoing.target, outgoing.object.name, entity, record, digest, state, 0, None, why, now, now, order)


def _last(transaction: Transaction, outgoing: Outgoing, entities: Iterable[bytes]) -> dict[bytes, tuple[bytes, str]]:
    rows = transaction.query_in(
        "SELECT entity_id, position, digest, state FROM outbox WHERE target = ? AND object = ? AND entity_id {keys}", entities,
        [outgoing.target, outgoing.object.name],
    )  # fmt: skip
    return {entity: (digest, state) for entity, _, digest, state in sorted(rows, key=lambda row: (row[0], row[1]))}


def _send_all(database: Database, connector: Target, outgoing: Outgoing, counts: PushCounts, progress: Progress | None) -> None:
    tried: set[bytes] = set()
    while True:
        intents = _claim(database, outgoing, tried)
        if not intents:
            return
        tried |= {parse_id(intent.id) or b"" for intent in intents}
        _send(database, connector, outgoing, intents, counts)
        if progress:
            progress(counts)


def _claim(database: Database, outgoing: Outgoing, tried: set[bytes]) -> list[Intent]:
    """Mark the next intents as under way, the oldest of each entity, and commit that before anything is sent."""
    with database.write() as transaction:
        transaction.lock(f"push {outgoing.target}")
        rows = transaction.query(
            f"SELECT id, entity_id, payload, attempts FROM outbox WHERE target = ? AND object = ? AND state IN {_WAITING} "  # noqa: S608
            "ORDER BY position",
            [outgoing.target, outgoing.object.name],
        )
        chosen: dict[bytes, Row] = {}
        for row in rows:
            chosen.setdefault(row[1], row)
        due = [row for row in chosen.values() if row[0] not in tried][: outgoing.object.batch]
        transaction.execute_in("UPDATE outbox SET state = 'inflight', attempts = attempts + 1 WHERE id {keys}", [row[0] for row in due])
    return [Intent(show_id(row[0]), outgoing.object.name, msgspec.json.decode(row[2]), row[3] + 1) for row in due]


def _send(database: Database, connector: Target, outgoing: Outgoing, intents: list[Intent], counts: PushCounts) -> None:
    attempts = {intent.id: intent.attempt for intent in intents}
    settled: list[Receipt] = []
    failure: ConnectorError | None = None
    try:
        for receipt in connector.push(outgoing.object.name, intents):
            settled.append(receipt)  # noqa: PERF402 - what was answered before an error counts
    except (ConfigError, RetryableError) as error:
        failure = error
    answered = {receipt.intent for receipt in settled}
    why = str(failure) if failure else "the connector gave no receipt"
    settled += [Receipt(identity, "unknown", None, why) for identity in attempts if identity not in answered]
    with database.write() as transaction:
        for receipt in settled:
            _settle(transaction, receipt, attempts[receipt.intent])
        _announce(transaction, outgoing, settled)
    counts.sent += sum(receipt.status == "done" for receipt in settled)
    counts.failed += sum(receipt.status != "done" for receipt in settled)
    if failure:
        raise failure


def _announce(transaction: Transaction, outgoing: Outgoing, settled: Sequence[Receipt]) -> None:
    """Log the interactions that now also stand at the target under an id of their own: an answer to that belongs to their thread."""
    if outgoing.is_state or outgoing.mapping.tree.source != "interaction":
        return
    sent = [parse_id(receipt.intent) for receipt in settled if receipt.status == "done" and receipt.remote_id]
    rows = transaction.query_in("SELECT entity_id FROM outbox WHERE id {keys}", sent)
    log(transaction, [("interaction", row[0], "changed") for row in rows], new_ulid(), transaction.now())


def _settle(transaction: Transaction, receipt: Receipt, attempt: int) -> None:
    state = {"retry": "pending"}.get(receipt.status, receipt.status)
    if state == "pending" and attempt >= _GIVE_UP:
        state = "dead"
    transaction.execute(
        "UPDATE outbox SET state = ?, remote_id = ?, reason = ?, changed_at = ? WHERE id = ?",
        [state, receipt.remote_id, receipt.reason, transaction.now(), parse_id(receipt.intent)],
    )


def waiting(transaction: Transaction, target: str) -> int:
    """Return how many intents of a target wait."""
    return int(transaction.query(f"SELECT count(*) FROM outbox WHERE target = ? AND state IN {_WAITING}", [target])[0][0])  # noqa: S608 - a constant
