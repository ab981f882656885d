"""What there is to see after a sync: connectors, check, status, and that a second sync finds nothing new."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.cli.company import SYSTEMS, TARGETS, Nordlicht, Shell
from threadline.store.database import open_database
from threadline.store.schema import BUDGETS

LEDGER = ("read", "new", "changed", "unchanged", "filtered", "dead")
STREAMS = {
    "mail": ["messages"], "helpdesk": ["users", "tickets", "comments", "status_changes"], "crm": ["contacts", "cases"],
    "x": ["mentions", "direct_messages"], "shop": ["customers", "orders", "order_lines"],
}  # fmt: skip
ALL_STREAMS = [f"{source}.{stream}" for source, streams in STREAMS.items() for stream in streams]


def test_connectors_are_listed_with_what_they_read_and_write(shell: Shell) -> None:
    ran = shell.run("connectors", "--json")
    assert ran.code == 0
    assert all(set(item) == {"name", "about", "streams", "objects", "sandbox"} for item in ran.json)
    listed = {item["name"]: item for item in ran.json}
    assert set(SYSTEMS.values()) <= set(listed)
    assert listed["zendesk"]["streams"] == [*STREAMS["helpdesk"], "organizations", "satisfaction_ratings", "deleted_tickets", "articles"]
    assert listed["zendesk"]["objects"] == ["user", "ticket", "ticket_comment"]
    shown = {row["connector"]: row for row in shell.run("connectors", columns=300).table}
    assert shown["zendesk"]["reads"] == ", ".join(listed["zendesk"]["streams"])
    assert shown["zendesk"]["writes"] == "user, ticket, ticket_comment"


def test_a_check_answers_for_every_source_and_target(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("check", "--json")
    assert ran.code == 0
    assert ran.err == ""
    assert [set(item) for item in ran.json] == [{"entry", "ok", "message"}] * 11
    entries = ["database", *(f"source {name}" for name in SYSTEMS), *(f"target {name}" for name in TARGETS)]
    assert sorted(item["entry"] for item in ran.json) == sorted(entries)
    assert all(item["ok"] for item in ran.json)


def test_a_check_of_one_source_asks_only_that_one(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("check", "helpdesk")
    assert ran.code == 0
    assert ran.out.splitlines()[1].split() == [
        "source",
        "helpdesk",
        "ok",
        "zendesk",
        "answers;",
        "streams:",
        "users,",
        "tickets,",
        "comments,",
        "status_changes",
    ]
    assert len(ran.out.splitlines()) == 2


def test_the_status_shows_every_stream_and_target(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("status", "--json")
    assert ran.code == 0
    assert set(ran.json) == {"as_of", "streams", "targets", "problems", "accounts", "matching"}
    assert ran.json["matching"] is None
    assert sorted(f"{item['source']}.{item['stream']}" for item in ran.json["streams"]) == sorted(ALL_STREAMS)
    for item in ran.json["streams"]:
        assert set(item["ledger"]) == set(LEDGER)
        assert item["state"] == "fresh"
        assert item["ledger"]["read"] == sum(item["ledger"][name] for name in LEDGER[1:]) > 0
    assert {f"{item['target']}.{item['object']}" for item in ran.json["targets"]} >= {"crm.contact", "helpdesk.user", "shop.note"}
    assert all(item["state"] == "fresh" for item in ran.json["targets"])


def test_the_status_shows_what_is_left_of_an_accounts_calls(shell: Shell) -> None:
    shell.settings("sources: {}\n")
    with open_database(f"sqlite:///{shell.folder / '.threadline' / 'threadline.db'}", create=True) as database:
        with database.read() as view:
            now = view.now()
        since, day = now - timedelta(seconds=30), timedelta(days=1)
        rows: list[tuple[Any, ...]] = [
            ("zendesk acme", "exports", "fixed", 10, 0, 8, since, since + timedelta(seconds=60), 0.0),
            ("x", "posts", "month", 900, 100, 1, now - 10 * day, now + 20 * day, 0.0),
            ("salesforce acme.my", "requests", "sliding", 5_000, 500, 3_000, now, now + day, 1.0),
            ("salesforce calm.my", "requests", "sliding", 5_000, 0, 3_000, now, now + day, 0.01),
            ("shop", "requests", "fixed", 60, 20, 40, since, since + timedelta(minutes=5), 0.0),
        ]
        with database.write() as transaction:
            transaction.append(BUDGETS, rows)
    said = {line.split("  ")[0]: line.split() for line in shell.run("status").out.splitlines()}
    assert said["zendesk acme"][2:6] == ["exports", "10", "8", "2"]
    assert "until" in said["zendesk acme"]
    assert (said["x"][1:6], said["x"][-2:]) == (["posts", "900", "1", "799", "100"], ["all", "along"])
    assert said["salesforce acme.my"][2:7] == ["requests", "5,000", "3,000", "1,500", "500"]
    assert "bit by bit lasts until" in " ".join(said["salesforce acme.my"])
    assert said["salesforce calm.my"][-2:] == ["all", "along"]
    assert said["shop"][-2:] == ["used", "up"]
    accounts = {one["account"]: one for one in shell.run("status", "--json").json["accounts"]}
    assert accounts["salesforce acme.my"]["renewed"] is None
    hours = (datetime.fromisoformat(accounts["salesforce acme.my"]["exhausted"]) - now).total_seconds() / 3_600
    assert hours == pytest.approx(1_500 / (1.0 - 3_000 / 86_400) / 3_600, abs=0.05)
    assert accounts["shop"]["left"] == 0


def test_the_status_of_streams_never_pulled_says_so(shell: Shell) -> None:
    shell.settings("sources:\n  desk: {connector: zendesk, settings: {subdomain: acme}}\n")
    shell.monkeypatch.setenv("THREADLINE_DESK_EMAIL", "a@example.org")
    shell.monkeypatch.setenv("THREADLINE_DESK_TOKEN", "secret")
    (shell.folder / ".threadline").mkdir()
    shell.run("pull", "desk", "--stream", "nonesuch")  # refused before anything is read
    assert "no database" in shell.run("status").message
    (shell.folder / ".threadline" / "threadline.db").touch()
    ran = shell.run("status")
    assert ran.code == 0
    assert [(row["stream"], row["state"], row["last success"]) for row in ran.table] == [
        ("desk.users", "never", "never"), ("desk.tickets", "never", "never"), ("desk.comments", "never", "never"),
        ("desk.status_changes", "never", "never"),
    ]  # fmt: skip


def test_a_pull_shows_its_ledger(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("pull", "helpdesk", "--full", "--json")
    assert ran.code == 0
    assert set(ran.json) == {"pulled", "pushed", "errors"}
    assert [(item["source"], item["stream"]) for item in ran.json["pulled"]] == [("helpdesk", name) for name in STREAMS["helpdesk"]]
    for item in ran.json["pulled"]:
        assert set(item) == {"source", "stream", *LEDGER}
        assert item["read"] == sum(item[name] for name in LEDGER[1:]) > 0


def test_a_pull_reads_only_what_changed_unless_told_to_read_all(nordlicht: Nordlicht, shell: Shell) -> None:
    assert shell.run("pull", "helpdesk").code == 0  # what the sync has pushed comes back
    changed = shell.run("pull", "helpdesk", "--stream", "users", "--json").json["pulled"]
    everything = shell.run("pull", "helpdesk", "--stream", "users", "--full", "--json").json["pulled"]
    assert [item["stream"] for item in changed] == ["users"]
    assert changed[0]["read"] == 0
    assert everything[0]["read"] == everything[0]["unchanged"] > 30


def test_a_pull_takes_the_streams_named(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("pull", "helpdesk", "-s", "comments", "-s", "users")
    assert [row["stream"] for row in ran.table] == ["helpdesk.comments", "helpdesk.users"]


def test_a_push_shows_what_was_sent(nordlicht: Nordlicht, shell: Shell) -> None:
    with_nothing_due = shell.run("push", "helpdesk", "--json")
    assert with_nothing_due.code == 0
    assert with_nothing_due.json == {"pulled": [], "pushed": [{"target": "helpdesk", "sent": 0, "failed": 0, "waiting": 0}], "errors": []}
    nordlicht.database.unlink()
    assert shell.run("pull", "shop").code == 0
    ran = shell.run("push", "crm")
    assert ran.code == 0
    assert ran.table[0]["target"] == "crm"
    assert int(ran.table[0]["sent"]) > 20


def test_a_sync_does_everything(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("sync", "--json")
    assert ran.code == 0
    assert ran.err == ""
    assert sorted(f"{item['source']}.{item['stream']}" for item in ran.json["pulled"]) == sorted(ALL_STREAMS)
    assert sorted(item["target"] for item in ran.json["pushed"]) == sorted(TARGETS)
    assert ran.json["errors"] == []


def test_without_sources_a_command_says_that_there_is_nothing_to_do(shell: Shell) -> None:
    path = shell.settings("sources: {}\n")
    assert shell.run("sync").out == f"{path} has no sources\n"
    assert shell.run("status").out == "no sources\n"
    assert shell.run("dead", "list").out == "no dead letters\n"
    assert shell.run("dead", "replay").out == "no dead letters\n"
