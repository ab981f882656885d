"""The deterministic graph: parties joined by equal identifiers are one profile.

`regroup` recomputes the components around the parties that a batch touched, in the batch's transaction: its cost follows
what changed. The outcome does not depend on the order in which records arrive.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from threadline.model.groups import connected, name_groups
from threadline.model.ids import parse_id, ulids
from threadline.store.database import Row, Transaction
from threadline.store.schema import MEMBERSHIPS, PROFILES


@dataclass(slots=True)
class Neighbourhood:
    """The touched parties, whoever shares an identifier or a profile with them, and so on."""

    parties: set[bytes] = field(default_factory=set[bytes])
    holders: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict[bytes, list[bytes]](list))
    """Parties by the identifier that they share."""
    profiles: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The profile that each party has now."""
    named: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict[bytes, set[bytes]](set))
    """Parties by the profile that a system says they are (an id that threadline itself wrote there)."""


def regroup(transaction: Transaction, touched: Iterable[bytes], fresh: Sequence[Row] = ()) -> set[bytes]:
    """Give the touched parties and their neighbours the right profiles; return the profiles that changed.

    `fresh` are the rows of party_identifiers of those that are new: nothing need be asked about them.
    """
    start = set(touched)
    if not start:
        return set()
    transaction.lock("identity")
    around = _explore(transaction, start, fresh)
    links = [link for link in _links(around) if len(link) > 1]
    # Most of a first load are nobody's kin, and need no more than a profile each.
    linked = around.parties.intersection(around.profiles.keys() | {party for link in links for party in link})
    groups = connected(linked, links)
    unused = ulids()
    names, redirects = name_groups(groups, around.profiles, lambda _: next(unused))
    assigned = {party: name for name, group in zip(names, groups, strict=True) for party in group}
    assigned.update(zip(sorted(around.parties - linked), unused, strict=False))
    return _store(transaction, around, assigned, redirects)


def _explore(transaction: Transaction, start: set[bytes], fresh: Sequence[Row]) -> Neighbourhood:
    around = Neighbourhood()
    known_profiles: set[bytes] = set()
    frontier = start
    while frontier:
        around.parties |= frontier
        asked = frontier.difference(row[0] for row in fresh)
        profiles = _read_profiles(transaction, asked, around)
        found: set[bytes] = set()
        identifiers = _note_identifiers(transaction, [*fresh, *_read_identifiers(transaction, asked)], around)
        fresh = ()
        profiles |= {profile for profile in around.named if profile not in known_profiles}
        if identifiers:
            holders = transaction.query_in("SELECT party, identifier FROM party_identifiers WHERE identifier {keys}", identifiers)
            for party, identifier in holders:
                around.holders[identifier].append(party)
                found.add(party)
        if met := profiles - known_profiles:
            known_profiles |= met
            found |= {row[0] for row in transaction.query_in("SELECT party FROM memberships WHERE profile {keys}", met)}
        frontier = found - around.parties
    return around


def _read_profiles(transaction: Transaction, parties: set[bytes], around: Neighbourhood) -> set[bytes]:
    rows = transaction.query_in("SELECT party, profile FROM memberships WHERE party {keys}", parties)
    around.profiles.update((party, profile) for party, profile in rows)
    return {profile for _, profile in rows}


def _read_identifiers(transaction: Transaction, parties: set[bytes]) -> list[Row]:
    return transaction.query_in(
        "SELECT party, identifier, owner, type, value, value_normalized FROM party_identifiers WHERE party {keys}", parties
    )


def _note_identifiers(transaction: Transaction, rows: Sequence[Row], around: Neighbourhood) -> set[bytes]:
    for party, _, _, kind, _, value in rows:
        if kind == "threadline" and (profile := parse_id(value)):
            around.named[_followed(transaction, profile)].add(party)
    return {row[1] for row in rows} - around.holders.keys()


def _followed(transaction: Transaction, profile: bytes) -> bytes:
    rows = transaction.query("SELECT coalesce(redirect_to, id) FROM profiles WHERE id = ?", [profile])
    return rows[0][0] if rows else profile


def _links(around: Neighbourhood) -> list[list[bytes]]:
    members: dict[bytes, list[bytes]] = defaultdict(list)
    for party, profile in around.profiles.items():
        members[profile].append(party)
    named = [[*sorted(parties), *_kin(profile, members, around)] for profile, parties in around.named.items()]
    return [*around.holders.values(), *named]


def _kin(profile: bytes, members: dict[bytes, list[bytes]], around: Neighbourhood) -> list[bytes]:
    # A named profile's members that are named themselves prove nothing: one that is not stands for the profile.
    unnamed = [party for party in members.get(profile, []) if party not in around.named[profile]]
    return sorted(unnamed)[:1]


def _store(transaction: Transaction, around: Neighbourhood, assigned: dict[bytes, bytes], redirects: dict[bytes, bytes]) -> set[bytes]:
    moved: list[Row] = [(party, profile) for party, profile in assigned.items() if around.profiles.get(party) != profile]
    if not moved:
        return set()
    changed = {profile for _, profile in moved} | {around.profiles[party] for party, _ in moved if party in around.profiles}
    old = changed.intersection(around.profiles.values())
    now = transaction.now()
    for before, after in redirects.items():
        transaction.execute("UPDATE profiles SET redirect_to = ? WHERE redirect_to = ?", [after, before])
    versions = transaction.query_in("SELECT id, version FROM profiles WHERE id {keys}", old)
    transaction.append(PROFILES, [(profile, None, 1, now) for profile in changed - old])
    transaction.upsert(PROFILES, [(profile, redirects.get(profile), version + 1, now) for profile, version in versions])
    transaction.append(MEMBERSHIPS, [row for row in moved if row[0] not in around.profiles])
    transaction.upsert(MEMBERSHIPS, [row for row in moved if row[0] in around.profiles])
    return changed
