"""Counts what a command costs: CPU seconds of its processes and of the database server, and their memory.

Needs Linux: /proc tells of processes that are not this one's children.
"""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEMORY_PAGE = os.sysconf("SC_PAGE_SIZE")
_INTERVAL = 0.02
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU and wall in seconds; `peak` is the most memory (RSS) of all processes together, in MB of 10^6 bytes."""

    client: float
    server: float
    wall: float
    peak: float

    @property
    def cpu(self) -> float:
        """Return client and server together."""
        return self.client + self.server


class CommandError(Exception):
    """A measured command failed: its figures mean nothing."""


def measure(command: Sequence[str], *, log: Path, folder: Path, environment: Mapping[str, str], server: int | None = None) -> Cost:
    """Run a command to its end, its output into a file; `server` is the first process of the database server.

    CommandError, with the end of the output, when it exits with anything but 0.
    """
    before = family_cpu(server) if server else 0.0
    start, peak = time.perf_counter(), 0
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=dict(environment))
        while True:
            # Unlike getrusage, this counts one child and what it has waited for, and no other.
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            # ru_maxrss would begin with what this process held when it forked.
            peak = max(peak, sum(_memory(pid) for pid in _family(process.pid)))
            time.sleep(_INTERVAL)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = log.read_bytes()[-2000:].decode(errors="replace")
        raise CommandError(f"{' '.join(map(str, command))} exited with {process.returncode}:\n{end}")
    after = family_cpu(server) if server else 0.0
    return Cost(usage.ru_utime + usage.ru_stime, after - before, wall, peak / 1e6)


def family_cpu(first: int) -> float:
    """Return the CPU seconds of a process, of its descendants, and of those that it has waited for."""
    own = _stat(first)
    ended = int(own[13]) + int(own[14])
    running = 0
    for pid in _family(first):
        try:
            fields = _stat(pid)
        except OSError:
            continue
        running += int(fields[11]) + int(fields[12])
    return (ended + running) / _TICKS


def parent_of(pid: int) -> int:
    """Return a process's parent; FileNotFoundError when this machine has no such process."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    # The second field, the command in parentheses, may hold spaces.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _memory(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _MEMORY_PAGE
    except OSError:
        return 0


def _family(first: int) -> Iterator[int]:
    yield first
    try:
        for thread in Path(f"/proc/{first}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from _family(int(child))
    except OSError:
        return
