"""What only a person can decide: matches that are not certain, and joins that would make a profile too large."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from threadline.identity.partition import Attempt
from threadline.store import schema
from threadline.store.database import Row, Transaction, moment

RULES = "rules"
"""In the place of a model, where a rule asks."""


class Review(Struct, frozen=True):
    """The question whether two parties are one customer.

    `weight` is the base-2 logarithm of the odds that the evidence adds, `evidence` what each field adds, or a rule's reason.
    """

    one: bytes
    other: bytes
    weight: float
    evidence: Any
    model: str
    at: str


def ask_about(transaction: Transaction, attempts: Iterable[Attempt]) -> None:
    """Have a person look at joins that rules did not dare; what was asked before stays as it is."""
    now = transaction.now()
    rows: dict[tuple[bytes, bytes], Row] = {}
    for attempt in attempts:
        pair = (min(attempt.one, attempt.other), max(attempt.one, attempt.other))
        evidence = msgspec.json.encode({"reason": attempt.refused}).decode()
        rows.setdefault(pair, (*pair, 0.0, evidence, RULES, "review", now))
    transaction.insert(schema.MATCHES, list(rows.values()))


def open_reviews(transaction: Transaction, limit: int) -> list[Review]:
    """Return what waits for a person, the most certain first."""
    rows = transaction.query(
        "SELECT one, other, weight, evidence, model, at FROM matches WHERE state = 'review' ORDER BY weight DESC, one, other LIMIT ?",
        [limit],
    )
    return [
        Review(one, other, weight, msgspec.json.decode(evidence), model, str(moment(at)))
        for one, other, weight, evidence, model, at in rows
    ]


__all__ = ["RULES", "Review", "ask_about", "open_reviews"]
