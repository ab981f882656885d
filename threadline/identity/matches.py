"""Matches in the store: what matching has learned, whom it compares with whom, and which pairs it joins or asks about.

A match joins two customers that rules made, each under the smallest id of its parties. Of customers that change, those who share a
blocking key are scored again, in this process; `learn` replaces everything by what a training of the whole store came to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from threadline.identity.matching.decision import Pair, decide
from threadline.identity.matching.features import Features
from threadline.identity.matching.keys import keys, promising
from threadline.identity.matching.model import Model, read_model
from threadline.identity.matching.score import Match, Scorer
from threadline.identity.membership import members, profiles_of
from threadline.identity.neighbourhood import Neighbourhood, explore
from threadline.identity.people import read_people
from threadline.identity.reviews import RULES
from threadline.identity.rules import Rules
from threadline.store import schema
from threadline.store.database import Transaction, chunks

if TYPE_CHECKING:
    from threadline.identity.matching.batch import Outcome

Ends = tuple[bytes, bytes]

_TOO_MANY = b""
"""In the place of those who share a key that too many share."""
_AT_ONCE = 50_000
_decode = msgspec.msgpack.Decoder(Features).decode
_encode = msgspec.msgpack.Encoder().encode


class Found(NamedTuple):
    """A pair that matching joins (`accepted`) or asks about (`review`)."""

    state: str
    match: Match


def certain(around: Neighbourhood, rules: Rules) -> dict[bytes, set[bytes]]:
    """Return the customers that rules and decisions alone make of a neighbourhood, each by the smallest id of its parties."""
    evidence = [one for one in around.evidence(rules) if one.origin != "match"]
    return {min(group): group for group in around.partition(rules).of(around.parties, evidence)}


def current_model(transaction: Transaction) -> Model | None:
    """Return what matching learned last; None when it never did, or when that was another version of threadline."""
    rows = transaction.query("SELECT model FROM match_models ORDER BY trained_at DESC LIMIT 1")
    try:
        return read_model(rows[0][0]) if rows else None
    except ValueError:
        # Nobody is matched until it learns again; threads and pushes go on.
        return None


def learn(transaction: Transaction, outcome: "Outcome") -> set[bytes]:
    """Keep what a training of the whole store came to; return the parties whose matches are others now."""
    if current_model(transaction) is None:
        # What another version kept of customers may not be readable.
        _forget_everybody(transaction)
    transaction.execute("DELETE FROM match_models")
    transaction.append(schema.MATCH_MODELS, [(outcome.model.version(), outcome.model.to_json().decode(), transaction.now())])
    _keep_everybody(transaction, outcome.rows, outcome.model.largest_block)
    after = {(link.left, link.right): Found("review", link.match) for link in outcome.review}
    after |= {(link.left, link.right): Found("accepted", link.match) for link in outcome.links}
    rows = transaction.query(f"SELECT one, other, state FROM matches WHERE {_OURS}", [RULES])  # noqa: S608 - a text of this file
    before = {(one, other): str(state) for one, other, state in rows}
    return _replace(transaction, before, {_ordered(ends): found for ends, found in after.items()}, outcome.model)


def forget(transaction: Transaction) -> set[bytes]:
    """Give up what was learned and whom that joins, but for what people decided; return the parties that it joined."""
    rows = transaction.query(f"SELECT one, other FROM matches WHERE state = 'accepted' AND {_OURS}", [RULES])  # noqa: S608 - see above
    transaction.execute(f"DELETE FROM matches WHERE state <> 'rejected' AND {_OURS}", [RULES])  # noqa: S608
    transaction.execute("DELETE FROM match_models")
    _forget_everybody(transaction)
    return {party for pair in rows for party in pair}


def _forget_everybody(transaction: Transaction) -> None:
    transaction.execute("DELETE FROM match_people")
    transaction.execute("DELETE FROM match_keys")


def match_again(transaction: Transaction, touched: Collection[bytes], rules: Rules, model: Model) -> set[bytes]:
    """Match the customers of some parties again, where they look different; return the parties whose matches are others now."""
    if not touched:
        return set()
    scorer = Scorer(model, rules)
    around = explore(transaction, touched, rules)
    groups = certain(around, rules)
    looked_at = {name: group for name, group in groups.items() if not group.isdisjoint(touched)}
    rows = {person.id: scorer.read(person) for person in read_people(transaction, looked_at)}
    stored: dict[bytes, bytes] = dict(transaction.query_in("SELECT party, features FROM match_people WHERE party {keys}", around.parties))
    changed = {party: row for party, row in rows.items() if stored.get(party) != _encode(row)}
    before = {party: _decode(row) for party, row in stored.items() if party in changed or party not in groups}
    if not changed and not before:
        return set()
    pairs = _candidates(_exchange(transaction, before, changed, model.largest_block), changed)
    lost = _matches_of(transaction, changed.keys() | before.keys())
    # Whom the others are joined with has a say in whether somebody joins them.
    kin = _matches_of(transaction, {party for pair in pairs for party in pair}, "accepted")
    known = _features(transaction, {party for pair in (*pairs, *kin) for party in pair}, rows)
    found = _decided({*pairs, *(pair for pair in kin if known.keys() >= set(pair))}, known, model, scorer)
    ours = {pair: one for pair, one in found.items() if one.state == "accepted" or not changed.keys().isdisjoint(pair)}
    return _replace(transaction, lost | kin, ours, model)


def compare_customers(
    transaction: Transaction, mine: Collection[bytes], theirs: Collection[bytes], around: Neighbourhood, rules: Rules
) -> tuple[Match, float] | None:
    """Return the likeliest match between two customers' records and the weight from which it joins; None where nothing was learned."""
    model = current_model(transaction)
    if model is None:
        return None
    groups = {name: group for name, group in certain(around, rules).items() if not group.isdisjoint([*mine, *theirs])}
    scorer = Scorer(model, rules)
    rows = {person.id: scorer.read(person) for person in read_people(transaction, groups)}
    pairs = [(one, other) for one in rows.keys() & set(mine) for other in rows.keys() & set(theirs)]
    matches = [scorer.score(rows[one], rows[other]) for one, other in pairs]
    return (max(matches, key=lambda match: match.weight), model.threshold) if matches else None


def _keep_everybody(transaction: Transaction, rows: Mapping[bytes, Features], largest: int) -> None:
    """Keep what is compared of all customers; written anew is only what differs, but all of it the first time."""
    stored: dict[bytes, bytes] = dict(transaction.query("SELECT party, features FROM match_people"))
    changed = {party: row for party, row in rows.items() if stored.get(party) != _encode(row)}
    if stored:
        gone = sorted(stored.keys() - rows.keys())
        for part in chunks([*changed, *gone], _AT_ONCE):
            before = {party: _decode(stored[party]) for party in part if party in stored}
            _exchange(transaction, before, {party: changed[party] for party in part if party in changed}, largest)
    else:
        transaction.append(schema.MATCH_PEOPLE, [(party, _encode(row)) for party, row in changed.items()])
        _add_all_keys(transaction, changed, largest)


def _add_all_keys(transaction: Transaction, rows: Mapping[bytes, Features], largest: int) -> None:
    import numpy as np

    parties = sorted(rows)
    found = [keys(rows[party]) for party in parties]
    held = np.fromiter((key for each in found for key in each), np.int64)
    owner = np.repeat(np.arange(len(parties)), np.fromiter(map(len, found), np.int64, len(found)))
    del found
    order = np.argsort(held, kind="stable")
    held, owner = held[order], owner[order]
    distinct, sizes = np.unique(held, return_counts=True)
    few = np.repeat(sizes <= largest, sizes)
    transaction.append(schema.MATCH_KEYS, [(key, _TOO_MANY) for key in distinct[sizes > largest].tolist()])
    held, owner = held[few], owner[few]
    for start in range(0, len(held), _AT_ONCE):
        part: list[int] = held[start : start + _AT_ONCE].tolist()
        owners: list[int] = owner[start : start + _AT_ONCE].tolist()
        transaction.append(schema.MATCH_KEYS, [(key, parties[number]) for key, number in zip(part, owners, strict=True)])


def _exchange(
    transaction: Transaction, before: Mapping[bytes, Features], after: Mapping[bytes, Features], largest: int
) -> list[list[bytes]]:
    """Keep what is compared of customers now; return who shares each of their keys, where so few do that these are compared."""
    transaction.execute_in("DELETE FROM match_people WHERE party {keys}", before.keys() - after.keys())
    transaction.upsert(schema.MATCH_PEOPLE, [(party, _encode(row)) for party, row in after.items()])
    had = {party: set(keys(row)) for party, row in before.items()}
    wanted: dict[int, set[bytes]] = defaultdict(set)
    for party, row in after.items():
        for key in keys(row):
            wanted[key].add(party)
    for party, held in had.items():
        if stale := [key for key in held if party not in wanted.get(key, ())]:
            transaction.execute_in("DELETE FROM match_keys WHERE party = ? AND key {keys}", stale, [party])
    blocks = {key: set(block) for key, block in wanted.items()}
    for key, party in transaction.query_in("SELECT key, party FROM match_keys WHERE key {keys}", wanted):
        blocks[key].add(party)
    few = {key: block for key, block in blocks.items() if len(block) <= largest and _TOO_MANY not in block}
    grown = [key for key, block in blocks.items() if len(block) > largest and _TOO_MANY not in block]
    transaction.execute_in("DELETE FROM match_keys WHERE key {keys}", grown)
    new = ((key, party) for key in few for party in wanted[key] if key not in had.get(party, ()))
    transaction.append(schema.MATCH_KEYS, [*new, *((key, _TOO_MANY) for key in grown)])
    return [sorted(block) for block in few.values() if len(block) > 1]


def _candidates(blocks: Iterable[list[bytes]], changed: Collection[bytes]) -> list[Ends]:
    """Return the pairs of which one has changed that are worth a score."""
    shared: dict[Ends, list[int]] = defaultdict(list)
    for block in blocks:
        for one in (party for party in block if party in changed):
            for other in block:
                if other != one and not (other in changed and other < one):
                    shared[_ordered((one, other))].append(len(block))
    return [pair for pair, sizes in shared.items() if promising(sizes)]


def _features(transaction: Transaction, parties: set[bytes], rows: Mapping[bytes, Features]) -> dict[bytes, Features]:
    stored = transaction.query_in("SELECT party, features FROM match_people WHERE party {keys}", parties - rows.keys())
    return {party: rows[party] for party in parties & rows.keys()} | {party: _decode(row) for party, row in stored}


def _decided(pairs: Iterable[Ends], known: Mapping[bytes, Features], model: Model, scorer: Scorer) -> dict[Ends, Found]:
    """Decide about pairs as a training of the whole store does."""
    order = sorted(known)
    number = {party: place for place, party in enumerate(order)}
    likely = [pair for pair in pairs if scorer.weight(known[pair[0]], known[pair[1]]) >= model.review]
    scored = [Pair(number[one], number[other], scorer.score(known[one], known[other])) for one, other in likely]
    decision = decide(
        model, [known[party] for party in order], sorted(scored, key=lambda pair: (-pair.match.weight, pair.left, pair.right))
    )
    found = {(order[pair.left], order[pair.right]): Found("review", pair.match) for pair in decision.review}
    return found | {(order[pair.left], order[pair.right]): Found("accepted", pair.match) for pair in decision.links}


def _matches_of(transaction: Transaction, parties: Collection[bytes], state: str | None = None) -> dict[Ends, str]:
    """Return the state of the matches of some parties."""
    condition, parameters = (_OURS, [RULES]) if state is None else (f"{_OURS} AND state = ?", [RULES, state])
    return {
        (one, other): state
        for side in ("one", "other")
        for one, other, state in transaction.query_in(
            f"SELECT one, other, state FROM matches WHERE {condition} AND {side} {{keys}}",  # noqa: S608 - texts of this file
            parties,
            parameters,
        )
    }


def _replace(transaction: Transaction, before: Mapping[Ends, str], found: Mapping[Ends, Found], model: Model) -> set[bytes]:
    """Keep matches in the place of earlier ones; return the parties that are joined no longer, or now."""
    answered = {pair for pair, state in before.items() if state == "rejected"}
    answered |= _kept_apart(transaction, [pair for pair, one in found.items() if one.state == "review" and pair not in answered])
    after = {pair: one for pair, one in found.items() if pair not in answered}
    for pair in before.keys() - after.keys() - answered:
        transaction.execute("DELETE FROM matches WHERE one = ? AND other = ?", pair)
    now, version = transaction.now(), model.version()
    told = {pair: msgspec.json.encode(one.match.told()).decode() for pair, one in after.items()}
    rows = [(*pair, one.match.weight, told[pair], version, one.state, now) for pair, one in after.items()]
    transaction.upsert(schema.MATCHES, rows)
    joined = {pair for pair, one in after.items() if one.state == "accepted"}
    return {party for pair in joined ^ {pair for pair, state in before.items() if state == "accepted"} for party in pair}


def _kept_apart(transaction: Transaction, pairs: Collection[Ends]) -> set[Ends]:
    """Return those of these pairs whose customers were decided not to be one."""
    homes = profiles_of(transaction, {party for pair in pairs for party in pair})
    sides: dict[bytes, list[bytes]] = defaultdict(list)
    for profile, party in members(transaction, homes.values()):
        sides[profile].append(party)
    everybody = [party for side in sides.values() for party in side]
    never = transaction.query_in("SELECT one, other FROM decisions WHERE verdict = 'never' AND one {keys}", everybody)
    if not never:
        return set()
    home = {party: profile for profile, side in sides.items() for party in side}
    apart = {frozenset((home[one], home[other])) for one, other in never if one in home and other in home}
    return {pair for pair in pairs if frozenset((homes[pair[0]], homes[pair[1]])) in apart}


def _ordered(ends: Ends) -> Ends:
    return ends if ends[0] < ends[1] else (ends[1], ends[0])


_OURS = "model <> ?"

__all__ = ["certain", "compare_customers", "current_model", "forget", "learn", "match_again"]
