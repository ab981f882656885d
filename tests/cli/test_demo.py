"""The demo as `make demo` runs it: what it reports, that the next one goes on from there, and that nothing of it is left behind."""

import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import rmtree

import pytest

from tests.cli.company import THREADLINE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PARTS = (
    "Records", "One customer", "One thread", "Pushes", "Dead letters", "One customer's thread", "Airflow", "Look further",
)  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short, and stands in the environment of no process but the demo's."""
    made = Path(tempfile.mkdtemp(prefix="threadline-demo-"))
    yield made
    for pid in left_of(made):
        os.kill(pid, signal.SIGKILL)
    rmtree(made, ignore_errors=True)


def left_of(folder: Path) -> list[int]:
    """Return the living processes that know of a folder."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            alive = (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            knows = str(folder).encode() in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if alive and knows:
            found.append(int(process.name))
    return found


@contextmanager
def demo(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a demo of forty customers."""
    command = [*THREADLINE, "demo", "--folder", str(folder), "--customers", "40", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("THREADLINE_", "AIRFLOW"))}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_for(process: "subprocess.Popen[str]", text: str) -> None:
    assert process.stderr
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if text in line:
            return
    raise AssertionError("".join(said))


def run_once(folder: Path) -> str:
    with demo(folder, "--once") as process:
        report, said = process.communicate(timeout=600)
    assert process.returncode == 0, said + report
    assert left_of(folder) == []
    return report


def count_new(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "threadline.db")) as connection:
        (count,) = connection.execute("SELECT sum(\"new\") FROM runs WHERE kind = 'pull'").fetchone()
    return int(count)


def test_a_demo_reports_everything_and_the_next_one_goes_on_from_there(folder: Path) -> None:
    report = run_once(folder)
    headings = [report.index(f"\n{part}\n") for part in PARTS]
    assert headings == sorted(headings)
    assert re.search(r"customers in truth +40\n", report)
    assert re.search(r"profiles that mix customers +0\n", report)
    assert re.search(r"threads over 4 systems or more +(\d+) \(in truth \1\)\n", report)
    pushes = re.findall(r"^(\w+\.\w+) +(\d+) +(\d+) +(\d+)$", report, re.MULTILINE)
    assert len(pushes) == 7
    assert [push for push in pushes if push[1] == "0" or push[1:] != (push[1], push[1], "0")] == []
    assert re.search(r"pages +http://127\.0\.0\.1:\d+/", report)
    assert re.search(r"login +admin / \S+", report)
    look = re.search(r"export (THREADLINE_CONFIG)=(\S+)\n +\S+ (timeline) (\S+)\n", report)
    assert look
    timeline = [*THREADLINE, look[3], look[4]]
    shown = subprocess.run(timeline, env={**os.environ, look[1]: look[2]}, capture_output=True, text=True, check=True).stdout
    assert " → " in shown

    first = count_new(folder)
    again = run_once(folder)
    assert f"\n{PARTS[-1]}\n" in again
    assert count_new(folder) - first < first / 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["are listening", "events told", "Airflow runs at", "DAGs have succeeded"])
def test_a_demo_that_is_told_to_end_leaves_nothing(folder: Path, moment: str, number: int) -> None:
    with demo(folder) as process:
        wait_for(process, moment)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert left_of(folder) == []


def test_a_demo_that_goes_on_ends_in_order(folder: Path) -> None:
    with demo(folder) as process:
        wait_for(process, "The demo goes on")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "stopping\n")
    assert PARTS[-1] in out
    assert left_of(folder) == []


def test_a_demo_that_is_killed_leaves_nothing_for_long(folder: Path) -> None:
    with demo(folder) as process:
        wait_for(process, "DAGs have succeeded")
        assert len(left_of(folder)) > 3
        process.kill()
        process.communicate()
    patience = time.monotonic() + 15
    while left := left_of(folder):
        assert time.monotonic() < patience, left
        time.sleep(0.2)
