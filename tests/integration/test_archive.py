"""Every record's bytes are kept as the source sent them, earlier versions too, as many and as long as the policy says."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.lab import MAPPINGS, Lab
from threadline.model.ids import entity_id
from threadline.sdk import RetryableError
from threadline.sync import archive
from threadline.sync import pull as pulling
from threadline.sync.drift import accept
from threadline.sync.policy import Policy
from threadline.sync.views import Ledger

ODD = [
    b'{ "id" : 7,\t"name":"Zo\xc3\xab" , "name":"twice"}',
    b'{"name":"\\u0000\\ud83d\\ude00","id":7,"n":1.000000000000000000001}',
    b'{"id":7,"name":"Z","hidden":true}',
    b'{"id":7,"name":"Z","wish":"pigeon"}',
    b'{"id":7,"name":"last"}\n',
]

OTHER = MAPPINGS["people"].replace("customer", "agent")
WISER = OTHER.replace("channel: wish", "channel: {from: wish, lookup: {pigeon: chat}}")


def pull(lab: Lab, *records: Any) -> Ledger:
    lab.connector.add("people", records)
    return lab.pull("people")


def versions(lab: Lab, number: int) -> list[archive.Version]:
    with lab.database.read() as transaction:
        return archive.versions(transaction, entity_id("desk", "people", str(number)))


def age(lab: Lab, days: float) -> None:
    """Let everything have happened so many days earlier."""
    with lab.database.write() as transaction:
        then = transaction.now() - timedelta(days=days)
        transaction.execute("UPDATE raw_pages SET fetched_at = ?", [then])
        transaction.execute("UPDATE runs SET started = ?", [then])


def test_every_version_is_kept_as_it_was_sent(lab):
    for raw in ODD:
        pull(lab, raw)
    kept = versions(lab, 7)
    assert [one.raw for one in kept] == ODD[::-1]
    assert [one.version for one in kept] == [5, 4, 3, 2, 1]
    times = [one.seen_at for one in kept]
    assert times == sorted(times, reverse=True)
    assert versions(lab, 8) == []


def test_records_of_several_pages_are_found_again(lab):
    records = [b'{"id":%d,"name":"%s"}' % (number, b"x" * 50_000) for number in range(12)]
    pull(lab, *records)
    assert lab.rows("SELECT count(*) FROM raw_pages")[0][0] > 1
    assert [one.raw for number in range(12) for one in versions(lab, number)] == records


HISTORIES: dict[str, list[dict[str, Any]]] = {
    "at once": [],
    "after pulls of news": [{"mapping": OTHER}],
    "after several mappings": [{"mapping": OTHER}, {"mapping": f"{OTHER}# looked at\n"}, {}],
    "after a full pull that broke off": [{"mapping": OTHER, "full": True}],
}


@pytest.mark.parametrize("earlier", HISTORIES.values(), ids=HISTORIES)
def test_what_a_changed_mapping_reads_again_is_archived_once(lab, monkeypatch, earlier):
    monkeypatch.setattr(pulling, "BATCH", 1)
    lab.connector.add("people", [{"id": 1, "hidden": True}, {"id": 2, "wish": "pigeon"}, {"id": 3}], [{"id": 4}, {"id": 5}])
    assert lab.pull("people") == Ledger(read=5, new=3, filtered=1, dead=1)
    pages = lab.rows("SELECT id FROM raw_pages ORDER BY id")
    records = lab.rows("SELECT id, version, changed_at, page, page_offset, page_length FROM records ORDER BY id")
    lab.connector.failing = {"people": (1, RetryableError("the source went away"))}
    for options in earlier:
        with suppress(RetryableError):
            lab.pull("people", **options)
    lab.connector.failing = {}
    assert lab.pull("people", full=True, mapping=WISER).missing == 0
    assert lab.rows("SELECT role FROM parties") == [("agent",)] * 4
    assert lab.rows("SELECT state FROM dead_letters") == [("resolved",)]
    assert lab.rows("SELECT id FROM raw_pages ORDER BY id") == pages
    assert lab.rows("SELECT id, version, changed_at, page, page_offset, page_length FROM records ORDER BY id") == records
    assert lab.rows("SELECT count(*) FROM record_versions") == [(0,)]
    assert lab.pull("people", full=True, mapping=WISER) == Ledger(read=5, unchanged=4, filtered=1)


def test_what_changed_along_with_the_mapping_is_another_version(lab):
    pull(lab, {"id": 7, "name": "Zoe"}, {"id": 8, "name": "Bo"})
    lab.connector.add("people", [{"id": 7, "name": "Zoa"}])
    assert lab.pull("people", mapping=OTHER) == Ledger(read=1, changed=1)
    assert [one.raw for one in versions(lab, 7)] == [b'{"id":7,"name":"Zoa"}', b'{"id":7,"name":"Zoe"}']
    assert [one.version for one in versions(lab, 8)] == [1]


def test_a_letter_that_is_accepted_later_is_archived_once(lab):
    lab.policy = Policy(drift="freeze")
    pull(lab, {"id": 7, "name": "Zo"})
    pull(lab, {"id": 7, "name": "Zo", "age": 40})
    with lab.database.write() as transaction:
        assert accept(transaction, "desk", "people", None) == 1
    assert lab.pull("people", full=True) == Ledger(read=2, new=1, unchanged=1)
    assert [one.version for one in versions(lab, 7)] == [2, 1]


def test_only_so_many_earlier_versions_are_kept(lab):
    lab.policy = Policy(archive_versions=2)
    for number in range(5):
        pull(lab, {"id": 7, "name": f"Name {number}"}, {"id": 8, "name": "Bo"})
    assert [one.version for one in versions(lab, 7)] == [5, 4, 3]
    assert [one.version for one in versions(lab, 8)] == [1]


def test_the_first_pull_of_a_day_forgets_what_is_too_old(lab):
    lab.policy = Policy(archive_days=30)
    pull(lab, {"id": 7, "name": "Zo"}, {"id": 8, "name": "Bo"})
    pull(lab, {"id": 7, "name": "Zoe"})
    age(lab, 31)
    pull(lab, {"id": 7, "name": "Zoe Lund"})
    assert [one.version for one in versions(lab, 7)] == [3]
    # What is the newest of its record stays, however old it is.
    assert [one.raw for one in versions(lab, 8)] == [b'{"id":8,"name":"Bo"}']
    assert lab.rows("SELECT count(*) FROM raw_pages") == [(2,)]


def test_later_pulls_of_a_day_leave_the_archive_alone(lab):
    lab.policy = Policy(archive_days=30)
    pull(lab, {"id": 7, "name": "Zo"})
    age(lab, 31)
    with lab.database.write() as transaction:
        transaction.execute("UPDATE runs SET started = ?", [transaction.now()])
    pull(lab, {"id": 7, "name": "Zoe"})
    assert [one.version for one in versions(lab, 7)] == [2, 1]


@pytest.mark.parametrize("days", [1.5, 29])
def test_what_is_young_enough_stays(lab, days):
    lab.policy = Policy(archive_days=30)
    pull(lab, {"id": 7, "name": "Zo"})
    age(lab, days)
    pull(lab, {"id": 7, "name": "Zoe"})
    assert [one.version for one in versions(lab, 7)] == [2, 1]


def test_only_the_stream_that_was_pulled_is_pruned(lab):
    lab.policy = Policy(archive_days=30)
    lab.connector.add("tickets", [{"id": 1, "subject": "Lamp", "at": "2026-03-01T10:00:00Z"}])
    lab.pull("tickets")
    lab.connector.add("tickets", [{"id": 1, "subject": "Lamp!", "at": "2026-03-01T10:00:00Z"}])
    lab.pull("tickets")
    pull(lab, {"id": 7, "name": "Zo"})
    age(lab, 31)
    lab.pull("people")
    assert lab.rows("SELECT count(*) FROM record_versions") == [(1,)]


def test_a_field_that_changes_in_every_record_and_that_nobody_maps_changes_nothing(lab):
    def people(poll: int) -> list[dict[str, Any]]:
        return [{"id": number, "name": f"Person {number}", "polled": poll} for number in range(50)]

    pull(lab, *people(1))
    rows, changes = lab.rows("SELECT id, run_id FROM parties ORDER BY id"), lab.rows("SELECT count(*) FROM changes")
    assert pull(lab, *people(2)) == Ledger(read=50, unchanged=50)
    assert lab.rows("SELECT id, run_id FROM parties ORDER BY id") == rows
    assert lab.rows("SELECT count(*) FROM changes") == changes
    assert [one.raw for one in versions(lab, 9)] == [b'{"id":9,"name":"Person 9","polled":%d}' % poll for poll in (2, 1)]
    assert pull(lab, *people(2)) == Ledger(read=50, unchanged=50)
    assert len(versions(lab, 9)) == 2
