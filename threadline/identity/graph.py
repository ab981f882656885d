"""The deterministic graph: parties joined by equal identifiers are one profile.

`regroup` recomputes the components around the parties that a batch touched, in the batch's transaction: its cost follows
what changed. The outcome does not depend on the order in which records arrive.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from threadline.identity.membership import followed, members, profiles_of
from threadline.model.groups import connected, name_groups
from threadline.model.ids import new_ulid, parse_id
from threadline.store.database import Row, Transaction
from threadline.store.schema import MEMBERSHIPS, PROFILES


@dataclass(slots=True)
class Neighbourhood:
    """The touched parties, whoever shares an identifier or a profile with them, and so on."""

    parties: set[bytes] = field(default_factory=set[bytes])
    holders: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict[bytes, list[bytes]](list))
    """Parties by the identifier that they share."""
    profiles: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The profile of each party that had one before."""
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
    # Most of a first load are nobody's kin: each is a profile by itself already.
    linked = around.parties.intersection(around.profiles.keys() | {party for link in links for party in link})
    changed = around.parties - linked
    if linked:
        groups = connected(linked, links)
        names, redirects = name_groups(groups, around.profiles, _unused(transaction, linked & around.profiles.keys()))
        changed |= _store(transaction, around, dict(zip(names, groups, strict=True)), redirects)
    return changed


def _unused(transaction: Transaction, parties: Iterable[bytes]) -> Callable[[Collection[bytes]], bytes]:
    """Return what names a group whose parties had no profile, or lost it to others: after one of them, or else anew.

    `parties` are those that had one: others may be in a profile that is named after them still.
    """
    taken = {row[0] for row in transaction.query_in("SELECT profile FROM memberships WHERE profile {keys}", set(parties))}
    return lambda group: min((party for party in group if party not in taken), default=new_ulid())


def _explore(transaction: Transaction, start: set[bytes], fresh: Sequence[Row]) -> Neighbourhood:
    around = Neighbourhood()
    known_profiles: set[bytes] = set()
    frontier = start
    while frontier:
        around.parties |= frontier
        asked = frontier.difference(row[0] for row in fresh)
        around.profiles.update(profiles_of(transaction, asked))
        profiles = {around.profiles[party] for party in asked}
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
            found |= {party for _, party in members(transaction, met)}
        frontier = found - around.parties
    return around


def _read_identifiers(transaction: Transaction, parties: set[bytes]) -> list[Row]:
    return transaction.query_in(
        "SELECT party, identifier, owner, type, value, value_normalized FROM party_identifiers WHERE party {keys}", parties
    )


def _note_identifiers(transaction: Transaction, rows: Sequence[Row], around: Neighbourhood) -> set[bytes]:
    for party, _, _, kind, _, value in rows:
        if kind == "threadline" and (profile := parse_id(value)):
            around.named[followed(transaction, profile)].add(party)
    return {row[1] for row in rows} - around.holders.keys()


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


def _store(
    transaction: Transaction, around: Neighbourhood, groups: Mapping[bytes, set[bytes]], redirects: Mapping[bytes, bytes]
) -> set[bytes]:
    before = around.profiles
    moved: list[Row] = [(party, name) for name, group in groups.items() for party in group if before.get(party, party) != name]
    changed = {name for name, group in groups.items() if not group <= before.keys()}
    changed |= {name for _, name in moved} | {before[party] for party, _ in moved if party in before}
    if not changed:
        return changed
    for ended, heir in redirects.items():
        transaction.execute("UPDATE profiles SET redirect_to = ? WHERE redirect_to = ?", [heir, ended])
    versions: dict[bytes, int] = dict(transaction.query_in("SELECT id, version FROM profiles WHERE id {keys}", changed))
    now = transaction.now()
    known = changed.intersection(before.values()) | versions.keys()
    transaction.upsert(PROFILES, [(profile, redirects.get(profile), versions.get(profile, 1) + 1, now) for profile in known])
    transaction.execute_in("DELETE FROM memberships WHERE party {keys}", [party for party, name in moved if party == name])
    transaction.upsert(MEMBERSHIPS, [row for row in moved if row[0] != row[1]])
    return changed
