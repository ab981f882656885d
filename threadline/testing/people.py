"""The people of the make-believe company, and what each of its systems knows of them.

Nobody real is in here: addresses end in the domains that RFC 2606 reserves, and phone numbers come from the ranges that
Germany, France, the United Kingdom, Sweden and North America keep free for films.
"""

import random
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from threadline.testing.story import Person, Role

"""What a system is for; which name it has in threadline.yaml is the caller's choice."""
REGISTERS: tuple[Role, ...] = ("orders", "tickets", "crm")
"""The systems that keep a record of a person; the others only see an address or a handle."""

NETWORK = "x"
"""The social network's name in handles."""
REGION = "DE"
"""Where phone numbers without a country code belong (`region` in threadline.yaml)."""

GIVEN = (
    "Ana", "André", "Aoife", "Astrid", "Beatriz", "Björn", "Camille", "Céline", "Chiara", "Clara", "Dagný", "Daniel", "Diego", "Elif",
    "Emma", "Esra", "Eszter", "Fatou", "Felix", "Filip", "Freya", "Giulia", "Göran", "Hanna", "Håkon", "Inês", "Ingrid", "Iva",
    "Jakub", "Joana", "Jörg", "Jürgen", "Kateřina", "Kofi", "Lars", "Léa", "Lina", "Lucía", "Łukasz", "Maja", "Małgorzata", "Mara",
    "Marek", "Matteo", "Maximilian", "Mehmet", "Mia", "Nadia", "Niamh", "Nils", "Noé", "Nuno", "Oisín", "Oskar", "Paula", "Petra",
    "Priya", "Quinn", "Rafael", "René", "Rosa", "Sanna", "Şebnem", "Sofia", "Søren", "Sten", "Tadeusz", "Théo", "Tomáš", "Ute",
    "Vera", "Viktória", "Wanjiru", "Yusuf", "Zoë", "Živa",
)  # fmt: skip
FAMILY = (
    "Almeida", "Andersen", "Bauer", "Benedikt", "Bernard", "Bianchi", "Björk", "Brandt", "Byrne", "Castro", "Çelik", "Costa",
    "Czerny", "D'Angelo", "Dąbrowski", "Delacroix", "Demir", "Diallo", "Dubois", "Eriksson", "Fernández", "Fischer", "Fontaine",
    "García", "Götz", "Gruber", "Haas", "Hansen", "Horváth", "Iversen", "Jansen", "Jónsdóttir", "Kamau", "Keller", "Kowalczyk",
    "Krüger", "Kučera", "Laurent", "Lindqvist", "López", "Madsen", "Mäkinen", "Marino", "Martins", "Mensah", "Meyer", "Moreau",
    "Müller", "Murphy", "Nagy", "Navarro", "Neumann", "Novák", "Nowak", "O'Brien", "Olsen", "Öztürk", "Patel", "Pereira", "Petrović",
    "Quist", "Ramos", "Richter", "Rossi", "Sánchez", "Schäfer", "Schröder", "Silva", "Sjöberg", "Sørensen", "Steiner", "Strauß",
    "Svoboda", "Thomsen", "Tóth", "van Dijk", "Vogel", "Weiß", "Wójcik", "Yavuz", "Zimmermann", "Žižek",
)  # fmt: skip
OTHER_SCRIPTS = (
    ("Олена", "Коваленко", "olena kovalenko"),
    ("花子", "山田", "hanako yamada"),
    ("Γιώργος", "Παπαδόπουλος", "giorgos papadopoulos"),
    ("ليلى", "حداد", "layla haddad"),
    ("Димитър", "Иванов", "dimitar ivanov"),
    ("伟", "陈", "wei chen"),
    ("서연", "김", "seoyeon kim"),
    ("נועה", "לוי", "noa levi"),
)
STAFF = (("Jonas", "Weber"), ("Amina", "Kaya"), ("Klara", "Hoffmann"), ("Samuel", "Osei"), ("Birgit", "Lorenz"), ("Paolo", "Conti"))

MAIL_HOSTS = ("example.org", "example.com", "example.net", "mail.example.org", "post.example.net", "fjell.example.com")
COMPANY_HOST = "nordlicht.example"
FICTION_NUMBERS: Mapping[str, tuple[tuple[str, int], ...]] = {
    "49": (("30 23125", 3), ("69 90009", 3), ("40 66969", 3), ("221 4710", 3), ("89 99998", 3)),
    "33": (("1 9900", 4), ("2 6191", 4), ("3 5301", 4), ("4 6571", 4), ("5 3649", 4)),
    "44": (("20 79460", 3), ("113 4960", 3), ("161 4960", 3)),
    "1": (("202 55501", 2), ("212 55501", 2), ("312 55501", 2), ("415 55501", 2), ("617 55501", 2)),
    "46": (("8 465004", 2), ("31 39006", 2), ("40 62804", 2), ("70 17406", 2)),
}
"""Country code: (area and first digits, how many digits follow)."""

_LATIN = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "æ": "ae", "đ": "d", "ð": "d", "'": "", " ": ""})

CROWD: tuple[tuple[tuple[Role, ...], int], ...] = (
    (("orders", "mail"), 14),
    (("orders",), 14),
    (("orders", "mail", "tickets"), 14),
    (("orders", "tickets"), 13),
    (("orders", "mail", "crm"), 7),
    (("orders", "mail", "tickets", "crm"), 6),
    (("orders", "tickets", "social"), 10),
    (("orders", "tickets", "crm", "social"), 5),
    (("orders", "mail", "tickets", "crm", "social"), 5),
    (("tickets", "crm"), 3),
    (("mail",), 3),
    (("social",), 3),
    (("tickets",), 1),
    (("crm",), 1),
)
"""Which systems know a customer, and how many in a hundred customers are like that."""


@dataclass(frozen=True, slots=True)
class Known:
    """How one system knows a customer: spelled as it stands there, and which fields; `learned` are those that come later."""

    person: Person
    fields: tuple[str, ...]
    learned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer, and the systems that know them.

    A `traveller` is known widely enough for a full journey. A `stranger` has an account on X that no other system knows of.
    """

    person: Person
    known: Mapping[Role, Known]
    traveller: bool = False
    stranger: bool = False


def invent_customers(rng: random.Random, count: int) -> tuple[Customer, ...]:
    """Make up customers whose e-mail addresses, phone numbers and handles are theirs alone; names may be the same."""
    people = _people(rng, count)
    numbers = [person.number for person in people]
    travellers = set(rng.sample(numbers, max(12, count * 7 // 100)))
    roles = {number: _roles(rng, number in travellers) for number in numbers}
    on_x = [number for number in numbers if number not in travellers and "social" in roles[number] and len(roles[number]) > 1]
    strangers = set(rng.sample(on_x, min(len(on_x), max(2, count // 40))))
    changers = [number for number in numbers if {"orders", "crm", "mail"} <= set(roles[number])]
    two_addresses = set(rng.sample(changers, min(len(changers), max(2, count // 25))))
    taken = {person.email for person in people}
    return tuple(
        Customer(
            person,
            _acquaintance(
                rng,
                person,
                roles[person.number],
                stranger=person.number in strangers,
                other_email=_email(rng, _latin(person), taken) if person.number in two_addresses else None,
            ),
            person.number in travellers,
            person.number in strangers,
        )
        for person in people
    )


def invent_agents(first_number: int) -> tuple[Person, ...]:
    """Make up the company's agents."""
    agents: list[Person] = []
    for offset, (given, family) in enumerate(STAFF):
        slug = f"{_ascii(given)}.{_ascii(family)}"
        phone = f"+49 30 23125 9{offset:02d}"
        agents.append(Person(first_number + offset, given, family, f"{slug}@{COMPANY_HOST}", phone, f"nl_{_ascii(given)}", "agent"))
    return tuple(agents)


def _people(rng: random.Random, count: int) -> list[Person]:
    emails: set[str] = set()
    # The agents' extensions are in a customers' range.
    phones = {f"+49 30 231259{extension:02d}" for extension in range(len(STAFF))}
    handles: set[str] = set()
    people: list[Person] = []
    for number in range(1, count + 1):
        given, family, latin = _name(rng, people)
        email = _email(rng, latin, emails)
        people.append(Person(number, given, family, email, _phone(rng, phones), _handle(rng, latin, handles)))
    return people


def _name(rng: random.Random, people: Sequence[Person]) -> tuple[str, str, tuple[str, str]]:
    dice = rng.random()
    if dice < 0.02 and people:
        namesake = rng.choice(people)
        return namesake.given_name, namesake.family_name, _latin(namesake)
    if dice < 0.07:
        given, family, latin = rng.choice(OTHER_SCRIPTS)
        first, _, last = latin.partition(" ")
        return given, family, (first, last)
    given, family = rng.choice(GIVEN), rng.choice(FAMILY)
    return given, family, (_ascii(given), _ascii(family))


def _latin(person: Person) -> tuple[str, str]:
    for given, family, latin in OTHER_SCRIPTS:
        if (given, family) == (person.given_name, person.family_name):
            first, _, last = latin.partition(" ")
            return first, last
    return _ascii(person.given_name), _ascii(person.family_name)


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_LATIN))
    return decomposed.encode("ascii", "ignore").decode()


def _fresh(make: Callable[[], str], taken: set[str]) -> str:
    while (value := make()) in taken:
        pass
    taken.add(value)
    return value


def _email(rng: random.Random, latin: tuple[str, str], taken: set[str]) -> str:
    given, family = latin

    def make() -> str:
        year = rng.randrange(62, 100)
        local = rng.choice(
            (
                f"{given}.{family}",
                f"{given}.{family}{year}",
                f"{given[0]}.{family}{year}",
                f"{family}.{given}",
                f"{given}_{year}_{family[:4]}",
            )
        )
        return f"{local}@{rng.choice(MAIL_HOSTS)}"

    return _fresh(make, taken)


def _handle(rng: random.Random, latin: tuple[str, str], taken: set[str]) -> str:
    given, family = latin

    def make() -> str:
        digits = rng.randrange(100, 1000)
        name = rng.choice((f"{given}_{family}"[:11], f"{given[:9]}_{family[:2]}", f"{family[:8]}{given[0]}", f"hike_{given[:6]}"))
        return f"{name}{digits}"

    return _fresh(make, taken)


def _phone(rng: random.Random, taken: set[str]) -> str:
    def make() -> str:
        country = rng.choices(tuple(FICTION_NUMBERS), (60, 16, 12, 8, 4))[0]
        prefix, digits = rng.choice(FICTION_NUMBERS[country])
        return f"+{country} {prefix}{rng.randrange(10**digits):0{digits}d}"

    return _fresh(make, taken)


def _other_notation(rng: random.Random, phone: str) -> str:
    country, area, rest = phone.split(" ")
    pairs = f"{rest[:-4]} {rest[-4:-2]} {rest[-2:]}".strip()
    ways = [f"{country}{area}{rest}", f"00{country[1:]} {area} {pairs}", f"{country} ({area}) {rest[:-3]}-{rest[-3:]}"]
    # Only numbers of the company's own country are written without its code.
    return rng.choice([*ways, f"0{area} / {rest}", f"0{area}-{rest[:-3]} {rest[-3:]}"] if country == "+49" else ways)


def _roles(rng: random.Random, traveller: bool) -> tuple[Role, ...]:
    if traveller:
        return ("orders", "mail", "tickets", "social", "crm") if rng.random() < 0.5 else ("orders", "mail", "tickets", "social")
    return rng.choices([roles for roles, _ in CROWD], [weight for _, weight in CROWD])[0]


def _acquaintance(
    rng: random.Random, person: Person, roles: Collection[Role], *, stranger: bool, other_email: str | None
) -> dict[Role, Known]:
    known: dict[Role, Known] = {}
    if "orders" in roles:
        known["orders"] = Known(person, ("name", "email", "phone"))
    if "crm" in roles:
        known["crm"] = _in_crm(rng, person, has_shop="orders" in roles, other_email=other_email)
    if "tickets" in roles:
        known["tickets"] = _in_tickets(rng, person, has_phone_elsewhere=len(known) > 0, other_email=other_email)
    if "mail" in roles:
        known["mail"] = Known(replace(person, email=other_email or person.email), ("name", "email"))
    if "social" in roles:
        spelled = person.handle.title() if rng.random() < 0.3 else person.handle
        known["social"] = Known(replace(person, handle=spelled), ("name", "handle"))
    if "social" in roles and "tickets" in known and not stranger:
        # Only the ticket system has a place for handles; agents fill it in, some later than others.
        record = known["tickets"]
        known["tickets"] = Known(record.person, (*record.fields, "handle"), ("handle",) if rng.random() < 0.3 else ())
    return known


def _in_crm(rng: random.Random, person: Person, *, has_shop: bool, other_email: str | None) -> Known:
    email = other_email or person.email
    if rng.random() < 0.15:
        email = email.title()
    noted = replace(person, email=email, phone=_other_notation(rng, person.phone))
    by_phone_only = has_shop and not other_email and rng.random() < 0.1
    return Known(noted, ("name", "phone") if by_phone_only else ("name", "email", "phone"))


def _in_tickets(rng: random.Random, person: Person, *, has_phone_elsewhere: bool, other_email: str | None) -> Known:
    email = other_email if other_email and rng.random() < 0.5 else person.email
    noted = replace(person, email=email, phone=_other_notation(rng, person.phone))
    dice = rng.random()
    if has_phone_elsewhere and dice < 0.08:
        return Known(noted, ("name", "phone"))
    return Known(noted, ("name", "email", "phone") if dice > 0.75 else ("name", "email"))
