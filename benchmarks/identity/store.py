"""What profiles cost in a store: `python -m benchmarks.identity.store --sizes 10000 1000000`.

For each size: CPU seconds and memory to make all profiles at once, and CPU seconds to join 1,000 more records, of whom half are known,
beyond what it takes to write them. Each in processes of its own; results go to benchmarks/identity/store.json.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from benchmarks.candidates import ROOT
from benchmarks.identity.channels import generate
from benchmarks.meter import measure
from threadline.identity.graph import regroup
from threadline.identity.matching.person import Person
from threadline.identity.neighbourhood import Fresh, person_in
from threadline.identity.rebuild import rebuild
from threadline.identity.rules import INBOX, USUAL
from threadline.identity.trial import values_of
from threadline.model.identifiers import identify
from threadline.model.ids import entity_id
from threadline.store import schema
from threadline.store.database import Row, Transaction, chunks, open_database

RESULTS = Path(__file__).parent / "store.json"
NEW, ROUNDS = 1_000, 6
"""Records that come at once, and how often; the first time, which loads code and caches, is told by itself."""
_AT_ONCE = 20_000
_KNOWN = 10_000


class Measured(Struct, frozen=True):
    """CPU seconds and MB of all profiles at once, CPU seconds of 1,000 records more, and of the first thousand of a process."""

    records: int
    bulk: float
    peak: float
    more: float
    first: float


def main() -> None:
    """Measure, keep and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    sizes = parser.parse_args().sizes
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as folder:
        found = [_measured(size, Path(folder)) for size in sizes]
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    for one in found:
        print(f"{one.records:>9,} records: all {one.bulk:6.1f} CPU-s, {one.peak:5.0f} MB; {NEW:,} more {one.more:.3f} CPU-s")
    print(f"{NEW:,} more cost {found[-1].more / found[0].more:.2f} times as much among {sizes[-1]:,} as among {sizes[0]:,}")


def _measured(size: int, folder: Path) -> Measured:
    url = f"sqlite:///{folder}/{size}.db"
    log = folder / "log"

    def run(what: str) -> Any:
        environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}
        return measure(
            [sys.executable, "-m", "benchmarks.identity.store", what, url, str(size)], log=log, folder=ROOT, environment=environment
        )

    run("load")
    opened = run("open").cpu
    bulk = run("all")
    run("more")
    costs: list[float] = msgspec.json.decode(log.read_bytes())
    return Measured(size, bulk.cpu - opened, bulk.peak, median(costs[1:]), costs[0])


def step(what: str, url: str, size: int) -> None:
    """Do one step of a measurement."""
    with open_database(url, create=True) as database:
        if what == "load":
            for part in chunks(enumerate(generate(size).people), _AT_ONCE):
                with database.write() as transaction:
                    write(transaction, part)
        elif what == "all":
            with database.write() as transaction:
                rebuild(transaction, USUAL, "bulk")
        elif what == "more":
            costs: list[float] = []
            known = generate(min(size, _KNOWN)).people
            for number in range(ROUNDS):
                people = generate(NEW, 900 + number).people[: NEW // 2] + random.Random(number).sample(known, NEW // 2)
                with database.write() as transaction:
                    fresh = write(transaction, enumerate(people, (number + 1) * 10**9))
                    start = time.process_time()
                    regroup(transaction, fresh.people, fresh, cause="more")
                    costs.append(time.process_time() - start)
            sys.stdout.buffer.write(msgspec.json.encode(costs))


def write(transaction: Transaction, people: Iterable[tuple[int, Person]]) -> Fresh:
    """Write people as a mapping would have them written; return what `regroup` is told of them."""
    parties: list[Row] = []
    identifiers: dict[tuple[bytes, bytes], Row] = {}
    for number, person in people:
        source = person.sources[0]
        party = entity_id(source, "record", str(number))
        parties.append(_row(schema.PARTIES, _party(person, party, number)))
        for kind, value in (("record", str(number)), *values_of(person, USUAL)):
            one = identify("email" if kind == INBOX else kind, value, value, source)
            told = {"party": party, "identifier": one.id, "owner": one.owner, "type": kind, "value": value, "value_normalized": value}
            identifiers[party, one.id] = _row(schema.PARTY_IDENTIFIERS, told | {"record_id": party, "verified": False, "preferred": True})
    transaction.append(schema.PARTIES, parties)
    transaction.append(schema.PARTY_IDENTIFIERS, list(identifiers.values()))
    told_of = {row[0]: person_in(row) for row in parties}
    return Fresh([(row[0], row[1], row[3], row[5]) for row in identifiers.values()], told_of)


def _party(person: Person, party: bytes, number: int) -> dict[str, Any]:
    told = {
        "given_name": person.given_names, "family_name": person.family_names, "formatted_name": person.formatted_names,
        "birth_date": person.birth_dates,
    }  # fmt: skip
    return {
        "id": party, "source": person.sources[0], "external_id": str(number), "mapping": "", "record_id": party, "run_id": party,
        "kind": "individual", "role": "customer", "mentioned": False, **{name: next(iter(values), None) for name, values in told.items()},
    }  # fmt: skip


def _row(table: schema.Table, values: dict[str, Any]) -> Row:
    return tuple(values.get(name) for name in table.names)


if __name__ == "__main__":
    given: Sequence[str] = sys.argv[1:]
    if given and not given[0].startswith("-"):
        step(given[0], given[1], int(given[2]))
    else:
        main()
