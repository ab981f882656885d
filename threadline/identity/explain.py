"""Why two records are one customer, or are not: the evidence between them, or what keeps them apart."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from itertools import permutations
from typing import Any

import msgspec
from msgspec import Struct

from threadline.identity.membership import profiles_of
from threadline.identity.neighbourhood import Neighbourhood, explore
from threadline.identity.partition import Attempt, Evidence
from threadline.identity.rules import USUAL, Rules, names_nobody
from threadline.model.groups import connected
from threadline.store.database import Transaction, moment


class Told(Struct, frozen=True):
    """Where evidence comes from: a party, its name, how it writes the value, and since when."""

    party: bytes
    source: str
    external_id: str
    name: str | None
    value: str | None = None
    since: datetime | None = None


class Step(Struct, frozen=True):
    """Two records that evidence joins, or would join were they not `refused`.

    `rule` is the kind of identifier, "profile id", "link" or "match"; `value` what they share; `weight` and `fields` are a match's.
    """

    one: Told
    other: Told
    rule: str
    value: str | None
    refused: str | None = None
    decided: str | None = None
    """Who decided it, and why."""
    weight: float | None = None
    fields: Any = None


class Explanation(Struct, frozen=True):
    """Whether two records are one customer; the path between them, or what was tried and what stands against it."""

    same: bool
    profiles: tuple[bytes, bytes]
    path: Sequence[Step] = ()
    against: Sequence[Step] = ()
    reasons: Sequence[str] = ()
    """What else keeps them apart: values that both have and that join nobody."""


def explain(transaction: Transaction, one: bytes, other: bytes, rules: Rules = USUAL) -> Explanation:
    """Explain two parties."""
    around = explore(transaction, {one, other}, rules)
    attempts: list[Attempt] = []
    groups = around.partition(rules, watch=attempts.append).of(around.parties, around.evidence(rules))
    homes = profiles_of(transaction, [one, other])
    profiles = (homes[one], homes[other])
    mine = next(group for group in groups if one in group)
    teller = _Teller(transaction, around)
    if other in mine:
        return Explanation(True, profiles, path=teller.steps(strongest(attempts, one, other)))
    theirs = next(group for group in groups if other in group)
    tried = [attempt for attempt in attempts if attempt.refused and _between(attempt, mine, theirs)]
    against = list({(attempt.evidence.key, attempt.refused): attempt for attempt in tried}.values())
    reasons = [*_reasons(transaction, around, (one, other), rules), *_compared(transaction, around, mine, theirs, rules)]
    return Explanation(False, profiles, against=teller.steps(against), reasons=reasons)


def told(transaction: Transaction, parties: Iterable[bytes]) -> list[Told]:
    """Return who some parties are, by source and id."""
    return sorted((Told(*row) for row in transaction.query_in(_TOLD, set(parties))), key=lambda one: (one.source, one.external_id))


def strongest(attempts: Iterable[Attempt], start: bytes, end: bytes) -> list[Attempt]:
    """Return the way from one party to another whose weakest evidence is the strongest, the shortest of equals."""
    ways: dict[bytes, list[Attempt]] = defaultdict(list)
    for attempt in _direct(attempts):
        ways[attempt.one].append(attempt)
    best: list[tuple[int, int, int, bytes, list[Attempt]]] = [(0, 0, 0, start, [])]
    seen: set[bytes] = set()
    pushed = 0
    while best:
        weakest, length, _, party, way = heappop(best)
        if party == end:
            return way
        if party in seen:
            continue
        seen.add(party)
        for attempt in ways[party]:
            pushed += 1  # so that ways themselves are never compared
            heappush(best, (max(weakest, attempt.evidence.rank), length + 1, pushed, attempt.other, [*way, attempt]))
    return []


def _direct(attempts: Iterable[Attempt]) -> Iterable[Attempt]:
    """Yield every two parties that one piece of evidence joins, both ways: whoever holds a value is joined to each who does."""
    links: dict[Evidence, list[tuple[bytes, bytes]]] = defaultdict(list)
    for attempt in attempts:
        if attempt.refused is None:
            links[attempt.evidence].append((attempt.one, attempt.other))
    for evidence, pairs in links.items():
        for group in connected({party for pair in pairs for party in pair}, pairs):
            yield from (Attempt(one, other, evidence, None) for one, other in permutations(sorted(group), 2))


def _between(attempt: Attempt, mine: set[bytes], theirs: set[bytes]) -> bool:
    return (attempt.one in mine and attempt.other in theirs) or (attempt.one in theirs and attempt.other in mine)


def _reasons(transaction: Transaction, around: Neighbourhood, parties: tuple[bytes, bytes], rules: Rules) -> list[str]:
    """Return why values that both parties have join nobody; or that there are none."""
    rows = transaction.query_in("SELECT party, identifier, type, value_normalized FROM party_identifiers WHERE party {keys}", parties)
    held: dict[bytes, set[bytes]] = defaultdict(set)
    for party, identifier, _, _ in rows:
        held[identifier].add(party)
    reasons: list[str] = []
    for identifier, (kind, value) in sorted({row[1]: (row[2], row[3]) for row in rows if len(held[row[1]]) > 1}.items()):
        if names_nobody(rules.of(kind)[1], kind, value):
            reasons.append(f"{kind} {value} names nobody")
        elif identifier in around.shared:
            reasons.append(f"{kind} {value} is held by too many {around.shared[identifier]}")
    return reasons


def _compared(transaction: Transaction, around: Neighbourhood, mine: set[bytes], theirs: set[bytes], rules: Rules) -> Iterable[str]:
    """Say what matching thinks of two customers, where it has learned anything."""
    from threadline.identity.matches import compare_customers

    found = compare_customers(transaction, mine, theirs, around, rules)
    if found:
        match, threshold = found
        fields = ", ".join(f"{field.field} {field.level} {field.weight:+.1f}" for field in match.fields)
        yield f"matching weighs them {match.weight:.1f}, and joins from {threshold:.1f} on: {fields or 'nothing of them can be compared'}"


class _Teller:
    """Says in detail what attempts were."""

    def __init__(self, transaction: Transaction, around: Neighbourhood) -> None:
        self._transaction = transaction
        self._around = around

    def steps(self, attempts: Sequence[Attempt]) -> list[Step]:
        parties = {party for attempt in attempts for party in (attempt.one, attempt.other)}
        known = {one.party: one for one in told(self._transaction, parties)}
        return [self._step(attempt, known) for attempt in attempts]

    def _step(self, attempt: Attempt, known: Mapping[bytes, Told]) -> Step:
        one, other, evidence = known[attempt.one], known[attempt.other], attempt.evidence
        pair = (min(one.party, other.party), max(one.party, other.party))
        if evidence.origin == "identifier":
            kind, value = self._around.values[evidence.key]
            return Step(self._held(one, evidence.key), self._held(other, evidence.key), kind, value, attempt.refused)
        if evidence.origin == "match":
            ((weight, fields),) = self._transaction.query("SELECT weight, evidence FROM matches WHERE one = ? AND other = ?", pair)
            return Step(one, other, "match", None, attempt.refused, weight=weight, fields=msgspec.json.decode(fields))
        decided = None
        if evidence.origin == "link":
            ((who, why),) = self._transaction.query("SELECT who, why FROM decisions WHERE one = ? AND other = ?", pair)
            decided = f"{who}: {why}"
        return Step(one, other, evidence.origin, None, attempt.refused, decided)

    def _held(self, one: Told, identifier: bytes) -> Told:
        rows = self._transaction.query(_HELD, [one.party, identifier])
        value, since = rows[0] if rows else (None, None)
        return msgspec.structs.replace(one, value=value, since=moment(since))


_TOLD = "SELECT id, source, external_id, formatted_name FROM parties WHERE id {keys}"
_HELD = (
    "SELECT i.value, r.first_seen FROM party_identifiers i LEFT JOIN records r ON r.id = i.record_id WHERE i.party = ? AND i.identifier = ?"
)

__all__ = ["Explanation", "Step", "Told", "explain", "strongest", "told"]
