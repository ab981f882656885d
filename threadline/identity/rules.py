"""Which values join records to one customer, and what keeps them apart: docs/identity.md, `mappings/identity.yaml`."""

import re
from collections.abc import Collection, Mapping
from fnmatch import translate
from functools import cache, lru_cache
from typing import Any, Literal

from msgspec import Struct, field

from threadline.identity.names import Name, writes
from threadline.identity.vocabulary import NOBODY, ROLES
from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, nearest

Names = Literal["any", "alike", "same"]
"""What names must be to each other where a value is shared: anything, not different, or the same."""

INBOX = "inbox"
"""The kind of an identifier that stands for an e-mail address which an alias reaches: it joins as the address does."""
_MOST = 1_000
_WORDS = re.compile(r"[^\W\d_]+")
_ANY_DOMAIN, _WILD = "@*", frozenset("*?[")
_WAYS = ("dots", "plus")
_OPEN = "fixed_line_or_mobile"
"""The type of a number whose country's plan does not tell more, as in North America."""
_SEQUENCE = "01234567890"
_TAIL = 7
"""Digits at the end of a phone number that are its own, in any country."""


class Rule(Struct, frozen=True):
    """How one kind of identifier joins those who hold it."""

    names: Names = "any"
    people: int = 5
    """Values that more people than this hold, told apart by their names, join nobody."""
    records: int = 50
    """Nor do values that more records hold."""
    per_customer: int = 0
    """How many different values of it, and of one source, a customer has at most, such as one membership; 0: any number."""
    nobody: tuple[str, ...] = ()
    """Patterns (* and ?) of values that name nobody."""
    roles: tuple[str, ...] = ()
    """Words in the local parts of addresses that several people read: there names must be the same."""
    unnamed: int = 1
    """How many records of one name hold a value before those without a name are taken for the same person; 0: they never are."""
    lines: tuple[str, ...] = ()
    """Types of phone lines, as libphonenumber tells them, that one person has; who calls by others nobody knows. Empty: all of them.

    A number that may be of a fixed line or a mobile one needs a named record more than `unnamed` says.
    """
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Domains whose addresses reach one inbox however they are written: with any `dots`, or anything behind a `plus`."""

    def __hash__(self) -> int:
        return hash((self.names, self.people, self.records, self.per_customer, self.nobody, self.roles, self.unnamed, self.lines))


_ALIASES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), _WAYS),
    **dict.fromkeys(("outlook.com", "hotmail.com", "live.com", "icloud.com", "proton.me", "protonmail.com", "fastmail.com"), ("plus",)),
}

_USUAL: Mapping[str, Rule] = {
    "threadline": Rule(),
    "handle": Rule(),
    "other": Rule(),
    "email": Rule("alike", nobody=NOBODY, roles=ROLES, aliases=_ALIASES),
    "phone": Rule("same", unnamed=2, lines=("mobile", _OPEN)),
}
"""By kind, the strongest first; `other` is any id of a source's own."""


class Rules(Struct, frozen=True):
    """All rules, by kind of identifier: the strongest evidence first."""

    identifiers: Mapping[str, Rule] = field(default_factory=lambda: _USUAL)
    most_records: int = 50
    """A profile grows no larger than this: whatever would join more is looked at by people first."""

    def of(self, kind: str) -> tuple[int, Rule]:
        """Return a kind's rank (0 is the strongest) and its rule."""
        name = "email" if kind == INBOX else kind if kind in self.identifiers else "other"
        return list(self.identifiers).index(name), self.identifiers[name]


USUAL = Rules()
"""What holds where nothing else is said."""


def names_nobody(rule: Rule, kind: str, value: str) -> bool:
    """Whether a value is one that people write who have none, or do not want to tell."""
    if kind == "phone" and _is_made_up(value):
        return True
    locals_, others = _nobody(rule.nobody)
    return value.partition("@")[0] in locals_ or (others is not None and others.match(value) is not None)


@cache
def _nobody(patterns: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """Return the local parts that patterns name as a whole, which is most of them, and what the others match."""
    plain = {pattern for pattern in patterns if pattern.endswith(_ANY_DOMAIN) and not _WILD.intersection(pattern[: -len(_ANY_DOMAIN)])}
    others = [translate(pattern) for pattern in patterns if pattern not in plain]
    return frozenset(pattern.removesuffix(_ANY_DOMAIN) for pattern in plain), re.compile("|".join(others)) if others else None


def _is_made_up(number: str) -> bool:
    tail = number[-_TAIL:]
    return len(set(tail)) == 1 or tail in _SEQUENCE or tail in _SEQUENCE[::-1]


def names_needed(rule: Rule, kind: str, value: str) -> Names:
    """Return what names must be to each other among those who hold this very value."""
    return "same" if kind in ("email", INBOX) and rule.roles and _is_role(rule.roles, value) else rule.names


def own_value(rules: Rules, kind: str, value: str) -> str | None:
    """Return a value in the form in which it tells who somebody is; None where it names nobody, or several people read it."""
    _, rule = rules.of(kind)
    if names_nobody(rule, kind, value) or (kind == "email" and rule.roles and _is_role(rule.roles, value)):
        return None
    return (inbox_of(rule, value) or value) if kind == "email" else value


def names_to_tell(rule: Rule, kind: str, value: str, names: Collection[Name], unnamed: int) -> int:
    """Return how many named records say who has a value where others hold it without a name; 0 where it may be somebody else's.

    `names` are those of its holders: an address that writes none of them but another one, or only a family's, is not theirs alone.
    `unnamed` of them have none.
    """
    if kind == "phone":
        if unnamed == 1 and 0 < len(names) < rule.unnamed:
            return rule.unnamed  # too few, whatever the line: most who call are known by one record
        line = line_type(value)
        if rule.lines and line not in rule.lines:
            return 0
        return rule.unnamed + (1 if rule.unnamed and line == _OPEN else 0)
    if kind in ("email", INBOX):
        local = value.partition("@")[0].partition("+")[0]
        told = {writes(local, name) for name in names}
        if ("no" in told and "yes" not in told) or names_needed(rule, kind, value) != rule.names:
            return 0
    return rule.unnamed


def _is_role(roles: tuple[str, ...], address: str) -> bool:
    """Whether several people read an address; acme@acme.com is one of a company."""
    local, _, domain = address.partition("@")
    local = local.partition("+")[0]
    return local == domain.partition(".")[0] or not _looked_up(roles).isdisjoint(_WORDS.findall(local))


@cache
def _looked_up(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(words)


@lru_cache(maxsize=10_000)
def line_type(number: str) -> str:
    """Return what kind of line a number in E.164 is, such as mobile or fixed_line; unknown where its country's plan does not say."""
    import phonenumbers

    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number, None))
    except phonenumbers.NumberParseException:
        return "unknown"
    return str(phonenumbers.PhoneNumberType.to_string(kind)).lower()


def inbox_of(rule: Rule, address: str) -> str | None:
    """Return the address that an alias reaches, in its plainest form; None where the address is that itself."""
    local, _, domain = address.partition("@")
    ways = rule.aliases.get(domain, ())
    plain = local.partition("+")[0] if "plus" in ways else local
    plain = plain.replace(".", "") if "dots" in ways else plain
    return f"{plain}@{domain}" if plain and plain != local else None


_TOP = ("version", "identifiers", "most_records", "survivorship")
_RULE = ("names", "people", "records", "per_customer", "nobody", "roles", "aliases", "unnamed", "lines")
_LINES = (
    "mobile", "fixed_line", "fixed_line_or_mobile", "voip", "personal_number", "uan", "toll_free", "shared_cost", "premium_rate", "pager",
    "voicemail", "unknown",
)  # fmt: skip


def read_rules(document: Document) -> Rules:
    """Read who is one customer from a rules file; ConfigError with file:line for what is wrong."""
    top = document.check_keys((), document.value or {}, _TOP, "the file")
    if top.get("version") != 1:
        raise document.error(("version",), "the rules of identity need `version: 1`")
    entries = document.check_keys(("identifiers",), top.get("identifiers") or {}, _kinds(top), "`identifiers`")
    rules = {name: _rule(document, ("identifiers", name), value or {}) for name, value in entries.items()}
    # Kinds that a file leaves out keep their usual rules, after those that it orders.
    return Rules(
        {**rules, **{name: rule for name, rule in _USUAL.items() if name not in rules}}, _number(document, top, "most_records", (), 50)
    )


def _kinds(top: Mapping[str, Any]) -> list[str]:
    given = top.get("identifiers")
    # An id of a source's own may be of any kind.
    return [*_USUAL, *(given if isinstance(given, dict) else ())]


def _rule(document: Document, at: Location, value: Any) -> Rule:
    given = document.check_keys(at, value, _RULE, f"the rule of {at[-1]!r}")
    names = given.get("names", "any")
    if names not in ("any", "alike", "same"):
        raise document.error((*at, "names"), f"`names` is one of any, alike, same{nearest(str(names), ('any', 'alike', 'same'))}")
    return Rule(
        names,
        _number(document, given, "people", at, 5),
        _number(document, given, "records", at, 50),
        _number(document, given, "per_customer", at, 0, least=0),
        _texts(document, given, "nobody", at),
        _texts(document, given, "roles", at),
        aliases=_aliases(document, given, at),
        unnamed=_number(document, given, "unnamed", at, 1, least=0),
        lines=_lines(document, given, at),
    )


def _lines(document: Document, given: Mapping[str, Any], at: Location) -> tuple[str, ...]:
    lines = _texts(document, given, "lines", at)
    if unknown := [line for line in lines if line not in _LINES]:
        raise document.error(
            (*at, "lines"), f"no type of phone line is called {unknown[0]!r}{nearest(unknown[0], _LINES)}: {', '.join(_LINES)}"
        )
    return lines


def _number(document: Document, given: Mapping[str, Any], name: str, at: Location, usual: int, least: int = 1) -> int:
    value = given.get(name, usual)
    if type(value) is not int or not least <= value <= _MOST:
        raise document.error((*at, name), f"`{name}` is a whole number from {least} to {_MOST:,}")
    return value


def _texts(document: Document, given: Mapping[str, Any], name: str, at: Location) -> tuple[str, ...]:
    value = given.get(name, [])
    if not is_list(value) or not all(isinstance(one, str) for one in value):
        raise document.error((*at, name), f"`{name}` is a list of texts")
    return tuple(one.lower() for one in value)


def _aliases(document: Document, given: Mapping[str, Any], at: Location) -> Mapping[str, tuple[str, ...]]:
    value: Any = given.get("aliases") or {}
    if not is_mapping(value):
        raise document.error((*at, "aliases"), "`aliases` names domains, each with a list of dots, plus")
    found = {domain.lower(): _texts(document, value, domain, (*at, "aliases")) for domain in value}
    for domain, ways in found.items():
        if not set(ways) <= set(_WAYS):
            raise document.error(
                (*at, "aliases", domain), f"an address may be written with any {' or '.join(_WAYS)}, not {', '.join(ways)}"
            )
    return found


__all__ = [
    "INBOX",
    "USUAL",
    "Names",
    "Rule",
    "Rules",
    "inbox_of",
    "names_needed",
    "names_nobody",
    "names_to_tell",
    "own_value",
    "read_rules",
]
