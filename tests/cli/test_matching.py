"""`threadline identity match`, and where it shows: check, status, explain, timeline."""

import sys

import pytest

from tests.cli.company import Shell
from tests.integration.crowd import crowd
from tests.integration.lab import Lab
from threadline.store.database import open_database

pytest.importorskip("splink", reason="matching needs the extra `match`")


@pytest.fixture
def nightly(shell: Shell) -> Shell:
    """A folder whose store holds sixty people, and every second one once more."""
    shell.settings("database: sqlite:///store.db\nmatching: {schedule: '0 3 * * *'}\n")
    with open_database(f"sqlite:///{shell.folder}/store.db", create=True) as database:
        Lab(database).read("people", *crowd(60))
    return shell


def test_the_status_says_when_matching_learned_and_what_waits(nightly: Shell) -> None:
    assert nightly.run("status", "--json").json["matching"]["state"] == "never"
    found = nightly.run("identity", "match", "--json").json
    assert found["joined"] > 25
    state = nightly.run("status", "--json").json["matching"]
    assert (state["state"], state["joined"], state["review"]) == ("fresh", found["joined"], found["review"])
    ran = nightly.run("status")
    assert ran.code == 0
    (row,) = [line.split() for line in ran.out.splitlines() if line.startswith("fresh")]
    assert row[-2:] == [str(found["joined"]), str(found["review"])]
    assert ("threadline identity review list" in ran.out) == bool(found["review"])


def test_what_was_learned_can_be_given_up(nightly: Shell) -> None:
    joined = nightly.run("identity", "match", "--json").json["changed"]
    assert joined > 25
    ran = nightly.run("identity", "match", "--forget")
    assert (ran.code, ran.out) == (0, f"{joined} profiles changed\n")
    assert nightly.run("status", "--json").json["matching"]["state"] == "never"
    assert nightly.run("identity", "match", "--forget", "--json").json == {"changed": 0}
    assert nightly.run("identity", "match", "--json").json["changed"] == joined


def test_late_matching_needs_a_person(nightly: Shell) -> None:
    nightly.run("identity", "match")
    with open_database(f"sqlite:///{nightly.folder}/store.db", create=False) as database, database.write() as transaction:
        transaction.execute("UPDATE match_models SET trained_at = '2026-01-01 00:00:00+00:00'")
    ran = nightly.run("status")
    assert ran.code == 1
    assert "late" in ran.out


def test_a_check_tells_what_matching_needs(nightly: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = nightly.run("check")
    assert ran.code == 0
    assert "everybody is matched on the schedule 0 3 * * *" in ran.out
    monkeypatch.setitem(sys.modules, "duckdb", None)
    ran = nightly.run("check")
    assert (ran.code, ran.message) == (3, "matching needs duckdb: pip install 'threadline[match]'")
    ran = nightly.run("identity", "match")
    assert (ran.code, ran.message) == (3, "matching needs duckdb: pip install 'threadline[match]'")


def test_a_schedule_that_cannot_be_is_named_with_its_line(nightly: Shell) -> None:
    nightly.settings("matching: {shedule: '0 3 * * *'}\n")
    ran = nightly.run("check")
    assert ran.code == 3
    assert ran.message.endswith("threadline.yaml:1: `matching` knows no key 'shedule'; did you mean 'schedule'?")
