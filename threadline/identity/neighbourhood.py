"""What the store knows around some parties: whoever shares a value, a decision or a profile with them, and so on."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from threadline.identity.membership import followed, members, profiles_of
from threadline.identity.names import read_name
from threadline.identity.partition import NOBODY, Evidence, Person, people_among
from threadline.identity.rules import Rules, names_needed, names_nobody, names_to_tell
from threadline.identity.vocabulary import NO_BIRTHS
from threadline.model.ids import parse_id
from threadline.store.database import Row, Transaction

_MATCHED = 100
"""The rank of matches: behind everything that is known for certain."""


@dataclass(slots=True)
class Neighbourhood:
    """Parties, and the evidence among them."""

    parties: set[bytes] = field(default_factory=set[bytes])
    profiles: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The profile of each party that had one before."""
    people: dict[bytes, Person] = field(default_factory=dict[bytes, Person])
    """Of those who share something."""
    holders: dict[bytes, list[bytes]] = field(default_factory=lambda: defaultdict[bytes, list[bytes]](list))
    """Parties by the identifier that they share."""
    values: dict[bytes, tuple[str, str]] = field(default_factory=dict[bytes, tuple[str, str]])
    """Kind and value of each identifier."""
    named: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict[bytes, set[bytes]](set))
    """Parties by the profile that a system says they are (an id that threadline itself wrote there)."""
    links: set[tuple[bytes, bytes]] = field(default_factory=set[tuple[bytes, bytes]])
    matches: set[tuple[bytes, bytes]] = field(default_factory=set[tuple[bytes, bytes]])
    apart: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict[bytes, set[bytes]](set))
    """With whom each party was decided not to be one."""
    shared: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Why values that join nobody do not: `people` or `records`, too many of which hold them."""
    shared_before: dict[bytes, str] = field(default_factory=dict[bytes, str])

    def evidence(self, rules: Rules) -> list[Evidence]:
        """Return everything that may join these parties."""
        found = [Evidence("link", 0, pair[0] + pair[1], "any", pair) for pair in self.links]
        found += self._named()
        for identifier, parties in self.holders.items():
            if len(parties) > 1 and identifier not in self.shared:
                kind, value = self.values[identifier]
                rank, rule = rules.of(kind)
                needed, names = names_needed(rule, kind, value), {self.people.get(party, NOBODY).name for party in parties}
                named = names_to_tell(rule, kind, value, [name for name in names if name]) if None in names and needed != "any" else 1
                found.append(Evidence("identifier", rank + 2, identifier, needed, tuple(sorted(parties)), named))
        found += [Evidence("match", _MATCHED, pair[0] + pair[1], "any", pair) for pair in self.matches]
        return found

    def _named(self) -> Iterable[Evidence]:
        if not self.named:
            return
        at_home: dict[bytes, list[bytes]] = defaultdict(list)
        for party, profile in self.profiles.items():
            at_home[profile].append(party)
        for profile, parties in self.named.items():
            # A named profile's members that are named themselves prove nothing: one that is not stands for the profile.
            kin = sorted(party for party in at_home.get(profile, ()) if party not in parties)[:1]
            yield Evidence("profile id", 1, profile, "any", (*sorted(parties), *kin))


def explore(
    transaction: Transaction, start: Iterable[bytes], rules: Rules, *, fresh: Sequence[Row] = (), retired: Iterable[bytes] = ()
) -> Neighbourhood:
    """Read everything around some parties.

    `fresh` are the rows of party_identifiers of those that are new: nothing need be asked about them. `retired` are identifiers that
    some have no longer: values too many held may join again.
    """
    return _Explorer(transaction, rules).explore(set(start), fresh, retired)


def survey(transaction: Transaction, rules: Rules) -> Neighbourhood:
    """Read everybody who shares anything with others, in few passes over the tables; whoever does not is a profile alone."""
    return _Explorer(transaction, rules).survey()


class _Explorer:
    def __init__(self, transaction: Transaction, rules: Rules) -> None:
        self._transaction = transaction
        self._rules = rules
        self._around = Neighbourhood()
        self._seen: set[bytes] = set()
        """Identifiers that were looked at."""
        self._decided = bool(transaction.query("SELECT 1 FROM decisions LIMIT 1"))
        self._matched = bool(transaction.query("SELECT 1 FROM matches WHERE state = 'accepted' LIMIT 1"))
        self._any_shared = bool(transaction.query("SELECT 1 FROM shared_identifiers LIMIT 1"))

    def explore(self, start: set[bytes], fresh: Sequence[Row], retired: Iterable[bytes]) -> Neighbourhood:
        around, transaction = self._around, self._transaction
        known_profiles: set[bytes] = set()
        frontier = start
        found = self._reconsider(retired)
        while frontier or found:
            around.parties |= frontier
            asked = frontier.difference(row[0] for row in fresh)
            around.profiles.update(profiles_of(transaction, asked))
            profiles = {around.profiles[party] for party in asked}
            found |= self._holders([*fresh, *_read_identifiers(transaction, asked)])
            fresh = ()
            profiles |= {profile for profile in around.named if profile not in known_profiles}
            if met := profiles - known_profiles:
                known_profiles |= met
                found |= {party for _, party in members(transaction, met)}
            found |= self._decisions(frontier)
            frontier, found = found - around.parties, set[bytes]()
        self._read_people(self._linked())
        return around

    def survey(self) -> Neighbourhood:
        around, transaction = self._around, self._transaction
        around.shared_before.update(transaction.query("SELECT id, reason FROM shared_identifiers"))
        for part in _PARTS:
            self._note_values(transaction.query(_SHARED, part))
        self._note_values(transaction.query(_NAMED))
        around.parties.update(party for held in (*around.holders.values(), *around.named.values()) for party in held)
        for table in ("decisions", "matches"):
            around.parties.update(party for pair in transaction.query(f"SELECT one, other FROM {table}") for party in pair)  # noqa: S608
        moved = dict[bytes, bytes]()
        for part in _PARTS:
            moved.update(transaction.query("SELECT party, profile FROM memberships WHERE party BETWEEN ? AND ?", part))
        around.parties.update(moved, moved.values(), around.named)
        self._decisions(around.parties)
        for part in _PARTS:
            for row in transaction.query(_PEOPLE_OF, part):
                if row[0] in around.parties:
                    around.people[row[0]] = person_of(row[1:])
        around.profiles.update((party, moved.get(party, party)) for party in around.people)
        around.parties.intersection_update(around.people)  # profiles that are named after nobody any longer are no parties
        self._look(around.holders.keys())
        return around

    def _note_profile(self, party: bytes, value: str) -> None:
        """Note that a system says of a party which profile it is."""
        if profile := parse_id(value):
            self._around.named[followed(self._transaction, profile)].add(party)

    def _note_values(self, rows: Iterable[Row]) -> None:
        """Note who holds what, from rows as `_holders` takes them; each identifier's come together."""
        around = self._around
        for party, identifier, _, kind, _, value in rows:
            if kind == "threadline":
                self._note_profile(party, value)
            elif identifier in around.values or not names_nobody(self._rules.of(kind)[1], kind, value):
                around.values[identifier] = kind, value
                around.holders[identifier].append(party)

    def _holders(self, rows: Sequence[Row]) -> set[bytes]:
        """Note identifiers; return who else holds them."""
        around, new = self._around, set[bytes]()
        rules = {kind: self._rules.of(kind)[1] for kind in {row[3] for row in rows}}
        for party, identifier, _, kind, _, value in rows:
            if kind == "threadline":
                self._note_profile(party, value)
            elif identifier not in self._seen:
                self._seen.add(identifier)
                if not names_nobody(rules[kind], kind, value):
                    around.values[identifier] = kind, value
                    new.add(identifier)
        return self._read_holders(new)

    def _read_holders(self, identifiers: set[bytes]) -> set[bytes]:
        around = self._around
        if self._any_shared and identifiers:
            crowded = self._transaction.query_in("SELECT id, reason FROM shared_identifiers WHERE id {keys}", identifiers)
            around.shared_before.update(crowded)
            still = {identity for identity, reason in crowded if reason == "records"}
            around.shared.update(dict.fromkeys(still, "records"))
            identifiers = identifiers - still
        for party, identifier in self._transaction.query_in(_HOLDERS, identifiers):
            around.holders[identifier].append(party)
        return self._look(identifiers)

    def _look(self, identifiers: Collection[bytes]) -> set[bytes]:
        """Find out which values too many hold; return the holders of all that join, or have just ceased to."""
        around, found = self._around, set[bytes]()
        many: dict[bytes, int] = {}
        for identifier in identifiers:
            holders = around.holders.get(identifier, ())
            rule = self._rules.of(around.values[identifier][0])[1]
            if len(holders) > rule.records:
                around.shared[identifier] = "records"
            elif len(holders) > rule.people:
                many[identifier] = rule.people
        self._read_people({party for identifier in many for party in around.holders[identifier]})
        for identifier, most in many.items():
            if people_among(around.people[party].name for party in around.holders[identifier]) > most:
                around.shared[identifier] = "people"
        for identifier in identifiers:
            if identifier not in around.shared or identifier not in around.shared_before:
                found.update(around.holders.get(identifier, ()))
        return found

    def _reconsider(self, retired: Iterable[bytes]) -> set[bytes]:
        """Count again who holds a value that too many held; return its holders where it joins again."""
        if not self._any_shared:
            return set()
        around = self._around
        rows = self._transaction.query_in("SELECT id, type, value, reason FROM shared_identifiers WHERE id {keys}", set(retired))
        for identifier, kind, value, reason in rows:
            self._seen.add(identifier)
            around.values[identifier] = kind, value
            around.shared_before[identifier] = reason
            most = self._rules.of(kind)[1].records + 1
            held = self._transaction.query(f"{_ONE} LIMIT {most}", [identifier])
            around.holders[identifier] = [party for (party,) in held]
        return self._look([row[0] for row in rows])

    def _decisions(self, parties: set[bytes]) -> set[bytes]:
        around, found = self._around, set[bytes]()
        if self._decided:
            for one, other, verdict in _both(self._transaction, _DECISIONS, parties):
                if verdict == "never":
                    around.apart[one].add(other)
                else:
                    around.links.add((one, other))
                    found |= {one, other}
        if self._matched:
            for one, other in _both(self._transaction, _MATCHES, parties):
                around.matches.add((one, other))
                found |= {one, other}
        return found

    def _linked(self) -> set[bytes]:
        around = self._around
        shared = (held for identifier, held in around.holders.items() if len(held) > 1 and identifier not in around.shared)
        return {party for held in (*shared, *around.links, *around.matches) for party in held}

    def _read_people(self, parties: Iterable[bytes]) -> None:
        people = self._around.people
        rows = self._transaction.query_in(PEOPLE, [party for party in parties if party not in people])
        people.update((row[0], person_of(row[1:])) for row in rows)


def person_of(row: Sequence[Any]) -> Person:
    """Return what given name, family name, formatted name and birth date say."""
    given, family, formatted, birth = row
    date = str(birth) if birth else None
    return Person(read_name(given or None, family or None, formatted or None), None if date in NO_BIRTHS else date)


def _read_identifiers(transaction: Transaction, parties: set[bytes]) -> list[Row]:
    return transaction.query_in(
        "SELECT party, identifier, owner, type, value, value_normalized FROM party_identifiers WHERE party {keys}", parties
    )


def _both(transaction: Transaction, sql: str, parties: set[bytes]) -> list[Row]:
    ask: Callable[[str], list[Row]] = partial(transaction.query_in, keys=parties)
    return [*ask(sql.format(side="one", keys="{keys}")), *ask(sql.format(side="other", keys="{keys}"))]


_HOLDERS = "SELECT party, identifier FROM party_identifiers WHERE identifier {keys}"
_ONE = "SELECT party FROM party_identifiers WHERE identifier = ? ORDER BY party"
PEOPLE = "SELECT id, given_name, family_name, formatted_name, birth_date FROM parties WHERE id {keys}"
_DECISIONS = "SELECT one, other, verdict FROM decisions WHERE {side} {keys}"
_MATCHES = "SELECT one, other FROM matches WHERE state = 'accepted' AND {side} {keys}"

_PARTS = [(bytes([first]) + bytes(15), bytes([first + 3]) + b"\xff" * 15) for first in range(0, 256, 4)]
"""All ids in ranges, so that no answer of the database is large."""
_COLUMNS = "party, identifier, owner, type, value, value_normalized"
_SHARED = (
    f"SELECT {_COLUMNS} FROM party_identifiers WHERE identifier IN (SELECT identifier FROM party_identifiers "  # noqa: S608
    "WHERE identifier BETWEEN ? AND ? GROUP BY identifier HAVING count(*) > 1)"
)
_NAMED = f"SELECT {_COLUMNS} FROM party_identifiers WHERE type = 'threadline'"  # noqa: S608
_PEOPLE_OF = "SELECT id, given_name, family_name, formatted_name, birth_date FROM parties WHERE id BETWEEN ? AND ?"

__all__ = ["PEOPLE", "Neighbourhood", "explore", "person_of", "survey"]
