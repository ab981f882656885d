"""What a pull costs: CPU seconds of the process for a first load, a re-sync in which 1% changed, and a delta.

Records come from memory, so that only threadline is measured; PostgreSQL's own CPU is not counted here.
Usage: python benchmarks/run.py [--records N] [--database URL]
"""

import argparse
import gc
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tickets import PAGE, pages, tickets

from threadline.cli.output import print_table
from threadline.mapping.library import pull_mapping
from threadline.sdk import Connector, Cursor, Page, Settings, Stream
from threadline.store.database import open_database
from threadline.sync.batch import Judge
from threadline.sync.pull import pull


class Memory(Connector[Settings]):
    """Pages from memory."""

    name = "memory"
    about = "records in memory"
    streams = (Stream("tickets", ("id",), "zendesk/tickets"),)

    def __init__(self, records: list[list[bytes]]) -> None:
        super().__init__(Settings())
        self._pages = records

    def check(self) -> None:
        """Nothing can be wrong."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield every page."""
        for number, page in enumerate(self._pages):
            yield Page(page, {"page": number, "stream": stream, "since": bool(since)})


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU and wall seconds."""
    gc.collect()
    usage, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime, time.perf_counter() - wall


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=40_000)
    parser.add_argument("--database", help="URL of an empty database; a new SQLite file when left out")
    chosen = parser.parse_args()
    first = list(pages(tickets(chosen.records)))
    second = list(pages(tickets(chosen.records, version=2)))
    delta = list(pages(tickets(2 * PAGE, version=3, changed_every=1)))
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        mapping = pull_mapping("zendesk/tickets", "bench", functions={})
        judge = Judge("bench", "tickets", ("id",), mapping)
        rows: list[tuple[str, int, str, str, str]] = []
        with open_database(url, create=True) as database:
            for name, records in (("first load", first), ("re-sync, 1% changed", second), ("delta", delta)):
                count = sum(map(len, records))
                cpu, wall = measured(lambda records=records: pull(database, Memory(records), judge))  # type: ignore[misc]
                rows.append((name, count, f"{cpu:.2f}", f"{wall:.2f}", f"{cpu / count * 1e6:.0f}"))
    numbers = ["records", "CPU s", "wall s", "µs CPU / record"]
    print_table(["", *numbers], rows, numbers=numbers)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:.0f} MB, of which the records in memory are about {sum(len(r) for p in [*first, *second] for r in p) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
