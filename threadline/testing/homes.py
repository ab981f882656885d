"""Where the people of the make-believe company live.

No such place is in here: the towns are made up, and no town of Germany, France or Sweden has a post code that begins so.
"""

from typing import NamedTuple

from threadline.testing.story import Person

_TOWNS = (
    ("Lindental", "00", 5, "DE"), ("Nordhafen", "05", 5, "DE"), ("Oberwiesa-Süd", "43", 5, "DE"), ("Grünau am Fließ", "62", 5, "DE"),
    ("Saint-Arvin-des-Prés", "00", 5, "FR"), ("Fjällvik", "00", 5, "SE"),
)  # fmt: skip
_STREETS = {
    "DE": ("Lindenweg", "Hafenstraße", "Am Fließ", "Gartenstraße", "Alte Gasse", "Mühlweg", "Ringstraße"),
    "FR": ("rue des Tilleuls", "place du Moulin", "chemin des Prés"),
    "SE": ("Lindvägen", "Hamngatan", "Kvarnstigen"),
}
COUNTRIES = {"DE": "Germany", "FR": "France", "SE": "Sweden"}


class Home(NamedTuple):
    """A postal address; the country is its ISO 3166-1 code."""

    street: str
    post_code: str
    city: str
    country: str


def home(person: Person) -> Home:
    """Return where somebody lives: it follows from their number, so that all systems that know it say the same."""
    number = person.number * 2_654_435_761 % 1_000_003
    city, begin, digits, country = _TOWNS[number % len(_TOWNS)]
    streets = _STREETS[country]
    name, house = streets[number // 7 % len(streets)], 1 + number // 11 % 140
    street = f"{house} {name}" if country == "FR" else f"{name} {house}"
    return Home(street, f"{begin}{number // 13 % 10 ** (digits - len(begin)):0{digits - len(begin)}d}", city, country)
