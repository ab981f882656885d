"""A bug that somebody plants in a connector is caught by the part of the kit that should catch it."""

from pathlib import Path

import pytest

from tests.conformance.planting import CONNECTORS, Plant, case_named, planted, plants_of
from threadline.testing.conformance import run_case

PLANTS = {file.parent.name: tuple(plants_of(file.parent.name)) for file in sorted(CONNECTORS.glob("*/connector.py"))}
EACH = [pytest.param(name, plant, id=f"{name} {plant.bug} ({plant.part})") for name, plants in PLANTS.items() for plant in plants]

# What stops half-way because of a bug may leave a connection open.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


@pytest.mark.parametrize(("connector", "plant"), EACH)
def test_a_planted_bug_is_caught(connector: str, plant: Plant, tmp_path: Path) -> None:
    with planted(connector, plant, tmp_path) as kind:
        outcome = run_case(case_named(kind, plant.part))
    assert outcome.state == "failed", f"a connector that {plant.bug} passes {plant.part}"
    assert outcome.said


@pytest.mark.parametrize("connector", PLANTS)
def test_a_copy_without_a_bug_passes(connector: str, tmp_path: Path) -> None:
    """What fails above, fails because of the bug."""
    for part, sandbox in dict.fromkeys((plant.part, plant.sandbox) for plant in PLANTS[connector]):
        with planted(connector, None, tmp_path, sandbox) as kind:
            outcome = run_case(case_named(kind, part))
        assert outcome.state == "passed", f"{part}: {outcome.said}"
