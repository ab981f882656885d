"""A command on a leash ends with its holder, however the holder ends, and so does all that the command started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from threadline.cli import leash

# Starts a process of its own session whose parent ends at once, then waits; both write down who they are.
FAMILY = """
import os, signal, sys, time
def note(name):
    with open(f"{sys.argv[1]}/{name}.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{sys.argv[1]}/{name}.new", f"{sys.argv[1]}/{name}")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note("daemon")
        time.sleep(600)
    os._exit(0)
note("command")
time.sleep(600)
"""
STUBBORN = FAMILY.replace("os.setsid()", "os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)")
HOLDER = "import os, subprocess, sys; subprocess.run([sys.executable, sys.argv[1], str(os.getpid()), *sys.argv[2:]])"


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    patience = time.monotonic() + 30
    while not condition():
        if time.monotonic() > patience:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Return the pid that a process wrote down, once it has; in the end none of them may live."""

    def pid(name: str) -> int:
        assert eventually((tmp_path / name).exists)
        return int((tmp_path / name).read_text())

    yield pid
    for file in tmp_path.iterdir():
        if alive(int(file.read_text())):
            os.kill(int(file.read_text()), signal.SIGKILL)


def leashed(*command: str) -> list[str]:
    return [sys.executable, leash.__file__, str(os.getpid()), *command]


def test_the_exit_status_is_the_commands() -> None:
    assert subprocess.run(leashed(sys.executable, "-c", "raise SystemExit(7)"), check=False).returncode == 7


def test_a_command_that_a_signal_ended_counts_as_failed() -> None:
    killed = leashed(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert subprocess.run(killed, check=False).returncode == 128 + signal.SIGKILL


def test_letting_go_ends_even_a_stubborn_tree(tmp_path: Path, noted: Callable[[str], int]) -> None:
    with subprocess.Popen(leashed(sys.executable, "-c", STUBBORN, str(tmp_path))) as process:
        tree = [noted("command"), noted("daemon")]
        assert all(alive(pid) for pid in tree)
        process.terminate()
    assert not any(alive(pid) for pid in tree)


def test_a_killed_holder_leaves_nothing(tmp_path: Path, noted: Callable[[str], int]) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, leash.__file__, sys.executable, "-c", FAMILY, str(tmp_path)])
    tree = [noted("command"), noted("daemon")]
    holder.kill()
    holder.wait()
    assert eventually(lambda: not any(alive(pid) for pid in tree))


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path, noted: Callable[[str], int]) -> None:
    leaving = FAMILY.replace('note("command")\ntime.sleep(600)', "")
    assert subprocess.run(leashed(sys.executable, "-c", leaving, str(tmp_path)), check=False).returncode == 0
    assert not alive(noted("daemon"))


def test_without_its_holder_nothing_starts(tmp_path: Path) -> None:
    command = [sys.executable, leash.__file__, "1", sys.executable, "-c", FAMILY, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_processes_are_found_where_there_is_no_proc() -> None:
    listed = {pid: parent for pid, parent, _ in leash._ps()}
    assert listed[str(os.getpid())] == str(os.getppid())
