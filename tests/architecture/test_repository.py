"""What the repository's files look like, and what must not stand in them."""

import ast
import re
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from threadline.cli.commands import app
from threadline.sdk.contract import Target
from threadline.sdk.registry import connector_class, load_object
from threadline.testing.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
CONNECTORS = sorted(path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py"))
MAPPINGS = sorted((ROOT / "mappings").glob("*/**/*.yaml"))
CODE = [path for folder in ("threadline", "connectors", "dags", "plugins", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
LONG = 300
TOO_LONG = 400
connectors = pytest.mark.parametrize("name", CONNECTORS)


def kept_files() -> list[Path]:
    """Return the files of the repository; those that git ignores are none."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


# Written in two parts, so that this file is not found by its own search.
MACHINE = [
    re.compile(rf"(?<![\w.-]){re.escape(first + second)}")
    for first, second in (("/wo", "rk/"), ("/ro", "ot/"), ("/tmp/pyt", "est-"), ("/Us", "ers/"))
]
REGISTRIES = [
    first + second
    for first, second in (
        ("pypi", ".org"), ("pypi", ".io"), ("pythonhosted", ".org"), ("npmjs", ".org"), ("npmjs", ".com"), ("yarnpkg", ".com"),
        ("crates", ".io"), ("rubygems", ".org"), ("anaconda", ".org"), ("anaconda", ".com"), ("maven", ".org"), ("proxy.golang", ".org"),
    )
]  # fmt: skip


def test_no_file_names_a_registry_or_a_folder_of_the_machine_it_was_made_on() -> None:
    found: list[str] = []
    for path in kept_files():
        text = path.read_bytes().decode("utf-8", "replace")
        wrong = [name for name in REGISTRIES if name in text] + [match[0] for one in MACHINE if (match := one.search(text))]
        found += [f"{path.relative_to(ROOT)}: {what}" for what in wrong]
    assert found == []


def test_files_stay_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in CODE if "migrations" not in path.parts}
    long = {str(path.relative_to(ROOT)): length for path, length in lengths.items() if length > LONG}
    assert max(lengths.values()) <= TOO_LONG, long
    assert len(long) <= len(lengths) // 20, f"files over {LONG} lines are to be few: {long}"


def test_functions_stay_short() -> None:
    lengths: dict[str, int] = {}
    for path in CODE:
        if "migrations" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno:
                    lengths[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = node.end_lineno - node.lineno + 1
    long = {name: length for name, length in lengths.items() if length > 35}
    assert len(long) <= len(lengths) // 50, f"functions over 35 lines are to be few: {long}"


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: str(path.relative_to(ROOT / "mappings")))
def test_a_mapping_is_short_and_says_what_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith("# ")
    assert "examples:" in lines


@connectors
def test_a_connector_ships_a_mapping_for_all_it_declares(name: str) -> None:
    kind = connector_class(name)
    wanted = {f"{stream.mapping}.yaml" for stream in kind.streams}
    wanted |= {f"{name}/push/{item.name}.yaml" for item in kind.objects} if issubclass(kind, Target) else set()
    assert wanted <= {str(path.relative_to(ROOT / "mappings")) for path in MAPPINGS}


@connectors
def test_a_connectors_readme_names_all_that_can_be_set_and_moved(name: str) -> None:
    kind = connector_class(name)
    readme = (ROOT / "connectors" / name / "README.md").read_text(encoding="utf-8")
    objects = [item.name for item in kind.objects] if issubclass(kind, Target) else []
    words = [*kind.settings_type().model_fields, *(stream.name for stream in kind.streams), *objects]
    assert [word for word in words if not re.search(rf"\b{word}\b", readme)] == []


@connectors
def test_a_connector_has_a_stand_in(name: str) -> None:
    reference = connector_class(name).sandbox
    assert reference
    assert issubclass(load_object(reference), Sandbox)


@connectors
def test_a_connector_is_exported_by_its_package(name: str) -> None:
    exported = import_module(f"connectors.{name}").__all__
    assert connector_class(name).__name__ in exported


def test_every_command_is_documented() -> None:
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    commands = [f"{command.name or command.callback.__name__}" for command in app.registered_commands if command.callback]
    commands += [f"{name} {command.name}" for name, group in groups.items() if group for command in group.registered_commands]
    assert len(commands) > 10
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    lines = [line for path in documents for line in path.read_text(encoding="utf-8").splitlines()]
    assert [command for command in commands if not any(documents_it(line, command) for line in lines)] == []


def documents_it(line: str, command: str) -> bool:
    """Say whether a line is about a command, such as "`threadline dead list`, `show`"."""
    first, _, last = command.partition(" ")
    return re.search(rf"(`|^)(threadline|make) {first}\b", line) is not None and re.search(rf"\b{last or first}\b", line) is not None
