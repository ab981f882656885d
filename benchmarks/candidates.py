"""The systems that are compared: how each is installed, run, and asked what it stored."""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from benchmarks.postgres import Server
from benchmarks.subject import Subject, stored

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
_UV = Path(sys.executable).with_name("uv")


class Candidate(ABC):
    """A system under measurement, on an empty store of its own.

    `cases` are those that it takes part in, `rounds` how often at most (a slow one is not repeated).
    """

    title: str
    keeps: bool = True
    """Whether it stores what it reads."""
    served: bool = True
    """Whether it uses the database server."""
    cases: Sequence[str] = ("first", "changed", "delta")
    rounds: int = 99
    environment: Mapping[str, str]

    @abstractmethod
    def command(self, url: str) -> Sequence[str]:
        """Return the command that reads `url/tickets.json` and what follows it."""

    @abstractmethod
    def stored(self, log: Path) -> int:
        """Return how many tickets it holds, or for one that holds none, has written."""


class Threadline(Candidate):
    """threadline with everything on: archive, parties, change log, ledger."""

    cases = ("first", "changed", "delta", "volatile", "load")

    def __init__(self, program: Path, home: Path, server: Server | None) -> None:
        self.title = "threadline, PostgreSQL" if server else "threadline, SQLite"
        self.served = server is not None
        self._database = server.empty() if server else f"sqlite:///{home / 'store.db'}"
        self._subject = Subject(program, home, self._database)
        self.environment = self._subject.environment

    def command(self, url: str) -> Sequence[str]:
        """Return the pull."""
        return self._subject.pull(url)

    def stored(self, log: Path) -> int:
        """Ask the store."""
        return stored(self._database)


class Peer(Candidate):
    """A script under peers/, run by an interpreter that has what it needs."""

    def __init__(self, python: Path, home: Path, server: Server, name: str) -> None:
        self.title, self._script, self.keeps = PEER_SCRIPTS[name]
        self._python = python
        self.served = self.keeps
        if not self.keeps:
            # To one that stores nothing, a re-sync is a first load again.
            self.cases = ("first", "delta")
        if name == "airbyte_mapped":
            self.rounds = 1
        self._database = server.empty()
        self.environment = {**os.environ, "BENCH_DATABASE": self._database, "BENCH_HOME": str(home)}

    def command(self, url: str) -> Sequence[str]:
        """Return the script's call."""
        self.environment = {**self.environment, "BENCH_URL": url}
        script, *arguments = self._script
        return [str(self._python), str(PEERS / script), *arguments]

    def stored(self, log: Path) -> int:
        """Ask its table, or count the records that it wrote."""
        if not self.keeps:
            with log.open("rb") as lines:
                return sum(line.startswith(b'{"type":"RECORD"') for line in lines)
        with psycopg.connect(self._database) as connection:
            row = connection.execute("SELECT count(*) FROM bench.tickets").fetchone()
            return int(row[0]) if row else 0


PEER_SCRIPTS: Mapping[str, tuple[str, tuple[str, ...], bool]] = {
    "dlt_rest": ("dlt, declarative", ("dlt_run.py", "rest"), True),
    "dlt_arrow": ("dlt, Arrow by hand", ("dlt_run.py", "arrow"), True),
    "singer": ("singer-sdk, target-postgres", ("singer_run.py",), True),
    "airbyte_raw": ("airbyte-cdk, read only", ("airbyte_run.py", "raw"), False),
    "airbyte_mapped": ("airbyte-cdk, read only, mapped", ("airbyte_run.py", "tickets"), False),
}
THREADLINE = ("threadline_postgres", "threadline_sqlite")
NAMES = (*THREADLINE, *PEER_SCRIPTS)


class Installation:
    """Environments that are made once, each with what one system needs and nothing else."""

    def __init__(self, folder: Path, *, own: bool = True) -> None:
        self._folder = folder
        self._own = own

    def candidate(self, name: str, home: Path, server: Server) -> Candidate:
        """Return a system of this name with an empty store; its environment is made when it is not there yet."""
        home.mkdir(parents=True)
        if name in THREADLINE:
            return Threadline(self.threadline(), home, server if name == "threadline_postgres" else None)
        family = name.partition("_")[0]
        return Peer(self.python(family, "--requirements", str(PEERS / f"{family}.txt")), home, server, name)

    def threadline(self) -> Path:
        """Return the program; installed from this checkout with the versions of the lock, unless that here shall do."""
        if not self._own:
            return Path(sys.executable).with_name("threadline")
        locked = ("--constraints", str(ROOT / "requirements.lock"), f"{ROOT}[postgres]")
        return self.python("threadline", *locked).with_name("threadline")

    def python(self, name: str, *requirements: str) -> Path:
        """Return the interpreter of a fresh environment with these requirements."""
        python = self._folder / name / "bin" / "python"
        if not python.exists():
            subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, self._folder / name], check=True)
            subprocess.run([_UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *requirements], check=True)
        return python
