"""Follows the change log: threads what is new, and says which threads and profiles changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from threadline.identity.membership import members, profiles_of
from threadline.identity.related import entities_of
from threadline.journey.references import Finder
from threadline.journey.threads import rethread
from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Database, Transaction
from threadline.sync.apply import log

_AT_ONCE = 5_000
"""Changes in one transaction; those of one batch stay together."""
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log."""

    txid: int
    seq: int
    entity_type: str
    entity_id: bytes
    run_id: bytes


def changes_after(transaction: Transaction, consumer: str, kinds: Iterable[str], limit: int = _AT_ONCE) -> list[Change]:
    """Return the next changes for a reader of the log: in commit order, and none that an open transaction could still precede."""
    rows = transaction.query("SELECT txid, seq FROM consumers WHERE name = ?", [consumer])
    txid, seq = rows[0] if rows else (0, 0)
    horizon = transaction.commit_horizon()
    gate, parameters = ("", []) if horizon is None else (" AND txid < ?", [horizon])
    rows = transaction.query(
        "SELECT txid, seq, entity_type, entities, run_id FROM changes "  # noqa: S608 - one of two texts above
        f"WHERE (txid > ? OR (txid = ? AND seq > ?)){gate} ORDER BY txid, seq LIMIT {_ROWS}",
        [txid, txid, seq, *parameters],
    )
    wanted = set(kinds)
    changes: list[Change] = []
    for row_txid, row_seq, entity_type, entities, run_id in rows:
        changes += (Change(row_txid, row_seq, entity_type, entity, run_id) for entity in ids_of(entities))
        if len(changes) >= limit:
            break
    return [change for change in changes if change.entity_type in wanted] or changes[-1:]


def ids_of(entities: bytes) -> list[bytes]:
    """Take the ids of a row of the change log apart."""
    return [entities[start : start + 16] for start in range(0, len(entities), 16)]


def advance(transaction: Transaction, consumer: str, changes: list[Change]) -> None:
    """Note that a reader has dealt with these changes, in the transaction that holds their effects."""
    transaction.upsert(schema.CONSUMERS, [(consumer, changes[-1].txid, changes[-1].seq)])


def unread(transaction: Transaction, consumer: str, kinds: Iterable[str]) -> int:
    """Return how many changes of these kinds a reader has not dealt with yet."""
    rows = transaction.query("SELECT txid, seq FROM consumers WHERE name = ?", [consumer])
    txid, seq = rows[0] if rows else (0, 0)
    found = transaction.query_in(
        "SELECT coalesce(sum(length(entities)), 0) / 16 FROM changes WHERE (txid > ? OR (txid = ? AND seq > ?)) AND entity_type {keys}",
        kinds,
        [txid, txid, seq],
    )
    return int(found[0][0])


READ = ("party", "profile", "interaction", "case", "order", "order_item", "preference", "address", "feedback")


def resolve(database: Database, finder: Finder) -> int:
    """Thread everything that changed since the last time; return how many threads and profiles changed."""
    run_id = new_ulid()
    count = 0
    while True:
        with database.write() as transaction:
            transaction.lock("resolve")
            changes = changes_after(transaction, "resolve", READ)
            if not changes:
                return count
            entities, profiles = _touched(transaction, changes)
            threads = rethread(transaction, entities, finder)
            entries = [("thread", "changed", sorted(threads)), ("profile.ready", "changed", sorted(profiles))]
            log(transaction, entries, run_id, transaction.now())
            advance(transaction, "resolve", changes)
            count += len(threads) + len(profiles)


def _touched(transaction: Transaction, changes: list[Change]) -> tuple[set[bytes], set[bytes]]:
    """Return the entities to thread anew, and the profiles that look different."""
    by_type: dict[str, set[bytes]] = {kind: set() for kind in READ}
    for change in changes:
        by_type.setdefault(change.entity_type, set()).add(change.entity_id)
    entities = by_type["interaction"] | by_type["case"] | by_type["order"] | by_type["feedback"]
    entities |= {row[0] for row in transaction.query_in('SELECT "order" FROM order_items WHERE id {keys}', by_type["order_item"])}
    parties = set(by_type["party"])
    for kind, table in (("preference", "preferences"), ("address", "addresses")):
        parties.update(row[0] for row in transaction.query_in(f"SELECT party FROM {table} WHERE id {{keys}}", by_type[kind]))  # noqa: S608 - names above
    profiles = by_type["profile"].union(profiles_of(transaction, parties).values())
    # Order numbers count within one customer, so a customer's entities are threaded anew when profiles merge or split.
    moved = members(transaction, by_type["profile"])
    return entities | entities_of(transaction, {party for _, party in moved}), profiles
