"""What each fault of a database leaves behind."""

from collections.abc import Iterator

import pytest

from threadline.sdk.errors import RetryableError
from threadline.store import schema
from threadline.store.database import Database, open_database
from threadline.testing.faults.database import Breaking, Crash, Observed


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_database(f"sqlite:///{tmp_path_factory.mktemp('faults')}/store.db", create=True) as database:
        yield database


@pytest.fixture
def database(opened: Database) -> Database:
    with opened.write() as transaction:
        transaction.execute("DELETE FROM consumers")
    return opened


def write(database: Database, name: str) -> None:
    with database.write() as transaction:
        transaction.upsert(schema.CONSUMERS, [(name, 1, 1)])
        transaction.execute("UPDATE consumers SET seq = 2 WHERE name = ?", [name])


def held(database: Database) -> list[tuple[str, int]]:
    with database.read() as transaction:
        return [(name, seq) for name, seq in transaction.query("SELECT name, seq FROM consumers ORDER BY name")]


def test_every_step_is_announced_and_parameters_are_not(database):
    steps: list[str] = []
    write(Observed(database, steps.append), "a secret")
    assert steps == ["begin write", "upsert consumers", "execute UPDATE consumers SET seq = 2 WHERE name = ?", "commit write", "committed"]


@pytest.mark.parametrize(
    ("fault", "at", "error", "stored", "goes_on"),
    [
        ("crash", 2, Crash, False, False),
        ("crash", 4, Crash, True, False),
        ("connection lost", 2, RetryableError, False, False),
        ("connection lost", 3, RetryableError, False, False),
        ("serialization failure", 0, RetryableError, False, True),
        ("serialization failure", 3, RetryableError, False, True),
        ("disk full", 0, RetryableError, False, True),
        ("disk full", 3, RetryableError, False, True),
        ("unknown outcome", 0, RetryableError, True, True),
    ],
)
def test_a_fault_strikes_once_and_leaves_a_whole_transaction_or_none(database, fault, at, error, stored, goes_on):
    breaking = Breaking(database, at, fault)
    with pytest.raises(error):
        write(breaking, "first")
    assert held(database) == ([("first", 2)] if stored else [])
    if goes_on:
        write(breaking, "second")
    else:
        with pytest.raises(error):
            write(breaking, "second")
    assert (("second", 2) in held(database)) == goes_on


def test_a_step_that_is_never_reached_breaks_nothing(database):
    breaking = Breaking(database, 5)
    write(breaking, "first")
    assert breaking.steps == 5
    assert held(database) == [("first", 2)]
