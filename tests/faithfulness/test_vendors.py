"""The figures of each vendor hold: recorded traffic and stand-ins are valid, answers have the recorded structure, errata are borne out."""

import json
from functools import cache
from pathlib import Path

import pytest

from threadline.sdk.registry import connector_class
from threadline.testing.faithfulness import Exchange, Subject, load_subject, subjects
from threadline.testing.faithfulness.__main__ import main
from threadline.testing.faithfulness.measure import Share, structure, validity
from threadline.testing.faithfulness.report import recorded
from threadline.testing.faithfulness.review import review
from threadline.testing.faithfulness.traffic import kit_traffic, overheard

CONTRACTS = Path(__file__).parents[2] / "../shared/contracts"
WITHOUT = "vendor documents and recorded traffic (../shared/contracts) are not here"
with_contracts = pytest.mark.skipif(not CONTRACTS.is_dir(), reason=WITHOUT)

RECORDED = {"zendesk": (99.0, 99.0, 90.0), "x": (99.0, 99.0, 99.0)}
"""Percent: valid with errata, of that the recordings that are held back, and keys that the document has."""
MADE = {"zendesk": 99.0, "x": 99.0}
AS_RECORDED = {"zendesk": 97.0, "x": 97.0, "salesforce": 95.0}
FEW = ("takes right credentials", "refuses wrong credentials", "reads everything", "writes each")


@cache
def subject_of(vendor: str) -> Subject:
    return load_subject(vendor, CONTRACTS)


def percent(share: Share) -> float:
    assert share.percent is not None, "nothing was measured"
    return share.percent


@with_contracts
@pytest.mark.parametrize("vendor", RECORDED)
def test_recorded_traffic_is_valid_with_errata(vendor: str) -> None:
    measured = recorded(subject_of(vendor))
    assert measured
    figures = (percent(measured.with_errata.share), percent(measured.held_back), percent(measured.described_keys))
    assert all(figure >= least for figure, least in zip(figures, RECORDED[vendor], strict=True)), (figures, measured.with_errata.problems)
    assert percent(measured.as_published) < figures[0]


@with_contracts
@pytest.mark.parametrize("vendor", RECORDED)
def test_every_erratum_is_borne_out(vendor: str) -> None:
    assert list(review(subject_of(vendor))) == []


@with_contracts
@pytest.mark.parametrize("vendor", AS_RECORDED)
def test_the_stand_in_is_faithful_in_a_few_cases(vendor: str) -> None:
    made, outcomes = kit_traffic(connector_class(vendor), FEW)
    assert {outcome.state for outcome in outcomes} <= {"passed", "waived"}
    check(vendor, made)


@with_contracts
@pytest.mark.slow
@pytest.mark.parametrize("vendor", AS_RECORDED)
def test_the_stand_in_is_faithful_throughout(vendor: str) -> None:
    made, outcomes = kit_traffic(connector_class(vendor))
    assert [outcome.said for outcome in outcomes if outcome.state == "failed"] == []
    assert list(review(subject_of(vendor), made)) == []
    check(vendor, made)


def check(vendor: str, made: list[Exchange]) -> None:
    subject = subject_of(vendor)
    compared = structure(subject, made)
    assert len(compared.matches) > 1
    differences = [f"{match.endpoint} {finding}" for match in compared.matches for finding in match.findings if finding.verdict != "same"]
    assert percent(compared.keys) >= AS_RECORDED[vendor], differences
    if subject.current:
        valid = validity(subject, subject.current, made)
        assert percent(valid.share) >= MADE[vendor], valid.problems
        assert [endpoint for endpoint in valid.undescribed if endpoint.split()[1] not in subject.file.paths] == []


@with_contracts
def test_an_answer_that_is_not_faithful_counts() -> None:
    subject = subject_of("zendesk")
    assert subject.corrected
    made, _ = kit_traffic(connector_class("zendesk"), ["takes right credentials"])
    (one,) = made
    answer = one.answer
    answer["user"] |= {"id": "7", "colour": "red"}
    del answer["user"]["role"]
    other = Exchange(one.method, one.url, "", b"", 200, one.received_type, json.dumps(answer).encode())
    assert validity(subject, subject.corrected, [one, other]).share == Share(1, 2)
    (match,) = structure(subject, [other]).matches
    found = {(finding.path, finding.verdict) for finding in match.findings if finding.verdict != "same"}
    assert found >= {("$.user.id", "another type"), ("$.user.colour", "extra"), ("$.user.role", "missing")}


@with_contracts
@pytest.mark.slow
def test_the_command_prints_a_vendor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["salesforce", "--contracts", str(CONTRACTS), "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    assert printed["vendor"] == "salesforce"
    assert all(figure["all"] >= figure["good"] > 0 for figure in printed["figures"].values())


@with_contracts
def test_every_vendor_with_recordings_is_known() -> None:
    assert {subject.kind.name for subject in subjects(CONTRACTS)} >= set(AS_RECORDED)


@with_contracts
def test_a_connector_without_an_errata_file_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["email", "--contracts", str(CONTRACTS)]) == 2
    assert "email has no errata.yaml beside its stand-in" in capsys.readouterr().err


def test_the_command_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--contracts", str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder; it holds the vendors' documents and recordings" in capsys.readouterr().err


def test_exchanges_are_overheard_as_they_were() -> None:
    with overheard() as heard:
        made, outcomes = kit_traffic(connector_class("x"), ["takes right credentials"])
    assert [outcome.state for outcome in outcomes] == ["passed"]
    assert [(one.method, one.path, one.status) for one in heard] == [("GET", "/2/users/me", 200)]
    assert made == heard
