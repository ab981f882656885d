"""Matching in the course of syncs: nightly of everybody, and of what changed in between."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from threadline.identity.graph import regroup
from threadline.identity.matches import certain, current_model, forget, learn, match_again
from threadline.identity.membership import members
from threadline.identity.neighbourhood import survey
from threadline.identity.people import read_people
from threadline.identity.rules import Rules
from threadline.model.collector import uncollected
from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Database, Transaction
from threadline.sync.apply import log_profiles
from threadline.sync.resolve import advance, changes_after

if TYPE_CHECKING:
    from threadline.identity.matching.batch import Outcome

_READER = "matching"
_CAUSE = "matching"


class Matched(Struct, frozen=True):
    """What matching everybody came to: customers by the rules alone, pairs that it joined or asks about, and profiles that changed."""

    customers: int
    joined: int
    review: int
    changed: int
    threshold: float
    """The base-2 logarithm of the odds from which a pair is joined."""
    model: str


def match_everybody(database: Database, rules: Rules, tell: Callable[[str], None] = lambda _: None) -> Matched:
    """Learn from all customers how people of this store are told apart, and match them by it; ConfigError without the extra `match`."""
    from threadline.identity.matching.batch import match_people
    from threadline.identity.matching.workbench import require_packages

    require_packages()
    with uncollected():
        tell("reading customers")
        with database.read() as view:
            position = _position(view)
            around = survey(view, rules)
            groups = certain(around, rules)
            groups |= {party: {party} for (party,) in view.query("SELECT id FROM parties") if party not in around.parties}
            people = list(read_people(view, groups))
        del around, groups
        tell(f"matching {len(people):,} customers")
        outcome = match_people(people, rules=rules)
        tell("joining profiles")
        with database.write() as transaction:
            transaction.lock("identity")
            changed = _joined(transaction, learn(transaction, outcome), rules, new_ulid())
            # What has changed since the customers were read is matched again next.
            transaction.upsert(schema.CONSUMERS, [(_READER, *position)])
    return _matched(outcome, changed)


def forget_matches(database: Database, rules: Rules) -> int:
    """Give up what was learned, and take back what it joined; return how many profiles changed."""
    with database.write() as transaction:
        transaction.lock("identity")
        return _joined(transaction, forget(transaction), rules, new_ulid())


def match_changes(database: Database, rules: Rules) -> int:
    """Match again who changed since the last time, by what was learned; return how many profiles changed."""
    with database.read() as view:
        if not view.query("SELECT 1 FROM match_models LIMIT 1"):
            return 0  # without a turn among the writers
    changed, run_id = 0, new_ulid()
    while True:
        with database.write() as transaction:
            model = current_model(transaction)
            if model is None:
                return changed
            transaction.lock("identity")
            changes = changes_after(transaction, _READER, ("party", "profile", "address"))
            if not changes:
                return changed
            # What matching itself changes looks no different by that.
            parties = _parties_of(transaction, {change.entity_id for change in changes if change.run_id != run_id})
            changed += _joined(transaction, match_again(transaction, parties, rules, model), rules, run_id)
            advance(transaction, _READER, changes)


def _parties_of(transaction: Transaction, entities: set[bytes]) -> set[bytes]:
    """Return the parties that parties, profiles and addresses are of."""
    parties = {party for _, party in members(transaction, entities)}
    parties.update(row[0] for row in transaction.query_in("SELECT id FROM parties WHERE id {keys}", entities))
    parties.update(row[0] for row in transaction.query_in("SELECT party FROM addresses WHERE id {keys}", entities))
    return parties


def _joined(transaction: Transaction, parties: set[bytes], rules: Rules, run_id: bytes) -> int:
    regrouped = regroup(transaction, parties, rules=rules, cause=_CAUSE)
    log_profiles(transaction, regrouped, run_id)
    return len(regrouped.changed)


def _position(view: Transaction) -> tuple[int, int]:
    """Return how far the change log is told in this view."""
    horizon = view.commit_horizon()
    gate, parameters = ("", []) if horizon is None else ("WHERE txid < ?", [horizon])
    rows = view.query(f"SELECT txid, seq FROM changes {gate} ORDER BY txid DESC, seq DESC LIMIT 1", parameters)  # noqa: S608 - a text above
    return (rows[0][0], rows[0][1]) if rows else (0, 0)


def _matched(outcome: "Outcome", changed: int) -> Matched:
    model = outcome.model
    return Matched(len(outcome.rows), len(outcome.links), len(outcome.review), changed, model.threshold, model.version())


__all__ = ["Matched", "forget_matches", "match_changes", "match_everybody"]
