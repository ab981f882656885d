"""Readers of the change log see every change once, also those of transactions that commit out of order."""

import threading
from contextlib import ExitStack

import pytest

from threadline.model.ids import entity_id
from threadline.store.database import Database, open_database
from threadline.sync import resolve as following
from threadline.sync.apply import log
from threadline.sync.resolve import advance, changes_after, unread

RUN = bytes(16)


def note(transaction, *names: str, kind: str = "thread") -> None:
    log(transaction, [(kind, "new", [entity_id("test", kind, name) for name in names])], RUN, transaction.now())


def read_on(database: Database, consumer: str = "reader", kinds: tuple[str, ...] = ("thread",)) -> list[bytes]:
    """Read to the end of what can be read, as consumers do; return what was wanted."""
    found: list[bytes] = []
    while True:
        with database.write() as transaction:
            changes = changes_after(transaction, consumer, kinds, limit=3)
            if not changes:
                return found
            advance(transaction, consumer, changes)
        found += [change.entity_id for change in changes if change.entity_type in kinds]


def ids(*names: str, kind: str = "thread") -> list[bytes]:
    return [entity_id("test", kind, name) for name in names]


def test_changes_are_read_once_in_their_order(database):
    with database.write() as transaction:
        note(transaction, *"abcdefgh")
    assert read_on(database) == ids(*"abcdefgh")
    assert read_on(database) == []
    with database.write() as transaction:
        note(transaction, "i")
    assert read_on(database) == ids("i")


def test_each_reader_has_a_place_of_its_own_and_sees_only_its_kinds(database):
    with database.write() as transaction:
        note(transaction, *"abcd")
        note(transaction, *"xyz", kind="party")
        note(transaction, "e")
    assert read_on(database, "one") == ids(*"abcde")
    assert read_on(database, "two", ("party",)) == ids(*"xyz", kind="party")
    assert read_on(database, "three", ("order",)) == []
    with database.read() as transaction:
        assert [unread(transaction, name, ["thread", "party"]) for name in ("one", "two", "three", "four")] == [0, 0, 0, 8]
        assert unread(transaction, "four", ["party"]) == 3


def test_a_place_is_kept_only_with_the_effects(database):
    with database.write() as transaction:
        note(transaction, "a")

    def fail() -> None:
        with database.write() as transaction:
            advance(transaction, "reader", changes_after(transaction, "reader", ["thread"]))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert read_on(database) == ids("a")


@pytest.mark.postgres
def test_a_change_that_commits_late_is_not_skipped(postgres_server):
    """Its number is smaller than that of one that is there already."""
    with ExitStack() as stack:
        url = postgres_server.borrow()
        stack.callback(postgres_server.give_back, url)
        slow, quick, reader = (stack.enter_context(open_database(url, create=False)) for _ in range(3))
        with slow.write() as late:
            note(late, "late")
            with quick.write() as transaction:
                note(transaction, "quick")
            assert read_on(reader) == []
        assert read_on(reader) == ids("late", "quick")


@pytest.mark.postgres
def test_a_transaction_that_began_before_but_writes_after_a_reading_is_not_skipped(postgres_server):
    with ExitStack() as stack:
        url = postgres_server.borrow()
        stack.callback(postgres_server.give_back, url)
        slow, quick, reader = (stack.enter_context(open_database(url, create=False)) for _ in range(3))
        with slow.write() as late:
            late.txid()
            with quick.write() as transaction:
                note(transaction, "quick")
            read_on(reader)
            note(late, "late")
        assert sorted(read_on(reader)) == sorted(ids("late", "quick"))


def test_many_writers_and_a_reader_miss_and_repeat_nothing(database, database_url):
    writers, each = 4, 25
    found: list[bytes] = []
    problems: list[Exception] = []

    def write(number: int) -> None:
        try:
            with open_database(database_url, create=False) as own:
                for turn in range(each):
                    with own.write() as transaction:
                        note(transaction, f"{number}-{turn}")
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found += read_on(database)
    found += read_on(database)
    assert problems == []
    assert len(found) == len(set(found)) == writers * each


def test_joining_in_small_steps_ends_with_the_same(lab, monkeypatch):
    at = "2026-01-01T00:00:00Z"
    lab.read("people", {"id": 1, "email": "ana@example.org"}, {"id": 2, "email": "ana@example.org"})
    lab.read("talks", *({"id": number, "at": at, "conversation": str(number % 3), "person": 1 + number % 2} for number in range(9)))
    following_all = following.changes_after
    monkeypatch.setattr(
        following, "changes_after", lambda transaction, consumer, kinds: following_all(transaction, consumer, kinds, limit=1)
    )
    lab.resolve()
    assert sorted(row[0] for row in lab.rows("SELECT count(*) FROM thread_members GROUP BY thread")) == [3, 3, 3]
    assert lab.resolve() == 0
