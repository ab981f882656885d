"""What was measured, kept as JSON, so that a part can be measured again without the others."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.meter import Cost


class Run(msgspec.Struct, frozen=True):
    """One measured command; `stored` is how many records the store held before it."""

    part: str
    system: str
    title: str
    case: str
    records: int
    stored: int
    client: float
    server: float
    wall: float
    peak: float
    load: float


class Figure(msgspec.Struct, frozen=True):
    """The medians of the rounds of one case."""

    cpu: float
    client: float
    server: float
    wall: float
    peak: float
    rounds: int
    lowest: float
    highest: float


class Results(msgspec.Struct):
    """Everything measured, and on what machine."""

    machine: dict[str, str] = {}
    runs: list[Run] = []

    def forget(self, part: str, systems: Iterable[str]) -> None:
        """Drop what is about to be measured again."""
        gone = set(systems)
        self.runs = [run for run in self.runs if run.part != part or run.system not in gone]

    def figure(self, part: str, system: str, case: str, stored: int | None = None) -> Figure | None:
        """Return the medians of a case, None where it was not measured."""
        found = [
            run
            for run in self.runs
            if (run.part, run.system, run.case) == (part, system, case) and (stored is None or run.stored == stored)
        ]
        if not found:
            return None
        cpu = [run.client + run.server for run in found]
        return Figure(
            cpu=median(cpu),
            client=median(run.client for run in found),
            server=median(run.server for run in found),
            wall=median(run.wall for run in found),
            peak=median(run.peak for run in found),
            rounds=len(found),
            lowest=min(cpu),
            highest=max(cpu),
        )

    def titles(self, part: str) -> dict[str, str]:
        """Return system -> title of those measured in a part."""
        return {run.system: run.title for run in self.runs if run.part == part}


def run_of(part: str, system: str, title: str, case: str, records: int, stored: int, cost: Cost) -> Run:
    """Return a measured command with the machine's load at its end."""
    client, server, wall, peak = (round(value, 3) for value in (cost.client, cost.server, cost.wall, cost.peak))
    return Run(part, system, title, case, records, stored, client, server, wall, peak, round(os.getloadavg()[0], 2))


def read(path: Path) -> Results:
    """Read results; none when there is no file yet."""
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def write(results: Results, path: Path) -> None:
    """Write results so that a change of one run is a change of a few lines."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def machine(postgres: str) -> dict[str, str]:
    """Describe this machine, without its name."""
    return {
        "processor": next(_values("/proc/cpuinfo", "model name"), platform.machine()),
        "cores": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "postgres": postgres,
        "threadline": _commit(),
    }


def _values(path: str, name: str) -> Iterator[str]:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            yield value.strip()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    described = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return described.stdout.strip() or "unknown"
