"""What became of a profile: whom it was merged with, what was split from it, and what people decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from threadline.identity.membership import members
from threadline.store.database import Transaction, moment


class ProfileEvent(Struct, frozen=True):
    """Parties that went from one profile to another, because the two were `merged` or the one was `split`."""

    at: datetime
    kind: str
    profile: bytes
    other: bytes
    parties: Sequence[bytes]
    cause: str


class Decision(Struct, frozen=True):
    """What somebody decided of two parties: `link` or `never`."""

    one: bytes
    other: bytes
    verdict: str
    who: str
    why: str
    at: datetime


def history(transaction: Transaction, profile: bytes) -> list[ProfileEvent]:
    """Return everything that made a profile what it is, with the profiles that went into it, the oldest first."""
    seen: set[bytes] = set()
    wanted = {profile}
    events: dict[int, ProfileEvent] = {}
    while wanted:
        seen |= wanted
        rows = [*transaction.query_in(f"{_EVENTS} profile {{keys}}", wanted), *transaction.query_in(f"{_EVENTS} other {{keys}}", wanted)]
        for seq, at, kind, old, new, parties, cause in rows:
            ids = [parties[start : start + 16] for start in range(0, len(parties), 16)]
            events[seq] = ProfileEvent(_moment(at), kind, old, new, ids, cause)
        # What was merged into it has a history of its own; what it was split into is another's.
        wanted = {row[3] for row in rows if row[2] == "merged"} - seen
    return [events[seq] for seq in sorted(events)]


def decisions(transaction: Transaction, profile: bytes) -> list[Decision]:
    """Return what was decided of a profile's parties, the oldest first."""
    parties = [party for _, party in members(transaction, [profile])]
    rows = {row[:2]: row for side in ("one", "other") for row in transaction.query_in(_DECISIONS.format(side=side, keys="{keys}"), parties)}
    found = [Decision(one, other, verdict, who, why, _moment(at)) for one, other, verdict, who, why, at in rows.values()]
    return sorted(found, key=lambda one: (one.at, one.one, one.other))


def _moment(value: Any) -> datetime:
    at = moment(value)
    assert at  # noqa: S101 - the columns are not null
    return at


_EVENTS = "SELECT seq, at, kind, profile, other, parties, cause FROM profile_events WHERE"
_DECISIONS = "SELECT one, other, verdict, who, why, at FROM decisions WHERE {side} {keys}"

__all__ = ["Decision", "ProfileEvent", "decisions", "history"]
