"""Reads a stream in a process of its own, so that only the connector's memory is measured, and not that of its stand-in.

The first line of the standard input says what, as JSON; for each further line one scan is made, and told of in a line.
"""

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from threadline.sdk import Connector
from threadline.sdk.registry import load_object


def scan(connector: Connector[Any], stream: str, quarter: int) -> dict[str, int]:
    """Read a stream; return how much, the most bytes that this process ever had, and the objects left behind after a quarter."""
    read, early, late = 0, 0, 0
    for page in connector.pull(stream, None):
        read += len(page.records)
        if read < quarter:
            early = max(early, sys.getallocatedblocks())
        else:
            late = max(late, sys.getallocatedblocks())
    return {"read": read, "peak": _peak(), "left": late - early}


def _peak() -> int:
    # Linux also counts into ru_maxrss what the process was before it began this program: its parent.
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Do what the standard input says."""
    wanted = json.loads(sys.stdin.readline())
    kind = load_object(wanted["kind"])
    settings = kind.settings_type().model_validate(wanted["settings"])
    for _ in sys.stdin:
        connector = kind(settings)
        told = scan(connector, wanted["stream"], wanted["quarter"])
        connector.close()
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
