"""What mends a store: replay, reconcile, drift, map diff, `pull --resume`; and what status says meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.cli.company import Nordlicht, Shell, mend, shipped
from threadline.model.ids import entity_id
from threadline.store.database import open_database
from threadline.sync.lease import Run

LEDGER = {"read", "new", "changed", "unchanged", "filtered", "dead"}
URGENT = "extensions:\n  urgency: {from: priority, default: none}\n"


def urgent() -> str:
    """Return a tickets' mapping with a field more, and one that knows the odd status."""
    text = shipped("zendesk/tickets").replace("extensions:\n", URGENT)
    return text.replace("lookup: {new:", "lookup: {escalated_tier_2: in_progress, new:")


@contextmanager
def at_work(nordlicht: Nordlicht, stream: str, source: str = "helpdesk") -> Iterator[None]:
    with open_database(f"sqlite:///{nordlicht.database}", create=False) as database, Run(database, source, stream).under_way():
        yield


def change(nordlicht: Nordlicht, sql: str, *parameters: Any) -> None:
    with closing(sqlite3.connect(nordlicht.database)) as connection, connection:
        connection.execute(sql, parameters)


def poison(nordlicht: Nordlicht) -> None:
    """Let ten dead records be too many, and no ticket have a subject."""

    def strict(document: dict[str, Any]) -> None:
        document["limits"] = {"breaker_of": 5}
        document["sources"]["helpdesk"]["streams"] = {"users": {}, "tickets": {"mapping": "mappings/my_tickets.yaml"}, "comments": {}}

    mend(nordlicht, shipped("zendesk/tickets").replace("{from: subject, optional: true}", "no_such_field"))
    nordlicht.change_settings(strict)


# Replay


def test_a_replay_maps_stored_records_without_their_source(nordlicht: Nordlicht, shell: Shell) -> None:
    mend(nordlicht, urgent())
    for name in ("THREADLINE_HELPDESK_EMAIL", "THREADLINE_HELPDESK_TOKEN"):
        shell.monkeypatch.setenv(name, "refused, if anybody asked")
    ran = shell.run("replay", "helpdesk", "--stream", "tickets", "--json")
    assert ran.code == 0, ran
    assert set(ran.json) == {"replayed", "pushed", "errors"}
    (ledger,) = ran.json["replayed"]
    assert set(ledger) == {"source", "stream"} | LEDGER
    assert ledger["read"] == ledger["new"] + ledger["changed"] + ledger["dead"]
    assert ledger["changed"] > 20
    assert all('"urgency"' in row[0] for row in nordlicht.query("SELECT extensions FROM cases WHERE source = 'helpdesk'"))


def test_a_replay_takes_every_stream_and_shows_them(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("replay", "helpdesk")
    assert ran.code == 0
    assert [row["stream"] for row in ran.table] == ["helpdesk.users", "helpdesk.tickets", "helpdesk.comments", "helpdesk.status_changes"]
    assert all(row["new"] == row["changed"] == "0" for row in ran.table)


@pytest.mark.parametrize("command", ["replay", "reconcile", "pull"])
def test_what_is_not_there_is_named(nordlicht: Nordlicht, shell: Shell, command: str) -> None:
    ran = shell.run(command, "helpdsk")
    assert (ran.code, "did you mean 'helpdesk'?" in ran.message) == (3, True)
    ran = shell.run(command, "helpdesk", "--stream", "ticket")
    assert (ran.code, "did you mean 'tickets'?" in ran.message) == (3, True)


@pytest.mark.parametrize("command", [["replay"], ["reconcile"], ["pull"], ["pull", "--full", "--resume"]])
def test_a_stream_at_work_is_refused_for_now_and_the_others_go_on(nordlicht: Nordlicht, shell: Shell, command: list[str]) -> None:
    with at_work(nordlicht, "tickets"):
        ran = shell.run(*command, "helpdesk")
    assert ran.code == 4
    assert [row["stream"] for row in ran.table] == ["helpdesk.users", "helpdesk.comments", "helpdesk.status_changes"]
    assert "another run of helpdesk.tickets is under way" in ran.message


# Reconcile


def test_a_sweep_repairs_and_tells(nordlicht: Nordlicht, shell: Shell) -> None:
    assert shell.run("pull", "shop", "--stream", "customers").code == 0
    keys = [
        key for (key,) in nordlicht.query("SELECT key FROM records WHERE source = 'shop' AND stream = 'customers' ORDER BY key LIMIT 2")
    ]
    # Everything in this shop is seconds old: an incremental pull would read it again for its overlap.
    change(
        nordlicht, "UPDATE streams SET cursor = ? WHERE source = 'shop' AND stream = 'customers'", '{"until":"2999-01-01T00:00:00+00:00"}'
    )
    for table, column in (("records", "id"), ("parties", "record_id"), ("party_identifiers", "record_id")):
        change(nordlicht, f"DELETE FROM {table} WHERE {column} = ?", entity_id("shop", "customers", keys[0]))
    change(nordlicht, "UPDATE records SET digest = x'00', canonical = x'00' WHERE id = ?", entity_id("shop", "customers", keys[1]))
    rest = "digest, canonical, state, page, page_offset, page_length, version, first_seen, changed_at"
    ghost = f"INSERT INTO records SELECT x'000102030405060708090a0b0c0d0e0f', source, stream, '999999', {rest} FROM records WHERE id = ?"
    change(nordlicht, ghost, entity_id("shop", "customers", keys[1]))
    ran = shell.run("reconcile", "shop", "--stream", "customers", "--json")
    assert ran.code == 0, ran
    (found,) = ran.json["reconciled"]
    assert set(found) == {"source", "stream", "read", "never_read", "stale", "gone", "dead"}
    assert (found["never_read"], found["stale"], found["gone"]) == (1, 1, 1)
    assert nordlicht.query("SELECT state FROM records WHERE key = '999999'") == [("gone",)]
    (row,) = shell.run("reconcile", "shop", "--stream", "customers").table
    assert row == {
        "stream": "shop.customers", "read": str(found["read"]), "never read": "0", "changed unnoticed": "0", "gone": "0",
        "dead": str(found["dead"]),
    }  # fmt: skip


def test_a_sweep_that_cannot_see_what_is_gone_says_so(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("reconcile", "helpdesk", "--stream", "comments")
    assert ran.code == 0
    assert ran.table[0]["gone"] == "unknown"
    assert shell.run("reconcile", "helpdesk", "-s", "comments", "--json").json["reconciled"][0]["gone"] is None


# Drift


def test_drift_is_listed_and_accepted(nordlicht: Nordlicht, shell: Shell) -> None:
    nobody = shell.run("drift", "helpdesk")
    assert (nobody.code, nobody.out) == (0, "nothing has drifted\n")
    example = entity_id("helpdesk", "tickets", nordlicht.query("SELECT key FROM records WHERE stream = 'tickets'")[0][0])
    new = "INSERT INTO stream_fields VALUES ('helpdesk', 'tickets', ?, 'string', 'new', '2026-03-01T10:00:00.000000+00:00', ?)"
    for field in ("colour", "size"):
        change(nordlicht, new, field, example)
    ran = shell.run("drift", "--json")
    assert [set(one) for one in ran.json] == [{"source", "stream", "field", "state", "type", "first_seen", "example", "example_id"}] * 2
    rows = shell.run("drift", "helpdesk").table
    assert [(row["stream"], row["field"], row["what"], row["type"]) for row in rows] == [
        ("helpdesk.tickets", "colour", "new", "string"), ("helpdesk.tickets", "size", "new", "string"),
    ]  # fmt: skip
    (status,) = [row for row in shell.run("status", columns=200).table if row["stream"] == "helpdesk.tickets"]
    assert status["drifted"] == "2"
    assert [one["field"] for one in shell.run("drift", "helpdesk", "--field", "size", "--json").json] == ["size"]
    assert shell.run("drift", "helpdesk", "--accept", "--stream", "tickets", "--field", "size").out == "1 accepted\n"
    assert [one["field"] for one in shell.run("drift", "--json").json] == ["colour"]
    assert shell.run("drift", "helpdesk", "--accept", "--json").json == {"accepted": 1, "refused": 0}
    assert shell.run("drift").out == "nothing has drifted\n"


def test_what_was_refused_for_drift_is_told_when_it_is_accepted(nordlicht: Nordlicht, shell: Shell) -> None:
    def freeze(document: dict[str, Any]) -> None:
        document["sources"]["helpdesk"]["streams"] = {"users": {}, "tickets": {"drift": "freeze"}, "comments": {}}

    nordlicht.change_settings(freeze)
    change(nordlicht, "DELETE FROM stream_fields WHERE stream = 'tickets' AND field = 'priority'")
    change(nordlicht, "UPDATE records SET digest = x'00' WHERE stream = 'tickets'")
    assert shell.run("pull", "helpdesk", "--stream", "tickets", "--full").code == 0
    ((refused,),) = nordlicht.query("SELECT count(*) FROM dead_letters WHERE site = 'drift'")
    assert refused > 20
    ran = shell.run("drift", "helpdesk", "--accept")
    assert f"{refused} records were refused for drift" in ran.out
    command = ran.out.partition("`")[2].partition("`")[0].split()
    assert command[:3] == ["threadline", "dead", "replay"]
    (row,) = shell.run(*command[1:]).table
    assert row["replayed"] == str(refused)
    assert nordlicht.query("SELECT count(*) FROM dead_letters WHERE site = 'drift' AND state = 'open'") == [(0,)]


def test_drift_of_nothing_is_an_error(nordlicht: Nordlicht, shell: Shell) -> None:
    assert "has no source named 'helpdsk'; did you mean 'helpdesk'?" in shell.run("drift", "helpdsk").message
    ran = shell.run("drift", "helpdesk", "--accept")
    assert ran.code == 3
    assert "nothing of helpdesk has drifted" in ran.message
    ran = shell.run("drift", "--accept")
    assert ran.code == 2
    assert "threadline drift SOURCE --accept" in ran.err


# Map diff


def test_a_diff_shows_what_a_mapping_would_change_and_changes_nothing(nordlicht: Nordlicht, shell: Shell) -> None:
    (shell.folder / "new.yaml").write_text(urgent())
    before = {
        name: nordlicht.query(f'SELECT * FROM "{name}" ORDER BY 1, 2')
        for name in ("cases", "records", "runs", "changes", "outbox", "streams")
    }
    ran = shell.run("map", "diff", "new.yaml", "--json")
    assert ran.code == 0, ran
    (found,) = ran.json
    assert set(found) == {
        "source", "stream", "records", "changed", "fields", "examples", "dead_before", "dead_after", "profiles", "threads", "pushes",
    }  # fmt: skip
    assert (found["source"], found["stream"]) == ("helpdesk", "tickets")
    assert found["fields"]["cases.extensions"] == found["changed"] - 1 == found["records"] - found["dead_before"]
    assert (found["dead_before"], found["dead_after"]) == (2, 1)
    assert all(set(one) == {"key", "table", "field", "before", "after"} for one in found["examples"])
    assert {name: nordlicht.query(f'SELECT * FROM "{name}" ORDER BY 1, 2') for name in before} == before
    shown = shell.run("map", "diff", "new.yaml").out
    assert "helpdesk.tickets" in shown
    assert "2 before, 1 after" in shown
    assert "cases.extensions" in shown
    assert "urgency" in shown


def test_a_diff_without_a_difference_says_so(nordlicht: Nordlicht, shell: Shell) -> None:
    (found,) = shell.run("map", "diff", "zendesk/tickets", "--source", "helpdesk", "--stream", "tickets", "--json").json
    assert (found["changed"], found["fields"], found["examples"], found["profiles"], found["threads"], found["pushes"]) == (
        0,
        {},
        [],
        [],
        0,
        {},
    )


DIFFS = {
    "push mapping": (["zendesk/push/user"], "is a push mapping"),
    "no such file": (["nowhere.yaml"], "no mapping 'nowhere.yaml'"),
    "another system's": (["zendesk/tickets", "--source", "crm"], "is for zendesk.tickets, and source crm has no stream zendesk.tickets"),
    "no such source": (["zendesk/tickets", "--source", "helpdsk"], "did you mean 'helpdesk'?"),
    "no such stream": (["zendesk/tickets", "--stream", "tickts"], "has a stream zendesk.tickts"),
}


@pytest.mark.parametrize(("arguments", "said"), DIFFS.values(), ids=DIFFS)
def test_a_diff_of_nothing_is_an_error(nordlicht: Nordlicht, shell: Shell, arguments: list[str], said: str) -> None:
    ran = shell.run("map", "diff", *arguments)
    assert ran.code == 3
    assert said in ran.message


def test_a_diff_of_a_file_that_is_wrong_names_the_line(nordlicht: Nordlicht, shell: Shell) -> None:
    (shell.folder / "new.yaml").write_text(shipped("zendesk/tickets").replace("fields:", "feilds:"))
    ran = shell.run("map", "diff", "new.yaml")
    assert ran.code == 3
    assert "new.yaml:" in ran.message
    assert "'feilds'" in ran.message


# Pauses


def test_a_stream_that_is_paused_is_shown_and_resumed(nordlicht: Nordlicht, shell: Shell) -> None:
    poison(nordlicht)
    cursor = nordlicht.query("SELECT cursor FROM streams WHERE stream = 'tickets'")
    ran = shell.run("pull", "helpdesk", "--full")
    assert ran.code == 3
    assert [row["stream"] for row in ran.table] == ["helpdesk.users", "helpdesk.comments"]
    assert "helpdesk.tickets is paused" in ran.message
    assert nordlicht.query("SELECT cursor FROM streams WHERE stream = 'tickets'") == cursor
    status = shell.run("status")
    assert status.code == 1
    assert [row["state"] for row in status.table if row["stream"] == "helpdesk.tickets"] == ["paused"]
    assert "threadline pull helpdesk --stream tickets --full --resume" in status.message
    (stream,) = [one for one in shell.run("status", "--json").json["streams"] if one["stream"] == "tickets"]
    assert stream["paused"] in status.message
    ran = shell.run("pull", "helpdesk", "--stream", "tickets", "--full", "--resume", "--json")
    assert ran.code == 0
    assert ran.json["pulled"][0]["dead"] > 20
    assert shell.run("status").code == 0


# Dead letters


def test_letters_are_listed_and_replayed_by_reason(nordlicht: Nordlicht, shell: Shell) -> None:
    everything = shell.run("dead", "list", "--json").json
    (odd,) = shell.run("dead", "list", "--reason", "escalated_TIER_2", "--json").json
    assert odd in everything
    by_line = shell.run("dead", "list", "--reason", odd["site"], "--json").json
    assert odd in by_line
    mend(nordlicht, urgent())
    ran = shell.run("dead", "replay", "--reason", "escalated_tier_2")
    assert ran.table == [{"stream": "helpdesk.tickets", "replayed": "1", "good now": "1", "dead still": "0"}], ran
    assert ran.code == 0
    assert len(shell.run("dead", "list", "--json").json) == len(everything) - 1
    (resolved,) = shell.run("dead", "list", "--state", "resolved", "--json").json
    assert (resolved["id"], resolved["state"]) == (odd["id"], "resolved")
    assert "resolved" in shell.run("dead", "list", "--state", "resolved").out
    assert len(shell.run("dead", "list", "--state", "all", "--json").json) == len(everything)
    assert shell.run("dead", "list", "--state", "gone").out == "no dead letters\n"
    assert shell.run("dead", "replay", "--reason", "escalated_tier_2").out == "no dead letters\n"


def test_letters_are_chosen_by_id_or_by_what_they_have_in_common(nordlicht: Nordlicht, shell: Shell) -> None:
    for option in ("--reason", "--source"):
        ran = shell.run("dead", "replay", "0", option, "shop")
        assert ran.code == 2
        assert "not both" in ran.err
    assert shell.run("dead", "list", "--state", "half").code == 2


def test_letters_of_a_stream_at_work_wait_and_the_others_are_replayed(nordlicht: Nordlicht, shell: Shell) -> None:
    with at_work(nordlicht, "tickets"):
        ran = shell.run("dead", "replay")
    assert "another run of helpdesk.tickets is under way" in ran.message
    streams = [row["stream"] for row in ran.table]
    assert "helpdesk.tickets" not in streams
    assert len(streams) >= 4


# Status and connectors


def test_status_says_that_the_ledger_balances_or_what_is_missing(nordlicht: Nordlicht, shell: Shell) -> None:
    (line,) = [line for line in shell.run("status").out.splitlines() if line.startswith("24 hours: ")]
    assert line.endswith(": the ledger balances")
    change(nordlicht, "UPDATE runs SET \"new\" = \"new\" - 3 WHERE stream = 'tickets' AND kind = 'pull'")
    ran = shell.run("status")
    assert ran.code == 1
    assert "not accounted for: 3 of helpdesk.tickets" in ran.out


def test_status_shows_the_runs_under_way(nordlicht: Nordlicht, shell: Shell) -> None:
    assert "under way" not in shell.run("status").out
    with at_work(nordlicht, "tickets"):
        ran = shell.run("status")
        (held,) = [one for one in shell.run("status", "--json").json["streams"] if one["held_until"]]
    assert "under way: helpdesk.tickets, which its run holds until " in ran.out
    assert held["stream"] == "tickets"


def test_a_connector_describes_how_its_streams_are_read(shell: Shell) -> None:
    ran = shell.run("connectors", "salesforce", "--json")
    assert ran.code == 0
    assert set(ran.json) == {"name", "about", "streams"}
    assert [set(one) for one in ran.json["streams"]] == [{"name", "key", "mapping", "cursor", "lists_all", "about"}] * 2
    shown = shell.run("connectors", "salesforce").out
    assert all(one["cursor"] in shown and one["lists_all"] for one in ran.json["streams"])
    assert "declared in the settings" in shell.run("connectors", "sql").out
    ran = shell.run("connectors", "salesforc")
    assert (ran.code, "installed: " in ran.message) == (3, True)
