"""The report's command line."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from threadline.sdk.errors import ConfigError
from threadline.testing.faithfulness.report import Report, as_json, details, report, rows
from threadline.testing.faithfulness.subject import load_subject, subjects
from threadline.testing.faithfulness.traffic import kit_traffic

_CONTRACTS = Path("../shared/contracts")
_WIDTH = 46


def main(arguments: Sequence[str] | None = None) -> int:
    """Print reports; return 1 when an erratum is not borne out or a case of the kit fails, 2 for what cannot be run."""
    parser = argparse.ArgumentParser(
        prog="python -m threadline.testing.faithfulness",
        description="How faithful the stand-ins are: beside the vendors' documents with errata, and beside recorded traffic.",
    )
    parser.add_argument("vendors", nargs="*", metavar="NAME", help="connectors to report on (default: all that have an errata file)")
    parser.add_argument("--contracts", type=Path, default=_CONTRACTS, help="the folder of documents and recordings (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a JSON document")
    options = parser.parse_args(arguments)
    try:
        found = [load_subject(name, options.contracts) for name in options.vendors] or list(subjects(options.contracts))
        reports = [report(subject, *kit_traffic(subject.kind)) for subject in found]
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps([as_json(one) for one in reports], indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for one in reports for line in _table(one))
    return 1 if any(one.faults for one in reports) else 0


def _table(one: Report) -> Sequence[str]:
    return [one.name, *(f"  {name:<{_WIDTH}}{figure}" for name, figure in rows(one)), *(f"    {line}" for line in details(one)), ""]


if __name__ == "__main__":
    sys.exit(main())
