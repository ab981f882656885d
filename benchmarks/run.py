"""threadline beside its peers, on the same pages, counted in CPU seconds: `python -m benchmarks.run`, or `make bench`.

`--quick` measures threadline alone on few records and keeps nothing. Otherwise results go to benchmarks/results.json, and from there
into docs/performance.md and docs/pictures; what is not measured again stays as it was.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.candidates import NAMES, THREADLINE, Candidate, Installation
from benchmarks.meter import CommandError, measure
from benchmarks.postgres import Server, server
from benchmarks.report import print_comparison, publish
from benchmarks.results import Results, machine, read, run_of, write
from benchmarks.server import serving, write_pages
from benchmarks.tickets import CHANGED, FIRST, VOLATILE, spread

RESULTS = Path(__file__).with_name("results.json")
RECORDS, QUICK, DELTA = 40_000, 4_000, 20
"""Tickets of a comparison, of a quick one, and how many of them one is of the delta."""
MEMORY = 200_000
SCALE, SCALE_DELTA = (10_000, 100_000, 1_000_000), 1_000
PARTS = ("compare", "memory", "scale")


@dataclass(frozen=True, slots=True)
class Case:
    """One pull of the pages `served`: it reads so many records, after which the store holds `total`."""

    name: str
    served: str
    records: int
    total: int


class Bench:
    """One measurement: pages, a database server, environments, and what was found."""

    def __init__(self, folder: Path, running: Server, results: Results, *, keep: Path | None) -> None:
        self._folder = folder
        self._server = running
        self._results = results
        self._keep = keep
        self._installation = Installation(folder / "environments", own=keep is not None)

    def compare(self, names: Sequence[str], records: int, rounds: int) -> None:
        """Measure every case of every system, in turns, so that a busy minute hits all of them alike."""
        pages = self._folder / "pages"
        some = spread(records, records // DELTA)
        for name, edition in (("first", FIRST), ("changed", CHANGED), ("volatile", VOLATILE), ("delta", "delta")):
            write_pages(pages, name, edition, some if name == "delta" else range(records))
        cases = [Case(name, name, records, records) for name in ("first", "changed", "volatile")]
        cases.append(Case("delta", "delta", len(some), records))
        self._results.forget("compare", names)
        for number in range(rounds):
            for name in names:
                self._measure("compare", name, cases, pages, number)

    def memory(self, names: Iterable[str], records: int) -> None:
        """Measure one large first load."""
        write_pages(pages := self._folder / "pages", "large", FIRST, range(records))
        self._results.forget("memory", names)
        for name in names:
            self._measure("memory", name, [Case("first", "large", records, records)], pages)
        shutil.rmtree(pages)

    def scale(self, names: Iterable[str], sizes: Sequence[int], delta: int, rounds: int) -> None:
        """Measure the same small delta on ever larger stores."""
        pages, cases, before = self._folder / "pages", list[Case](), 0
        for size in sizes:
            write_pages(pages, f"load_{size}", FIRST, range(before, size))
            cases.append(Case("load", f"load_{size}", size - before, size))
            for number in range(rounds):
                write_pages(pages, f"delta_{size}_{number}", f"delta_{number}", spread(size, delta))
                cases.append(Case("delta", f"delta_{size}_{number}", delta, size))
            before = size
        self._results.forget("scale", names)
        for name in names:
            self._measure("scale", name, cases, pages)

    def _measure(self, part: str, name: str, cases: Iterable[Case], pages: Path, number: int = 0) -> None:
        home, log = self._folder / "home", self._folder / "log"
        candidate = self._installation.candidate(name, home, self._server)
        chosen = [case for case in cases if case.name in candidate.cases] if number < candidate.rounds else []
        with serving(pages) as address:
            for case in chosen:
                if candidate.served:
                    self._server.settle()
                command = candidate.command(f"{address}/{case.served}")
                used = self._server.pid if candidate.served else None
                cost = measure(command, log=log, folder=home, environment=candidate.environment, server=used)
                check(candidate, case, candidate.stored(log))
                self._results.runs.append(run_of(part, name, candidate.title, case.name, case.records, case.total, cost))
                print(f"{candidate.title:32}{case.name:10}{case.records:10,}{cost.cpu:9.2f} s{cost.peak:7.0f} MB", flush=True)
        shutil.rmtree(home)
        if self._keep:
            write(self._results, self._keep)


def check(candidate: Candidate, case: Case, stored: int) -> None:
    """Make sure that a system did its work."""
    expected = case.total if candidate.keeps else case.records
    if stored != expected:
        raise CommandError(f"{candidate.title}, {case.name}: {stored} records where {expected} were expected")


def main() -> None:
    """Measure, and write down what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what to measure; none: only write the report")
    parser.add_argument("--systems", nargs="+", choices=NAMES, default=NAMES, help="whom to measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", type=int, default=SCALE, metavar="N", help="records stored, for the curve")
    parser.add_argument("--postgres", metavar="URL", help="a server on this machine; one of its own when left out")
    chosen = parser.parse_args()
    if not chosen.parts:
        publish(read(RESULTS))
        return
    own = [name for name in THREADLINE if name in chosen.systems]
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as folder, server(chosen.postgres) as running:
        if chosen.quick:
            results = Results()
            Bench(Path(folder), running, results, keep=None).compare(own, QUICK, 1)
            print_comparison(results)
            return
        results = read(RESULTS)
        results.machine = machine(running.version)
        bench = Bench(Path(folder), running, results, keep=RESULTS)
        if "compare" in chosen.parts:
            bench.compare(chosen.systems, RECORDS, chosen.rounds)
        if own and "memory" in chosen.parts:
            bench.memory(own, MEMORY)
        if own and "scale" in chosen.parts:
            bench.scale(own, chosen.sizes, SCALE_DELTA, chosen.rounds)
    print_comparison(results)
    publish(results)


if __name__ == "__main__":
    main()
