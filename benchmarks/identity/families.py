"""Small sets made by hand: families, shared inboxes, namesakes, and other traps; families.csv and neighbours.csv say in comments which."""

import csv
from collections.abc import Mapping
from pathlib import Path

from benchmarks.identity.channels import Labelled
from benchmarks.identity.published import some
from threadline.identity.matching.person import Address, Person

_FOLDER = Path(__file__).parent


def families(name: str = "families") -> Labelled:
    """Load a set; the `person` of a record is its truth."""
    lines = [line for line in (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines, delimiter="|"))
    return Labelled([_person(row, f"{number}".encode()) for number, row in enumerate(rows)], [row["person"] for row in rows])


def _person(row: Mapping[str, str], number: bytes) -> Person:
    home = Address(row["street"], row["house"], row["city"], row["post_code"], "", row["country"])
    return Person(
        id=number, sources=(row["source"],), given_names=some(row["given"]), family_names=some(row["family"]),
        formatted_names=some(row["formatted"]), birth_dates=some(row["birth"]), addresses=(home,) if home != Address() else (),
        phones=some(row["phone"]), emails=some(row["email"]), handles=some(row["handle"]),
    )  # fmt: skip
