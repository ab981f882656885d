"""Make-believe people in households: who they are, before any system writes them down."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from benchmarks.identity.names import COUNTRIES, STREETS, TOWNS, Names, words
from threadline.identity.matching.person import Address

_TODAY = date(2026, 1, 1)
_MAIL_DOMAINS = words("gmail.com yahoo.com outlook.com icloud.com gmx.de web.de orange.fr hotmail.co.uk proton.me aol.com")
_WORDS = words("blue red sky fox owl star moon sun river cat wolf lime bike sail tea jazz pixel north ruby echo")


@dataclass(slots=True)
class Household:
    """What those who live together share; the first address is today's."""

    addresses: list[Address]
    landline: str | None
    inbox: str | None


@dataclass(slots=True)
class Human:
    """One person; the first family name, e-mail and mobile number is today's."""

    number: int
    given: str
    families: list[str]
    birth: date
    household: Household
    emails: list[str] = field(default_factory=list[str])
    mobiles: list[str] = field(default_factory=list[str])
    handle: str | None = None
    employer: str | None = None


@dataclass(frozen=True, slots=True)
class Society:
    """How people live: each a share of those whom it concerns."""

    couples: float = 0.55
    children: float = 0.45
    twins: float = 0.04
    juniors: float = 0.04
    """Sons with the father's whole name."""
    landlines: float = 0.45
    family_inboxes: float = 0.08
    married_names: float = 0.12
    moved: float = 0.15
    new_number: float = 0.15
    recycled_numbers: float = 0.02
    """Mobile numbers that were somebody else's before."""
    employed: float = 0.25
    handles: float = 0.5


def populate(chance: random.Random, society: Society) -> Iterator[Human]:
    """Yield people without end, household by household."""
    names, spare, number = Names(chance), list[str](), 0
    while True:
        for human in _household(chance, society, names):
            human.number = number
            number += 1
            _reach(chance, society, human, spare)
            yield human


def _household(chance: random.Random, society: Society, names: Names) -> list[Human]:
    family, draw = names.family(), chance.random
    home = [_address(chance)]
    if draw() < society.moved:
        home.append(_address(chance))
    inbox = f"{plain(family)}.family{int(draw() * 1e4)}@{chance.choice(_MAIL_DOMAINS)}" if draw() < society.family_inboxes else None
    household = Household(home, _phone(chance, home[0].country) if draw() < society.landlines else None, inbox)
    sex, age = ("f" if draw() < 0.5 else "m"), int(20 + 65 * draw() ** 1.3)
    people = [Human(0, names.given(sex), [family], _birthday(chance, age), household)]
    if draw() >= society.couples:
        return people
    other = Human(0, names.given("m" if sex == "f" else "f"), [family], _birthday(chance, max(19, age + int(8 * draw()) - 4)), household)
    wife, maiden = (people[0] if sex == "f" else other), draw()
    if maiden < society.married_names:
        wife.families.append(names.family())
    elif maiden < 2 * society.married_names:
        wife.families = [names.family()]
    people.append(other)
    if age > 38 and draw() < society.children:
        people += _children(chance, society, names, people[0], father=people[0] if sex == "m" else other)
    return people


def _children(chance: random.Random, society: Society, names: Names, parent: Human, father: Human) -> list[Human]:
    children: list[Human] = []
    for _ in range(1 + int(2.5 * chance.random())):
        sex = "f" if chance.random() < 0.5 else "m"
        given, birth = names.given(sex), _birthday(chance, max(16, (_TODAY.year - parent.birth.year) - 22 - int(10 * chance.random())))
        if sex == "m" and chance.random() < society.juniors and all(child.given != father.given for child in children):
            given = father.given
        if children and chance.random() < society.twins:
            birth = children[-1].birth
        if all(child.given != given for child in children):
            children.append(Human(0, given, [father.families[0]], birth, parent.household))
    return children


def _reach(chance: random.Random, society: Society, human: Human, spare: list[str]) -> None:
    draw, country = chance.random, human.household.addresses[0].country
    given, family = plain(human.given), plain(human.families[-1])
    if draw() < 0.92:
        human.emails.append(_email(chance, given, family, human.birth.year))
        if draw() < 0.3:
            human.emails.append(_email(chance, given, family, human.birth.year))
    if draw() < 0.9:
        human.mobiles.append(spare.pop() if spare and draw() < 2 * society.recycled_numbers else _phone(chance, country))
        if draw() < society.new_number:
            human.mobiles.append(_phone(chance, country))
            spare.append(human.mobiles[-1])
    if draw() < society.handles:
        nick = f"{given}{family[:3]}" if draw() < 0.4 else chance.choice(_WORDS) + chance.choice(_WORDS)
        human.handle = f"x:{nick}{int(draw() * 10**6)}"
    if draw() < society.employed:
        human.employer = f"{chance.choice(_WORDS)}{chance.choice(_WORDS)}{int(draw() * 10**4)}.com"


def _email(chance: random.Random, given: str, family: str, year: int) -> str:
    end = str(int(chance.random() * 10**4)) if chance.random() < 0.7 else f"{year % 100:02d}"
    form = chance.choice((f"{given}.{family}{end}", f"{given[0]}{family}{end}", f"{given}{end}", f"{chance.choice(_WORDS)}{family}{end}"))
    return f"{form}@{chance.choice(_MAIL_DOMAINS)}"


def _address(chance: random.Random) -> Address:
    town, region, country = chance.choice(TOWNS)
    _, code, forms = COUNTRIES[country]
    place = int(chance.random() * 40)
    numbers = ((len(town) * 13 + place) % 90 + 10, place % 9) if country == "GB" else (10_000 + (len(town) * 7919 + place * 131) % 89_000,)
    street, house = chance.choice(STREETS), str(1 + int(chance.random() ** 2 * 180))
    road = chance.choice(forms.split("|")).replace("{n}", "").format(s=street).strip()
    return Address(road, house, town, code.format(*numbers), region, country)


def _phone(chance: random.Random, country: str) -> str:
    return COUNTRIES[country][0].format(
        int(200 + 700 * chance.random()) if country != "FR" else int(60 + 19 * chance.random()), int(1e6 + 8.9e6 * chance.random())
    )


def _birthday(chance: random.Random, age: int) -> date:
    return date(_TODAY.year - age, 1, 1) + timedelta(days=int(chance.random() * 365))


def plain(name: str) -> str:
    """Return a name in the letters of an e-mail address."""
    known = _PLAIN.get(name)
    if known is None:
        from anyascii import anyascii

        known = _PLAIN[name] = "".join(filter(str.isalnum, anyascii(name).lower()))
    return known


_PLAIN: dict[str, str] = {}
