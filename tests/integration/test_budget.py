"""An account's calls are counted for all processes together, and a run that has none left says when to go on."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.tasks import TOKEN, Tasks, TasksSandbox
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.budget import Allowance, Left, metered, rate_limit_headers
from threadline.store.database import Database, open_database
from threadline.sync.budget import SharedBudget
from threadline.sync.config import Config, load_config
from threadline.sync.connect import open_connector
from threadline.sync.health import AccountHealth, health

HOUR = 3_600


def spent(budget: SharedBudget, call: str = "GET /tasks") -> int:
    """Spend until nothing is left; return how many calls that were."""
    for calls in range(10_000):
        try:
            budget.spend(call)
        except RetryableError:
            return calls
    raise AssertionError("there is no end of calls")


def account(url: str) -> AccountHealth:
    nothing = Config(Path(), url, None, {}, {}, {})
    with open_database(url, create=False) as database, database.read() as transaction:
        (found,) = health(transaction, nothing).accounts
    return found


def test_calls_run_out_for_all_that_share_an_account(database_url: str) -> None:
    allowance = Allowance("calls", 120, HOUR)
    mine, yours, other = (SharedBudget(database_url, account, [allowance]) for account in ("desk", "desk", "shop"))
    mine.spend("GET /tasks")
    assert spent(yours) == 118
    assert spent(mine) == 1
    assert spent(other) == 120


def test_many_at_once_never_make_more_calls_than_allowed(database_url: str) -> None:
    allowance = Allowance("calls", 100, HOUR)
    with ThreadPoolExecutor(8) as pool:
        made = pool.map(lambda _: spent(SharedBudget(database_url, "desk", [allowance])), range(8))
        assert sum(made) == 100


def test_what_was_taken_and_not_used_is_given_back(database_url: str) -> None:
    allowance = Allowance("calls", 1_000, HOUR)
    first = SharedBudget(database_url, "desk", [allowance])
    first.spend("GET /tasks")
    first.close()
    assert spent(SharedBudget(database_url, "desk", [allowance])) == 999


def test_the_vendor_knows_better(database_url: str) -> None:
    budget = SharedBudget(database_url, "desk", [Allowance("calls", 100, HOUR)])
    budget.spend("GET /tasks")
    budget.heard("GET /tasks", {"x-rate-limit-remaining": "7", "x-rate-limit-reset": "600"})
    assert spent(budget) == 7
    found = account(database_url)
    assert (found.calls, found.left) == (100, 0)
    with open_database(database_url, create=False) as database, database.read() as view:
        assert timedelta(seconds=500) < found.renewed - view.now() <= timedelta(seconds=600)


def test_a_window_that_is_over_brings_all_calls_again(database_url: str) -> None:
    budget = SharedBudget(database_url, "desk", [Allowance("calls", 3, 1)])
    for _ in range(7):
        budget.spend("GET /tasks")
    found = account(database_url)
    assert found.used <= 3


def test_only_calls_that_an_allowance_is_for_count(database_url: str) -> None:
    budget = SharedBudget(database_url, "desk", [Allowance("exports", 2, HOUR, call="/incremental/")])
    for _ in range(50):
        budget.spend("GET /users/me")
    assert spent(budget, "GET /api/incremental/users?cursor=1") == 2


def test_a_call_that_one_allowance_refuses_is_not_taken_from_the_others(database_url: str) -> None:
    few, many = Allowance("exports", 2, HOUR, call="/incremental/"), Allowance("calls", 50, HOUR)
    budget = SharedBudget(database_url, "desk", [many, few])
    assert spent(budget, "GET /incremental/users") == 2
    assert spent(budget) == 48


def test_a_session_takes_each_call_from_its_budget(database_url: str) -> None:
    budget = SharedBudget(database_url, "desk", [Allowance("calls", 3, HOUR)])
    with TasksSandbox() as sandbox, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {TOKEN}"
        metered(session, budget)
        for _ in range(3):
            assert session.get(f"{sandbox.url}/tasks?limit=1", timeout=5).status_code == 200
        with pytest.raises(RetryableError, match=r"desk has none left of its 3 calls in 60 minutes; they are renewed in .* minutes"):
            session.get(f"{sandbox.url}/tasks?limit=1", timeout=5)
        assert len(sandbox.calls) == 3


def test_the_next_run_is_told_when_to_go_on(database_url: str) -> None:
    budget = SharedBudget(database_url, "desk", [Allowance("calls", 1, HOUR)])
    budget.spend("GET /tasks")
    with pytest.raises(RetryableError) as caught:
        budget.spend("GET /tasks")
    assert HOUR - 60 < (caught.value.retry_after or 0) <= HOUR


def test_a_vendor_that_never_says_is_not_asked_of_for_each_call(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def counting(url: str, *, create: bool) -> Database:
        opened.append(url)
        return open_database(url, create=create)

    monkeypatch.setattr("threadline.sync.budget.open_database", counting)
    budget = SharedBudget(database_url, "desk", [Allowance("calls", None, HOUR), Allowance("exports", None, 60)])
    for _ in range(40):
        budget.spend("GET /tasks")
    assert len(opened) == 2
    budget.heard("GET /tasks", {"x-ratelimit-remaining": "5"})
    assert spent(budget) == 5
    budget.close()
    assert spent(SharedBudget(database_url, "desk", [Allowance("calls", None, HOUR)])) == 0


def test_calls_that_could_not_be_written_down_are_not_made(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise RetryableError("the connection to PostgreSQL failed")

    budget = SharedBudget(database_url, "desk", [Allowance("calls", 100, HOUR)])
    write = SharedBudget._write
    monkeypatch.setattr(SharedBudget, "_write", lost)
    with pytest.raises(RetryableError, match="PostgreSQL failed"):
        budget.spend("GET /tasks")
    monkeypatch.setattr(SharedBudget, "_write", write)
    assert spent(budget) == 100


class Frugal(Tasks):
    """Its vendor allows ten calls an hour."""

    def allowances(self) -> tuple[Allowance, ...]:
        return (Allowance("calls", 10, HOUR),)


@pytest.mark.parametrize(("given", "calls"), [({}, 10), ({"calls": 4}, 4)])
def test_settings_may_leave_calls_to_others(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, given: Mapping[str, int], calls: int
) -> None:
    monkeypatch.setattr("threadline.sync.config.connector_class", lambda _: Frugal)
    monkeypatch.setattr("threadline.sync.connect.connector_class", lambda _: Frugal)
    monkeypatch.setenv("THREADLINE_DESK_TOKEN", TOKEN)
    (tmp_path / "threadline.yaml").write_text(
        f"sources: {{desk: {{connector: tasks, settings: {{base_url: 'http://127.0.0.1:1'}}, budget: {dict(given)}}}}}"
    )
    source = load_config(tmp_path / "threadline.yaml").source("desk")
    with open_connector(source, database=database_url) as connector:
        assert isinstance(connector.budget, SharedBudget)
        assert spent(connector.budget) == calls
    found = account(database_url)
    assert (found.account, found.allowance, found.used) == ("desk", "calls", calls)


def test_an_allowance_that_is_not_there_is_named(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threadline.sync.config.connector_class", lambda _: Frugal)
    monkeypatch.setattr("threadline.sync.connect.connector_class", lambda _: Frugal)
    monkeypatch.setenv("THREADLINE_DESK_TOKEN", TOKEN)
    (tmp_path / "threadline.yaml").write_text(
        "sources:\n  desk: {connector: tasks, settings: {base_url: 'http://127.0.0.1:1'}, budget: {cals: 4}}"
    )
    source = load_config(tmp_path / "threadline.yaml").source("desk")
    with (
        pytest.raises(ConfigError, match=r"threadline.yaml:2: source desk: budget: no allowance 'cals'; tasks has: calls"),
        open_connector(source, database=database_url),
    ):
        pass


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"x-rate-limit-remaining": "3", "x-rate-limit-reset": "60"}, Left(3, 60)),
        ({"ratelimit-remaining": "0"}, Left(0, None)),
        ({"x-ratelimit-remaining": "many"}, None),
        ({}, None),
    ],
)
def test_headers_are_read_as_vendors_write_them(headers: Mapping[str, str], left: Left | None) -> None:
    assert rate_limit_headers(headers) == left


@given(st.dictionaries(st.sampled_from(["x-rate-limit-remaining", "x-rate-limit-reset", "ratelimit-remaining"]), st.text(max_size=12)))
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    found = rate_limit_headers(headers)
    assert found is None or found.calls >= 0
