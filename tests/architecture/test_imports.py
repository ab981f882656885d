"""Who may import whom."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
CONNECTORS = sorted(path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports anywhere in it, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module
            yield node.module


def files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def importers(package: str, *folders: str) -> list[str]:
    """Return the files that import a package, or a part of it."""
    return [
        str(path.relative_to(ROOT))
        for path in files(*folders)
        if any(name == package or name.startswith(f"{package}.") for name in imported(path))
    ]


def test_the_contracts_between_packages_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr().out


def test_the_contracts_know_every_connector() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (independence,) = [one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "independence"]
    assert sorted(independence["modules"]) == [f"connectors.{name}" for name in CONNECTORS]
    declared = project["project"]["entry-points"]["threadline.connectors"]
    assert sorted(value.partition(":")[0] for value in declared.values()) == [f"connectors.{name}" for name in CONNECTORS]
    assert {entry.name for entry in entry_points(group="threadline.connectors")} >= declared.keys()


def test_only_dags_and_plugins_import_airflow() -> None:
    assert importers("airflow", "threadline", "connectors", "mappings", "benchmarks") == []
    assert importers("airflow", "dags", "plugins") != []


def test_only_the_zendesk_connector_imports_its_library() -> None:
    # It is GPL: nothing else may come to need it.
    importing = importers("zenpy", "threadline", "connectors", "mappings", "dags", "plugins", "benchmarks", "docs", "tests")
    assert importing
    assert all(name.startswith("connectors/zendesk/") for name in importing)


@pytest.mark.parametrize("folder", ["dags", "plugins"])
def test_what_airflow_loads_imports_only_airflow_and_threadline(folder: str) -> None:
    siblings = {path.stem for path in files("dags" if folder == "dags" else "plugins", "plugins")}
    allowed = {"airflow", "threadline"} | siblings | sys.stdlib_module_names
    assert {name.partition(".")[0] for path in files(folder) for name in imported(path)} <= allowed


def test_plugins_have_names_that_nothing_else_has() -> None:
    # Airflow enters every file below plugins/ into sys.modules under its bare name.
    plugins = files("plugins")
    assert {plugin.parent for plugin in plugins} == {ROOT / "plugins"}
    others = {path.stem for path in files("threadline", "connectors", "mappings", "dags")} | {"threadline", "connectors", "mappings"}
    assert not {plugin.stem for plugin in plugins} & (others | sys.stdlib_module_names)


def test_what_airflow_loads_is_no_package() -> None:
    assert not [path for path in files("dags", "plugins") if path.name == "__init__.py"]


def test_the_core_names_no_connector() -> None:
    named = {f"connectors.{name}" for name in CONNECTORS}
    assert [str(path) for path in files("threadline") if any(name in path.read_text(encoding="utf-8") for name in named)] == []
