"""Fields that come, go or change their type are noticed with first sight and example, and treated as the policy says."""

from typing import Any

import msgspec
import pytest

from tests.integration.lab import MAPPINGS, Lab
from threadline.sdk import ConfigError
from threadline.sync.drift import Drift, accept, drifts
from threadline.sync.policy import Policy
from threadline.sync.views import Ledger

USUAL: list[dict[str, Any]] = [{"id": number, "name": f"Person {number}", "team": "north", "note": None} for number in range(1, 21)]
SIGHTS = {
    "new": ({"colour": "red"}, [("colour", "new", "string")]),
    "new, and an object": ({"place": {"city": "Kiel"}}, [("place", "new", "object")]),
    "retyped": ({"team": ["north"]}, [("team", "retyped", "array")]),
    "null": ({"team": None}, []),
    "a value where there was none": ({"note": "calls back"}, []),
    "as usual": ({}, []),
}


def learned(lab: Lab, policy: str = "evolve") -> Lab:
    lab.policy = Policy(drift=policy)  # type: ignore[arg-type]
    lab.connector.add("people", USUAL)
    lab.pull("people")
    return lab


def pull(lab: Lab, *records: dict[str, Any]) -> Ledger:
    lab.connector.add("people", records)
    return lab.pull("people")


def found(lab: Lab, source: str | None = None) -> list[Drift]:
    with lab.database.read() as transaction:
        return drifts(transaction, source)


def extensions(lab: Lab, number: int) -> Any:
    ((text,),) = lab.rows("SELECT extensions FROM parties WHERE external_id = ?", str(number))
    return msgspec.json.decode(text) if text else None


def test_what_is_new_and_large_is_noted_and_left_to_the_archive(lab):
    learned(lab)
    assert pull(lab, {**USUAL[0], "id": 30, "colour": "red", "scan": "x" * 100_000}) == Ledger(read=1, new=1)
    assert extensions(lab, 30) == {"colour": "red"}
    assert {one.field for one in found(lab)} == {"colour", "scan"}


@pytest.mark.parametrize(("change", "sights"), SIGHTS.values(), ids=SIGHTS)
@pytest.mark.parametrize("policy", ["evolve", "ignore"])
def test_what_differs_is_noted_with_an_example(lab, change, sights, policy):
    learned(lab, policy)
    assert pull(lab, {**USUAL[0], "id": 30} | change) == Ledger(read=1, new=1)
    noted = found(lab)
    assert [(one.field, one.state, one.type) for one in noted] == sights
    assert all((one.source, one.stream, one.example) == ("desk", "people", "30") and one.first_seen for one in noted)
    assert found(lab, "shop") == []


def test_a_field_that_every_record_had_is_missed(lab):
    learned(lab)
    pull(lab, {"id": 30, "name": "Flo", "note": None})
    assert [(one.field, one.state, one.type, one.example) for one in found(lab)] == [("team", "missing", "absent", "30")]


def test_the_first_sight_stays_the_first(lab):
    learned(lab)
    pull(lab, {**USUAL[0], "id": 30, "colour": "red"})
    first = found(lab)
    pull(lab, {**USUAL[0], "id": 31, "colour": "blue"}, USUAL[1] | {"name": "Bo"})
    assert found(lab) == first


def test_evolve_keeps_new_fields_with_the_record(lab):
    learned(lab)
    pull(lab, {**USUAL[0], "id": 30, "colour": "red", "place": {"city": "Kiel", "zip": 24103}})
    assert extensions(lab, 30) == {"colour": "red", "place": {"city": "Kiel", "zip": 24103}}
    assert extensions(lab, 1) is None


def test_a_new_field_is_not_lost_by_a_replay_or_a_changed_mapping(lab):
    learned(lab)
    pull(lab, {**USUAL[0], "id": 30, "colour": "red"})
    changed = MAPPINGS["people"].replace("name, optional", "team, optional")
    assert lab.replay("people", changed).changed == 21
    assert extensions(lab, 30) == {"colour": "red"}
    assert lab.pull("people", full=True).changed == 21
    assert extensions(lab, 30) == {"colour": "red"}


def test_a_new_field_that_changes_is_kept_as_it_is_now(lab):
    learned(lab)
    pull(lab, {**USUAL[0], "id": 30, "colour": "red"})
    assert pull(lab, {**USUAL[0], "id": 30, "colour": "blue"}) == Ledger(read=1, changed=1)
    assert extensions(lab, 30) == {"colour": "blue"}
    assert pull(lab, {"id": 30, **USUAL[0] | {"id": 30}, "colour": "blue"}).changed == 0


def test_a_record_with_rows_of_its_own_keeps_them_there(lab):
    usual = {"id": 1, "subject": "Lamp", "at": "2026-03-01T10:00:00Z"}
    lab.connector.add("tickets", [usual])
    lab.pull("tickets")
    lab.connector.add("tickets", [usual | {"id": 2, "door": "left"}])
    lab.pull("tickets")
    assert lab.rows("SELECT extensions FROM cases ORDER BY external_id") == [(None,), ('{"door":"left"}',)]


def test_ignore_only_takes_note(lab):
    learned(lab, "ignore")
    pull(lab, {**USUAL[0], "id": 30, "colour": "red"})
    assert [one.field for one in found(lab)] == ["colour"]
    assert extensions(lab, 30) is None


@pytest.mark.parametrize("change", [{"colour": "red"}, {"team": 7}], ids=["new", "retyped"])
def test_freeze_refuses_what_differs_until_it_is_accepted(lab, change):
    learned(lab, "freeze")
    field = next(iter(change))
    assert pull(lab, {**USUAL[0], "id": 30} | change, {**USUAL[0], "id": 31}) == Ledger(read=2, new=1, dead=1)
    ((reason, path, site),) = lab.rows("SELECT reason, path, site FROM dead_letters WHERE state = 'open'")
    assert f"field '{field}'" in reason
    assert "threadline drift desk --accept" in reason
    assert (path, site) == (f"$.{field}", "drift")
    assert lab.replay("people").dead == 1
    with lab.database.write() as transaction:
        assert accept(transaction, "desk", "people", field) == 1
    assert found(lab) == []
    assert lab.replay("people") == Ledger(read=22, new=1, unchanged=21)
    assert lab.rows("SELECT state FROM dead_letters") == [("resolved",)]
    assert pull(lab, {**USUAL[0], "id": 32} | change) == Ledger(read=1, new=1)


def test_freeze_looks_at_every_record_of_the_first_load(lab):
    lab.policy = Policy(drift="freeze")
    lab.connector.add("people", [*USUAL, {**USUAL[0], "id": 30, "colour": "red"}])
    assert lab.pull("people") == Ledger(read=21, new=21)
    assert pull(lab, {**USUAL[0], "id": 31, "colour": "blue"}, {**USUAL[0], "id": 32}) == Ledger(read=2, new=2)


def test_what_is_left_of_a_deleted_record_is_no_drift(lab):
    learned(lab, "freeze")
    assert pull(lab, {"id": 3, "_deleted": True}).dead == 0
    assert found(lab) == []
    assert pull(lab, {"id": 4, "_deleted": "yes"}).dead == 1


def test_only_what_is_named_is_accepted(lab):
    learned(lab)
    pull(lab, {**USUAL[0], "id": 30, "colour": "red", "size": 9})
    with lab.database.write() as transaction:
        assert accept(transaction, "desk", None, "size") == 1
    assert [one.field for one in found(lab)] == ["colour"]
    for source, stream, field in (("desk", "people", "size"), ("desk", "orders", None), ("shop", None, None)):
        with pytest.raises(ConfigError, match="has drifted: `threadline drift` shows what did"), lab.database.write() as transaction:
            accept(transaction, source, stream, field)
    with lab.database.write() as transaction:
        assert accept(transaction, "desk", None, None) == 1
    assert found(lab) == []


def test_what_one_record_of_the_first_load_has_is_known(lab):
    lab.connector.add("people", [*USUAL[:9], {**USUAL[0], "id": 30, "colour": "red"}, *USUAL[9:]])
    lab.pull("people")
    pull(lab, {**USUAL[0], "id": 31, "colour": "blue"}, {**USUAL[0], "id": 32})
    assert found(lab) == []
