"""Which profile a party is in, and which parties a profile has.

A party that is nobody's kin is a profile by itself, under its own id: most of a store are, and cost no row. Only a party whose
profile has another id has a membership.
"""

from collections.abc import Iterable

from threadline.store.database import Transaction


def profiles_of(transaction: Transaction, parties: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return the profile of each party."""
    found = {party: party for party in parties}
    found.update(transaction.query_in("SELECT party, profile FROM memberships WHERE party {keys}", found))
    return found


def followed(transaction: Transaction, profile: bytes) -> bytes:
    """Return the profile that an id leads to: itself, unless it ended."""
    rows = transaction.query("SELECT profile FROM redirects WHERE id = ?", [profile]) or transaction.query(_WENT, [profile, profile])
    return rows[0][0] if rows else profile


def members(transaction: Transaction, profiles: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Return (profile, party) for every party of these profiles, by party; nothing for an id that is no profile today."""
    wanted = set(profiles)
    rows = [*transaction.query_in(_BY_MEMBERSHIP, wanted), *transaction.query_in(_BY_ITSELF, wanted)]
    return sorted(((profile, party) for profile, party in rows), key=lambda row: row[1])


_WENT = "SELECT profile FROM memberships WHERE party = ? AND NOT EXISTS (SELECT 1 FROM memberships WHERE profile = ?)"
"""Where the party went after which a profile was named that nobody is in any longer."""
_BY_MEMBERSHIP = "SELECT profile, party FROM memberships WHERE profile {keys}"
_BY_ITSELF = "SELECT id, id FROM parties WHERE NOT EXISTS (SELECT 1 FROM memberships WHERE party = parties.id) AND id {keys}"
