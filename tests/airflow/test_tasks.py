"""What the tasks return, announce and retry, and where their credentials come from; the store is real, the vendor is its stand-in."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection, RetryAction
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.log import _secrets_masker

from connectors.zendesk.sandbox import ZendeskSandbox
from tests.integration.crowd import crowd
from tests.integration.lab import Lab
from threadline.sdk import ConfigError, RetryableError
from threadline.store.database import open_database
from threadline.sync.config import load_config
from threadline.sync.connect import connection_part
from threadline.testing.story import Opened, Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
FIRST_TRY = SimpleNamespace(try_number=1)
SECOND_TRY = SimpleNamespace(try_number=2)
QUIET = {"new": 0, "changed": 0, "tries": 1}
NEWS = {"new": 2, "changed": 1, "tries": 1}


@pytest.fixture
def desk() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        running.tell(Registered(NOON, "zendesk", ANA, ("name", "email")))
        running.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come."))
        yield running


@pytest.fixture
def made(desk: ZendeskSandbox, bag: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """DAGs of a helpdesk whose credentials stand in an Airflow connection."""
    connection = {"conn_type": "zendesk", "login": desk.secrets["email"], "password": desk.secrets["token"]}
    monkeypatch.setenv("AIRFLOW_CONN_HELPDESK", json.dumps(connection))
    return dict(
        bag(
            "database: sqlite:///store.db\n"
            "sources:\n"
            f"  helpdesk: {{connector: zendesk, settings: {json.dumps(dict(desk.settings))}}}\n"
            "targets:\n"
            "  users: {system: helpdesk, push: [zendesk/push/user]}\n"
        ).dags
    )


@pytest.fixture
def matched(bag: Callable[[str], Any], tmp_path: Path) -> dict[str, Any]:
    """DAGs of a store that holds sixty people, and every second one once more."""
    made = dict(
        bag(
            "database: sqlite:///store.db\n"
            "sources:\n  desk: {connector: zendesk, settings: {subdomain: acme}}\n"
            "matching: {schedule: '@daily'}\n"
        ).dags
    )
    with open_database(f"sqlite:///{tmp_path}/store.db", create=True) as database:
        Lab(database).read("people", *crowd(60))
    return made


def run(dag: Any, task: str, *arguments: Any, ti: Any = FIRST_TRY) -> Any:
    """Call what a task calls."""
    function = dag.get_task(task).python_callable
    return function(*arguments, ti=ti) if "ti" in function.__kwdefaults__ else function(*arguments)


def announced(dags: dict[str, Any], *ledgers: Any) -> dict[str, Any] | None:
    """Call `announce`; return the event's extra, or None when it is skipped."""
    try:
        (news,) = dags["threadline_pull_helpdesk"].get_task("announce").python_callable("helpdesk", ledgers)
    except AirflowSkipException:
        return None
    assert news.asset.name == "threadline_source_helpdesk"
    return dict(news.extra)


def test_a_pull_returns_its_ledger_and_nothing_else(made: dict[str, Any], desk: ZendeskSandbox) -> None:
    ledger = run(made["threadline_pull_helpdesk"], "pull_tickets", "helpdesk", "tickets")
    assert ledger == {"read": 1, "new": 1, "changed": 0, "unchanged": 0, "filtered": 0, "dead": 0, "tries": 1}
    again = run(made["threadline_pull_helpdesk"], "pull_tickets", "helpdesk", "tickets", ti=SECOND_TRY)
    assert (again["new"], again["changed"], again["tries"]) == (0, 0, 2)


def test_resolve_announces_threads_once(made: dict[str, Any]) -> None:
    for stream in ("users", "tickets", "comments"):
        run(made["threadline_pull_helpdesk"], f"pull_{stream}", "helpdesk", stream)
    resolve = made["threadline_resolve"].get_task("resolve").python_callable
    (news,) = resolve(ti=FIRST_TRY)
    assert news.asset.name == "threadline_threads"
    assert news.extra["changed"] >= 1
    with pytest.raises(AirflowSkipException):
        list(resolve(ti=FIRST_TRY))
    assert len(list(resolve(ti=SECOND_TRY))) == 1


def test_matching_returns_its_counts_and_what_it_joined_is_resolved(matched: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("splink", reason="matching needs the extra `match`")
    resolve = matched["threadline_resolve"].get_task("resolve").python_callable
    list(resolve(ti=FIRST_TRY))
    counts = matched["threadline_match"].get_task("match").python_callable()
    assert set(counts) == {"customers", "joined", "review", "changed"}
    assert all(type(count) is int for count in counts.values())
    assert counts["customers"] == 90
    # How far it is stands in the task's log; nothing of anybody does.
    assert capsys.readouterr().out.splitlines()[-3:] == ["reading customers", "matching 90 customers", "joining profiles"]
    assert counts["joined"] > 25
    assert counts["changed"] > 25
    (news,) = resolve(ti=FIRST_TRY)
    assert news.extra["changed"] == counts["changed"]
    assert matched["threadline_match"].get_task("match").python_callable()["changed"] == 0


def test_without_the_extra_matching_stops_with_what_to_install(matched: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(ConfigError, match=r"splink.*pip install 'threadline\[match\]'"):
        matched["threadline_match"].get_task("match").python_callable()


def test_a_push_returns_its_counts(made: dict[str, Any], desk: ZendeskSandbox) -> None:
    run(made["threadline_pull_helpdesk"], "pull_users", "helpdesk", "users")
    list(made["threadline_resolve"].get_task("resolve").python_callable(ti=SECOND_TRY))
    push = made["threadline_push_users"].get_task("push").python_callable
    assert push("users", "helpdesk") == {"sent": 1, "failed": 0, "waiting": 0}
    assert len(desk.pushed("user")) == 1


def test_wrong_credentials_stop_the_pull_with_what_to_do(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # The environment goes before the connection.
    monkeypatch.setenv("THREADLINE_HELPDESK_TOKEN", "wrong-token")
    with pytest.raises(ConfigError, match=r"(?i)credential|token") as caught:
        run(made["threadline_pull_helpdesk"], "pull_tickets", "helpdesk", "tickets")
    assert "wrong-token" not in str(caught.value)


def test_without_any_credential_the_error_names_both_places(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_HELPDESK")
    with pytest.raises(ConfigError, match=r"THREADLINE_HELPDESK_EMAIL.*connection"):
        run(made["threadline_pull_helpdesk"], "pull_tickets", "helpdesk", "tickets")


def test_credentials_of_a_connection_are_masked_in_logs(made: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import threadline_tasks

    config = load_config()
    connection = {"conn_type": "zendesk", "login": "agent@acme.example", "password": "a-very-secret-token"}
    monkeypatch.setenv("AIRFLOW_CONN_HELPDESK", json.dumps(connection))
    assert threadline_tasks.connection_credentials(config, "helpdesk") == {"email": "agent@acme.example", "token": "a-very-secret-token"}
    assert _secrets_masker().redact("it is a-very-secret-token") == "it is ***"


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("login", "bob"), ("password", "p w"), ("host", "mail.example.org"), ("port", 993), ("schema", "shop"),
        ("extra.subdomain", "acme"), ("extra.absent", None),
    ],
)  # fmt: skip
def test_every_part_of_a_connection_can_be_a_credential(part: str, value: Any) -> None:
    connection = Connection(
        conn_id="any",
        conn_type="imap",
        login="bob",
        password="p w",
        host="mail.example.org",
        port=993,
        schema="shop",
        extra='{"subdomain": "acme"}',
    )
    assert connection_part(connection, part) == value


def test_nothing_new_is_not_announced(dags: dict[str, Any]) -> None:
    assert announced(dags, QUIET, QUIET) is None


def test_news_of_any_stream_are_announced(dags: dict[str, Any]) -> None:
    assert announced(dags, QUIET, NEWS) == {"changed": 3}


def test_what_a_failed_stream_stored_is_announced(dags: dict[str, Any]) -> None:
    assert announced(dags, QUIET, None) == {"changed": 0}


def test_what_an_interrupted_try_stored_is_announced(dags: dict[str, Any]) -> None:
    assert announced(dags, QUIET, {**QUIET, "tries": 2}) == {"changed": 0}


@pytest.mark.parametrize(
    ("error", "action", "wait"),
    [
        (ConfigError("the token was refused"), RetryAction.FAIL, None),
        (RetryableError("busy"), RetryAction.DEFAULT, None),
        (RetryableError("busy", retry_after=30), RetryAction.RETRY, timedelta(seconds=30)),
        (RetryableError("quota spent", retry_after=86_400), RetryAction.FAIL, None),
        (OSError("disk"), RetryAction.DEFAULT, None),
    ],
)
def test_the_kind_of_error_decides_about_the_retry(dags: dict[str, Any], error: Exception, action: RetryAction, wait: Any) -> None:
    policy = dags["threadline_pull_helpdesk"].get_task("pull_tickets").retry_policy
    decision = policy.evaluate(error, try_number=1, max_tries=3)
    assert (decision.action, decision.retry_delay) == (action, wait)


def test_each_task_follows_that_policy(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for task in dag.tasks:
            assert (type(task.retry_policy).__name__, task.retries, task.retry_exponential_backoff) == ("Recovery", 3, 2.0)
