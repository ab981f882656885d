"""Makes all profiles anew from what records, decisions and matches say: after the rules have changed, or to be sure."""

from collections.abc import Iterator

from threadline.identity.graph import Regrouped, regroup
from threadline.identity.rules import Rules
from threadline.store.database import Database, Transaction, chunks

_AT_ONCE = 5_000
"""Parties in one transaction."""


def rebuild(database: Database, rules: Rules, cause: str) -> Iterator[tuple[Transaction, Regrouped]]:
    """Regroup everybody who shares anything, part by part; each part is yielded inside its transaction.

    Others may write meanwhile: what they touch is right already.
    """
    with database.write() as transaction:
        shared = [row[0] for row in transaction.query("SELECT id FROM shared_identifiers")]
        yield transaction, regroup(transaction, (), retired=shared, rules=rules, cause=cause)
        parties = sorted({row[0] for sql in _LINKED for row in transaction.query(sql)})
    seen = set[bytes]()
    for part in chunks(parties, _AT_ONCE):
        if start := [party for party in part if party not in seen]:
            with database.write() as transaction:
                regrouped = regroup(transaction, start, rules=rules, cause=cause)
                yield transaction, regrouped
            seen |= regrouped.parties


_LINKED = (
    (
        "SELECT party FROM party_identifiers WHERE identifier IN "
        "(SELECT identifier FROM party_identifiers GROUP BY identifier HAVING count(*) > 1)"
    ),
    "SELECT party FROM party_identifiers WHERE type = 'threadline'",
    "SELECT party FROM memberships",
    "SELECT one FROM decisions",
    "SELECT other FROM decisions",
    "SELECT one FROM matches WHERE state = 'accepted'",
    "SELECT other FROM matches WHERE state = 'accepted'",
)
"""The parties that may be one with others; any other is a profile by itself."""

__all__ = ["rebuild"]
