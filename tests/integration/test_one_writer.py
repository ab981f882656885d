"""Cursor and effects commit together, and only for the run that took the stream over last."""

from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.faults import steps
from tests.integration.lab import Lab, contents, wipe
from tests.integration.worker import Puller
from threadline.sdk import Rejected
from threadline.store.database import open_database
from threadline.sync import pull as pulling
from threadline.sync.lease import BusyError, Run, SupersededError
from threadline.sync.policy import Policy
from threadline.sync.pull import pull
from threadline.sync.views import Ledger
from threadline.testing.faults.database import Breaking, Crash

BEFORE: list[Any] = [
    {"id": 1, "name": "Ana", "email": "ana@example.org", "wish": "sms"},
    {"id": 2, "name": "Bo", "email": "bo@example.org"},
    {"id": 3, "name": "Cy", "wish": "pigeon"},
    {"id": 4, "name": "Di"},
    {"id": 5, "name": "Ed"},
]
AFTER: list[Any] = [
    {"id": 1, "name": "Ana Lima", "email": "bo@example.org"},  # joins Bo, and loses address and wish
    {"id": 3, "name": "Cy", "wish": "chat"},  # was dead
    {"id": 4, "name": "Di", "hidden": True},
    {"id": 5, "name": "Ed", "wish": "pigeon"},  # is dead now
    {"id": 6, "name": "Flo", "phone": "+49 30 901820"},
    {"name": "nobody"},
]


def prepared(lab: Lab) -> Lab:
    lab.connector.add("people", BEFORE)
    lab.pull("people")
    lab.connector.add("people", AFTER, rejected=[Rejected("7", b"\xff", "no text")])
    return lab


def test_whatever_statement_fails_a_batch_is_stored_with_its_cursor_or_not_at_all(database):
    before = contents(prepared(Lab(database)).database)
    lab = Lab(database)
    prepared(lab).pull("people")
    after = contents(database)
    assert after != before
    stored, lost = 0, 0
    for at in steps(database):
        wipe(database)
        lab = prepared(Lab(database))
        breaking = Breaking(database, at)
        try:
            pull(breaking, lab.connector, lab.judge("people"))
        except Crash:
            found = contents(database)
            assert found in (before, after), f"half a batch after step {at}"
            assert found["streams"] == (before if found == before else after)["streams"]
            stored, lost = stored + (found == after), lost + (found == before)
            assert lab.pull("people").missing == 0
            assert contents(database) == after
        else:
            break
    # Most steps are before the commit; those after it are the note of the run's end.
    assert lost > 6
    assert stored > 0


OVER = timedelta(0)
"""A lease that has run out as soon as it is taken."""


def test_a_run_that_is_taken_over_stops_without_a_trace(lab, database_url, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 1)
    lab.connector.add("people", *([record] for record in BEFORE))
    with open_database(database_url, create=False) as other:
        rival = Lab(other, lab.connector)
        snapshots: list[Any] = []

        def take_over(ledger: Ledger) -> None:
            if not snapshots:
                rival.pull("people")
                snapshots.append(contents(other))

        with pytest.raises(SupersededError, match=r"desk\.people was taken over by a later run; this one stops"):
            pull(lab.database, lab.connector, lab.judge("people"), progress=take_over, policy=Policy(lease=OVER))
    assert contents(lab.database) == snapshots[0]
    assert sorted(lab.rows('SELECT state, "read" FROM runs')) == [("done", 4), ("lost", 1)]


def test_a_stream_that_is_being_pulled_is_left_to_that_run(lab, database_url, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 1)
    lab.connector.add("people", *([record] for record in BEFORE))
    refused: list[BusyError] = []
    with open_database(database_url, create=False) as other:

        def try_too(ledger: Ledger) -> None:
            with pytest.raises(BusyError, match=r"another run of desk\.people is under way") as caught:
                Lab(other, lab.connector).pull("people")
            refused.append(caught.value)

        pull(lab.database, lab.connector, lab.judge("people"), progress=try_too)
    assert len(refused) == len(BEFORE)
    assert all(0 < (error.retry_after or 0) <= Policy().lease.total_seconds() for error in refused)
    assert lab.rows('SELECT state, "read" FROM runs') == [("done", len(BEFORE))]
    assert lab.pull("people") == Ledger()


def test_a_run_that_was_superseded_cannot_move_the_cursor_even_without_records(lab, database_url):
    with open_database(database_url, create=False) as other:
        earlier, later = Run(lab.database, "desk", "people", lease=OVER), Run(other, "desk", "people")
        with earlier.under_way(), later.under_way():
            with pytest.raises(SupersededError), lab.database.write() as transaction:
                earlier.commit(transaction, Ledger(), {"page": 9})
            with pytest.raises(SupersededError):
                earlier.renew()
            assert lab.rows("SELECT cursor FROM streams") == [(None,)]
            with other.write() as transaction:
                later.commit(transaction, Ledger(), {"page": 1})
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":1}',)]
    assert lab.rows("SELECT state FROM runs WHERE id = ?", earlier.id) == [("lost",)]


def test_runs_of_different_streams_do_not_disturb_each_other(lab):
    runs = [Run(lab.database, "desk", "people"), Run(lab.database, "desk", "orders"), Run(lab.database, "shop", "people")]
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(run.under_way())
        for run in runs:
            with lab.database.write() as transaction:
                run.commit(transaction, Ledger(), {"page": 1})
    assert lab.rows("SELECT DISTINCT state FROM runs") == [("done",)]


def test_a_process_that_was_held_up_writes_nothing_once_another_has_taken_over(lab, database_url):
    with Puller(database_url, BEFORE) as held_up:
        held_up.step()
        assert held_up.line.recv() == "waiting"
        lab.connector.add("people", *([record] for record in BEFORE), AFTER)
        with pytest.raises(BusyError):
            lab.pull("people")
        with lab.database.write() as transaction:
            transaction.execute("UPDATE streams SET lease_until = changed_at")
        lab.pull("people")
        before = contents(lab.database)
        held_up.line.send("go on")
        assert held_up.line.recv() == "SupersededError"
    assert contents(lab.database) == before


def test_a_run_that_was_killed_is_marked_lost_by_the_next(lab, database_url):
    with Puller(database_url, BEFORE) as killed:
        killed.step()
        killed.step()
        assert killed.line.recv() == "waiting"
    assert lab.rows('SELECT state, "read" FROM runs') == [("running", 2)]
    lab.connector.add("people", *([record] for record in BEFORE))
    assert lab.pull("people") == Ledger(read=3, new=2, dead=1)
    states = dict(lab.rows("SELECT state, error FROM runs"))
    assert states["done"] is None
    assert "killed, or its machine stopped" in states["lost"]
