"""Which of several values a profile shows: docs/identity.md, `survivorship` in `mappings/identity.yaml`.

The choice is a function of what the records say now: the time at which threadline read them, or in which order, has no part in it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct, field
from xxhash import xxh3_128_digest

from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, kind_of, nearest


class Claim(NamedTuple):
    """A record that says a value; `at` is when its source last changed it, `ended` says that the source no longer has it.

    A party that is only `mentioned` has no record of its own. `verified` and `preferred` are of identifiers (see `PartyIdentifier`).
    """

    source: str
    external_id: str
    party: bytes
    at: Any = None
    ended: bool = False
    mentioned: bool = False
    verified: bool = False
    preferred: bool = True


Said: TypeAlias = Mapping[str, Mapping[str, Sequence[Claim]]]
"""Field -> value -> who says so."""
_Held: TypeAlias = Mapping[str, Sequence[Claim]]

FIELDS = (
    "kind", "given_name", "family_name", "formatted_name", "birth_date", "language", "status", "email", "phone", "handle", "address",
    "preference",
)  # fmt: skip
"""Whose values are chosen."""


class Rule(Struct, frozen=True):
    """A rule to prefer values to others; `sources` belongs to the one of this name, and `field` to `with`."""

    name: str
    sources: tuple[str, ...] = ()
    field: str = ""

    def __str__(self) -> str:
        """Return it as people are told of it."""
        return " ".join(filter(None, (self.name.replace("_", " "), ", ".join(self.sources), self.field)))


class Choice(NamedTuple):
    """The value that is shown, and why: the rule that left no other (None: there is no other), and the record that says so best."""

    value: str
    by: str | None
    claim: Claim


class Survivorship(Struct, frozen=True, dict=True):
    """The rules by field, tried one after the other until one value is left; the first in the alphabet is, where several are."""

    usual: tuple[Rule, ...]
    """For fields that have none of their own."""
    fields: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict[str, tuple[Rule, ...]])

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells these rules from others."""
        return xxh3_128_digest(msgspec.json.encode(self))

    def ranked(self, name: str, said: Said) -> list[str]:
        """Return all values of a field, best first."""
        held = said.get(name, {})
        return list(held) if len(held) <= 1 else self._ordered(_living(held), self._rules(name), said)

    def best(self, name: str, said: Said) -> str | None:
        """Return the best value of a field; None where nobody says anything."""
        return min(self._left(name, said)[0], default=None)

    def choose(self, name: str, said: Said) -> Choice | None:
        """Return the best value of a field with why it is chosen; None where nobody says anything."""
        left, by = self._left(name, said)
        if not left:
            return None
        value = min(left)
        why = "first in the alphabet" if len(left) > 1 else None if by is None else str(by)
        return Choice(value, why, by_weight(said[name][value])[0])

    def _left(self, name: str, said: Said) -> tuple[_Held, Rule | None]:
        """Return the values that all rules leave, and the one after which no other was left."""
        held = said.get(name, {})
        if len(held) > 1:
            held = _living(held)
            for rule in self._rules(name):
                held = self._grouped(rule, held, said)[0]
                if len(held) == 1:
                    return held, rule
        return held, None

    def _rules(self, name: str) -> tuple[Rule, ...]:
        return _NOT_GONE + self.fields.get(name, self.usual)

    def _ordered(self, held: _Held, rules: tuple[Rule, ...], said: Said) -> list[str]:
        if len(held) == 1 or not rules:
            return sorted(held)
        return [value for group in self._grouped(rules[0], held, said) for value in self._ordered(group, rules[1:], said)]

    def _grouped(self, rule: Rule, held: _Held, said: Said) -> list[_Held]:
        """Return the values in groups of which a rule says the same, the best first."""
        groups: dict[Any, dict[str, Sequence[Claim]]] = {}
        for value, mark in zip(held, self._marks(rule, held, said), strict=True):
            groups.setdefault(mark, {})[value] = held[value]
        return [groups[mark] for mark in sorted(groups)]

    def _marks(self, rule: Rule, held: _Held, said: Said) -> list[Any]:
        """Return what a rule says of each value; the lowest is the best."""
        if rule.name == "sources":
            places = {source: place for place, source in enumerate(rule.sources)}
            return [min(places.get(claim.source, len(places)) for claim in claims) for claims in held.values()]
        if rule.name == "with":
            other = self.best(rule.field, said)
            parties = {claim.party for claim in said[rule.field][other]} if other else set[bytes]()
            return [parties.isdisjoint(claim.party for claim in claims) for claims in held.values()]
        return _MARKS[rule.name](held)


def _living(held: _Held) -> _Held:
    """Leave out who no longer says a value, where somebody does."""
    return {value: [claim for claim in claims if not claim.ended] or claims for value, claims in held.items()}


def _not_gone(held: _Held) -> list[Any]:
    return [claims[0].ended for claims in held.values()]


def _verified(held: _Held) -> list[Any]:
    return [not any(claim.verified for claim in claims) for claims in held.values()]


def _preferred(held: _Held) -> list[Any]:
    return [not any(claim.preferred for claim in claims) for claims in held.values()]


def _own_record(held: _Held) -> list[Any]:
    return [all(claim.mentioned for claim in claims) for claims in held.values()]


def _most_said(held: _Held) -> list[Any]:
    # ANA LIMA says what Ana Lima does.
    sources: dict[str, set[str]] = defaultdict(set)
    for value, claims in held.items():
        sources[value.casefold()].update(claim.source for claim in claims)
    return [-len(sources[value.casefold()]) for value in held]


def _most_recent(held: _Held) -> list[Any]:
    return [min(map(_age, claims)) for claims in held.values()]


def _most_complete(held: _Held) -> list[Any]:
    return [(-len(value), value.isupper() or value.islower()) for value in held]


_MARKS: Mapping[str, Callable[[_Held], list[Any]]] = {
    "verified": _verified, "preferred": _preferred, "most_said": _most_said, "own_record": _own_record, "most_recent": _most_recent,
    "most_complete": _most_complete, "not_gone": _not_gone,
}  # fmt: skip
PLAIN = tuple(name for name in _MARKS if name != "not_gone")
"""The rules that a file names by a word alone."""


def _age(claim: Claim) -> float:
    # Whoever parses threadline.yaml does without the store.
    from threadline.store.database import moment

    at = moment(claim.at)
    return -at.timestamp() if at else float("inf")


def by_weight(claims: Iterable[Claim]) -> list[Claim]:
    """Return who says a value, the weightiest first: who still says it, is sure of it, and was changed last."""
    return sorted(claims, key=lambda claim: (claim.ended, not claim.verified, _age(claim), claim.source, claim.external_id, claim.party))


def _plain(*names: str) -> tuple[Rule, ...]:
    return tuple(map(Rule, names))


_NOT_GONE = _plain("not_gone")
"""What comes before all else: what only records say that are gone is history."""
_PART = (Rule("with", field="formatted_name"), *_plain("most_said", "own_record", "most_complete"))
_WHERE = _plain("verified", "preferred", "most_said", "most_recent")
USUAL = Survivorship(
    _plain("verified", "preferred", "most_said", "own_record", "most_complete"),
    {
        "given_name": _PART,
        "family_name": _PART,
        "email": _WHERE,
        "phone": _WHERE,
        "address": _plain("most_said", "most_recent"),
        "status": _plain("most_said", "most_recent"),
        "preference": _plain("most_recent"),
    },
)
"""What holds where nothing else is said."""


def read_survivorship(document: Document, sources: Collection[str] | None = None) -> Survivorship:
    """Read `survivorship` of a file that `read_rules` takes; ConfigError with file:line for what is wrong.

    `sources` are those of the project, where they are known.
    """
    at: Location = ("survivorship",)
    given = document.check_keys(at, document.value.get("survivorship") or {}, ("usual", "fields"), "`survivorship`")
    entries = document.check_keys((*at, "fields"), given.get("fields") or {}, FIELDS, "`fields`")
    reader = _Reader(document, sources)
    own = {name: reader.rules((*at, "fields", name), value, name) for name, value in entries.items()}
    # Fields that a file leaves out keep their rules, unless it says itself what is usual.
    usual, fields = (reader.rules((*at, "usual"), given["usual"]), own) if "usual" in given else (USUAL.usual, {**USUAL.fields, **own})
    for name in own:
        if name in _needed(name, fields):
            raise document.error((*at, "fields", name), f"{name} is chosen with a field that is itself chosen with {name}")
    return Survivorship(usual, fields)


def _needed(name: str, fields: Mapping[str, tuple[Rule, ...]]) -> set[str]:
    """Return the fields that must be chosen before this one."""
    needed, todo = set[str](), [name]
    while todo:
        further = {rule.field for rule in fields.get(todo.pop(), ()) if rule.field} - needed
        needed |= further
        todo += further
    return needed


class _Reader:
    """Reads the rules of one file."""

    def __init__(self, document: Document, sources: Collection[str] | None) -> None:
        self._document = document
        self._sources = sources

    def rules(self, at: Location, value: Any, name: str | None = None) -> tuple[Rule, ...]:
        """Read the rules of a field, or the usual ones."""
        if not is_list(value) or not value:
            raise self._document.error(at, f"the rules of a field are a list of: {', '.join(PLAIN)}, {{sources: [...]}}, {{with: field}}")
        found = tuple(self._rule((*at, index), one, name) for index, one in enumerate(value))
        for index, one in enumerate(found):
            if one in found[:index]:
                raise self._document.error((*at, index), f"`{one}` stands here twice")
        return found

    def _rule(self, at: Location, value: Any, name: str | None) -> Rule:
        word: Any = next(iter(value)) if is_mapping(value) and len(value) == 1 else value
        given = None if word is value else value[word]
        if not isinstance(word, str):
            raise self._document.error(at, f"a rule is a word, {{sources: [...]}} or {{with: field}}, not {kind_of(word)}")
        if word == "sources":
            return Rule(word, self._named((*at, word), given))
        if word == "with":
            return Rule(word, field=self._other((*at, word), given, name))
        if word not in PLAIN:
            raise self._document.error(at, f"no rule named {word!r}{nearest(word, (*PLAIN, 'sources', 'with'))}")
        if given is not None:
            raise self._document.error(at, f"`{word}` takes nothing: write the word alone")
        return Rule(word)

    def _named(self, at: Location, value: Any) -> tuple[str, ...]:
        if not is_list(value) or not value or not all(isinstance(one, str) for one in value):
            raise self._document.error(at, "`sources` is a list of names of sources, the most trusted first")
        for index, one in enumerate(value):
            if self._sources is not None and one not in self._sources:
                raise self._document.error((*at, index), f"no source named {one!r} in threadline.yaml{nearest(one, self._sources)}")
        return tuple(value)

    def _other(self, at: Location, value: Any, name: str | None) -> str:
        if name is None:
            raise self._document.error(at, "`with` belongs to a field of its own, not to what is usual")
        if value not in FIELDS or value == name:
            others = [one for one in FIELDS if one != name]
            raise self._document.error(at, f"`with` names another field{nearest(str(value or ''), others)}")
        return str(value)


__all__ = ["FIELDS", "PLAIN", "USUAL", "Choice", "Claim", "Rule", "Said", "Survivorship", "by_weight", "read_survivorship"]
