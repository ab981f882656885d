"""What the health page is told of streams and targets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.lab import Lab
from threadline.model.ids import new_ulid
from threadline.sdk import Receipt
from threadline.store import schema
from threadline.sync.config import Config, Matching, load_config
from threadline.sync.health import MatchingHealth, StreamHealth, TargetHealth, health, seconds_between
from threadline.sync.views import Ledger

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def config(tmp_path) -> Config:
    path = tmp_path / "threadline.yaml"
    path.write_text("""\
sources:
  desk: {connector: zendesk, schedule: "*/5 * * * *", settings: {subdomain: acme}, streams: {users: {}, tickets: {}}}
  broken: {connector: nothing}
targets:
  desk: {system: desk, push: [zendesk/push/user]}
""")
    return load_config(path)


@pytest.fixture
def ran(lab: Lab) -> Callable[..., None]:
    """Writes a run into the ledger: how many minutes ago it started, and what it did."""

    def write(
        minutes: float, state: str = "done", *, kind: str = "pull", stream: str = "users", error: str | None = None, **did: int
    ) -> None:
        with lab.database.write() as transaction:
            started = transaction.now() - timedelta(minutes=minutes)
            counts = [did.get(name, 0) for name in ("read", "new", "changed", "unchanged", "filtered", "dead")]
            ended = None if state == "running" else started
            transaction.insert(schema.RUNS, [(new_ulid(), kind, "desk", stream, state, started, ended, *counts, error)])

    return write


def stream(lab: Lab, config: Config, name: str = "users") -> StreamHealth:
    with lab.database.read() as transaction:
        found = health(transaction, config)
    return next(one for one in found.streams if one.stream == name)


def target(lab: Lab, config: Config) -> TargetHealth:
    with lab.database.read() as transaction:
        (found,) = health(transaction, config).targets
    return found


def test_a_stream_that_never_ran_and_an_entry_that_cannot(lab, config):
    found = stream(lab, config)
    assert (found.state, found.last_success, found.lag, found.error, found.interval) == ("never", None, None, None, 300)
    assert found.ledger == Ledger()
    with lab.database.read() as transaction:
        seen = health(transaction, config)
    assert [(one.source, one.stream) for one in seen.streams] == [("desk", "users"), ("desk", "tickets")]
    assert [problem.entry for problem in seen.problems] == ["source broken"]


def test_a_stream_is_fresh_until_two_intervals_have_passed_and_late_then(lab, config, ran):
    ran(9, read=3, new=3)
    assert stream(lab, config).state == "fresh"
    assert stream(lab, config, "tickets").state == "never"
    with lab.database.write() as transaction:
        transaction.execute("UPDATE runs SET ended = ?", [transaction.now() - timedelta(minutes=11)])
    found = stream(lab, config)
    assert found.state == "late"
    assert found.lag == pytest.approx(660, abs=30)


def test_a_run_that_is_under_way_or_was_lost(lab, config, ran):
    ran(3)
    ran(1, "running", read=10, new=10)
    found = stream(lab, config)
    assert (found.state, found.ledger) == ("fresh", Ledger(read=10, new=10))
    ran(0.5, "lost", error="killed")
    found = stream(lab, config)
    assert (found.state, found.error) == ("failed", "killed")


def test_a_failure_is_told_until_the_next_success(lab, config, ran):
    ran(4)
    ran(2, "failed", error="the helpdesk is down")
    found = stream(lab, config)
    assert (found.state, found.error) == ("failed", "the helpdesk is down")
    assert found.failed_at is not None
    assert found.last_success is not None
    ran(1)
    found = stream(lab, config)
    assert (found.state, found.error, found.failed_at) == ("fresh", None, None)


def test_a_ledger_that_does_not_balance_is_told(lab, config, ran):
    ran(2, read=10, new=4, changed=1, unchanged=2, filtered=1, dead=1)
    found = stream(lab, config)
    assert (found.state, found.ledger.missing) == ("unbalanced", 1)
    ran(1, read=5, unchanged=5)
    assert stream(lab, config).state == "unbalanced"


def test_the_ledger_adds_the_pulls_of_a_day_and_the_rate_is_per_minute_of_each_hour(lab, config, ran):
    ran(25 * 60, read=100, new=100)
    ran(90, read=60, new=60)
    ran(10, read=30, changed=20, unchanged=10)
    ran(5, read=6, dead=6)
    ran(5, kind="replay", read=50, new=50)
    ran(5, stream="tickets", read=70, new=70)
    found = stream(lab, config)
    assert found.ledger == Ledger(read=96, new=60, changed=20, unchanged=10, dead=6)
    assert len(found.rate) == 24
    assert found.rate[-2:] == (1.0, 0.6)
    assert sum(found.rate) == pytest.approx(1.6)


def test_open_dead_letters_are_counted_whatever_their_age(lab, config):
    at = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        (bytes([n]) * 16, "desk", "users", str(n), "why", "$", "", b"", at, at, 1, state)
        for n, state in enumerate(["open", "open", "resolved"])
    ]
    with lab.database.write() as transaction:
        transaction.insert(schema.DEAD_LETTERS, rows)
    assert stream(lab, config).open_dead == 2
    assert stream(lab, config, "tickets").open_dead == 0


def test_a_target_before_its_first_push(lab, config):
    found = target(lab, config)
    assert (found.state, found.due, found.last_push, found.error, found.repeat) == ("never", 0, None, None, "upsert")


def pushed(lab: Lab, answer: Callable[[Any], Receipt], *numbers: int) -> None:
    lab.connector.answer = answer
    lab.read("people", *({"id": number, "name": f"Person {number}"} for number in numbers))
    lab.resolve()
    lab.push("user")


def test_a_target_that_has_taken_everything(lab, config):
    pushed(lab, lambda intent: Receipt(intent.id, "done"), 1, 2)
    found = target(lab, config)
    assert (found.state, found.done, found.waiting, found.dead, found.oldest_waiting) == ("fresh", 2, 0, 0, None)
    assert found.last_push is not None


def test_a_target_with_something_waiting_and_something_dead(lab, config):
    answers = {"Person 1": "done", "Person 2": "retry", "Person 3": "unknown", "Person 4": "dead"}
    pushed(lab, lambda intent: Receipt(intent.id, answers[intent.payload["name"]]), 1, 2, 3, 4)  # type: ignore[arg-type]
    found = target(lab, config)
    assert (found.state, found.done, found.waiting, found.dead, found.due) == ("waiting", 1, 2, 1, 4)
    assert found.oldest_waiting is not None
    assert found.oldest_waiting >= 0


def test_a_push_that_failed_or_was_lost(lab, config, ran):
    pushed(lab, lambda intent: Receipt(intent.id, "done"), 1)
    ran(-1, "failed", kind="push", stream="user", error="the helpdesk is down")
    assert (target(lab, config).state, target(lab, config).error) == ("failed", "the helpdesk is down")
    ran(-2, "lost", kind="push", stream="user", error="killed")
    assert (target(lab, config).state, target(lab, config).error) == ("failed", "killed")
    ran(-3, kind="push", stream="user")
    assert target(lab, config).state == "fresh"


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        (None, None),
        ("*/5 * * * *", 300),
        ("@hourly", 3600),
        ("0 6 * * *", 86_400),
        ("0 9,17 * * *", 16 * 3600),
        ("0 6 * * 1", 7 * 86_400),
        ("not cron", None),
        ("99 * * * *", None),
        ("@once", None),
        ("0 0 30 2 *", None),
    ],
)
def test_the_time_between_two_runs_is_the_longest_of_the_coming_ones(schedule, seconds):
    assert seconds_between(schedule, NOW) == seconds


def test_matching_is_shown_where_it_is_used_or_something_waits(lab, config):
    def seen(config: Config) -> MatchingHealth | None:
        with lab.database.read() as transaction:
            return health(transaction, config).matching

    assert seen(config) is None
    nightly = replace(config, matching=Matching("0 3 * * *", "threadline.yaml:1"))
    never = seen(nightly)
    assert never is not None
    assert (never.state, never.learned, never.lag, never.joined, never.review) == ("never", None, None, 0, 0)
    with lab.database.write() as transaction:
        now = transaction.now()
        pairs = [(bytes(16), bytes([other] * 16)) for other in range(1, 5)]
        states = ("accepted", "accepted", "review", "rejected")
        rows = [(*pair, 9.0, "[]", "m", state, now) for pair, state in zip(pairs, states, strict=True)]
        transaction.insert(schema.MATCHES, rows)
    by_rules = seen(config)
    assert by_rules is not None
    assert (by_rules.state, by_rules.schedule, by_rules.joined, by_rules.review) == ("never", None, 2, 1)
    for hours, state in ((47, "fresh"), (49, "late")):
        with lab.database.write() as transaction:
            transaction.execute("DELETE FROM match_models")
            transaction.append(schema.MATCH_MODELS, [("m", "{}", transaction.now() - timedelta(hours=hours))])
        found = seen(nightly)
        assert found is not None
        assert found.state == state
        assert found.lag == pytest.approx(hours * 3600, abs=30)
        by_hand = seen(config)
        assert by_hand is not None
        assert by_hand.state == "fresh"
