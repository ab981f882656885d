"""Writes docs/performance.md and its pictures from the results."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.candidates import NAMES, PEERS, ROOT, THREADLINE, Installation
from benchmarks.results import Figure, Results
from threadline.cli.output import print_table

DOCUMENT = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "pictures"
BY_HAND = "## Where the microseconds go"
"""What follows this heading is written by people, and kept."""
CASES = {"first": "first load", "changed": "re-sync, 1% changed", "volatile": "re-sync, volatile field", "delta": "delta"}
LEAST = {"first": 5, "changed": 20, "delta": 5}
"""How many times the CPU of a pull dlt's declarative source shall take, at least."""

_INTRODUCTION = """\
# Performance

Made by `make bench`, which takes about half an hour and needs Linux; `make bench QUICK=1` measures threadline alone in half a minute.
`python -m benchmarks.profile` is for whoever tunes the engine.

{machine}

## How it is measured

- **What is read**: Zendesk-shaped tickets of 1.9 kB in many languages, 1,000 a page, over HTTP, following `links.next`. The server sends
  files as they are, so that nobody waits for it, and its CPU is not counted.
- **What is made of it**: fifteen typed columns in PostgreSQL, where a record read again replaces the earlier one. threadline does
  besides what it always does: keeps the raw record, finds the parties, writes change log, provenance and run ledger, and commits the
  cursor in the same transaction.
- **What is counted**: CPU seconds, user and system, of all processes of a command, start-up included, and of the database server. Memory
  is the most that all processes of the command held at a time.
- **How**: each system in a fresh environment of its own, with the versions of `benchmarks/peers/*.txt`, on a database of its own. Systems
  take turns; every figure is the median of the rounds. After each command the stored records are counted.
- **The cases**, in this order: a first load of {first} tickets; all of them again, of which 1% changed; all of them again with a
  timestamp different on each that no mapping reads; {delta} of them alone, all changed.

dlt's *declarative* form is its `rest_api` source with a mapping function; *Arrow by hand* is a resource that yields Arrow tables.
singer-sdk's tap maps in Python and pipes into target-postgres. airbyte-cdk's declarative source only reads and writes its messages, with
no destination behind it; *mapped* makes the same columns with its own `AddFields`. To it a re-sync is a first load.
"""
_GROWTH = """\
A delta of {delta} changed records, start-up included, against what the store holds already:
"""
_MEMORY = """\
The most that one load of so many records held; they pass through in batches of a fixed size. SQLite's page cache counts with its process:
"""


def print_comparison(results: Results) -> None:
    """Print CPU seconds of every system and case."""
    numbers = [*CASES.values(), "peak MB"]
    print_table(["CPU seconds", *numbers], list(_comparison(results)), numbers=numbers)


def publish(results: Results) -> None:
    """Write the document and its pictures."""
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as folder:
        python = Installation(Path(folder)).python("chart", "--requirements", str(PEERS / "chart.txt"))
        subprocess.run([python, PEERS / "chart.py", PICTURES], input=msgspec.json.encode(_drawn(results)), check=True)
    kept = DOCUMENT.read_text(encoding="utf-8").partition(BY_HAND)[2] if DOCUMENT.exists() else "\n"
    DOCUMENT.write_text("\n".join(document(results)) + BY_HAND + kept, encoding="utf-8")


def document(results: Results) -> Iterator[str]:
    """Yield the lines of the document that follow from the results."""
    records = {run.case: f"{run.records:,}" for run in results.runs if run.part == "compare"}
    yield _INTRODUCTION.format(machine=_machine(results), **{case: records.get(case, "no") for case in CASES})
    measured = {run.part for run in results.runs}
    if "compare" in measured:
        yield from _beside_others(results)
    if "scale" in measured:
        yield from _as_the_store_grows(results)
    yield from _held_in_memory(results)
    yield "\n"


def _beside_others(results: Results) -> Iterator[str]:
    yield "## Beside others\n"
    yield from _table(("CPU seconds", *CASES.values(), "peak MB"), _comparison(results))
    yield f"\n{_spread(results)}\n"
    yield "![CPU seconds of each system that stores what it reads](pictures/performance.svg)\n"
    yield "Each against threadline on PostgreSQL, as a multiple of its CPU seconds:\n"
    yield from _table(("", *(CASES[case] for case in LEAST)), _ratios(results))
    yield ""


def _as_the_store_grows(results: Results) -> Iterator[str]:
    delta = min(run.records for run in results.runs if run.part == "scale" and run.case == "delta")
    yield f"## As the store grows\n\n{_GROWTH.format(delta=f'{delta:,}')}"
    yield from _table(("records stored", *(f"{title}, CPU s" for title in results.titles("scale").values())), _growth(results))
    yield "\n![CPU seconds of the same delta on larger stores](pictures/scaling.svg)\n"


def _held_in_memory(results: Results) -> Iterator[str]:
    titles = {run.system: run.title for run in results.runs if run.system in THREADLINE}
    loads = {system: _loads(results, system) for system in titles}
    sizes = sorted({size for found in loads.values() for size in found})
    yield f"## Memory\n\n{_MEMORY}"
    rows = [(f"{size:,}", *(f"{found[size]:.0f}" if size in found else "" for found in loads.values())) for size in sizes]
    yield from _table(("records read", *(f"{title}, MB" for title in titles.values())), rows)


def _machine(results: Results) -> str:
    told, loads = results.machine, sorted(run.load for run in results.runs)
    return (
        f"Measured on {told['cores']} cores of {told['processor']} with {told['memory']}, {told['system']}, Python {told['python']},\n"
        f"{told['postgres']} with its own default settings; threadline at {told['threadline']}. The machine was shared: its load average\n"
        f"was {loads[0]:.1f} to {loads[-1]:.1f}, so only CPU is compared, never wall time."
    )


def _comparison(results: Results) -> Iterator[tuple[str, ...]]:
    titles = results.titles("compare")
    for system in (name for name in NAMES if name in titles):
        figures = [results.figure("compare", system, case) for case in CASES]
        peak = max(figure.peak for figure in figures if figure)
        yield (titles[system], *(_seconds(figure) for figure in figures), f"{peak:.0f}")


def _spread(results: Results) -> str:
    figures = [figure for name in results.titles("compare") for case in CASES if (figure := results.figure("compare", name, case))]
    widest = max((figure.highest - figure.lowest) / figure.cpu for figure in figures)
    rounds = sorted({figure.rounds for figure in figures})
    counted = " or ".join(map(str, rounds))
    return f"Medians of {counted} round{'s' if rounds[-1] > 1 else ''}; the highest and lowest of a figure are up to {widest:.0%} apart."


def _ratios(results: Results) -> Iterator[tuple[str, ...]]:
    titles = results.titles("compare")
    for system in (name for name in NAMES if name in titles and name not in THREADLINE):
        pairs = ((results.figure("compare", THREADLINE[0], case), results.figure("compare", system, case)) for case in LEAST)
        yield (titles[system], *(f"{other.cpu / own.cpu:.1f}" if own and other else "" for own, other in pairs))
    yield ("*goal, against dlt, declarative*", *(f"*{least}*" for least in LEAST.values()))


def _growth(results: Results) -> Iterator[tuple[str, ...]]:
    for size in sorted({run.stored for run in results.runs if run.part == "scale"}):
        yield (f"{size:,}", *(_seconds(results.figure("scale", system, "delta", size)) for system in results.titles("scale")))


def _loads(results: Results, system: str) -> dict[int, float]:
    peaks: dict[int, list[float]] = {}
    for run in results.runs:
        if run.system == system and run.case in ("first", "load"):
            peaks.setdefault(run.records, []).append(run.peak)
    return {size: median(found) for size, found in peaks.items()}


def _drawn(results: Results) -> object:
    """Return what chart.py draws: CPU seconds by case and system that stores what it reads, and by records stored and system."""
    titles = results.titles("compare")
    storing = [name for name in NAMES if results.figure("compare", name, "changed")]
    bars = {
        CASES[case]: {titles[name]: figure.cpu for name in storing if (figure := results.figure("compare", name, case))} for case in LEAST
    }
    sizes = sorted({run.stored for run in results.runs if run.part == "scale"})
    curves = {
        title: [(size, figure.cpu) for size in sizes if (figure := results.figure("scale", system, "delta", size))]
        for system, title in results.titles("scale").items()
    }
    return {"bars": bars, "curves": curves}


def _seconds(figure: Figure | None) -> str:
    return f"{figure.cpu:.2f}" if figure else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield f"| --- |{' ---: |' * (len(names) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
