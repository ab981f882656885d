"""The benchmark's own parts: what it serves, what it counts, what it keeps."""

import os
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
import pytest
import requests

from benchmarks.meter import CommandError, Cost, family_cpu, measure
from benchmarks.report import BY_HAND, document
from benchmarks.results import Results, read, run_of, write
from benchmarks.server import serving, write_pages
from benchmarks.subject import SOURCE
from benchmarks.tickets import CHANGED, FIRST, VOLATILE, pages, spread, tickets
from threadline.mapping.library import describe, pull_mapping

SOME = range(1_000)


def decoded(edition: str, numbers: range = SOME) -> list[dict[str, Any]]:
    return [msgspec.json.decode(ticket) for ticket in tickets(edition, numbers)]


def test_the_same_number_is_the_same_ticket() -> None:
    assert list(tickets(FIRST, SOME)) == list(tickets(FIRST, SOME))
    assert list(tickets(FIRST, range(500, 510))) == list(tickets(FIRST, SOME))[500:510]
    assert len(set(tickets(FIRST, SOME))) == len(SOME)


def test_a_ticket_has_about_the_promised_size_and_much_variety() -> None:
    made = list(tickets(FIRST, SOME))
    assert 1_850 < mean(map(len, made)) < 2_000
    read = decoded(FIRST)
    assert {ticket["status"] for ticket in read} == {"new", "open", "pending", "hold", "solved", "closed"}
    assert len({ticket["via"]["channel"] for ticket in read}) == 8
    assert sum(not ticket["description"].isascii() for ticket in read) > 950
    assert {len(ticket["custom_fields"]) for ticket in read} == {10}


def test_one_in_a_hundred_changes() -> None:
    differ = [number for number, pair in enumerate(zip(decoded(FIRST), decoded(CHANGED), strict=True)) if pair[0] != pair[1]]
    assert differ == list(range(0, 1_000, 100))


def test_what_is_volatile_differs_on_each_and_reaches_no_column() -> None:
    before, after = decoded(CHANGED), decoded(VOLATILE)
    assert all(old != new for old, new in zip(before, after, strict=True))
    for old, new in zip(before, after, strict=True):
        assert old.pop("generated_timestamp") != new.pop("generated_timestamp")
        assert old == new
    mapping = pull_mapping("tickets.yaml", "desk", folder=SOURCE, functions={})
    assert "generated_timestamp" not in (SOURCE / "tickets.yaml").read_text(encoding="utf-8")
    assert [describe(mapping, raw, "1") for raw in tickets(CHANGED, range(20))] == [
        describe(mapping, raw, "1") for raw in tickets(VOLATILE, range(20))
    ]


@pytest.mark.parametrize(("total", "size"), [(40_000, 2_000), (1_000_000, 1_000), (10, 10), (7, 3)])
def test_a_delta_is_spread_over_all(total: int, size: int) -> None:
    numbers = spread(total, size)
    assert len(numbers) == len(set(numbers)) == size
    assert max(numbers) < total
    assert max(numbers) >= total // 2


def test_every_other_edition_changes_every_ticket_in_a_way_of_its_own() -> None:
    editions = [decoded(edition, range(50)) for edition in (FIRST, CHANGED, "delta_1", "delta_2")]
    for number in range(1, 50):
        first, changed, *deltas = (edition[number] for edition in editions)
        assert first == changed
        assert len({repr(ticket) for ticket in (first, *deltas)}) == 3
        assert all(ticket["updated_at"] > first["updated_at"] for ticket in deltas)


def test_the_mapping_makes_something_of_every_ticket() -> None:
    mapping = pull_mapping("tickets.yaml", "desk", folder=SOURCE, functions={})
    for raw in tickets(FIRST, range(300)):
        made = describe(mapping, raw, "1")
        assert made
        assert made["status"]


def test_pages_hold_all_records_in_order() -> None:
    made = [msgspec.json.decode(page) for page in pages(tickets(FIRST, range(25)), 10)]
    assert [len(page) for page in made] == [10, 10, 5]
    assert [ticket["id"] for page in made for ticket in page] == list(range(1, 26))


def test_the_server_links_its_pages(tmp_path: Path) -> None:
    write_pages(tmp_path, "first", FIRST, range(25), size=10)
    with serving(tmp_path) as address, requests.Session() as session:
        following, read = f"{address}/first/tickets.json", list[int]()
        while following:
            body = session.get(following, timeout=10).json()
            assert body["meta"]["has_more"] == bool(body["links"]["next"])
            read += [ticket["id"] for ticket in body["tickets"]]
            following = body["links"]["next"]
        assert session.get(f"{address}/none/tickets.json", timeout=10).status_code == 404
        assert session.get(f"{address}/first/tickets.json?page[after]=9", timeout=10).status_code == 404
    assert read == list(range(1, 26))


BURN = "import time\nwhile time.process_time() < 0.3: pass"


@pytest.mark.parametrize(
    "program",
    [BURN, f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}], check=True)"],
    ids=["itself", "its child"],
)
def test_the_meter_counts_what_a_command_and_its_children_burn(tmp_path: Path, program: str) -> None:
    cost = measured(tmp_path, program)
    assert cost.client >= 0.3
    assert cost.server == 0


def test_the_meter_counts_another_process_as_the_server(tmp_path: Path) -> None:
    own = family_cpu(os.getpid())
    cost = measured(tmp_path, BURN, server=os.getpid())
    # The command is a child of this process, so what it burnt is among what this one has waited for.
    assert 0.2 <= cost.server <= family_cpu(os.getpid()) - own


def test_the_meter_adds_up_the_memory_of_processes(tmp_path: Path) -> None:
    hold = "held = b'x' * 60_000_000\nimport time\ntime.sleep(0.5)"
    two = f"import subprocess, sys\n{hold.partition(chr(10))[0]}\nsubprocess.run([sys.executable, '-c', {hold!r}], check=True)"
    assert measured(tmp_path, two).peak > 120


def test_a_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"exited with 3:\nno such thing"):
        measured(tmp_path, "import sys\nprint('no such thing')\nsys.exit(3)")


def measured(folder: Path, program: str, server: int | None = None) -> Cost:
    return measure([sys.executable, "-c", program], log=folder / "log", folder=folder, environment=os.environ, server=server)


@pytest.fixture
def results() -> Results:
    found = Results(machine=dict.fromkeys(("cores", "processor", "memory", "system", "python", "postgres", "threadline"), "x"))
    for cpu in (1.0, 3.0, 2.0):
        cost = Cost(client=cpu, server=0.5, wall=9.0, peak=100.0)
        found.runs.append(run_of("compare", "threadline_postgres", "threadline, PostgreSQL", "first", 40_000, 40_000, cost))
        cost = Cost(client=cpu * 10, server=0.5, wall=9.0, peak=400.0)
        found.runs.append(run_of("compare", "dlt_rest", "dlt, declarative", "first", 40_000, 40_000, cost))
    return found


def test_results_are_read_as_they_were_written(tmp_path: Path, results: Results) -> None:
    write(results, tmp_path / "results.json")
    assert read(tmp_path / "results.json") == results
    assert read(tmp_path / "none.json") == Results()


def test_a_figure_is_the_median_of_its_rounds(results: Results) -> None:
    figure = results.figure("compare", "threadline_postgres", "first")
    assert figure
    assert (figure.cpu, figure.lowest, figure.highest, figure.rounds) == (2.5, 1.5, 3.5, 3)
    assert results.figure("compare", "threadline_postgres", "delta") is None


def test_what_is_measured_again_replaces_only_itself(results: Results) -> None:
    results.forget("memory", ["dlt_rest"])
    assert len(results.runs) == 6
    results.forget("compare", ["threadline_postgres"])
    assert set(results.titles("compare")) == {"dlt_rest"}


def test_the_document_shows_the_ratio_of_medians(results: Results) -> None:
    text = "\n".join(document(results))
    assert "| threadline, PostgreSQL | 2.50 |" in text
    assert "| dlt, declarative | 20.50 |" in text
    assert "| dlt, declarative | 8.2 |" in text
    assert BY_HAND not in text


def test_the_document_says_nothing_of_what_was_not_measured(results: Results) -> None:
    results.runs = [run for run in results.runs if run.system == "dlt_rest"]
    assert "As the store grows" not in "\n".join(document(results))
    cost = Cost(client=1.0, server=0.0, wall=1.0, peak=10.0)
    results.runs = [run_of("scale", "threadline_sqlite", "threadline, SQLite", "delta", 1_000, 10_000, cost)]
    text = "\n".join(document(results))
    assert "Beside others" not in text
    assert "| 10,000 | 1.00 |" in text
