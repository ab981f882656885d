"""Runs threadline as its users do: the command line, a settings file, a mapping file."""

import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

SOURCE = Path(__file__).parent / "source"


class Subject:
    """An installed threadline with one source, `desk`, and a store."""

    def __init__(self, program: Path, home: Path, database: str) -> None:
        self.home = home
        self.database = database
        self._program = program
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / "tickets.yaml", home)
        entry = home / "path" / "bench-0.dist-info"
        entry.mkdir(parents=True, exist_ok=True)
        shutil.copy(SOURCE / "reader.py", home / "path" / "bench_reader.py")
        (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 0\n")
        (entry / "entry_points.txt").write_text("[threadline.connectors]\nbench_reader = bench_reader:Reader\n")

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of its commands."""
        return {**os.environ, "THREADLINE_DATABASE_URL": self.database, "PYTHONPATH": str(self.home / "path")}

    def pull(self, url: str) -> Sequence[str]:
        """Point the source at an address; return the command that pulls it."""
        settings = {"sources": {"desk": {"connector": "bench_reader", "settings": {"base_url": url}}}}
        (self.home / "threadline.yaml").write_bytes(msgspec.json.encode(settings))
        return [str(self._program), "pull", "desk", "--json"]


def stored(database: str) -> int:
    """Return how many tickets a store holds."""
    if database.startswith("sqlite"):
        connection = sqlite3.connect(database.removeprefix("sqlite:///"))
        try:
            return int(connection.execute("SELECT count(*) FROM cases").fetchone()[0])
        finally:
            connection.close()
    import psycopg

    with psycopg.connect(database) as postgres:
        row = postgres.execute("SELECT count(*) FROM cases").fetchone()
        return int(row[0]) if row else 0
