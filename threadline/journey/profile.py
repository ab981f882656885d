"""What is known of a customer, put together from the parties of a profile."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from threadline.identity.membership import followed, members
from threadline.identity.survivorship import USUAL, Choice, Claim, Survivorship, by_weight
from threadline.model.identifiers import CONTACT_TYPES
from threadline.model.ids import show_id
from threadline.store.database import Transaction


class Held(NamedTuple):
    """An identifier that a party holds in a source; `owner` is the source for ids within one."""

    source: str
    party: bytes
    owner: str | None
    kind: str
    value: str
    normalized: str


@dataclass(slots=True)
class Profile:
    """One customer: the parties' values with the records that say them, and their identifiers."""

    id: bytes
    rules: Survivorship = USUAL
    parties: list[bytes] = field(default_factory=list[bytes])
    values: dict[str, dict[str, list[Claim]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """Field -> value -> who says so; an `address` or `preference` is JSON, with the columns of its table."""
    identifiers: list[Held] = field(default_factory=list[Held])

    def best(self, name: str) -> str | None:
        """Return the value of a field that the rules of survivorship choose."""
        return self.rules.best(name, self.values)

    def ranked(self, name: str) -> list[str]:
        """Return all values of a field, best first; the order does not depend on the order of arrival."""
        return self.rules.ranked(name, self.values)

    def choose(self, name: str) -> Choice | None:
        """Return the value of a field with why it is chosen."""
        return self.rules.choose(name, self.values)

    def claims(self, name: str, value: str) -> list[Claim]:
        """Return who says a value of a field, the weightiest first."""
        return by_weight(self.values[name][value])

    @property
    def name(self) -> str:
        """What to call the customer."""
        return self.best("formatted_name") or self.best("email") or self.best("handle") or self.best("phone") or show_id(self.id)


_PARTY_FIELDS = ("kind", "role", "given_name", "family_name", "formatted_name", "birth_date", "language", "status")
MANY = {"email": "emails", "phone": "phones", "handle": "handles", "address": "addresses"}
"""Fields of which a customer may have several."""


def follow(transaction: Transaction, profile: bytes) -> bytes | None:
    """Return the profile that an id stands for today; None when there is none."""
    current = followed(transaction, profile)
    return current if members(transaction, [current]) else None


def load_profiles(transaction: Transaction, ids: Iterable[bytes], rules: Survivorship = USUAL) -> dict[bytes, Profile]:
    """Read profiles; ids that lead to another profile, or nowhere, are left out."""
    found: dict[bytes, Profile] = {}
    home: dict[bytes, Profile] = {}
    for profile, party in members(transaction, ids):
        held = found.get(profile) or found.setdefault(profile, Profile(profile, rules))
        held.parties.append(party)
        home[party] = held
    claims: dict[bytes, Claim] = {}
    for party, source, external_id, at, end, mentioned, *values in transaction.query_in(_PARTIES, home):
        claims[party] = claim = Claim(source, external_id, party, at, end is not None, bool(mentioned))
        for name, value in zip(_PARTY_FIELDS, values, strict=True):
            if value is not None and value != "":
                home[party].values[name][str(value)].append(claim)
    _load_identifiers(transaction, home, claims)
    _load_wholes(transaction, home, claims)
    return found


_PARTIES = f"SELECT id, source, external_id, last_update, valid_to, mentioned, {', '.join(_PARTY_FIELDS)} FROM parties WHERE id {{keys}}"  # noqa: S608 - names above
_IDENTIFIERS = "SELECT party, owner, type, value, value_normalized, verified, preferred FROM party_identifiers WHERE party {keys}"
_WHOLES: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "address": ("addresses", "last_update", ("contexts", "street", "house_number", "unit", "post_code", "city", "region", "country")),
    "preference": ("preferences", "set_at", ("channel", "purpose", "language", "quiet_from", "quiet_to")),
}
"""Fields whose values have parts that belong together, with their table, the time that counts, and its columns."""


def _load_identifiers(transaction: Transaction, home: Mapping[bytes, Profile], claims: Mapping[bytes, Claim]) -> None:
    for party, owner, kind, value, normalized, verified, preferred in transaction.query_in(_IDENTIFIERS, claims):
        claim, profile = claims[party], home[party]
        profile.identifiers.append(Held(claim.source, party, owner, kind, value, normalized))
        if kind in CONTACT_TYPES:
            plain = preferred and not verified
            profile.values[kind][normalized].append(claim if plain else claim._replace(verified=bool(verified), preferred=bool(preferred)))


def _load_wholes(transaction: Transaction, home: Mapping[bytes, Profile], claims: Mapping[bytes, Claim]) -> None:
    for field_name, (table, time, columns) in _WHOLES.items():
        what = ", ".join(f"w.{column}" for column in columns)
        rows = transaction.query_in(
            f"SELECT w.party, {time}, {what} FROM {table} w JOIN parties p ON p.id = w.party WHERE w.party {{keys}}",  # noqa: S608 - names above
            claims,
        )
        for party, at, *values in rows:
            if parts := {name: value for name, value in zip(columns, values, strict=True) if value is not None}:
                home[party].values[field_name][msgspec.json.encode(parts).decode()].append(claims[party]._replace(at=at))


def _own(profile: Profile, here: str | None) -> list[Held]:
    """Return the identifiers of the profile's record in a source; of several records, the one with the smallest id counts."""
    found = [held for held in profile.identifiers if held.source == here]
    found.sort(key=lambda held: (held.owner is None, held.value, held.kind, held.party))
    return [held for held in found if held.party == found[0].party]


def profile_document(profile: Profile, here: str | None = None) -> dict[str, Any]:
    """Return the `profile` document of push mappings (docs/mapping.md); `here` is the target's source."""
    own = _own(profile, here)
    home = own[0].party if own else None
    document: dict[str, Any] = {
        "id": show_id(profile.id),
        # Whoever is an agent anywhere is no customer to be pushed around.
        "role": "agent" if "agent" in profile.values.get("role", {}) else "customer",
        "here": {held.kind: held.value for held in own if held.owner == here},
    }
    for name in _PARTY_FIELDS:
        if name != "role" and (value := profile.best(name)) is not None:
            document[name] = value
    for name, names in MANY.items():
        known = profile.ranked(name)
        document[names] = [shown_as(name, value) for value in known]
        if known:
            # What the target has of its own is never replaced by another system's: an address may be what joins the records.
            mine = [value for value in known if any(claim.party == home for claim in profile.values[name][value])]
            document[name] = shown_as(name, (mine or known)[0])
    if "formatted_name" not in document:
        document["formatted_name"] = profile.name
    if wish := profile.choose("preference"):
        document["preference"] = shown_as("preference", wish.value) | {"elsewhere": wish.claim.source != here}
    return document


def shown_as(name: str, value: str) -> Any:
    """Return a value of a field as documents have it."""
    return msgspec.json.decode(value) if name in _WHOLES else value
