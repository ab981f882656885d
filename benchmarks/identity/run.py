"""Matching beside Splink and dedupe, on sets whose truth is known: `python -m benchmarks.identity.run`.

Results go to benchmarks/identity/results.json and docs/pictures/identity.svg; what is not measured again stays as it was.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import msgspec

from benchmarks.candidates import ROOT, Installation
from benchmarks.identity.systems import SETS, TITLES, Measured
from benchmarks.meter import CommandError, measure

FOLDER = Path(__file__).parent
RESULTS, PICTURE = FOLDER / "results.json", ROOT / "docs" / "pictures" / "identity.svg"
_NO_PLACE = {"dedupe": {"febrl2", "febrl3", "febrl4", "RLdata10000", "six channels", "more shared", "guests"}}
"""What takes a system longer than anyone waits for."""


def main() -> None:
    """Measure, keep, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS), help="what to match; none: only draw")
    parser.add_argument("--systems", nargs="+", choices=TITLES, default=list(TITLES))
    chosen = parser.parse_args()
    results = read()
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as name:
        python = Installation(Path(name)).python("identity", "--requirements", str(FOLDER / "identity.txt"))
        for records in chosen.sets:
            for system in (one for one in chosen.systems if records not in _NO_PLACE.get(one, ())):
                if found := _measured(python, system, records, Path(name)):
                    results = [one for one in results if (one.system, one.records) != (system, records)] + [found]
                    write(results)
        subprocess.run([python, FOLDER / "chart.py", PICTURE], input=RESULTS.read_bytes(), check=True)


def _measured(python: Path, system: str, records: str, folder: Path) -> Measured | None:
    log = folder / "log"
    command = [str(python), "-m", "benchmarks.identity.systems", system, records]
    try:
        cost = measure(command, log=log, folder=ROOT, environment={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"})
    except CommandError as error:
        print(f"{TITLES[system]:26}{records:14}did not run: {str(error).strip().splitlines()[-1][:80]}", flush=True)
        return None
    found = msgspec.json.decode(log.read_bytes().splitlines()[-1], type=Measured)
    found = msgspec.structs.replace(found, cpu=round(cost.cpu, 2), peak=round(cost.peak))
    one = found.agreement
    print(f"{TITLES[system]:26}{records:14}P {one.precision:.4f}  R {one.recall:.4f}  F1 {one.f1:.4f}  {found.cpu:7.1f} s", flush=True)
    return found


def read() -> list[Measured]:
    """Read the results; none when there is no file yet."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=list[Measured]) if RESULTS.exists() else []


def write(results: list[Measured]) -> None:
    """Write the results in a steady order."""
    ordered = sorted(results, key=lambda one: (list(SETS).index(one.records), list(TITLES).index(one.system)))
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n")


if __name__ == "__main__":
    main()
