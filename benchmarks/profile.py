"""What each kind of pull costs threadline, for whoever tunes it: `python -m benchmarks.profile [--records N] [--postgres [URL]]`.

Each phase is one `threadline pull` of HTTP pages, as users run it. CPU of the page server is not counted.
"""

import argparse
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.meter import Cost, measure
from benchmarks.postgres import Server, server
from benchmarks.server import serving, write_pages
from benchmarks.subject import Subject, stored
from benchmarks.tickets import CHANGED, FIRST, VOLATILE, spread
from threadline.cli.output import print_table

PHASES = {
    "first": "first load", "again": "re-sync, nothing changed", "changed": "re-sync, 1% changed",
    "volatile": "re-sync, a field that no mapping reads", "delta": "delta, all changed", "one": "one page of one record",
}  # fmt: skip
NUMBERS = ("records", "client s", "server s", "CPU s", "µs / record", "wall s", "peak MB")


def write_phases(folder: Path, records: int, delta: int) -> Mapping[str, int]:
    """Write the pages of every phase; return how many records each reads."""
    everything = range(records)
    some = spread(records, delta)
    for name, edition, numbers in (
        ("first", FIRST, everything), ("again", FIRST, everything), ("changed", CHANGED, everything),
        ("volatile", VOLATILE, everything), ("delta", "delta", some), ("one", "one", range(1)),
    ):  # fmt: skip
        write_pages(folder, name, edition, numbers)
    return dict.fromkeys(("first", "again", "changed", "volatile"), records) | {"delta": len(some), "one": 1}


@contextmanager
def database(postgres: str | None, folder: Path) -> Generator[tuple[str, Server | None]]:
    """Open an empty store: an SQLite file, or a database of a PostgreSQL server ("" starts one)."""
    if postgres is None:
        yield f"sqlite:///{folder / 'store.db'}", None
        return
    with server(postgres or None) as running:
        yield running.empty(), running


def row(title: str, count: int, cost: Cost) -> tuple[str, ...]:
    """Return a line of the table."""
    figures = (cost.client, cost.server, cost.cpu)
    return (
        title, f"{count:,}", *(f"{figure:.2f}" for figure in figures), f"{cost.cpu / count * 1e6:,.0f}", f"{cost.wall:.2f}",
        f"{cost.peak:.0f}",
    )  # fmt: skip


def main() -> None:
    """Run the phases one after the other on one store, and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=40_000, metavar="N")
    parser.add_argument("--delta", type=int, default=2_000, metavar="N", help="records of the delta")
    parser.add_argument("--postgres", nargs="?", const="", metavar="URL", help="on PostgreSQL: a server of its own, or the one at URL")
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES), metavar="PHASE", help=", ".join(PHASES))
    chosen = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as name, database(chosen.postgres, Path(name)) as (url, running):
        folder = Path(name)
        counts = write_phases(folder / "pages", chosen.records, chosen.delta)
        subject = Subject(Path(sys.executable).with_name("threadline"), folder / "home", url)
        with serving(folder / "pages") as address:
            for phase in chosen.phases:
                if running:
                    running.settle()
                command = subject.pull(f"{address}/{phase}")
                cost = measure(
                    command,
                    log=folder / "log",
                    folder=subject.home,
                    environment=subject.environment,
                    server=running.pid if running else None,
                )
                rows.append(row(PHASES[phase], counts[phase], cost))
        print_table(["", *NUMBERS], rows, numbers=NUMBERS)
        print(f"{stored(url):,} tickets stored on {running.version if running else 'SQLite'}")


if __name__ == "__main__":
    main()
