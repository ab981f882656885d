"""A source that is listened to: the triggerer hears it, and its DAG starts without a schedule."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from connectors.email.sandbox import EmailSandbox
from tests.airflow.test_stack import below, eventually, living
from threadline.cli.airflow_stack import AirflowStack

ROOT = Path(__file__).parents[2]
MAIL = b"From: ana@mail.example\r\nMessage-ID: <m%d@mail.example>\r\n\r\nhello\r\n"
CONFIG = """\
sources:
  inbox:
    connector: email
    listen: true
    settings: {imap_host: mail.shop.example, own_addresses: [help@shop.example]}
  archive:
    connector: email
    listen: true
    schedule: "@hourly"
    settings: {imap_host: mail.shop.example, own_addresses: [help@shop.example]}
  quiet:
    connector: email
    schedule: "@hourly"
    settings: {imap_host: mail.shop.example, own_addresses: [help@shop.example]}
"""


@pytest.fixture
def inbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def triggers(dag: Any) -> list[tuple[str, dict[str, Any]]]:
    return [watcher.trigger.serialize() for asset in dag.timetable.asset_condition.objects for watcher in asset.watchers]


def test_what_is_stored_of_a_watch_is_the_sources_name(bag: Callable[[str], Any]) -> None:
    dags = bag(CONFIG).dags
    for source in ("inbox", "archive"):
        dag = dags[f"threadline_pull_{source}"]
        assert triggers(dag) == [("threadline_watch.SourceTrigger", {"source": source})]
        assert f"threadline://news/{source}" in json.dumps(DagSerialization.to_dict(dag))
    assert dags["threadline_pull_archive"].timetable.timetable.expression == "0 * * * *"
    assert dags["threadline_pull_quiet"].schedule == "@hourly"


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("connector: zendesk, settings: {subdomain: acme}, listen: true", "zendesk does not say by itself when something has changed"),
        ("connector: zendesk, settings: {subdomain: acme}, listen: often", "expected true or false, not 'often'"),
        (
            'connector: email, settings: {imap_host: a, own_addresses: [a@b.example]}, listen: true, schedule: "@once"',
            "@once does not go with `listen`",
        ),
    ],
)
def test_an_entry_that_cannot_be_listened_to_says_why(bag: Callable[[str], Any], entry: str, error: str) -> None:
    made = bag(f"sources:\n  desk: {{{entry}}}\n")
    assert made.dags == {}
    assert error in "".join(made.import_errors.values())


def write_config(folder: Path, inbox: EmailSandbox) -> str:
    file = folder / "threadline.yaml"
    file.write_text(f"sources:\n  inbox: {{connector: email, listen: true, settings: {json.dumps(dict(inbox.settings))}}}\n")
    return str(file)


def test_the_trigger_fires_when_it_begins_and_at_news(inbox: EmailSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threadline_watch import SourceTrigger

    monkeypatch.setenv("THREADLINE_CONFIG", write_config(tmp_path, inbox))
    connection = {"conn_type": "imap", "login": inbox.secrets["user"], "password": inbox.secrets["password"]}
    monkeypatch.setenv("AIRFLOW_CONN_INBOX", json.dumps(connection))

    async def first_events() -> list[Any]:
        events = SourceTrigger("inbox").run()
        found = [(await asyncio.wait_for(anext(events), 20)).payload]
        inbox.deliver(MAIL % 1)
        found.append((await asyncio.wait_for(anext(events), 20)).payload)
        await events.aclose()
        return found

    assert asyncio.run(first_events()) == [{"source": "inbox"}, {"source": "inbox"}]


def test_the_trigger_outlives_what_a_person_must_change(inbox: EmailSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from threadline_watch import SourceTrigger

    monkeypatch.setattr("threadline.sync.listen.LONGEST_WAIT", 0.05)
    monkeypatch.setenv("THREADLINE_CONFIG", write_config(tmp_path, inbox))
    monkeypatch.setenv("THREADLINE_INBOX_USER", inbox.secrets["user"])
    monkeypatch.setenv("THREADLINE_INBOX_PASSWORD", "canary-pw")

    async def events() -> Any:
        running = SourceTrigger("inbox").run()
        first = asyncio.ensure_future(anext(running))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(first), 0.5)
        monkeypatch.setenv("THREADLINE_INBOX_PASSWORD", inbox.secrets["password"])
        found = (await asyncio.wait_for(first, 20)).payload
        await running.aclose()
        return found

    assert asyncio.run(events()) == {"source": "inbox"}


@pytest.mark.slow
def test_new_mail_starts_the_dag(inbox: EmailSandbox, tmp_path: Path) -> None:
    connection = {"conn_type": "imap", "login": inbox.secrets["user"], "password": inbox.secrets["password"]}
    environment = {
        "THREADLINE_CONFIG": write_config(tmp_path, inbox),
        "THREADLINE_DATABASE_URL": f"sqlite:///{tmp_path}/threadline.db",
        "AIRFLOW_CONN_INBOX": json.dumps(connection),
    }
    with AirflowStack(tmp_path / "airflow", ROOT / "dags", ROOT / "plugins", environment) as stack, stack.api() as api:
        tree = below(os.getpid())
        eventually(lambda: "threadline_pull_inbox" in api.dags())

        def ended() -> int:
            return sum(run.state == "success" for run in api.runs("threadline_pull_inbox"))

        before = eventually(ended)
        inbox.deliver(MAIL % 1)
        eventually(lambda: ended() > before)
        stored = "".join(file.read_text(errors="replace") for file in (stack.home.folder / "logs").rglob("*.log"))
        assert inbox.secrets["password"] not in stored
    assert living(tree) == []
