"""`threadline map`: mapping files are checked, and what they make of records is shown before anything is written."""

from pathlib import Path

from tests.cli.company import Nordlicht, Shell, mend, shipped

BROKEN = "# Ours.\nsource: zendesk.users\ntarget: party\nversion: 1\nfields: {formatted_name: name}\n"


def test_every_shipped_mapping_keeps_its_examples(shell: Shell) -> None:
    ran = shell.run("map", "check", "--json")
    assert ran.code == 0
    assert all(set(item) == {"mapping", "examples", "problems"} for item in ran.json)
    assert {item["mapping"] for item in ran.json} >= {"zendesk/tickets", "zendesk/push/user", "email/messages", "sql/push/note"}
    assert all(item["examples"] > 0 and item["problems"] == [] for item in ran.json)


def test_mappings_of_our_own_are_checked_with_the_others(nordlicht: Nordlicht, shell: Shell) -> None:
    mend(nordlicht, shipped("zendesk/tickets"))
    assert "my_tickets" in {item["mapping"] for item in shell.run("map", "check", "--json").json}


def test_a_mapping_is_named_as_it_is_shipped_or_by_its_file(shell: Shell) -> None:
    (shell.folder / "mine.yaml").write_text(shipped("zendesk/users"))
    ran = shell.run("map", "check", "zendesk/users", "mine.yaml")
    assert ran.code == 0
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [["zendesk/users", "ok"], ["mine.yaml", "ok"]]


def test_what_is_wrong_is_told_for_each_mapping(shell: Shell) -> None:
    (shell.folder / "broken.yaml").write_text(BROKEN)
    (shell.folder / "untrue.yaml").write_text(shipped("zendesk/users").replace("formatted_name: Ana Lima", "formatted_name: Mara"))
    ran = shell.run("map", "check", "broken.yaml", "zendesk/users", "untrue.yaml", "nowhere.yaml")
    assert ran.code == 3
    assert [line.split()[1] for line in ran.out.splitlines()[1:]] == ["FAILS", "ok", "FAILS", "FAILS"]
    broken, untrue, nowhere = ran.err.splitlines()
    assert "broken.yaml:" in broken
    assert "identifiers" in broken
    assert "untrue.yaml:" in untrue
    assert "Mara" in untrue
    assert "no mapping 'nowhere.yaml'" in nowhere


def test_the_schema_of_mapping_files_is_printed(shell: Shell) -> None:
    ran = shell.run("map", "schema")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_preview_shows_what_a_mapping_makes_of_stored_records(nordlicht: Nordlicht, shell: Shell) -> None:
    before = nordlicht.database.read_bytes()
    ran = shell.run("map", "preview", "zendesk/tickets", "--limit", "2", "--json")
    assert ran.code == 0
    assert [set(item) for item in ran.json] == [{"record", "made"}] * 2
    assert all(item["made"]["customer"]["zendesk_user"] for item in ran.json)
    assert shell.run("map", "preview", "zendesk/tickets", "--source", "helpdesk", "-n", "2", "--json").json == ran.json
    shown = shell.run("map", "preview", "zendesk/tickets", "-n", "2").out
    for item in ran.json:
        assert f"record {item['record']}\n" in shown
        assert item["made"]["name"] in shown
    assert nordlicht.database.read_bytes() == before, "a preview writes nothing"


def test_a_preview_of_one_record_in_a_file(shell: Shell) -> None:
    Path("ticket.json").write_text('{"id": 7, "subject": "Late", "status": "new", "created_at": "2026-01-02T03:04:05Z", "requester_id": 9}')
    ran = shell.run("map", "preview", "zendesk/tickets", "--record", "ticket.json", "--json")
    assert ran.code == 0
    (item,) = ran.json
    assert item["record"] == "ticket"
    assert item["made"]["name"] == "Late"
    assert item["made"]["status"] == "acknowledged"


def test_a_preview_without_records_shows_the_examples(shell: Shell) -> None:
    for name in ("zendesk/tickets", "zendesk/push/user"):
        ran = shell.run("map", "preview", name)
        assert ran.code == 0
        assert f"record {name}.yaml:" in ran.out


def test_a_preview_tells_why_a_record_cannot_be_used(shell: Shell) -> None:
    Path("ticket.json").write_text('{"id": 7, "status": "lost", "created_at": "2026-01-02T03:04:05Z", "requester_id": 9}')
    ran = shell.run("map", "preview", "zendesk/tickets", "--record", "ticket.json")
    assert ran.code == 1
    assert '  $.status: "lost" is not listed in its lookup' in ran.out
    assert "(zendesk/tickets.yaml:" in ran.out
    (item,) = shell.run("map", "preview", "zendesk/tickets", "--record", "ticket.json", "--json").json
    assert set(item) == {"record", "error", "path", "site"}
    assert item["path"] == "$.status"


def test_a_preview_tells_of_records_left_out(shell: Shell) -> None:
    own = shipped("zendesk/users").replace("fields:\n", "when: {role: end-user}\nfields:\n", 1).partition("examples:")[0]
    Path("customers.yaml").write_text(own)
    Path("agent.json").write_text('{"id": 1, "name": "Jonas", "role": "agent"}')
    ran = shell.run("map", "preview", "customers.yaml", "--record", "agent.json")
    assert (ran.code, ran.out) == (0, "record agent\n  filtered: its `when` leaves it out\n\n")
