"""Why a customer's records are one customer, in words: what each shares with an earlier one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from threadline.identity.reviews import RULES
from threadline.journey.entries import time_of
from threadline.journey.profile import Profile
from threadline.journey.views import RecordView
from threadline.model.identifiers import SHARED_KINDS
from threadline.store.database import Row, Transaction

KINDS: Mapping[str, str] = {"email": "e-mail", "phone": "phone", "handle": "handle", "threadline": "profile id"}
"""What kinds of identifiers are called."""
_FIELDS = {
    "given": "given name", "family": "family name", "name": "whole name", "birth": "birth date", "account": "name of an account",
}  # fmt: skip
_TELLING = 1.0
"""The weight from which a field is named among those that are alike: it is twice as likely for one person as for two."""


def records_of(transaction: Transaction, profile: Profile) -> Iterable[RecordView]:
    """Yield a customer's records, the oldest first: each is joined by what it shares with an earlier one, or is like it."""
    held = _grouped(transaction.query_in(_HELD, profile.parties))
    near = _grouped(_near(transaction, profile))
    parties = transaction.query_in(_PARTIES, profile.parties)
    holder: dict[bytes, str] = {}
    shown: dict[bytes, str] = {}
    for party, source, external_id, since in sorted(parties, key=lambda row: (str(row[3] or ""), row[1], row[2])):
        values = sorted(held[party], key=lambda row: (row[2] not in SHARED_KINDS, row[2]))
        kind = next((row[2] for row in values if row[4] is not None), values[0][2] if values else "record")
        reasons = [f"same {KINDS.get(row[2], row[2])} as {holder[row[1]]}" for row in values if row[1] in holder]
        reasons += sorted(why.format(shown[other]) for _, other, why in near[party] if other in shown)
        shown[party] = f"{source} {external_id}"
        for row in values:
            holder.setdefault(row[1], shown[party])
        yield RecordView(source=source, kind=kind, external_id=external_id, joined_by="; ".join(reasons) or None, since=time_of(since))


def _near(transaction: Transaction, profile: Profile) -> Iterator[tuple[bytes, bytes, str]]:
    """Yield, both ways, who was linked by a person or is like whom, and the words for it with a place for the other's name."""
    links: list[Row] = transaction.query_in("SELECT one, other FROM decisions WHERE verdict = 'link' AND one {keys}", profile.parties)
    reasons = dict.fromkeys(links, "linked by hand with {}")
    for one, other, weight, evidence in transaction.query_in(_MATCHES, profile.parties, [RULES]):
        reasons.setdefault((one, other), f"like {{}}: {_alike(msgspec.json.decode(evidence))} (weight {weight:.1f})")
    for (one, other), why in reasons.items():
        yield one, other, why
        yield other, one, why


def _alike(evidence: Iterable[tuple[str, str, float]]) -> str:
    """Name the fields that speak for a match, the weightiest first."""
    telling = sorted((one for one in evidence if one[2] >= _TELLING), key=lambda one: -one[2])
    return ", ".join(_FIELDS.get(field, field) for field, _, _ in telling)


def _grouped(rows: Iterable[Row]) -> dict[bytes, list[Any]]:
    found: dict[bytes, list[Any]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(row)
    return found


_HELD = "SELECT i.party, i.identifier, i.type, i.value_normalized, i.owner FROM party_identifiers i WHERE i.party {keys}"
_MATCHES = "SELECT one, other, weight, evidence FROM matches WHERE state = 'accepted' AND model <> ? AND one {keys}"
_PARTIES = "SELECT p.id, p.source, p.external_id, r.first_seen FROM parties p LEFT JOIN records r ON r.id = p.record_id WHERE p.id {keys}"

__all__ = ["KINDS", "records_of"]
