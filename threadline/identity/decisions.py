"""What people decide about profiles: that two are one customer, or that some records are somebody else's. It outlives every rebuild."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from threadline.identity.explain import Told, told
from threadline.identity.graph import Regrouped, regroup
from threadline.identity.membership import members, profiles_of
from threadline.identity.neighbourhood import Neighbourhood, explore
from threadline.identity.related import entities_of
from threadline.identity.rules import USUAL, Rules
from threadline.sdk.errors import ConfigError
from threadline.store import schema
from threadline.store.database import Row, Transaction

Pair = tuple[bytes, bytes]


class Part(Struct, frozen=True):
    """A profile that a split would leave: its parties, and what would go with them."""

    records: Sequence[Told]
    entities: int
    """Interactions, cases and orders."""
    threads: int


class Preview(Struct, frozen=True):
    """What a split would do: the parts, the one that keeps the id first, and the targets that hold the profile by now."""

    parts: Sequence[Part]
    targets: Sequence[str]


def link(transaction: Transaction, one: bytes, other: bytes, *, who: str, why: str, rules: Rules = USUAL) -> Regrouped:
    """Decide that two parties are one customer; whatever was decided against that is lifted."""
    homes = profiles_of(transaction, [one, other])
    sides: dict[bytes, list[bytes]] = {home: [] for home in homes.values()}
    for profile, party in members(transaction, sides):
        sides[profile].append(party)
    against = [_pair(left, right) for left in sides[homes[one]] for right in sides[homes[other]] if left != right]
    for pair in against:
        transaction.execute("DELETE FROM decisions WHERE one = ? AND other = ? AND verdict = 'never'", pair)
    _decide(transaction, [_pair(one, other)], "link", who, why)
    return regroup(transaction, {one, other}, rules=rules, cause=_cause("linked", who, why))


def separate(transaction: Transaction, parties: Collection[bytes], *, who: str, why: str, rules: Rules = USUAL) -> Regrouped:
    """Decide that some parties of a profile are another customer than the rest of it; ConfigError when they are not some of one."""
    moving, staying = _sides(transaction, parties)
    around = explore(transaction, {*moving, *staying}, rules)
    _decide(transaction, [_pair(left, right) for left in moving for right in staying], "never", who, why)
    # They go together, also where what held them together stays behind.
    if sum(1 for group in _groups_apart(around, rules, moving, staying) if not group.isdisjoint(moving)) > 1:
        _decide(transaction, [_pair(left, right) for left, right in pairwise(moving)], "link", who, why)
    return regroup(transaction, {*moving, *staying}, rules=rules, cause=_cause("split", who, why))


def preview(transaction: Transaction, parties: Collection[bytes], rules: Rules = USUAL) -> Preview:
    """Say what `separate` would do, and write nothing."""
    moving, staying = _sides(transaction, parties)
    around = explore(transaction, {*moving, *staying}, rules)
    groups = [group for group in _groups_apart(around, rules, moving, staying) if group.isdisjoint(moving)]
    parts = sorted((sorted(group.intersection(staying)) for group in groups if not group.isdisjoint(staying)), key=lambda part: -len(part))
    profile = profiles_of(transaction, moving)[moving[0]]
    held = transaction.query("SELECT DISTINCT target FROM outbox WHERE entity_id = ? AND state <> 'dead' ORDER BY target", [profile])
    return Preview([_part(transaction, part) for part in (*parts, moving)], [target for (target,) in held])


def settle(transaction: Transaction, one: bytes, other: bytes, *, same: bool, who: str, why: str, rules: Rules = USUAL) -> Regrouped:
    """Answer a review; ConfigError when nobody asks."""
    pair = _pair(one, other)
    state = "accepted" if same else "rejected"
    if not transaction.execute("UPDATE matches SET state = ? WHERE one = ? AND other = ? AND state = 'review'", [state, *pair]):
        raise ConfigError("nothing is to be decided between these two: `threadline identity review list` shows what is")
    if same:
        return link(transaction, one, other, who=who, why=why, rules=rules)
    _decide(transaction, [pair], "never", who, why)
    return regroup(transaction, pair, rules=rules, cause=_cause("kept apart", who, why))


def _sides(transaction: Transaction, parties: Collection[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return the parties that leave a profile, and those that stay in it."""
    moving = sorted(set(parties))
    homes = set(profiles_of(transaction, moving).values())
    if len(homes) != 1:
        raise ConfigError("the records are not of one profile" if homes else "name the records that are somebody else's")
    staying = [party for _, party in members(transaction, homes) if party not in moving]
    if not staying:
        raise ConfigError("these are all the records of the profile: nothing would stay")
    return moving, staying


def _groups_apart(around: Neighbourhood, rules: Rules, moving: Sequence[bytes], staying: Sequence[bytes]) -> list[set[bytes]]:
    apart = {party: set(others) for party, others in around.apart.items()}
    for party in moving:
        apart.setdefault(party, set()).update(staying)
    links = [pair for pair in around.links if len({pair[0] in moving, pair[1] in moving}) == 1]
    evidence = [one for one in around.evidence(rules) if one.origin != "link" or one.holders in links]
    return around.partition(rules, apart).of(around.parties, evidence)


def _part(transaction: Transaction, parties: Sequence[bytes]) -> Part:
    entities = entities_of(transaction, parties)
    threads = {row[0] for row in transaction.query_in("SELECT thread FROM thread_members WHERE entity {keys}", entities)}
    return Part(told(transaction, parties), len(entities), len(threads))


def _pair(one: bytes, other: bytes) -> Pair:
    return (one, other) if one < other else (other, one)


def _decide(transaction: Transaction, pairs: Iterable[Pair], verdict: str, who: str, why: str) -> None:
    now = transaction.now()
    rows: list[Row] = [(*pair, verdict, who, why, now) for pair in sorted(set(pairs))]
    transaction.upsert(schema.DECISIONS, rows)


def _cause(what: str, who: str, why: str) -> str:
    return f"{what} by {who}: {why}"


__all__ = ["Part", "Preview", "link", "preview", "separate", "settle"]
