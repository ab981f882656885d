"""An errata file says what it means, and each erratum is borne out by what it cites."""

from pathlib import Path

import pytest

from tests.conformance.tasks import Tasks
from tests.faithfulness.shop import contracts, exchange
from threadline.sdk import ConfigError
from threadline.testing.faithfulness import Exchange, Subject, read_recording
from threadline.testing.faithfulness.errata import read_errata
from threadline.testing.faithfulness.measure import Share, structure
from threadline.testing.faithfulness.report import report
from threadline.testing.faithfulness.review import review

GENERAL = "general: [{{rule: {}, reason: it is so, {}: {}}}]\n"
ODD = exchange("GET /orders/7", {"id": 7, "note": "red", "made": None})
EVEN = exchange("GET /orders/7", {"id": 7, "note": "red"})


def reviewed(folder: Path, errata: str, *recorded: Exchange, made: tuple[Exchange, ...] = ()) -> list[str]:
    return list(review(Subject(Tasks, folder, read_errata(contracts(folder, errata, *recorded))), made))


def test_a_needed_erratum_is_borne_out(tmp_path: Path) -> None:
    assert reviewed(tmp_path, GENERAL.format("null properties", "recording", "0.json"), ODD) == []


def test_an_erratum_that_only_gives_a_word_for_a_key_is_borne_out(tmp_path: Path) -> None:
    errata = "single: [{at: /components/schemas/Order/properties/colour, says: {type: string}, reason: it is so, recording: 0.json}]\n"
    assert reviewed(tmp_path, errata, exchange("GET /orders/7", {"id": 7, "note": "x", "colour": "red"})) == []


def test_an_erratum_that_is_not_needed_is_found(tmp_path: Path) -> None:
    (fault,) = reviewed(tmp_path, GENERAL.format("null properties", "recording", "1.json"), ODD, EVEN)
    assert fault == "null properties is not needed by 1.json"


def test_an_erratum_without_its_recording_is_found(tmp_path: Path) -> None:
    (fault,) = reviewed(tmp_path, GENERAL.format("null properties", "recording", "9.json"), ODD)
    assert fault == "null properties cites '9.json', which is no recording"


def test_what_stands_on_a_page_must_be_needed_by_the_traffic(tmp_path: Path) -> None:
    errata = GENERAL.format("null properties", "page", "https://shop.example/nulls")
    (fault,) = reviewed(tmp_path, errata, EVEN, made=(EVEN,))
    assert fault == "null properties is not needed by anything that the stand-in or its connector say"


def test_what_stands_on_a_page_and_is_needed_is_borne_out(tmp_path: Path) -> None:
    assert reviewed(tmp_path, GENERAL.format("null properties", "page", "https://shop.example/nulls"), EVEN, made=(EVEN, ODD)) == []


def test_an_older_answer_is_excused_and_one_that_is_made_now_is_not(tmp_path: Path) -> None:
    older = exchange("GET /orders/7", {"id": 7})
    subject = Subject(Tasks, tmp_path, read_errata(contracts(tmp_path, GENERAL.format("older answers", "recording", "0.json"), older)))
    assert list(review(subject)) == []
    found = report(subject, [older])
    assert found.recorded
    assert found.made
    assert (found.recorded.with_errata.share, found.made.share) == (Share(1, 1), Share(0, 1))


def test_a_recording_that_is_cited_is_not_held_back(tmp_path: Path) -> None:
    file = contracts(tmp_path, GENERAL.format("null properties", "recording", "2.json"), EVEN, EVEN, ODD, EVEN, EVEN, ODD)
    assert Subject(Tasks, tmp_path, read_errata(file)).held_back == {"5.json"}


def test_a_part_may_be_like_what_was_recorded_elsewhere_in_another_place(tmp_path: Path) -> None:
    errata = 'alike: [{made: GET /orders 200, recorded: "GET /orders/{id} 200", part: "orders[]", there: "", reason: a list has orders}]\n'
    subject = Subject(Tasks, tmp_path, read_errata(contracts(tmp_path, errata, EVEN)))
    (match,) = structure(subject, [exchange("GET /orders?since=3", {"orders": [{"id": "7", "note": "red"}]})]).matches
    assert [str(one) for one in match.findings if one.verdict != "same"] == ["$.orders[].id has another type: string, recorded number"]


@pytest.mark.parametrize(
    ("errata", "said"),
    [
        ("genral: []", r"errata.yaml:3: an errata file knows no key 'genral'; did you mean 'general'\?"),
        ("general: 3", "errata.yaml:3: general must be a list"),
        ("general: [{rule: null property, reason: x, recording: y}]", r"no general rule 'null property'; did you mean 'null properties'\?"),
        ("general: [{rule: any of, recording: y}]", "errata.yaml:3: an entry of general needs reason"),
        ("general: [{rule: any of, reason: x}]", "needs the recording that shows it or, where none does, the vendor's page"),
        ("general: [{rule: any of, reason: x, recording: y, page: z}]", "one of the two"),
        ("general: [{rule: old words, reason: x, recording: y}]", "'old words' needs says: a mapping"),
        ("general: [{rule: paged lists, says: {a: b}, reason: x, recording: y}]", "'paged lists' needs says: a list of names"),
        ("general: [{rule: record keys, says: [url], reason: x, recording: y}]", "'record keys' needs says: a mapping of keys"),
        ("single: [{at: components, says: 1, reason: x, recording: y}]", "at must be a JSON pointer"),
        ("paths: [1]", "paths must be a list of texts"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, errata: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_errata(contracts(tmp_path, errata))


def test_recordings_are_read_whole(tmp_path: Path) -> None:
    contracts(tmp_path, "", ODD)
    (one,) = read_recording(tmp_path / "recorded/0.json")
    assert (one.method, one.url, one.status, one.received, one.source) == ("GET", ODD.url, 200, ODD.received, "0.json")


def test_cassettes_in_yaml_are_read_without_what_they_include(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(
        "interactions:\n- include_file: other.yaml\n- request: {method: GET, uri: 'https://shop.example/orders/7', body: null}\n"
        "  response: {status: {code: 200, code: 200}, headers: {}, body: {string: '{}'}}\n"
    )
    (one,) = read_recording(file)
    assert (one.path, one.answer) == ("/orders/7", {})


@pytest.mark.parametrize(("name", "text"), [("a.json", "[]"), ("b.json", "{"), ("c.yaml", "a: 1"), ("d.json", '{"x": 1}')])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=name):
        list(read_recording(tmp_path / name))
