"""Whether memory stays flat while many records pass."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from threadline.sdk import Stream
from threadline.testing.conformance.trial import NonconformityError, Trial, require

_FEW = 3_000
"""Records that are read first: some full pages, and all that is loaded once."""
_WITHIN = 3_000
"""Seconds that the records' times are spread over: none is of a time to come."""
_ROOM = 16_000_000
"""Bytes by which a few large pages may differ from others."""
_SHARE = 20
"""Of so many records, one may leave an object behind."""


def keeps_memory_flat(trial: Trial, stream: Stream) -> None:
    """Many records pass through without memory growing with their number: neither at once, nor bit by bit."""
    many = trial.rig.many
    numbers = range(1, many + 1)
    with _reader(trial, stream, many // 4) as scan:
        trial.rig.put_many(stream.name, numbers[:_FEW], lambda number: trial.at(number * _WITHIN // many))
        before = scan()
        trial.rig.put_many(stream.name, numbers[_FEW:], lambda number: trial.at(number * _WITHIN // many))
        told = scan()
    require(told["read"] >= many, f"of {many:,} records {told['read']:,} were read")
    grown = told["peak"] - before["peak"]
    require(
        grown < _ROOM,
        f"for {many:,} records it took {grown / 1e6:.0f} MB more than for {_FEW:,}: yield each page as it comes, and keep none",
    )
    require(
        told["left"] < many // _SHARE,
        f"after a quarter of {many:,} records {told['left']:,} more objects were left behind: bound what is remembered of records",
    )


@contextmanager
def _reader(trial: Trial, stream: Stream, quarter: int) -> Generator[Callable[[], dict[str, int]]]:
    """Start a process that reads the stream each time it is called, and tells of it."""
    wanted = {"kind": trial.path, "settings": trial.settings(), "stream": stream.name, "quarter": quarter}
    command = [sys.executable, "-m", "threadline.testing.conformance.reader"]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=around) as process:  # noqa: S603
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        given, told = process.stdin, process.stdout

        def scan() -> dict[str, int]:
            given.write("\n")
            given.flush()
            if not (line := told.readline()):
                raise NonconformityError("reading all of it in a process of its own failed; its error is on the standard error")
            found: dict[str, int] = json.loads(line)
            return found

        given.write(json.dumps(wanted) + "\n")
        try:
            yield scan
        finally:
            given.close()
