"""Which values join records to one customer, and what keeps them apart: docs/identity.md, `mappings/identity.yaml`."""

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import cache
from typing import Any, Literal

from msgspec import Struct, field

from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, nearest

Names = Literal["any", "alike", "same"]
"""What names must be to each other where a value is shared: anything, not different, or the same."""

INBOX = "inbox"
"""The kind of an identifier that stands for an e-mail address which an alias reaches: it joins as the address does."""
_MOST = 1_000
_WORDS = re.compile(r"[^\W\d_]+")
_WAYS = ("dots", "plus")
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
    nobody: tuple[str, ...] = ()
    """Patterns (* and ?) of values that name nobody."""
    roles: tuple[str, ...] = ()
    """Words in the local parts of addresses that several people read: there names must be the same."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Domains whose addresses reach one inbox however they are written: with any `dots`, or anything behind a `plus`."""

    def __hash__(self) -> int:
        return hash((self.names, self.people, self.records, self.nobody, self.roles))


_NOBODY = ("none", "no", "na", "n.a", "nomail", "noemail", "no-email", "no.email", "unknown", "nobody", "anonymous", "test", "xxx")
_MACHINES = ("noreply", "no-reply", "no_reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster")
_ROLES = (
    "admin", "billing", "booking", "buchhaltung", "contact", "customerservice", "einkauf", "family", "familie", "hello", "help", "hr",
    "info", "invoice", "kontakt", "mail", "marketing", "office", "orders", "post", "reception", "sales", "service", "shop", "support",
    "team", "verkauf",
)  # fmt: skip

_ALIASES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("gmail.com", "googlemail.com"), _WAYS),
    **dict.fromkeys(("outlook.com", "hotmail.com", "live.com", "icloud.com", "proton.me", "protonmail.com", "fastmail.com"), ("plus",)),
}

_USUAL: Mapping[str, Rule] = {
    "threadline": Rule(),
    "handle": Rule(),
    "other": Rule(),
    "email": Rule("alike", nobody=tuple(f"{name}@*" for name in (*_NOBODY, *_MACHINES)), roles=_ROLES, aliases=_ALIASES),
    "phone": Rule("same"),
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
    return bool(rule.nobody) and _any_of(rule.nobody).match(value) is not None


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))


def _is_made_up(number: str) -> bool:
    tail = number[-_TAIL:]
    return len(set(tail)) == 1 or tail in _SEQUENCE or tail in _SEQUENCE[::-1]


def names_needed(rule: Rule, kind: str, value: str) -> Names:
    """Return what names must be to each other among those who hold this very value."""
    if kind in ("email", INBOX) and rule.roles:
        local = value.partition("@")[0].partition("+")[0]
        return rule.names if set(_WORDS.findall(local)).isdisjoint(rule.roles) else "same"
    return rule.names


def inbox_of(rule: Rule, address: str) -> str | None:
    """Return the address that an alias reaches, in its plainest form; None where the address is that itself."""
    local, _, domain = address.partition("@")
    ways = rule.aliases.get(domain, ())
    plain = local.partition("+")[0] if "plus" in ways else local
    plain = plain.replace(".", "") if "dots" in ways else plain
    return f"{plain}@{domain}" if plain and plain != local else None


_TOP = ("version", "identifiers", "most_records", "survivorship")
_RULE = ("names", "people", "records", "nobody", "roles", "aliases")


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
        _texts(document, given, "nobody", at),
        _texts(document, given, "roles", at),
        _aliases(document, given, at),
    )


def _number(document: Document, given: Mapping[str, Any], name: str, at: Location, usual: int) -> int:
    value = given.get(name, usual)
    if type(value) is not int or not 1 <= value <= _MOST:
        raise document.error((*at, name), f"`{name}` is a whole number from 1 to {_MOST:,}")
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


__all__ = ["INBOX", "USUAL", "Names", "Rule", "Rules", "inbox_of", "names_needed", "names_nobody", "read_rules"]
