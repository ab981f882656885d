"""The simulator's command line."""

import argparse
import sys
from collections.abc import Sequence

from threadline.sdk.errors import ConfigError
from threadline.testing.faults.database import FAULTS
from threadline.testing.simulator import campaign
from threadline.testing.simulator.campaign import Totals
from threadline.testing.simulator.mutants import MUTANTS, SOUND
from threadline.testing.simulator.oracle import KINDS
from threadline.testing.simulator.stores import TEMPORARY

_SHOWN = 10
_WIDTH = 14


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return 1 when something does not hold, 2 for what cannot be run."""
    parser = _parser()
    options = parser.parse_args(arguments)
    databases: list[str] = options.database or ["sqlite"]
    if options.processes > 1 and not set(databases) <= set(TEMPORARY):
        parser.error("--processes needs temporary databases (sqlite or postgres): commit order is a server's, so each process has its own")
    try:
        if options.mutants:
            return max([_mutants(database, options.seeds) for database in databases])
        if options.seed is not None:
            return max([_replay(database, options.seed, options.mutant, traced=options.trace) for database in databases])
        return _campaign(databases, options.seeds, options.processes)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m threadline.testing.simulator",
        description="Seeded schedules of late commits, crashes and rivals over the real engine and real databases.",
    )
    parser.add_argument("--seeds", type=_range, default=range(300), metavar="A-B", help="run schedules A to B (default: 0-299)")
    parser.add_argument("--database", action="append", metavar="NAME", help="sqlite (default), postgres, or an address; may be repeated")
    parser.add_argument("--processes", type=int, default=1, help="share the seeds out to so many processes")
    parser.add_argument("--mutants", action="store_true", help="plant every mutant in turn, until a schedule shows it")
    parser.add_argument("--seed", type=int, help="replay one schedule")
    parser.add_argument("--trace", action="store_true", help="with --seed: print its steps")
    parser.add_argument("--mutant", choices=[mutant.name for mutant in MUTANTS], help="with --seed: plant this mutant")
    return parser


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise argparse.ArgumentTypeError("write it as 0-299") from None


def _replay(database: str, seed: int, mutant: str | None, *, traced: bool) -> int:
    outcome = campaign.replay(database, seed, next((one for one in MUTANTS if one.name == mutant), SOUND))
    lines = outcome.trace if traced else []
    happened = ", ".join(f"{number} {what}" for what, number in sorted(outcome.counts.items()))
    _say(*lines, f"seed {seed} on {_name(database)}: {happened}", *(outcome.findings.all() or ["everything holds"]))
    return 1 if outcome.findings.all() else 0


def _campaign(databases: Sequence[str], seeds: range, processes: int) -> int:
    _say(_row("database", ("schedules", "steps", "crashes", "other faults", "held up", "moved", "pushed", *KINDS, "seconds")))
    failed = False
    for database in databases:
        totals = campaign.run_parallel(database, seeds, processes) if processes > 1 else campaign.run(database, seeds)
        _say(_row(_name(database), _figures(totals)))
        for seed, words in totals.violations[:_SHOWN]:
            _say(f"  seed {seed}: {words}")
        if totals.missing:
            _say(f"  nothing was shown: there was no {', no '.join(totals.missing)}")
        failed = failed or bool(totals.violations or totals.missing)
    return 1 if failed else 0


def _figures(totals: Totals) -> tuple[str, ...]:
    counts = totals.counts
    other = sum(counts[fault] for fault in FAULTS if fault != "crash") + counts["unreadable page"]
    figures = (totals.schedules, counts["steps"], counts["crash"], other, counts["pause"], counts["records moved"], counts["pushes taken"])
    return (*(f"{figure:,}" for figure in figures), *(f"{totals.violated(kind):,}" for kind in KINDS), f"{totals.seconds:,.0f}")


def _mutants(database: str, seeds: range) -> int:
    survivors = 0
    for name, totals in campaign.hunt(database, seeds):
        if totals.violations:
            seed, words = totals.violations[0]
            _say(f"{name:50} shown by seed {seed} after {totals.schedules}: {words}")
        else:
            survivors += 1
            idle = "" if totals.applied else "; if it changes the engine's statements, it no longer finds them"
            _say(f"{name:50} SURVIVED {totals.schedules} schedules on {_name(database)}{idle}")
    return 1 if survivors else 0


def _name(database: str) -> str:
    # An address may hold a password.
    return database.partition(":")[0]


def _row(first: str, cells: Sequence[str]) -> str:
    return f"{first:<12}" + "".join(f"{cell:>{_WIDTH}}" for cell in cells)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
