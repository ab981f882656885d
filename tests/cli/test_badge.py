"""`threadline connectors --badge` says what a connector keeps of the contract, what not, and what is waived and why."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.tasks import Tasks
from tests.conformance.test_kit import Optimist
from threadline.cli import badge
from threadline.sdk import Connector
from threadline.testing.conformance import Case, cases_of

SOME = {"takes right credentials", "refuses wrong credentials", "reads everything", "tells of deletes", "writes each", "outlives faults"}


@pytest.fixture(autouse=True)
def two_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(kind: type[Connector[Any]]) -> Iterator[Case]:
        return (case for case in cases_of(kind) if case.part.name in SOME)

    kinds = {"tasks": Tasks, "optimist": Optimist}
    monkeypatch.setattr(badge, "installed", lambda: kinds)
    monkeypatch.setattr(badge, "connector_class", kinds.__getitem__)
    monkeypatch.setattr(badge, "cases_of", some)


def shown(
    capsys: pytest.CaptureFixture[str], name: str | None, *, json: bool = False, thorough: bool = False
) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as ended:
        badge.show_badges(name, thorough=thorough, json=json)
    return ended.value.code, capsys.readouterr().out


def test_a_table_tells_what_passes_and_why_the_rest_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = shown(capsys, None)
    lines = {line.split("  ")[0]: line.split()[-2:] for line in said.splitlines() if line}
    assert code == 1
    assert lines["part"] == ["tasks", "optimist"]
    assert lines["reads everything"] == lines["writes each"] == ["passed", "passed"]
    assert lines["refuses wrong credentials"] == ["passed", "failed"]
    assert lines["tells of deletes"] == ["waived", "waived"]
    assert "outlives faults" not in lines
    assert "check() passes with a wrong token" in said
    assert "nobody deletes a task" in said
    assert "(--thorough): outlives faults" in said


def test_machines_read_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = shown(capsys, "tasks", json=True)
    found = json.loads(said)["tasks"]
    assert code == 0
    assert {case["part"] for case in found} == SOME - {"outlives faults"}
    assert {"part": "tells of deletes", "subject": "tasks", "state": "waived", "said": "nobody deletes a task"} in found
