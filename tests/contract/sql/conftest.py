"""Databases for the tests of the sql connector."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.sql.lab import DATABASES, Place, a_place


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield from a_place(request.param, tmp_path)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("sqlite", tmp_path)


@pytest.fixture
def on_postgresql(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("postgresql", tmp_path)


@pytest.fixture
def on_mariadb(tmp_path: Path) -> Iterator[Place]:
    yield from a_place("mariadb", tmp_path)
