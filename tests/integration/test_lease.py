"""One effective writer over real processes: one that is gone frees its stream at once, one that slept commits nothing more."""

import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lab import Lab, contents
from tests.integration.worker import Puller
from threadline.store.schema import STREAM_FIELDS
from threadline.sync.config import load_config
from threadline.sync.health import health
from threadline.sync.lease import BusyError, Run
from threadline.sync.policy import Policy
from threadline.sync.views import Ledger

PEOPLE = [{"id": number, "name": f"Person {number}"} for number in range(1, 6)]


def pull_when_free(lab: Lab) -> tuple[int, Ledger]:
    """Pull as soon as the stream is free; return how often it was not."""
    lab.connector.add("people", *([record] for record in PEOPLE))
    for refusals in range(30):
        try:
            return refusals, lab.pull("people")
        except BusyError as error:
            time.sleep(min(error.retry_after or 0.05, 1))
    raise AssertionError("the stream never became free")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_is_gone_frees_its_stream_at_once(lab: Lab, database_url: str, number: signal.Signals) -> None:
    with Puller(database_url, PEOPLE, lease=3_600) as puller:
        puller.go_on()
        lab.connector.add("people", *([record] for record in PEOPLE))
        with pytest.raises(BusyError) as caught:
            lab.pull("people")
        assert 3_000 < (caught.value.retry_after or 0) <= 3_600
        puller.signal(number)
        puller.process.join()
        lab.connector.pages.clear()
        refusals, ledger = pull_when_free(lab)
    assert ledger == Ledger(read=4, new=4)
    # A server may take a moment to see that its client is gone, but nobody waits for the lease.
    assert refusals == 0 or "postgres" in database_url
    assert [name for (name,) in lab.rows("SELECT state FROM runs ORDER BY started")] == ["lost", "done"]


def test_a_process_that_slept_past_its_lease_commits_nothing_when_it_wakes(lab: Lab, database_url: str) -> None:
    with Puller(database_url, PEOPLE, lease=1) as sleeper:
        sleeper.go_on()
        sleeper.signal(signal.SIGSTOP)
        lab.policy = Policy(lease=timedelta(seconds=1))
        refusals, ledger = pull_when_free(lab)
        assert refusals > 0, "the lease was of no effect"
        assert ledger == Ledger(read=4, new=4)
        before: dict[str, Any] = contents(lab.database)
        changes = lab.rows("SELECT count(*) FROM changes")
        sleeper.signal(signal.SIGCONT)
        sleeper.line.send("go on")
        assert sleeper.line.recv() == "SupersededError"
    assert contents(lab.database) == before
    assert lab.rows("SELECT count(*) FROM changes") == changes
    assert [name for (name,) in lab.rows("SELECT state FROM runs ORDER BY started")] == ["lost", "done"]


def test_a_process_that_is_alive_and_slower_than_its_lease_keeps_the_stream_while_nobody_wants_it(lab: Lab, database_url: str) -> None:
    with Puller(database_url, PEOPLE, lease=0.01) as slow:
        for _ in PEOPLE[1:]:
            slow.go_on()
        slow.line.send("go on")
        assert slow.line.recv() == repr(Ledger(read=5, new=5))
    assert lab.rows("SELECT lease_until FROM streams") == [(None,)]


def test_a_source_that_takes_longer_than_the_lease_does_not_cost_its_run_the_stream(lab: Lab, database_url: str) -> None:
    with Puller(database_url, PEOPLE, lease=1, ahead=1) as waiting:
        waiting.go_on()
        lab.connector.add("people", *([record] for record in PEOPLE))
        time.sleep(1.5)
        with pytest.raises(BusyError):
            lab.pull("people")
        for _ in PEOPLE[2:]:
            waiting.go_on()
        waiting.line.send("go on")
        assert waiting.line.recv() == repr(Ledger(read=5, new=5))


def test_the_health_of_a_stream_tells_of_its_lease_its_pause_and_its_drift(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "threadline.yaml").write_text("sources: {desk: {connector: zendesk, settings: {subdomain: acme}, streams: {users: {}}}}")
    config = load_config(tmp_path / "threadline.yaml")

    def seen() -> tuple[Any, Any, int]:
        with lab.database.read() as transaction:
            (stream,) = health(transaction, config).streams
        return stream.held_until, stream.paused, stream.drifted

    assert seen() == (None, None, 0)
    run = Run(lab.database, "desk", "users", lease=timedelta(seconds=100))
    with run.under_way():
        run.pause("too many", None)
        with lab.database.write() as transaction:
            now = transaction.now()
            drifted = [("desk", "users", field, kind, state, now, None) for field, kind, state in SEEN]
            transaction.append(STREAM_FIELDS, drifted)
        held_until, paused, fields = seen()
    assert timedelta(seconds=90) < held_until - now <= timedelta(seconds=100)
    assert (paused, fields) == ("too many", 2)
    assert seen() == (None, "too many", 2)


SEEN = [("name", "string", "known"), ("team", "array", "retyped"), ("team", "number", "retyped"), ("age", "number", "new")]
