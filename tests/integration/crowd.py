"""People to be matched: whole records, and others of the same people that share no value with them."""

import random
from typing import Any

GIVEN = ("Ana", "Bruno", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Irina", "Jonas", "Karla", "Leo")
FAMILY = ("Lima", "Costa", "Meyer", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Ulrich", "Vogel", "Weiss", "Zola")
CITIES = ("Berlin", "Porto", "Lyon", "Graz", "Turin")


def person(number: int, chance: random.Random) -> dict[str, Any]:
    born = f"{chance.randrange(1950, 2000)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
    name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
    return {"id": number, "name": name, "born": born, "phone": f"+49 1512 {chance.randrange(10**6, 10**7)}"}


def crowd(size: int = 150) -> list[dict[str, Any]]:
    """People, and for every second of them another record that shares no value with the first."""
    chance = random.Random(7)
    people = [person(number, chance) for number in range(size)]
    again = [{"id": 1_000 + one["id"], "name": one["name"], "born": one["born"]} for one in people[::2]]
    return people + again
