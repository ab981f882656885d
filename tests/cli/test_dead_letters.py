"""`threadline dead`: letters are listed with their reason, shown with their record, and mapped again once the mapping is mended."""

from pathlib import Path
from typing import Any

from tests.cli.company import Nordlicht, Shell, mend, shipped
from threadline.sync.config import load_config

LETTER = {"id", "source", "stream", "key", "reason", "path", "site", "first_seen", "last_seen", "attempts", "state"}


def unknown_status(shell: Shell) -> dict[str, Any]:
    """Return the letter of the ticket whose status no mapping lists."""
    letters = shell.run("dead", "list", "--source", "helpdesk", "--json").json
    return next(letter for letter in letters if "escalated_tier_2" in letter["reason"])


def test_letters_are_listed_with_place_and_reason(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("dead", "list", "--json")
    assert ran.code == 0
    assert all(set(letter) == LETTER for letter in ran.json)
    assert {letter["source"] for letter in ran.json} == {"mail", "helpdesk", "crm", "x", "shop"}
    shown = shell.run("dead", "list", columns=80).out
    for letter in ran.json:
        head = next(line for line in shown.splitlines() if line.startswith(letter["id"][:10]))
        assert head.split() == [letter["id"][:10], f"{letter['source']}.{letter['stream']}", letter["key"]]
        assert " ".join(letter["reason"].split()) in " ".join(shown.split())
        assert letter["site"] in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_letters_of_one_source_or_the_newest_few(nordlicht: Nordlicht, shell: Shell) -> None:
    assert {letter["source"] for letter in shell.run("dead", "list", "-s", "shop", "--json").json} == {"shop"}
    ran = shell.run("dead", "list", "--limit", "2", "--json")
    assert len(ran.json) == 2
    assert ran.message == "these are the newest 2; --limit shows more"
    assert shell.run("dead", "list", "--limit", "99").err == ""


def test_a_letter_is_shown_with_its_record(nordlicht: Nordlicht, shell: Shell) -> None:
    letter = unknown_status(shell)
    ran = shell.run("dead", "show", letter["id"][:10].lower(), "--json")
    assert ran.code == 0
    assert set(ran.json) == {"letter", "record"}
    assert ran.json["letter"] == letter
    assert '"escalated_tier_2"' in ran.json["record"]
    shown = shell.run("dead", "show", letter["id"]).out
    assert letter["id"] in shown
    assert "zendesk/tickets.yaml:" in shown
    assert '"escalated_tier_2"' in shown


def test_an_id_must_name_one_letter(nordlicht: Nordlicht, shell: Shell) -> None:
    for text, said in (("ZZZ", "no dead letter begins with 'ZZZ'"), ("", "dead letters begin with ''")):
        for command in ("show", "replay"):
            ran = shell.run("dead", command, text)
            assert ran.code == 3
            assert said in ran.message
            assert "`threadline dead list`" in ran.message


def test_a_mended_mapping_brings_the_record_back(nordlicht: Nordlicht, shell: Shell) -> None:
    letter = unknown_status(shell)
    assert nordlicht.query("SELECT count(*) FROM cases WHERE source = 'helpdesk' AND external_id = ?", letter["key"]) == [(0,)]
    mend(nordlicht, shipped("zendesk/tickets").replace("lookup: {new:", "lookup: {escalated_tier_2: in_progress, new:"))
    assert load_config().source("helpdesk").streams["tickets"] == "mappings/my_tickets.yaml"
    before = len(shell.run("dead", "list", "--json").json)
    ran = shell.run("dead", "replay", letter["id"])
    assert ran.table == [{"stream": "helpdesk.tickets", "replayed": "1", "good now": "1", "dead still": "0"}], ran
    assert ran.code == 0
    assert nordlicht.query("SELECT status FROM cases WHERE source = 'helpdesk' AND external_id = ?", letter["key"]) == [("in_progress",)]
    assert len(shell.run("dead", "list", "--json").json) == before - 1
    assert shell.run("dead", "replay", letter["id"]).out == "no dead letters\n"


def test_what_is_dead_still_is_told(nordlicht: Nordlicht, shell: Shell) -> None:
    ran = shell.run("dead", "replay", "--source", "helpdesk", "--json")
    assert ran.code == 1
    assert [(item["source"], item["stream"], item["ledger"]["read"], item["ledger"]["dead"]) for item in ran.json] == [
        ("helpdesk", "tickets", 2, 2)
    ]
    assert "tried 2 times" in shell.run("dead", "list", "--source", "helpdesk").out


def test_a_source_that_is_none_is_no_good_news(nordlicht: Nordlicht, shell: Shell) -> None:
    for command in ("list", "replay"):
        ran = shell.run("dead", command, "--source", "helpdsk")
        assert ran.code == 3
        assert "no source named 'helpdsk'; did you mean 'helpdesk'?" in ran.message


def test_what_cannot_be_mapped_costs_no_other_stream(nordlicht: Nordlicht, shell: Shell) -> None:
    mend(nordlicht, "# Broken.\nsource: zendesk.tickets\ntarget: case\nversion: 1\nfields: {nmae: subject}\n")
    ran = shell.run("pull", "helpdesk", "--json")
    assert ran.code == 3
    assert [item["stream"] for item in ran.json["pulled"]] == ["users", "comments"]
    assert [item["what"] for item in ran.json["errors"]] == ["helpdesk.tickets"]
    assert str(Path("mappings/my_tickets.yaml:5")) in ran.message
