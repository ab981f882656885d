"""What the store knows around some parties: whoever shares a value, a decision or a profile with them, and so on."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from sys import intern
from types import MappingProxyType
from typing import Any, NamedTuple

from threadline.identity.membership import followed, members, profiles_of
from threadline.identity.names import Name
from threadline.identity.partition import Counted, Evidence, Partition, Person, Watch, people_among
from threadline.identity.rules import INBOX, Rule, Rules, names_needed, names_nobody, names_to_tell
from threadline.identity.vocabulary import NO_BIRTHS
from threadline.model.identifiers import SHARED_KINDS
from threadline.model.ids import parse_id
from threadline.store import schema
from threadline.store.database import Row, Transaction

_ANYBODYS = SHARED_KINDS | {INBOX}
"""Kinds of values that are no ids: a party is not named after them."""
_FEW = 500
"""Values that too many hold, up to which all are read at once."""
_MATCHED = 10_000
"""The rank of a match of no weight, and of all others behind everything that is known for certain."""


@dataclass(slots=True)
class Neighbourhood:
    """Parties, and the evidence among them."""

    parties: set[bytes] = field(default_factory=set[bytes])
    profiles: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The profile of each party that had one before."""
    people: dict[bytes, Person] = field(default_factory=dict[bytes, Person])
    """Of those who share something."""
    holders: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict[bytes, tuple[bytes, ...]])
    """Parties, in their order, by the identifier that they share."""
    values: dict[bytes, tuple[str, str]] = field(default_factory=dict[bytes, tuple[str, str]])
    """Kind and value of each identifier."""
    named: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict[bytes, set[bytes]](set))
    """Parties by the profile that a system says they are (an id that threadline itself wrote there)."""
    links: set[tuple[bytes, bytes]] = field(default_factory=set[tuple[bytes, bytes]])
    matches: dict[tuple[bytes, bytes], float] = field(default_factory=dict[tuple[bytes, bytes], float])
    """Pairs that are probably one, and the weight of what speaks for it."""
    apart: dict[bytes, set[bytes]] = field(default_factory=lambda: defaultdict[bytes, set[bytes]](set))
    """With whom each party was decided not to be one."""
    counted: dict[bytes, list[Counted]] = field(default_factory=lambda: defaultdict[bytes, list[Counted]](list))
    """Values of each party of which a customer has but so many."""
    shared: dict[bytes, str] = field(default_factory=dict[bytes, str])
    """Why values that join nobody do not: `people` or `records`, too many of which hold them."""
    shared_before: dict[bytes, str] = field(default_factory=dict[bytes, str])

    def evidence(self, rules: Rules) -> list[Evidence]:
        """Return everything that may join these parties."""
        found = [Evidence("link", 0, pair[0] + pair[1], "any", pair) for pair in self.links]
        found += self._named()
        of = cache(rules.of)
        for identifier, parties in self.holders.items():
            if len(parties) > 1 and identifier not in self.shared:
                kind, value = self.values[identifier]
                rank, rule = of(kind)
                found.append(Evidence("identifier", rank + 2, identifier, names_needed(rule, kind, value), parties))
        found += [Evidence("match", _MATCHED - round(10 * weight), pair[0] + pair[1], "any", pair) for pair, weight in self.matches.items()]
        return found

    def partition(
        self, rules: Rules, apart: Mapping[bytes, Collection[bytes]] | None = None, *,
        watch: Watch | None = None, large: Watch | None = None,
    ) -> Partition:  # fmt: skip
        """Return what divides these parties by the rules; `apart` are decisions in the place of those that were made."""
        return Partition(
            self.people, self.apart if apart is None else apart, rules.most_records, counted=self.counted,
            to_tell=partial(self._to_tell, rules), watch=watch, large=large,
        )  # fmt: skip

    def _to_tell(self, rules: Rules, evidence: Evidence, names: Collection[Name], unnamed: int) -> int:
        if evidence.origin != "identifier":
            return 1
        kind, value = self.values[evidence.key]
        return names_to_tell(rules.of(kind)[1], kind, value, names, unnamed)

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


class Fresh(NamedTuple):
    """Parties that were just written: what is known of them need not be asked."""

    identifiers: Sequence[Row] = ()
    """(party, identifier, kind, normalized value)."""
    people: Mapping[bytes, Person] = MappingProxyType({})


NO_FRESH = Fresh()


def explore(
    transaction: Transaction, start: Iterable[bytes], rules: Rules, *, fresh: Fresh = NO_FRESH, retired: Iterable[bytes] = ()
) -> Neighbourhood:
    """Read everything around some parties.

    `retired` are identifiers that some have no longer: values too many held may join again.
    """
    return _Explorer(transaction, rules).explore(set(start), fresh, retired)


def survey(transaction: Transaction, rules: Rules) -> Neighbourhood:
    """Read everybody who shares anything with others, in few passes over the tables; whoever does not is a profile alone."""
    return _Explorer(transaction, rules).survey()


class _Explorer:
    def __init__(self, transaction: Transaction, rules: Rules) -> None:
        self._transaction = transaction
        self._rules = rules
        self._known: dict[str, Rule] = {}
        self._fewest = min(min(rule.people, rule.records) for rule in rules.identifiers.values())
        self._around = Neighbourhood()
        self._seen: set[bytes] = set()
        """Identifiers that were looked at."""
        self._decided = bool(transaction.query("SELECT 1 FROM decisions LIMIT 1"))
        self._matched = bool(transaction.query("SELECT 1 FROM matches WHERE state = 'accepted' LIMIT 1"))
        few = transaction.query(f"SELECT id, reason FROM shared_identifiers LIMIT {_FEW + 1}")  # noqa: S608 - a number of this file
        self._any_shared = bool(few)
        self._all_shared: dict[bytes, str] | None = dict(few) if len(few) <= _FEW else None

    def explore(self, start: set[bytes], fresh: Fresh, retired: Iterable[bytes]) -> Neighbourhood:
        around, transaction = self._around, self._transaction
        around.people.update(fresh.people)
        unread, new = fresh.identifiers, {row[0] for row in fresh.identifiers}
        # What joined them to the rest of their profiles may be gone. Of all others it is found again.
        met = set(profiles_of(transaction, start - new).values())
        known = set[bytes]()
        frontier, found = start, self._reconsider(retired)
        while frontier or found:
            around.parties |= frontier
            found |= self._holders([*unread, *_read_identifiers(transaction, frontier - new)])
            unread = ()
            if met := (met | around.named.keys()) - known:
                known |= met
                found |= {party for _, party in members(transaction, met)}
            found |= self._decisions(frontier)
            frontier, found = found - around.parties, set[bytes]()
        around.profiles.update(profiles_of(transaction, around.parties - new))
        self._read_people(self._linked())
        self._count()
        return around

    def survey(self) -> Neighbourhood:
        around, transaction = self._around, self._transaction
        around.shared_before.update(transaction.query("SELECT id, reason FROM shared_identifiers"))
        same: dict[bytes, bytes] = {}
        for part in _PARTS:
            self._note_shared(part, same)
        for party, value in transaction.query(_NAMED):
            self._note_profile(party, value)
        around.parties.update(party for held in (*around.holders.values(), *around.named.values()) for party in held)
        for table in ("decisions", "matches"):
            around.parties.update(party for pair in transaction.query(f"SELECT one, other FROM {table}") for party in pair)  # noqa: S608
        moved = dict[bytes, bytes]()
        for part in _PARTS:
            moved.update(transaction.query("SELECT party, profile FROM memberships WHERE party BETWEEN ? AND ?", part))
        around.parties.update(moved, moved.values(), around.named)
        self._decisions(around.parties)
        same.update((party, party) for party in around.parties - same.keys())
        for part in _PARTS:
            around.people.update((same[row[0]], person_of(row[1:])) for row in transaction.query(_PEOPLE_OF, part) if row[0] in same)
        around.profiles.update((party, moved.get(party, party)) for party in around.people)
        around.parties.intersection_update(around.people)  # profiles that are named after nobody any longer are no parties
        self._look(around.holders)
        self._count()
        return around

    def _rule(self, kind: str) -> Rule:
        if kind not in self._known:
            self._known[kind] = self._rules.of(kind)[1]
        return self._known[kind]

    def _note_profile(self, party: bytes, value: str) -> None:
        """Note that a system says of a party which profile it is."""
        if profile := parse_id(value):
            self._around.named[followed(self._transaction, profile)].add(party)

    def _note_shared(self, part: Sequence[bytes], same: dict[bytes, bytes]) -> None:
        """Note who holds what, of the identifiers in a range that several hold; of equal ids keep but one."""
        for identifier, rows in groupby(self._transaction.query(_SHARED, part), itemgetter(0)):
            (_, party, kind, value), *others = rows
            if kind != "threadline" and not names_nobody(self._rule(kind), kind, value):
                self._around.values[identifier] = intern(kind), value
                held = [party, *[row[1] for row in others]]
                self._around.holders[identifier] = tuple([same.setdefault(one, one) for one in held])

    def _holders(self, rows: Iterable[Row]) -> set[bytes]:
        """Note identifiers; return who else holds them."""
        around, seen, new = self._around, self._seen, set[bytes]()
        for party, identifier, kind, value in rows:
            if kind == "threadline":
                self._note_profile(party, value)
            elif identifier not in seen:
                seen.add(identifier)
                if not names_nobody(self._rule(kind), kind, value):
                    around.values[identifier] = kind, value
                    new.add(identifier)
        return self._read_holders(new)

    def _read_holders(self, identifiers: set[bytes]) -> set[bytes]:
        around = self._around
        if self._any_shared and identifiers:
            crowded = self._crowded(identifiers)
            around.shared_before.update(crowded)
            still = {identity for identity, reason in crowded.items() if reason == "records"}
            around.shared.update(dict.fromkeys(still, "records"))
            identifiers = identifiers - still
        held = defaultdict[bytes, list[bytes]](list)
        own = {identifier for identifier in identifiers if around.values[identifier][0] not in _ANYBODYS}
        for identifier, party in self._transaction.query_in(_HOLDERS, identifiers - own):
            held[identifier].append(party)
        of_others = self._transaction.query_in(_OF_OTHERS, own)
        named = self._transaction.query_in(_NAMED_SO, {identifier for identifier, _ in of_others})
        for identifier, party in (*of_others, *named):
            held[identifier].append(party)
        return self._look({identifier: tuple(sorted(holders)) for identifier, holders in held.items() if len(holders) > 1})

    def _crowded(self, identifiers: set[bytes]) -> Mapping[bytes, str]:
        """Return why those of these identifiers join nobody that too many hold."""
        known = self._all_shared
        if known is None:
            return dict(self._transaction.query_in("SELECT id, reason FROM shared_identifiers WHERE id {keys}", identifiers))
        return {identity: known[identity] for identity in identifiers & known.keys()}

    def _look(self, held: Mapping[bytes, tuple[bytes, ...]]) -> set[bytes]:
        """Note who holds values that several hold, and which of these too many do; return those whom the others join, or ceased to."""
        around, found = self._around, set[bytes]()
        around.holders.update(held)
        many = {identifier: self._rule(around.values[identifier][0]) for identifier, holders in held.items() if len(holders) > self._fewest}
        told_apart = [held[identifier] for identifier, rule in many.items() if rule.people < len(held[identifier]) <= rule.records]
        self._read_people({party for holders in told_apart for party in holders})
        for identifier, rule in many.items():
            if why := why_shared(rule, held[identifier], around.people):
                around.shared[identifier] = why
        for identifier, holders in held.items():
            if identifier not in around.shared or identifier not in around.shared_before:
                found.update(holders)
        return found

    def _reconsider(self, retired: Iterable[bytes]) -> set[bytes]:
        """Count again who holds a value that too many held; return its holders where it joins again."""
        if not self._any_shared:
            return set()
        around = self._around
        held: dict[bytes, tuple[bytes, ...]] = {}
        rows = self._transaction.query_in("SELECT id, type, value, reason FROM shared_identifiers WHERE id {keys}", set(retired))
        for identifier, kind, value, reason in rows:
            self._seen.add(identifier)
            around.values[identifier] = kind, value
            around.shared_before[identifier] = reason
            most = self._rule(kind).records + 1
            held[identifier] = tuple(party for (party,) in self._transaction.query(f"{_ONE} LIMIT {most}", [identifier]))
        return self._look(held)

    def _count(self) -> None:
        """Read the values of which a customer has but so many."""
        if any(rule.per_customer for rule in self._rules.identifiers.values()):
            for party, owner, kind, identifier in self._transaction.query_in(_OWNED, self._around.parties):
                if most := self._rule(kind).per_customer:
                    self._around.counted[party].append(Counted(kind, owner, identifier, most))

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
            for one, other, weight in _both(self._transaction, _MATCHES, parties):
                around.matches[one, other] = weight
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
    date = intern(str(birth)) if birth else None
    return Person((intern(given or ""), intern(family or ""), formatted or ""), None if date in NO_BIRTHS else date)


def person_in(row: Row) -> Person:
    """Return what a row of the table `parties` says of a person."""
    return person_of([row[place] for place in _PERSON])


def why_shared(rule: Rule, holders: Collection[bytes], people: Mapping[bytes, Person]) -> str | None:
    """Return why a value joins nobody: too many `records` hold it, or too many `people`; None where it does.

    `people` tells of holders that are more than `rule.people`, and need not of others.
    """
    if len(holders) > rule.records:
        return "records"
    crowd = len(holders) > rule.people and people_among(people[party].name for party in holders) > rule.people
    return "people" if crowd else None


def _read_identifiers(transaction: Transaction, parties: set[bytes]) -> list[Row]:
    return transaction.query_in("SELECT party, identifier, type, value_normalized FROM party_identifiers WHERE party {keys}", parties)


def _both(transaction: Transaction, sql: str, parties: set[bytes]) -> list[Row]:
    ask: Callable[[str], list[Row]] = partial(transaction.query_in, keys=parties)
    return [*ask(sql.format(side="one", keys="{keys}")), *ask(sql.format(side="other", keys="{keys}"))]


_HOLDERS = "SELECT identifier, party FROM party_identifiers WHERE identifier {keys}"
_OF_OTHERS = "SELECT identifier, party FROM party_identifiers WHERE owner IS NOT NULL AND identifier <> party AND identifier {keys}"
_NAMED_SO = "SELECT identifier, party FROM party_identifiers WHERE identifier = party AND party {keys}"
_ONE = "SELECT party FROM party_identifiers WHERE identifier = ? ORDER BY party"
_OWNED = "SELECT party, owner, type, identifier FROM party_identifiers WHERE party {keys}"
PEOPLE = "SELECT id, given_name, family_name, formatted_name, birth_date FROM parties WHERE id {keys}"
_DECISIONS = "SELECT one, other, verdict FROM decisions WHERE {side} {keys}"
_MATCHES = "SELECT one, other, weight FROM matches WHERE state = 'accepted' AND {side} {keys}"

_PERSON = [schema.PARTIES.names.index(name) for name in ("given_name", "family_name", "formatted_name", "birth_date")]
_PARTS = [(bytes([first]) + bytes(15), bytes([first + 3]) + b"\xff" * 15) for first in range(0, 256, 4)]
"""All ids in ranges, so that no answer of the database is large."""
_SHARED = (
    "SELECT identifier, party, type, value_normalized FROM party_identifiers WHERE identifier IN (SELECT identifier "
    "FROM party_identifiers WHERE identifier BETWEEN ? AND ? GROUP BY identifier HAVING count(*) > 1) ORDER BY identifier, party"
)
_NAMED = "SELECT party, value_normalized FROM party_identifiers WHERE type = 'threadline'"
_PEOPLE_OF = "SELECT id, given_name, family_name, formatted_name, birth_date FROM parties WHERE id BETWEEN ? AND ?"

__all__ = ["NO_FRESH", "PEOPLE", "Fresh", "Neighbourhood", "explore", "person_in", "person_of", "survey", "why_shared"]
