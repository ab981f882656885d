"""The locks: everything pinned by hash, from wherever pip is told to look, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ["requirements.lock", "requirements-uv.lock"]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>\S+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(lock: str) -> dict[str, Version]:
    return {canonicalize_name(match["name"]): Version(match["version"]) for match in PIN.finditer((ROOT / lock).read_text())}


def direct_dependencies() -> list[Requirement]:
    """Return what pyproject.toml asks for by itself."""
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    wanted = [Requirement(line) for line in (*project["dependencies"], *extras, *PROJECT["dependency-groups"]["dev"])]
    return [one for one in wanted if canonicalize_name(one.name) != "threadline"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    found = list(PIN.finditer((ROOT / lock).read_text()))
    assert found
    assert [match["name"] for match in found if not HASH.search(match["rest"])] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_says_where_packages_come_from(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|^-i |://|@ file", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_nothing_is_pinned_otherwise(lock: str) -> None:
    lines = [line for line in (ROOT / lock).read_text().splitlines() if line and not line.startswith((" ", "#"))]
    assert len(lines) == len(pins(lock))


def test_the_lock_is_in_step_with_what_the_project_asks_for() -> None:
    pinned = pins("requirements.lock")
    wrong = [
        f"{wanted}: {pinned.get(canonicalize_name(wanted.name))}"
        for wanted in direct_dependencies()
        if canonicalize_name(wanted.name) not in pinned or pinned[canonicalize_name(wanted.name)] not in wanted.specifier
    ]
    assert wrong == [], "run `make lock`"


def test_the_build_needs_what_is_locked() -> None:
    pinned = pins("requirements.lock")
    for line in PROJECT["build-system"]["requires"]:
        wanted = Requirement(line)
        assert pinned[canonicalize_name(wanted.name)] in wanted.specifier
