"""What is known of a customer, put together from the parties of a profile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from threadline.identity.membership import followed, members
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
    """One customer: the parties' values with the sources that say them, and their identifiers."""

    id: bytes
    parties: list[bytes] = field(default_factory=list[bytes])
    values: dict[str, dict[str, list[str]]] = field(default_factory=dict[str, dict[str, list[str]]])
    """Field -> value -> sources."""
    identifiers: list[Held] = field(default_factory=list[Held])
    preference: Mapping[str, Any] | None = None

    def best(self, name: str) -> str | None:
        """Return the value that most sources say, the longer of equals."""
        return next(iter(self.ranked(name)), None)

    def ranked(self, name: str) -> list[str]:
        """Return all values, best first; the order does not depend on the order of arrival."""
        held = self.values.get(name, {})
        return sorted(held, key=lambda value: (-len(held[value]), -len(value), value))

    @property
    def name(self) -> str:
        """What to call the customer."""
        return self.best("formatted_name") or self.best("email") or self.best("handle") or self.best("phone") or show_id(self.id)


_PARTY_FIELDS = ("kind", "role", "given_name", "family_name", "formatted_name", "birth_date", "language", "status")
_PREFERENCE_FIELDS = ("channel", "purpose", "language", "quiet_from", "quiet_to")


def follow(transaction: Transaction, profile: bytes) -> bytes | None:
    """Return the profile that an id stands for today; None when there is none."""
    current = followed(transaction, profile)
    return current if members(transaction, [current]) else None


def load_profiles(transaction: Transaction, ids: Iterable[bytes]) -> dict[bytes, Profile]:
    """Read profiles; ids that lead to another profile, or nowhere, are left out."""
    found: dict[bytes, Profile] = {}
    home: dict[bytes, Profile] = {}
    for profile, party in members(transaction, ids):
        held = found.setdefault(profile, Profile(profile))
        held.parties.append(party)
        home[party] = held
    columns = ", ".join(_PARTY_FIELDS)
    for party, source, *values in transaction.query_in(f"SELECT id, source, {columns} FROM parties WHERE id {{keys}}", home):  # noqa: S608 - names above
        for name, value in zip(_PARTY_FIELDS, values, strict=True):
            _note(home[party], name, value, source)
    _load_identifiers(transaction, home)
    _load_preferences(transaction, home)
    return found


def _note(profile: Profile, name: str, value: Any, source: str) -> None:
    if value is not None and value != "":
        sources = profile.values.setdefault(name, {}).setdefault(str(value), [])
        if source not in sources:
            sources.append(source)


def _load_identifiers(transaction: Transaction, home: Mapping[bytes, Profile]) -> None:
    rows = transaction.query_in(
        "SELECT i.party, p.source, i.owner, i.type, i.value, i.value_normalized FROM party_identifiers i JOIN parties p ON p.id = i.party "
        "WHERE i.party {keys}",
        home,
    )
    for party, *rest in sorted(rows, key=lambda row: tuple(map(str, row))):
        held = Held(rest[0], party, *rest[1:])
        home[party].identifiers.append(held)
        if held.owner is None:
            _note(home[party], held.kind, held.normalized, held.source)


def _load_preferences(transaction: Transaction, home: Mapping[bytes, Profile]) -> None:
    columns = ", ".join(_PREFERENCE_FIELDS)
    rows = transaction.query_in(
        f"SELECT party, set_at, id, source, {columns} FROM preferences WHERE party {{keys}}",  # noqa: S608 - names above
        home,
    )
    # The wish expressed last counts; one without a time is older than all others.
    for party, _, _, source, *values in sorted(rows, key=lambda row: (str(row[1] or ""), row[2])):
        held = {name: value for name, value in zip(_PREFERENCE_FIELDS, values, strict=True) if value is not None}
        if held:
            home[party].preference = held | {"source": source}


def _own(profile: Profile, here: str | None) -> list[Held]:
    """Return the identifiers of the profile's record in a source; of several records, the one with the smallest id counts."""
    found = sorted((held for held in profile.identifiers if held.source == here), key=lambda held: (held.owner is None, held.value))
    return [held for held in found if held.party == found[0].party]


def profile_document(profile: Profile, here: str | None = None) -> dict[str, Any]:
    """Return the `profile` document of push mappings (docs/mapping.md); `here` is the target's source."""
    roles = profile.values.get("role", {})
    own = _own(profile, here)
    document: dict[str, Any] = {
        "id": show_id(profile.id),
        # Whoever is an agent anywhere is no customer to be pushed around.
        "role": "agent" if "agent" in roles else "customer",
        "emails": profile.ranked("email"),
        "phones": profile.ranked("phone"),
        "handles": profile.ranked("handle"),
        "here": {held.kind: held.value for held in own if held.owner == here},
    }
    for name in _PARTY_FIELDS:
        if name != "role" and (value := profile.best(name)) is not None:
            document[name] = value
    for name in ("email", "phone", "handle"):
        # An address that the target has of its own is never replaced by another system's: it may be what joins the records.
        mine = next((held.normalized for held in own if held.kind == name), None)
        if value := mine or profile.best(name):
            document[name] = value
    if "formatted_name" not in document:
        document["formatted_name"] = profile.name
    if profile.preference:
        held = dict(profile.preference)
        document["preference"] = held | {"elsewhere": held.pop("source") != here}
    return document
