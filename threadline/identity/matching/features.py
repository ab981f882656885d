"""What of a person is compared: each value in the one form in which spelling, order and abbreviation no longer matter."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct

from threadline.identity.matching.names import Name, parse_name, split_name, words
from threadline.identity.matching.person import Address, Person
from threadline.identity.names import folded
from threadline.identity.rules import USUAL, Rules, own_value
from threadline.identity.vocabulary import NO_BIRTHS, STREETS

_SHORTEST_NICK, _LEAST_OWN = 5, 3
_NO_BIRTHS = frozenset(birth.replace("-", "") for birth in NO_BIRTHS)
_COLUMNS_OF_ADDRESS = ("street", "house", "post_code", "city")


class Features(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A person as compared; a column of several values has all of them, its singular the best known one."""

    given: str | None = None
    givens: tuple[str, ...] = ()
    nicknames: tuple[str, ...] = ()
    """Every name that the given names may be short for, themselves included."""
    family: str | None = None
    families: tuple[str, ...] = ()
    birth: str | None = None
    """YYYYMMDD, or whatever digits there are."""
    births: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    """Birth dates with day and month changed about."""
    street: str | None = None
    house: str | None = None
    post_code: str | None = None
    city: str | None = None
    doors: tuple[str, ...] = ()
    """Whole addresses."""
    phone: str | None = None
    phones: tuple[str, ...] = ()
    account: str | None = None
    accounts: tuple[str, ...] = ()
    """E-mail addresses and handles."""
    nicks: tuple[str, ...] = ()
    """The name part of each account, where it is more than the person's own name."""
    source: str | None = None
    sources: tuple[str, ...] = ()
    """The systems that know the person."""


def features(person: Person, generic: frozenset[str] = frozenset(), rules: Rules = USUAL) -> Features:
    """Return what of a person is compared, without the values that name nobody by the rules, or are `generic`."""
    emails, phones, handles = (
        _unique(own for value in values if (own := _own(rules, kind, value)) and own not in generic)
        for kind, values in (("email", person.emails), ("phone", person.phones), ("handle", person.handles))
    )
    names = _names(person, emails)
    births = _unique(birth for birth in map(_birth, person.birth_dates) if birth)
    givens = _unique(spelling for name in names for spelling in (name.given, name.first) if spelling)
    # An initial says less than the name that it stands for.
    givens = tuple(spelling for spelling in givens if len(spelling) > 1) or givens
    families = _unique(part for name in names for part in (name.family, *name.family_parts) if part)
    nicks = _unique(nick for account in (*emails, *handles) if (nick := _nick(account, (*givens, *families))))
    street, house, post_code, city = _address(person.addresses[0]) if person.addresses else (None,) * len(_COLUMNS_OF_ADDRESS)
    return Features(
        given=givens[0] if givens else None,
        givens=givens,
        nicknames=_unique(called for name in names for called in name.nicknames),
        family=families[0] if families else None,
        families=families,
        birth=births[0] if births else None,
        births=births,
        turned=tuple(birth[:4] + birth[6:] + birth[4:6] for birth in births if len(birth) == 8),
        street=street,
        house=house,
        post_code=post_code,
        city=city,
        doors=_unique(door for door in map(_door, person.addresses) if door),
        phone=phones[0] if phones else None,
        phones=phones,
        account=next(iter((*emails, *handles)), None),
        accounts=_unique((*emails, *handles)),
        nicks=nicks,
        source=person.sources[0] if person.sources else None,
        sources=person.sources,
    )


def _names(person: Person, emails: Sequence[str]) -> list[Name]:
    given, family = person.given_names, person.family_names
    names: list[Name] = []
    for number in range(max(len(given), len(family))):
        one = given[number] if number < len(given) else ""
        other = family[number] if number < len(family) else ""
        names.append(split_name(one, other))
    names += [parse_name(text) for text in person.formatted_names]
    names = names or [name for name in map(_name_of, emails) if name]
    # Who is called Ana Lima is not called Lima Ana besides, though some systems write the family's name first.
    return [name.turned() if name.family and name.family == names[0].given else name for name in names]


def _name_of(email: str) -> Name | None:
    # Where nothing else tells a name, given.family@ does.
    parts = [part for part in email.partition("@")[0].replace("_", ".").replace("-", ".").split(".") if part.isalpha() and len(part) > 1]
    return split_name(parts[0], parts[-1]) if len(parts) > 1 else None


def _own(rules: Rules, kind: str, value: str) -> str | None:
    own = own_value(rules, kind, value)
    if own is None or kind != "email" or "+" not in own:
        return own
    # Most systems for mail deliver name+anything to name, whether the rules know of it or not.
    local, _, domain = own.partition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _nick(account: str, names: Iterable[str]) -> str | None:
    nick = "".join(filter(str.isalnum, account.rpartition("@")[0] or account.partition(":")[2]))
    rest = folded(nick)
    for name in sorted(names, key=len, reverse=True):
        rest = rest.replace(name, "", 1)
    return nick if len(nick) >= _SHORTEST_NICK and len(rest) >= _LEAST_OWN else None


@lru_cache(maxsize=100_000)
def _birth(value: str) -> str | None:
    digits = "".join(filter(str.isdigit, value))
    return digits if len(set(digits)) > 1 and digits not in _NO_BIRTHS else None


def _address(address: Address) -> tuple[str | None, str | None, str | None, str | None]:
    street, house = _street(address.street, address.house_number)
    post_code = "".join(filter(str.isalnum, address.post_code)).lower()
    return street or None, house or None, post_code or None, _place(address.city) or None


def _door(address: Address) -> str | None:
    street, house, post_code, city = _address(address)
    return f"{street} {house} {post_code or city}" if street and house and (post_code or city) else None


@lru_cache(maxsize=100_000)
def _street(street: str, house: str) -> tuple[str, str]:
    parts = list(words(street))
    if not house and parts:
        number = next((place for place in (-1, 0) if parts[place][0].isdigit()), None)
        house = parts.pop(number) if number is not None else ""
    return " ".join(map(_short, parts)), "".join(words(house))


def _short(word: str) -> str:
    for ending in ("strasse", "str"):
        if word.endswith(ending) and len(word) > len(ending):
            return f"{word.removesuffix(ending)}st"
    return STREETS.get(word, word)


@lru_cache(maxsize=100_000)
def _place(city: str) -> str:
    return "".join(words(city))


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
