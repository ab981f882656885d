"""Who is one customer among parties that share values: a function of what is known of them, not of when it came.

The strongest evidence joins first. Two groups join unless something keeps them apart: a decision, birth dates, or names. A value that
several people share joins those with one name; of whom nothing but that value is known, joins nobody of them, but for the one who was
born on the same day.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

from threadline.identity.names import Name, compare, read_name
from threadline.identity.rules import Names
from threadline.model.groups import connected

Origin = Literal["identifier", "profile id", "link", "match"]


class Person(NamedTuple):
    """What a party's record says that can keep it apart from others."""

    written: tuple[str, str, str]
    """Given name, family name and formatted name as the record has them, "" for what it has not."""
    birth_date: str | None

    @property
    def name(self) -> Name | None:
        """The name, in the form in which it is compared."""
        return read_name(*self.written)


NOBODY = Person(("", "", ""), None)


class Counted(NamedTuple):
    """A value of which one customer has no more than `most`, of its kind and owner."""

    kind: str
    owner: str | None
    value: bytes
    most: int


class Evidence(NamedTuple):
    """Why parties may be one: a value that they share, the id of a profile that a system says they are, a link or a match.

    `rank` orders evidence, the strongest (0) first; `key` is the identifier, profile, or what else names it.
    """

    origin: Origin
    rank: int
    key: bytes
    names: Names
    holders: tuple[bytes, ...]


class Attempt(NamedTuple):
    """Two parties that evidence would join; `refused` says why it did not, None when they are one."""

    one: bytes
    other: bytes
    evidence: Evidence
    refused: str | None


Watch = Callable[[Attempt], None]
Teller = Callable[[Evidence, Collection[Name], int], int]
"""Returns how many named records say who has a value, before those without a name are taken for the same person; 0: nothing does.

It is asked for evidence that one person by these names holds, and so many customers without one.
"""


class _Group:
    """Parties that are one so far, and what is known of them."""

    __slots__ = ("apart", "births", "counted", "joined", "linked", "names", "parties")

    def __init__(self, party: bytes, person: Person, apart: Collection[bytes], counted: Collection[Counted]) -> None:
        self.parties = [party]
        self.joined = 0
        """How many joins there had been when it was joined last."""
        self.names = {person.name} if person.name else set[Name]()
        self.births = {person.birth_date} if person.birth_date else set[str]()
        self.apart = set(apart)
        self.counted = set(counted)
        self.linked = False
        """Whether people joined some of them: they have looked at it, however large it grows."""


class Partition:
    """Joins parties step by step; `watch` is told of every attempt, `large` of those that fail because too much would be joined."""

    def __init__(
        self, people: Mapping[bytes, Person], apart: Mapping[bytes, Collection[bytes]], most: int, *,
        counted: Mapping[bytes, Collection[Counted]] | None = None, to_tell: Teller = lambda evidence, names, unnamed: 1,
        watch: Watch | None = None, large: Watch | None = None,
    ) -> None:  # fmt: skip
        self._people = people
        self._apart = apart
        self._counted = counted or {}
        self._most = most
        self._too_many = f"together they would be more than {most} records"
        self._to_tell = to_tell
        self._watch = watch
        self._large = large
        self._groups: dict[bytes, _Group] = {}
        self._joined = 0

    def of(self, parties: Collection[bytes], evidence: Iterable[Evidence]) -> list[set[bytes]]:
        """Return the parties in groups."""
        shared = [one for one in evidence if len(one.holders) > 1]
        groups: list[set[bytes]] = []
        contested: list[tuple[set[bytes], list[Evidence]]] = []
        for component in connected(parties, [one.holders for one in shared]):
            if not self._watch and self._is_peaceful(component):
                groups.append(component)
            else:
                contested.append((component, []))
        home = {party: found for component, found in contested for party in component}
        for one in shared:
            if one.holders[0] in home:
                home[one.holders[0]].append(one)
        for component, found in contested:
            groups += self._settle(component, sorted(found, key=lambda one: (one.rank, one.key)))
        return groups

    def _is_peaceful(self, component: Collection[bytes]) -> bool:
        """Whether nothing could keep any two parties of a component apart: all that they share joins them."""
        if len(component) == 1:
            return True
        if len(component) > self._most or not self._apart.keys().isdisjoint(component):
            return False
        if self._counted and _too_many({one for party in component for one in self._counted.get(party, ())}):
            return False
        people = [self._people[party] for party in component if party in self._people]
        births = {person.birth_date for person in people if person.birth_date}
        if len(births) > 1 and not all(_near(one, other) for one, other in combinations(births, 2)):
            return False
        names = {read_name(*written) for written in {person.written for person in people}}
        # Whoever has no name is joined only by what tells whose it is.
        return None not in names and all(compare(one, other) == "same" for one, other in combinations(names, 2))

    def _settle(self, parties: Iterable[bytes], shared: Sequence[Evidence]) -> Iterable[set[bytes]]:
        """Divide parties that are linked, directly or by others."""
        start = self._joined
        known, apart, counted = self._people.get, self._apart.get, self._counted.get
        self._groups = {party: _Group(party, known(party, NOBODY), apart(party, ()), counted(party, ())) for party in parties}
        sure = [one for one in shared if one.origin != "match"]
        for one in sure:
            if one.names == "any":
                self._join_all(one, one.holders)
            else:
                self._join_namesakes(one)
        # Whom a value has joined it need not join again.
        checked = [one for one in sure if one.names != "any" and len({id(self._groups[party]) for party in one.holders}) > 1]
        joins: list[Callable[[Evidence], None]] = [self._join_same]
        if any(one.names == "alike" for one in checked):
            joins.append(self._join_alike)
        if any(not group.names for group in self._groups.values()):
            joins.append(self._join_unnamed)
        stages = [(join, [-1] * len(checked)) for join in joins]
        before, all_one = -1, start + len(self._groups) - 1
        while before != self._joined < all_one:  # what one value leaves open, the next may decide
            before = self._joined
            for join, seen in stages:
                for place, one in enumerate(checked):
                    if self._changed_since(seen[place], one.holders):
                        seen[place] = self._joined
                        join(one)
        # Matches are of customers as all else makes them: they come last.
        for one in shared[len(sure) :]:
            self._join_all(one, one.holders)
        distinct = {id(group): group for group in self._groups.values()}
        return (set(group.parties) for group in distinct.values())

    def _changed_since(self, joins: int, holders: Sequence[bytes]) -> bool:
        """Whether those who hold a value are several, and not all were looked at as they are now."""
        groups = [self._groups[party] for party in holders]
        return max([group.joined for group in groups]) > joins and any(group is not groups[0] for group in groups)

    def _join_all(self, evidence: Evidence, holders: Iterable[bytes]) -> None:
        """Join those who hold a value; where something keeps some apart, each joins the first that it can."""
        heads: list[bytes] = []
        for party in holders:
            if not any(self._join(head, party, evidence) for head in heads):
                heads.append(party)

    def _join_namesakes(self, evidence: Evidence) -> None:
        by_name: dict[Name, list[bytes]] = defaultdict(list)
        for party in evidence.holders:
            if name := self._people.get(party, NOBODY).name:
                by_name[name].append(party)
        for held in by_name.values():
            if len(held) > 1:
                self._join_all(evidence, self._told_apart(held, evidence))

    def _told_apart(self, namesakes: Sequence[bytes], evidence: Evidence) -> Sequence[bytes]:
        """Return those of one name who can be told apart: where they are several people by their birth dates, not whoever has none."""
        groups = {party: self._groups[party] for party in namesakes}
        births = {birth for group in groups.values() for birth in group.births}
        if len(births) < 2 or all(_near(one, other) for one, other in combinations(births, 2)):
            return namesakes
        self._tell(list({id(group): group for group in groups.values()}.values()), evidence, "it may be either of several people")
        return [party for party in namesakes if groups[party].births]

    def _join_same(self, evidence: Evidence) -> None:
        """Join groups that have a name in common, one of a member that does not hold the value itself, too."""
        for cluster in _clusters([group for group in self._among(evidence) if group.names], _agree):
            self._join_all(evidence, self._told_apart([self._holder(group, evidence) for group in cluster], evidence))

    def _join_alike(self, evidence: Evidence) -> None:
        """Join groups whose names one person may have; not where they may be either of two people."""
        if evidence.names == "same":
            return
        for cluster in _clusters([group for group in self._among(evidence) if group.names], _compatible):
            if any(_differ(one, other) for one, other in combinations(cluster, 2)):
                self._tell(cluster, evidence, "it may be either of several people")
            else:
                self._join_all(evidence, self._told_apart([self._holder(group, evidence) for group in cluster], evidence))

    def _join_unnamed(self, evidence: Evidence) -> None:
        """Join those of whom no name is known with the one person who holds the value."""
        groups = self._among(evidence)
        if len(groups) < 2 or all(group.names for group in groups):
            return
        self._join_born_alike(groups, evidence)
        groups = self._among(evidence)
        if sum(1 for group in groups if group.names) > 1:
            self._tell(groups, evidence, "several people share it")
            return
        names = [name for party in evidence.holders if (name := self._people.get(party, NOBODY).name)]
        needed = self._to_tell(evidence, names, sum(1 for group in groups if not group.names))
        if not needed:
            self._tell(groups, evidence, "whoever has no name may be anybody who uses it")
            return
        if names and len(names) < needed:
            self._tell(groups, evidence, "too few records name who has it")
            groups = [group for group in groups if not group.names]
        self._join_all(evidence, [self._holder(group, evidence) for group in groups])

    def _join_born_alike(self, groups: Sequence[_Group], evidence: Evidence) -> None:
        """Join whoever has no name with the one person who holds the value and was born on the same day."""
        for group in groups:
            if group.births and not group.names:
                alike = [other for other in groups if other.names and not group.births.isdisjoint(other.births)]
                if len(alike) == 1:
                    self._join(self._holder(alike[0], evidence), self._holder(group, evidence), evidence)

    def _among(self, evidence: Evidence) -> list[_Group]:
        """Return the groups of those who hold a value, in the order of their holders."""
        return list({id(group): group for group in map(self._groups.__getitem__, evidence.holders)}.values())

    def _holder(self, group: _Group, evidence: Evidence) -> bytes:
        return next(party for party in evidence.holders if self._groups[party] is group)

    def _join(self, one: bytes, other: bytes, evidence: Evidence) -> bool:
        """Join the groups of two parties unless something keeps them apart; return whether they are one now."""
        left, right = self._groups[one], self._groups[other]
        refused = None if left is right else self._veto(left, right, evidence)
        if self._watch:
            self._watch(Attempt(one, other, evidence, refused))
        if self._large and refused == self._too_many:
            self._large(Attempt(one, other, evidence, refused))
        if left is right or refused:
            return not refused
        if len(left.parties) < len(right.parties):
            left, right = right, left
        left.parties += right.parties
        left.names |= right.names
        left.births |= right.births
        left.apart |= right.apart
        left.counted |= right.counted
        left.linked |= right.linked or evidence.origin == "link"
        for party in right.parties:
            self._groups[party] = left
        self._joined += 1
        left.joined = self._joined
        return True

    def _veto(self, one: _Group, other: _Group, evidence: Evidence) -> str | None:
        if not one.apart.isdisjoint(other.parties) or not other.apart.isdisjoint(one.parties):
            return "it was decided that they are not one"
        if evidence.origin in ("profile id", "link"):
            return None
        if one.counted and other.counted and (kind := _too_many(one.counted | other.counted)):
            return f"together they would have too many values of {kind}"
        # A match has weighed names and birth dates already.
        if (
            evidence.origin != "match"
            and one.births
            and other.births
            and not any(_near(left, right) for left in one.births for right in other.births)
        ):
            return "their birth dates differ"
        if evidence.names != "any" and _differ(one, other):
            return "their names differ"
        if len(one.parties) + len(other.parties) > self._most and not (one.linked or other.linked):
            return self._too_many
        return None

    def _tell(self, groups: Sequence[_Group], evidence: Evidence, why: str) -> None:
        if self._watch:
            for one, other in combinations(groups, 2):
                self._watch(Attempt(self._holder(one, evidence), self._holder(other, evidence), evidence, why))


def _too_many(counted: Collection[Counted]) -> str | None:
    """Return a kind of which there are more values than a customer has."""
    numbers = Counter((one.kind, one.owner, one.most) for one in counted)
    return next((kind for (kind, _, most), number in sorted(numbers.items(), key=str) if number > most), None)


def _differ(one: _Group, other: _Group) -> bool:
    """Whether names keep two groups apart: some differ, and none is the same."""
    likenesses = {compare(left, right) for left in one.names for right in other.names}
    return "different" in likenesses and "same" not in likenesses


def _agree(one: _Group, other: _Group) -> bool:
    return any(compare(left, right) == "same" for left in one.names for right in other.names)


def _compatible(one: _Group, other: _Group) -> bool:
    return not _differ(one, other)


def _clusters(groups: Sequence[_Group], linked: Callable[[_Group, _Group], bool]) -> list[list[_Group]]:
    """Return groups that are linked, directly or by others, in clusters of two and more."""
    if len(groups) < 2 or (len(groups) == 2 and not linked(*groups)):
        return []
    clusters: list[list[_Group]] = []
    for group in groups:
        near = [cluster for cluster in clusters if any(linked(group, other) for other in cluster)]
        merged = [*(one for cluster in near for one in cluster), group]
        clusters = [*(cluster for cluster in clusters if cluster not in near), merged]
    return [cluster for cluster in clusters if len(cluster) > 1]


@lru_cache(maxsize=10_000)
def _near(one: str, other: str) -> bool:
    """Whether two dates may be one, miswritten: day and month swapped, or one digit wrong."""
    if one == other:
        return True
    (year, month, day), (other_year, other_month, other_day) = one.split("-"), other.split("-")
    swapped = year == other_year and (month, day) == (other_day, other_month)
    return swapped or sum(left != right for left, right in zip(one, other, strict=False)) == 1


def people_among(names: Iterable[Name | None]) -> int:
    """Return how many people names tell apart."""
    known: list[Name] = []
    for name in sorted({name for name in names if name}, key=str):
        if all(compare(name, other) == "different" for other in known):
            known.append(name)
    return len(known)


__all__ = ["NOBODY", "Attempt", "Counted", "Evidence", "Partition", "Person", "people_among"]
