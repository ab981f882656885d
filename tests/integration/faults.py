"""At which steps the tests break a database (threadline.testing.faults.database does it)."""

from collections.abc import Iterator
from itertools import count

from threadline.store.database import Database
from threadline.store.sqlite import SqliteDatabase


def steps(database: Database) -> Iterator[int]:
    """Yield the steps to break at: each one on SQLite, some on PostgreSQL, where each costs more and the code is the same."""
    return count(0, 1 if isinstance(database, SqliteDatabase) else 4)
