"""Keep a command on a leash: it ends, with everything that it started, when its holder ends or lets go.

`python leash.py HOLDER COMMAND...` runs the command while the process HOLDER is the leash's parent. On SIGTERM, and when
the holder is gone (also by SIGKILL), the command gets SIGTERM, soon after it all that it started, and after GRACE seconds
what is left gets SIGKILL.
The exit status is the command's, or 128 + the signal that ended it.

Run as a file: it imports only the standard library, so that it stands within a moment.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

GRACE = 3.0
"""Seconds that a tree may take to end by itself."""
_ALONE = 1.0
"""Seconds that a command may take to end what it started before that is told too: a pool whose workers die first waits for them."""
_TICK = 0.1
_ENDING = (signal.SIGINT, signal.SIGTERM)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@contextmanager
def undisturbed() -> Generator[None]:
    """Put SIGINT and SIGTERM off to the end of the block: one that came while a leash is started would lose sight of it.

    What is started inherits that; the leash takes it back.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def hold(holder: int, command: Sequence[str]) -> int:
    """Run `command` until it ends by itself or must end; return its exit status when nothing of it is left."""
    released: list[int] = []

    def release(number: int, _frame: FrameType | None) -> None:
        released.append(number)

    signal.signal(signal.SIGTERM, release)
    # A terminal's Ctrl-C reaches the whole group; the holder decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != holder:
        return 0
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_as_child)  # noqa: PLW1509, S603 - one thread, our own command
    status = None
    while status is None and not released and os.getppid() == holder:
        time.sleep(_TICK)
        status = _reap(child.pid)
    return _end_tree(child.pid, status)


def _as_child() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Should the leash itself be killed, the command at least is told.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _reap(child: int) -> int | None:
    """Collect every ended process below; return the status of `child` when it was among them."""
    status = None
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
                status = code if code >= 0 else 128 - code
    except ChildProcessError:
        pass
    return status


def _end_tree(child: int, status: int | None) -> int:
    begun = time.monotonic()
    told = False
    if status is None:
        _signal([child], signal.SIGTERM)
    while tree := _tree():
        waited = time.monotonic() - begun
        if waited > GRACE:
            _signal(tree, signal.SIGKILL)
        elif not told and (status is not None or waited > _ALONE):
            _signal(tree, signal.SIGTERM)
            told = True
        time.sleep(_TICK)
        ended = _reap(child)
        status = ended if status is None else status
    return status or 0


def _signal(processes: Sequence[int], number: int) -> None:
    for pid in processes:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _tree() -> list[int]:
    """Every living process below this one. Linux hands orphans to the leash, so that none is missed."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in _processes():
        children[parent].append(pid)
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Every process that is not a zombie, with its parent."""
    for pid, parent, state in _proc() if sys.platform == "linux" else _ps():
        if not state.startswith("Z"):
            yield int(pid), int(parent)


def _proc() -> Iterator[tuple[str, str, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name stands in parentheses and may hold anything; state and parent follow it.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        yield folder.name, parent, state


def _ps() -> Iterator[tuple[str, str, str]]:
    listing = subprocess.run(["/bin/ps", "-axo", "pid=,ppid=,stat="], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        pid, parent, state = line.split()[:3]
        yield pid, parent, state


if __name__ == "__main__":
    sys.exit(hold(int(sys.argv[1]), sys.argv[2:]))
