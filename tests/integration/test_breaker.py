"""A stream whose records mostly cannot be used is paused before they fill the dead letters, and loses nothing by that."""

from typing import Any

import pytest

from tests.integration.lab import MAPPINGS, Lab, contents
from threadline.sync import pull as pulling
from threadline.sync.breaker import BreakerError
from threadline.sync.policy import Policy
from threadline.sync.views import Ledger

MENDED = MAPPINGS["people"].replace("channel: wish", "channel: {from: wish, lookup: {pigeon: chat}}")


def people(count: int, poisoned: int, first: int = 1) -> list[dict[str, Any]]:
    """Make people of whom so many wish for what no mapping knows, spread over the list."""
    numbers = range(first, first + count)
    bad = set(numbers[:: count // poisoned][:poisoned]) if poisoned else set()
    return [{"id": number, "name": f"Person {number}"} | ({"wish": "pigeon"} if number in bad else {}) for number in numbers]


def paused(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.rows("SELECT stream FROM streams WHERE paused IS NOT NULL")


@pytest.mark.parametrize("poisoned", [0, 3, 30, 60])
def test_some_poison_lands_as_dead_letters(lab, poisoned):
    lab.connector.add("people", people(300, poisoned))
    assert lab.pull("people") == Ledger(read=300, new=300 - poisoned, dead=poisoned)
    assert paused(lab) == []
    assert lab.rows("SELECT count(*) FROM dead_letters WHERE state = 'open'") == [(poisoned,)]


def test_much_poison_pauses_the_stream_with_nothing_stored_and_nothing_lost(lab):
    lab.connector.add("people", people(300, 0))
    lab.pull("people")
    before = contents(lab.database)
    lab.connector.add("people", people(300, 150, first=301))
    with pytest.raises(BreakerError, match=r"desk\.people is paused: 150 of the last 300 records could not be used") as caught:
        lab.pull("people")
    said = str(caught.value)
    assert "list/people.yaml:" in said
    assert "threadline pull desk --stream people --resume" in said
    assert contents(lab.database) == before
    assert lab.rows("SELECT paused FROM streams") == [(said,)]
    assert lab.rows("SELECT state, error FROM runs WHERE state = 'failed'") == [("failed", said)]


def test_a_paused_stream_is_not_read(lab):
    lab.connector.add("people", people(300, 150))
    with pytest.raises(BreakerError) as first:
        lab.pull("people")
    lab.connector.failing["people"] = (0, AssertionError("the source was asked"))
    for full in (False, True):
        with pytest.raises(BreakerError) as again:
            lab.pull("people", full=full)
        assert str(again.value) == str(first.value)


def test_a_changed_mapping_goes_on_where_the_stream_stood(lab):
    lab.connector.add("people", people(300, 0), people(300, 300, first=301))
    with pytest.raises(BreakerError):
        lab.pull("people")
    assert lab.pull("people", mapping=MENDED) == Ledger(read=600, new=600)
    assert paused(lab) == []
    assert lab.rows("SELECT count(*) FROM preferences WHERE channel = 'chat'") == [(300,)]


def test_a_mapping_changed_for_the_worse_pauses_again(lab):
    lab.connector.add("people", people(300, 300))
    with pytest.raises(BreakerError):
        lab.pull("people")
    with pytest.raises(BreakerError, match="300 of the last 300"):
        lab.pull("people", mapping=MAPPINGS["people"] + "# looked at\n")
    assert paused(lab) == [("people",)]
    assert lab.rows("SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_person_may_take_them_for_dead_letters(lab):
    lab.connector.add("people", people(300, 150))
    with pytest.raises(BreakerError):
        lab.pull("people")
    assert lab.pull("people", resume=True) == Ledger(read=300, new=150, dead=150)
    assert paused(lab) == []
    lab.connector.add("people", people(10, 1, first=301))
    assert lab.pull("people") == Ledger(read=10, new=9, dead=1)


def test_what_is_dead_already_pauses_no_stream_that_is_read_as_a_whole_again(lab):
    lab.connector.add("people", people(1_500, 250))
    lab.pull("people")
    assert lab.pull("people", full=True) == Ledger(read=1_500, unchanged=1_250, dead=250)
    assert lab.rows("SELECT DISTINCT attempts FROM dead_letters") == [(2,)]


def test_a_full_pull_that_is_paused_is_resumed_as_one(lab):
    lab.connector.add("people", people(300, 0))
    lab.pull("people")
    lab.connector.pages["people"].clear()
    lab.connector.add("people", people(300, 300))
    with pytest.raises(BreakerError, match="threadline pull desk --stream people --full --resume"):
        lab.pull("people", full=True)
    assert lab.pull("people", full=True, resume=True) == Ledger(read=300, dead=300)


def test_a_small_stream_never_pauses(lab):
    lab.connector.add("people", people(199, 199))
    assert lab.pull("people") == Ledger(read=199, dead=199)


def test_earlier_batches_stay(lab, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 100)
    lab.connector.add("people", *(people(100, 0, first) for first in (1, 101, 201)), *(people(100, 100, first) for first in (301, 401)))
    with pytest.raises(BreakerError, match="100 of the last 200 records"):
        lab.pull("people")
    assert lab.rows('SELECT "read", "new", dead FROM runs') == [(300, 300, 0)]
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":3}',)]
    assert lab.pull("people", mapping=MENDED) == Ledger(read=200, new=200)


def test_a_good_batch_is_stored_whatever_came_before(lab, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 1)
    lab.connector.add("people", people(150, 150), people(60, 0, first=151))
    assert lab.pull("people") == Ledger(read=210, new=60, dead=150)


def test_share_and_number_are_the_policys(lab):
    lab.policy = Policy(breaker_percent=50, breaker_of=10)
    lab.connector.add("people", people(10, 5))
    assert lab.pull("people") == Ledger(read=10, new=5, dead=5)
    lab.connector.add("people", people(10, 10, first=11))
    with pytest.raises(BreakerError, match="10 of the last 10 records"):
        lab.pull("people")


def test_a_replay_does_not_end_a_pause(lab):
    lab.connector.add("people", people(300, 0), people(300, 300, first=301))
    with pytest.raises(BreakerError):
        lab.pull("people")
    lab.replay("people")
    assert paused(lab) == [("people",)]
    with pytest.raises(BreakerError):
        lab.pull("people")
