"""Runs threadline as its users do: the command line, a settings file, an API file, a mapping file."""

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
        for name in ("desk.yaml", "tickets.yaml"):
            shutil.copy(SOURCE / name, home)

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of its commands."""
        return {**os.environ, "THREADLINE_DATABASE_URL": self.database}

    def pull(self, url: str) -> Sequence[str]:
        """Point the source at an address; return the command that pulls it."""
        settings = {"sources": {"desk": {"connector": "rest", "settings": {"api": "desk.yaml", "base_url": url}}}}
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
