"""Whatever breaks, and however late the source shows what it changed: nothing is lost, stale or doubled."""

import re
import subprocess
import sys

import pytest

from tests.integration.lab import Lab
from threadline.store.database import open_database
from threadline.testing.simulator import campaign
from threadline.testing.simulator.__main__ import main
from threadline.testing.simulator.campaign import run_with
from threadline.testing.simulator.crew import Crew
from threadline.testing.simulator.mutants import MUTANTS, Mutant
from threadline.testing.simulator.schedule import play

MODULE = [sys.executable, "-m", "threadline.testing.simulator"]


def test_hundreds_of_schedules_hold_on_sqlite(sqlite_crew):
    totals = run_with(sqlite_crew, range(200))
    assert totals.violations == []
    assert totals.missing == []
    assert totals.counts["crash"] > 100


@pytest.mark.postgres
def test_some_schedules_hold_on_postgresql(postgres_crew):
    totals = run_with(postgres_crew, range(60))
    assert totals.violations == []
    assert totals.missing == []


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_ten_thousand_schedules_hold(database):
    totals = campaign.run_parallel(database, range(1_000, 11_000), 2)
    assert totals.violations == []
    assert totals.missing == []
    assert totals.schedules == 10_000


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_oracle_notices_every_planted_fault(sqlite_crew: Crew, mutant: Mutant):
    totals = run_with(sqlite_crew, range(400), mutant, until_violated=True)
    assert totals.violations
    assert totals.applied or not mutant.alter, "the mutant's pattern finds nothing in the engine's statements"


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_oracle_notices_every_planted_fault_on_postgresql(postgres_crew: Crew, mutant: Mutant):
    assert run_with(postgres_crew, range(600), mutant, until_violated=True).violations


def test_a_seed_tells_the_same_tale_again(crew):
    for seed in (1, 8, 18):
        first, second = (play(seed, crew, traced=True) for _ in range(2))
        assert first.trace == second.trace
        assert len(first.trace) > 100


def test_a_seed_tells_the_same_tale_in_another_process():
    """Neither a clock, nor chance, nor the order of a set comes into it."""
    tales = [
        subprocess.run(
            [*MODULE, "--seed", "18", "--trace"], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert tales[0] == tales[1]
    assert "everything holds" in tales[0]
    assert "query SELECT" in tales[0]


def test_the_command_names_the_seed_that_shows_a_violation(capsys):
    assert main(["--seeds", "0-2"]) == 0
    assert "lost" in capsys.readouterr().out
    assert main(["--seed", "0", "--mutant", "pull: changes not logged"]) == 1
    assert re.search(r"lost: \w+ \w+ was never", capsys.readouterr().out)


def test_a_database_with_real_records_is_not_touched(tmp_path, capsys):
    url = f"sqlite:///{tmp_path / 'real.db'}"
    with open_database(url, create=True) as database:
        Lab(database).read("people", {"id": 1, "name": "Ana"})
    assert main(["--seeds", "0-2", "--database", url]) == 2
    assert "records of real sources" in capsys.readouterr().err
    with open_database(url, create=False) as database:
        assert Lab(database).rows("SELECT formatted_name FROM parties") == [("Ana",)]
