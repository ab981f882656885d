"""Guests of a group of hotels, as its six systems know them: made in another way than `channels`, by other names, customs and mistakes."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from benchmarks.identity.channels import Labelled
from benchmarks.identity.lands import LANDS, Land
from benchmarks.identity.people import plain
from threadline.identity.matching.person import Address, Person


@dataclass(frozen=True, slots=True)
class Habits:
    """How often people and systems do what makes them hard to tell apart: each a share of those whom it concerns."""

    companions: float = 0.6
    """Parties that travel together under one home: couples, families, flat-shares."""
    flat_shares: float = 0.15
    """Of those, the ones whose members are no kin."""
    partners_values: float = 0.08
    """Bookings under a companion's address or number."""
    joint_inboxes: float = 0.15
    landlines: float = 0.35
    agencies: float = 0.05
    """Bookings by a travel agency, which leaves its own address and number."""
    switchboards: float = 0.08
    """Of those who work in a company, calls from its one number."""
    recycled: float = 0.03
    namesakes: float = 0.02
    """Of those who live with others, called as one of them is."""
    made_up: float = 0.03
    """Addresses and numbers that mean none."""
    unnamed_calls: float = 0.45
    unnamed_mails: float = 0.30
    changed_names: float = 0.06
    moved: float = 0.12
    slips: float = 0.05
    """Letters and digits, of names and dates."""
    short_names: float = 0.12
    blanks: float = 0.15
    visits: float = 1.0
    """Times that a system knows somebody whom it knows."""
    lands: tuple[str, ...] = tuple(LANDS)


@dataclass(slots=True)
class Guest:
    """One person; the last family name, number and home is today's."""

    number: int
    land: Land
    given: str
    families: list[str]
    born: date
    homes: list[Address]
    mobiles: list[str]
    emails: list[str]
    landline: str | None = None
    joint: str | None = None
    company: tuple[str, str] | None = None
    """Domain and number."""
    handle: str | None = None
    companions: list["Guest"] = field(default_factory=list["Guest"])


def guests(size: int, seed: int = 1, habits: Habits | None = None) -> Labelled:
    """Return so many records, about four of each person."""
    chance = random.Random(f"guests {seed}")
    made, desk = Labelled([], []), Clerk(chance, habits or Habits())
    for guest in _arrivals(chance, desk.habits):
        for _ in range(desk.visits()):
            for system, share in SHARES.items():
                if chance.random() < share:
                    made.people.append(SYSTEMS[system](desk, guest, f"g{len(made.people)}".encode()))
                    made.truth.append(str(guest.number))
        if len(made.people) >= size:
            return Labelled(made.people[:size], made.truth[:size])
    raise AssertionError  # guests never end


def _arrivals(chance: random.Random, habits: Habits) -> Iterator[Guest]:
    number, spare, companies = 0, list[str](), list[tuple[str, str]]()
    while True:
        party = _party(chance, habits)
        for guest in party:
            guest.number, number = number, number + 1
            guest.companions = [one for one in party if one is not guest]
            if spare and chance.random() < habits.recycled:
                guest.mobiles.append(spare.pop(0))
            if chance.random() < 0.15:
                spare.append(guest.mobiles[0])
                guest.mobiles.append(guest.land.mobile(chance))
            if chance.random() < 0.3:
                if not companies or chance.random() < 0.15:
                    companies.append((f"{chance.choice(guest.land.families).lower()}-{chance.randrange(900)}.com", guest.land.line(chance)))
                guest.company = chance.choice(companies[-20:])
            yield guest


def _party(chance: random.Random, habits: Habits) -> list[Guest]:
    land = LANDS[chance.choice(habits.lands)]
    family, home = land.family(chance), land.home(chance)
    line = land.line(chance) if chance.random() < habits.landlines else None
    first = _guest(chance, land, family, home, 20 + chance.randrange(60))
    party, kin = [first], chance.random() >= habits.flat_shares
    if chance.random() < habits.companions:
        for place in range(1 + min(3, int(chance.expovariate(1.0)))):
            age = 2026 - first.born.year + (chance.randrange(-5, 6) if place == 0 or not kin else -chance.randrange(20, 40))
            called = family if kin and chance.random() < 0.85 else land.family(chance)
            guest = _guest(chance, land, called, home, max(16, age))
            if all(one.given != guest.given for one in party) or chance.random() < habits.namesakes:
                party.append(guest)
    joint = f"{plain(family)}.{chance.choice(('home', 'fam', 'casa', 'due', 'us'))}{chance.randrange(99)}@{chance.choice(land.domains)}"
    shares = kin and len(party) > 1 and chance.random() < habits.joint_inboxes
    for guest in party:
        guest.landline, guest.joint = line, joint if shares else None
        if chance.random() < habits.changed_names:
            guest.families.append(land.family(chance))
        if chance.random() < habits.moved:
            guest.homes.append(land.home(chance))
    return party


def _guest(chance: random.Random, land: Land, family: str, home: Address, age: int) -> Guest:
    given = chance.choice(land.given)
    born = date(2026 - age, 1, 1) + timedelta(days=chance.randrange(365))
    name, surname = plain(given), plain(family)
    digits = chance.randrange(1, 9999)
    forms = (
        f"{name}.{surname}{digits}",
        f"{surname}{name[0]}{digits}",
        f"{name}_{surname}.{born.year % 100:02d}{digits % 100}",
        f"{name[:3]}{surname[:4]}{digits}",
    )
    emails = [f"{chance.choice(forms)}@{chance.choice(land.domains)}" for _ in range(1 + (chance.random() < 0.25))]
    handle = f"x:{chance.choice(forms).replace('.', '')}" if chance.random() < 0.4 else None
    return Guest(0, land, given, [family], born, [home], [land.mobile(chance)], emails, handle=handle)


MADE_UP_MAIL = ("noemail@hotel.com", "unknown@unknown.com", "a@a.com", "no@mail.com", "guest@guest.com", "test@hotel.com")
MADE_UP_PHONE = ("+39000000000", "+3499999999", "+31123456789", "+46700000000", "+90000000000")
AGENCIES = tuple(
    (f"{word}@{name}.travel", f"+3491555{number:04d}")
    for number, (word, name) in enumerate(
        (word, name)
        for word in ("reservas", "booking", "bookings", "groups", "reservations", "prenotazioni")
        for name in ("sunways", "viaggio", "globetour", "reisen4u")
    )
)


class Clerk:
    """Writes guests down, in haste."""

    def __init__(self, chance: random.Random, habits: Habits) -> None:
        self.chance, self.habits = chance, habits
        self.happens: Callable[[float], bool] = lambda share: chance.random() < share

    def visits(self) -> int:
        """Return how often somebody comes."""
        return 1 + min(3, int(self.chance.expovariate(1 / self.habits.visits) * 0.7)) if self.habits.visits else 1

    def parts(self, guest: Guest) -> tuple[str, str]:
        """Return given and family name."""
        given, family = guest.given, self.chance.choice(guest.families)
        if self.happens(self.habits.short_names):
            given = self.chance.choice((guest.land.short.get(given, given), f"{given[0]}.", given))
        return self.slip(given), self.slip(family)

    def whole(self, guest: Guest) -> str:
        """Return a name in one of the ways in which people write theirs."""
        given, family = self.parts(guest)
        forms = (
            f"{given} {family}",
            f"{given} {family}",
            f"{given} {family}",
            f"{family} {given}",
            f"{family.upper()}, {given}",
            f"{given.lower()} {family.lower()}",
            f"{self.chance.choice(('Mr', 'Ms', 'Sig.', 'Sra.', 'Dr.'))} {given} {family}",
        )
        return self.chance.choice(forms)

    def slip(self, text: str) -> str:
        """Return a text, sometimes with one letter wrong, or without its accents."""
        if not text.isascii() and self.happens(0.3):
            from anyascii import anyascii

            text = anyascii(text)
        if len(text) < 3 or not self.happens(self.habits.slips):
            return text
        place = self.chance.randrange(1, len(text))
        return text[:place] + self.chance.choice(
            (text[place + 1 :], text[place] + text[place:], self.chance.choice("aeinrst") + text[place + 1 :])
        )

    def born(self, guest: Guest) -> tuple[str, ...]:
        """Return a birth date."""
        if self.happens(self.habits.blanks):
            return ()
        if self.happens(self.habits.made_up):
            return (self.chance.choice(("1900-01-01", "1970-01-01", "1900-01-01")),)
        born = guest.born
        if born.day <= 12 and self.happens(self.habits.slips / 3):
            born = born.replace(day=born.month, month=born.day)
        if self.happens(self.habits.slips / 3):
            born += timedelta(days=self.chance.choice((-10, -1, 1, 10)))
        return (born.isoformat(),)

    def email(self, guest: Guest, booking: bool = False) -> tuple[str, ...]:
        """Return the address that is given."""
        if self.happens(self.habits.made_up):
            return (self.chance.choice(MADE_UP_MAIL),)
        if guest.joint and self.happens(0.4):
            return (guest.joint,)
        giver = self.giver(guest) if booking else guest
        if giver.company and self.happens(0.3):
            return (f"{plain(giver.given)}.{plain(giver.families[0])}{giver.number}@{giver.company[0]}",)
        local, _, domain = self.chance.choice(giver.emails).partition("@")
        return (f"{local}+hotel@{domain}" if self.happens(0.04) else f"{local}@{domain}",)

    def phone(self, guest: Guest, booking: bool = False) -> tuple[str, ...]:
        """Return the number that is given, or calls."""
        if self.happens(self.habits.made_up):
            return (self.chance.choice(MADE_UP_PHONE),)
        if guest.company and self.happens(self.habits.switchboards):
            return (guest.company[1],)
        if guest.landline and self.happens(0.35):
            return (guest.landline,)
        giver = self.giver(guest) if booking else guest
        return (self.chance.choice(giver.mobiles),)

    def giver(self, guest: Guest) -> Guest:
        """Return whose address or number a booking is under."""
        others = guest.companions
        return self.chance.choice(others) if others and self.happens(self.habits.partners_values) else guest

    def home(self, guest: Guest) -> tuple[Address, ...]:
        """Return a postal address, in parts or with the number in the street."""
        if self.happens(self.habits.blanks):
            return ()
        lives = self.chance.choice(guest.homes)
        street, city = self.slip(lives.street), self.slip(lives.city)
        if self.happens(0.4):
            return (Address(f"{street} {lives.house_number}", "", city, lives.post_code.replace(" ", ""), "", lives.country),)
        return (Address(street, lives.house_number, city.upper() if self.happens(0.2) else city, lives.post_code, "", lives.country),)


def _booking(desk: Clerk, guest: Guest, number: bytes) -> Person:
    given, family = desk.parts(guest)
    emails, phones = desk.email(guest, booking=True), desk.phone(guest, booking=True) if desk.happens(0.7) else ()
    if desk.happens(desk.habits.agencies):
        emails, phones = tuple((value,) for value in desk.chance.choice(AGENCIES))
    return Person(
        id=number, sources=("bookings",), given_names=(given,), family_names=(family,), emails=emails, phones=phones,
    )  # fmt: skip


def _registration(desk: Clerk, guest: Guest, number: bytes) -> Person:
    given, family = desk.parts(guest)
    return Person(
        id=number, sources=("registration",), given_names=(given,), family_names=(family,), birth_dates=desk.born(guest),
        addresses=desk.home(guest), phones=desk.phone(guest) if desk.happens(0.3) else (),
    )  # fmt: skip


def _loyalty(desk: Clerk, guest: Guest, number: bytes) -> Person:
    return Person(
        id=number, sources=("loyalty",), formatted_names=(desk.whole(guest),), birth_dates=desk.born(guest), addresses=desk.home(guest),
        emails=desk.email(guest), phones=desk.phone(guest) if desk.happens(0.6) else (),
    )  # fmt: skip


def _call(desk: Clerk, guest: Guest, number: bytes) -> Person:
    named = () if desk.happens(desk.habits.unnamed_calls) else (desk.whole(guest),)
    return Person(id=number, sources=("calls",), formatted_names=named, phones=desk.phone(guest))


def _chat(desk: Clerk, guest: Guest, number: bytes) -> Person:
    handles = (guest.handle,) if guest.handle else ()
    return Person(
        id=number, sources=("chat",), formatted_names=(desk.whole(guest),), handles=handles, emails=() if handles else desk.email(guest),
    )  # fmt: skip


def _newsletter(desk: Clerk, guest: Guest, number: bytes) -> Person:
    named = () if desk.happens(desk.habits.unnamed_mails) else (desk.whole(guest),)
    return Person(id=number, sources=("newsletter",), formatted_names=named, emails=desk.email(guest))


SYSTEMS: Mapping[str, Callable[[Clerk, Guest, bytes], Person]] = {
    "bookings": _booking, "registration": _registration, "loyalty": _loyalty, "calls": _call, "chat": _chat, "newsletter": _newsletter,
}  # fmt: skip
SHARES = {"bookings": 0.6, "registration": 0.5, "loyalty": 0.4, "calls": 0.35, "chat": 0.2, "newsletter": 0.35}
