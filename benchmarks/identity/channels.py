"""What six systems write down of people, with the errors that systems and people make; any number of records, the same for a seed."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from benchmarks.identity.names import NICKNAMES
from benchmarks.identity.people import Human, Society, plain, populate
from threadline.identity.matching.person import Address, Person

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hazards:
    """How often what goes wrong does, each a share of the values that it concerns."""

    missing: float = 0.12
    typos: float = 0.03
    nicknames: float = 0.10
    transliterations: float = 0.25
    """Of names beyond ASCII."""
    swapped_names: float = 0.01
    swapped_dates: float = 0.01
    wrong_digits: float = 0.01
    old_values: float = 0.5
    """Of values that changed (address, family name, number)."""
    aliases: float = 0.06
    """Plus-addresses."""
    family_values: float = 0.25
    """Family inboxes and landlines, where there are any."""
    role_inboxes: float = 0.03
    placeholders: float = 0.02
    initials: float = 0.03
    unnamed_mails: float = 0.15
    unnamed_calls: float = 0.4
    repeats: float = 0.12
    """Of those whom a system knows, the ones whom it knows twice."""
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    """Of all people, the ones whom each system knows."""
    society: Society = field(default_factory=Society)


@dataclass(frozen=True, slots=True)
class Labelled:
    """Profiles and, in the same order, the person that each is: what no matching may see."""

    people: list[Person]
    truth: list[str]


ROLES = ("info", "support", "sales", "office", "admin", "contact", "hello", "team")
NOBODY_MAIL = ("none@none.com", "test@test.com", "noreply@example.com", "na@na.com", "x@x.com")
NOBODY_PHONE = ("0000000000", "+10000000000", "+11111111111", "+1234567890", "+19999999999")
NOBODY_BIRTH = ("1900-01-01", "1970-01-01")
KEYS = {"a": "sqz", "e": "wr", "i": "uo", "o": "ip", "n": "bm", "r": "te", "s": "ad", "t": "ry", "l": "k", "m": "n"}


def generate(size: int, seed: int = 1, hazards: Hazards | None = None) -> Labelled:
    """Return so many records of six systems, about four of each person."""
    chance = random.Random(seed)
    writer, made = Writer(chance, hazards or Hazards()), Labelled([], [])
    for human in populate(chance, writer.hazards.society):
        for channel in writer.channels():
            if len(made.people) == size:
                return made
            made.people.append(CHANNELS[channel](writer, human, len(made.people).to_bytes(16)))
            made.truth.append(str(human.number))
    raise AssertionError  # people never end


class Writer:
    """Writes people down as systems do, errors and all."""

    def __init__(self, chance: random.Random, hazards: Hazards) -> None:
        self.chance, self.hazards, self.happens = chance, hazards, lambda rate: chance.random() < rate

    def channels(self) -> list[str]:
        """Return which systems know somebody, some of them twice."""
        found = [name for name, share in self.hazards.shares.items() if self.happens(share)] or ["mail"]
        return found + [name for name in found if self.happens(self.hazards.repeats)]

    def names(self, human: Human) -> tuple[str, str]:
        """Return a given and a family name as written this time."""
        given, family = human.given, self._one_of(human.families)
        if given in NICKNAMES and self.happens(self.hazards.nicknames):
            given = self.chance.choice(NICKNAMES[given].split())
        if self.happens(self.hazards.initials):
            given = given[0]
        given, family = self._spelled(given), self._spelled(family)
        return (family, given) if self.happens(self.hazards.swapped_names) else (given, family)

    def birth(self, human: Human) -> tuple[str, ...]:
        """Return a birth date as written this time."""
        if self.happens(self.hazards.missing):
            return ()
        if self.happens(self.hazards.placeholders):
            return (self.chance.choice(NOBODY_BIRTH),)
        born: date = human.birth
        if born.day <= 12 and self.happens(self.hazards.swapped_dates):
            born = born.replace(day=born.month, month=born.day)
        text = born.isoformat()
        if self.happens(self.hazards.wrong_digits):
            place = self.chance.choice((3, 6, 9))
            text = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
        return (text,)

    def email(self, human: Human) -> tuple[str, ...]:
        """Return an e-mail address as given this time."""
        if human.employer and self.happens(self.hazards.role_inboxes):
            return (f"{self.chance.choice(ROLES)}@{human.employer[:6]}.com",)
        if self.happens(self.hazards.placeholders):
            return (self.chance.choice(NOBODY_MAIL),)
        if human.household.inbox and self.happens(self.hazards.family_values):
            return (human.household.inbox,)
        work = [f"{plain(human.given)}.{plain(human.families[0])}@{human.employer}"] if human.employer else []
        known = [*human.emails, *work]
        if not known:
            return ()
        local, _, domain = self.chance.choice(known).partition("@")
        return (
            f"{local}+{self.chance.choice(('shop', 'news', 'web'))}@{domain}"
            if self.happens(self.hazards.aliases)
            else f"{local}@{domain}",
        )

    def phone(self, human: Human) -> tuple[str, ...]:
        """Return a phone number as given this time."""
        if self.happens(self.hazards.placeholders):
            return (self.chance.choice(NOBODY_PHONE),)
        line = human.household.landline
        if line and (not human.mobiles or self.happens(self.hazards.family_values)):
            return (line,)
        return (self._one_of(human.mobiles),) if human.mobiles else ()

    def address(self, human: Human) -> tuple[Address, ...]:
        """Return a postal address as written this time."""
        if self.happens(self.hazards.missing):
            return ()
        lives = self._one_of(human.household.addresses)
        spelled = {name: self._spelled(getattr(lives, name)) for name in ("street", "city")}
        code = self._typed(lives.post_code) if self.happens(self.hazards.wrong_digits) else lives.post_code
        return (Address(spelled["street"], lives.house_number, spelled["city"], code, lives.region, lives.country),)

    def maybe(self, values: tuple[str, ...], share: float) -> tuple[str, ...]:
        """Return the values in a share of all cases, nothing otherwise."""
        return values if self.happens(share) else ()

    def _one_of(self, values: list[T]) -> T:
        return values[-1] if len(values) > 1 and self.happens(self.hazards.old_values) else values[0]

    def _spelled(self, text: str) -> str:
        if not text.isascii() and self.happens(self.hazards.transliterations):
            from anyascii import anyascii

            text = anyascii(text) if self.happens(0.5) else anyascii(text.translate(_GERMAN))
        return self._typed(text) if self.happens(self.hazards.typos) else text

    def _typed(self, text: str) -> str:
        place = self.chance.randrange(len(text))
        before, letter, after = text[:place], text[place], text[place + 1 :]
        other = KEYS.get(letter, "eaoinr9").replace(letter, "")
        return (
            self.chance.choice(
                (
                    before + after,
                    before + letter * 2 + after,
                    before + self.chance.choice(other) + after,
                    before + after[:1] + letter + after[1:],
                )
            )
            or text
        )


_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Ö": "Oe", "Ü": "Ue", "Ä": "Ae"})


def _crm(write: Writer, human: Human, number: bytes) -> Person:
    given, family = write.names(human)
    return Person(
        id=number, sources=("crm",), given_names=(given,), family_names=(family,), birth_dates=write.birth(human),
        addresses=write.address(human), emails=write.maybe(write.email(human), 0.8), phones=write.maybe(write.phone(human), 0.7),
    )  # fmt: skip


def _shop(write: Writer, human: Human, number: bytes) -> Person:
    given, family = write.names(human)
    return Person(
        id=number, sources=("shop",), given_names=(given,), family_names=(family,), birth_dates=write.maybe(write.birth(human), 0.4),
        addresses=write.address(human), emails=write.email(human), phones=write.maybe(write.phone(human), 0.5),
    )  # fmt: skip


def _desk(write: Writer, human: Human, number: bytes) -> Person:
    name = " ".join(write.names(human))
    return Person(
        id=number, sources=("desk",), formatted_names=(name,), emails=write.maybe(write.email(human), 0.9),
        phones=write.maybe(write.phone(human), 0.45),
    )  # fmt: skip


def _mail(write: Writer, human: Human, number: bytes) -> Person:
    given, family = write.names(human)
    name = f"{family}, {given}" if write.happens(0.1) else f"{given} {family}"
    return Person(
        id=number,
        sources=("mail",),
        formatted_names=write.maybe((name,), 1 - write.hazards.unnamed_mails),
        emails=write.email(human) or (f"{plain(given)}{human.number}@web.de",),
    )


def _social(write: Writer, human: Human, number: bytes) -> Person:
    name = " ".join(write.names(human))
    home = human.household.addresses[0]
    places = (Address(city=home.city, country=home.country),) if write.happens(0.5) else ()
    return Person(
        id=number,
        sources=("social",),
        formatted_names=(name,),
        handles=(human.handle or f"x:{plain(human.given)}{human.number}",),
        addresses=places,
    )


def _voice(write: Writer, human: Human, number: bytes) -> Person:
    name, phones = " ".join(write.names(human)), write.phone(human)
    return Person(
        id=number,
        sources=("voice",),
        formatted_names=write.maybe((name,), 1 - write.hazards.unnamed_calls),
        phones=phones,
        birth_dates=write.maybe(write.birth(human), 0.35),
    )


CHANNELS: Mapping[str, Callable[[Writer, Human, bytes], Person]] = {
    "crm": _crm, "desk": _desk, "mail": _mail, "social": _social, "shop": _shop, "voice": _voice,
}  # fmt: skip
SHARES = {"crm": 0.7, "desk": 0.5, "mail": 0.55, "social": 0.15, "shop": 0.65, "voice": 0.4}
