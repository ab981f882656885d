"""The wheel: it holds what it needs, and works where nothing else is installed."""

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = ("threadline", "connectors", "mappings")
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, capture_output=True, check=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and what it says that it needs, in an environment of its own; return the folder of its commands."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), "--constraint", "requirements.lock"]
    ran = subprocess.run([*install, str(wheel)], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode and "error sending request" in ran.stderr:
        pytest.skip("no package index can be reached")
    assert ran.returncode == 0, ran.stderr
    return environment / "bin"


def run(command: Path, folder: Path, *arguments: str, **secrets: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("THREADLINE_", "PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run([command, *arguments], cwd=folder, env=environment | secrets, capture_output=True, text=True, check=False)


def test_it_holds_the_packages_with_their_files_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        held = set(archive.namelist())
    tops = {name.partition("/")[0] for name in held}
    assert {name for name in tops if not name.endswith(".dist-info")} == set(PACKAGES)
    wanted = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in held if name.startswith(PACKAGES) and ".dist-info/" not in name} == wanted
    suffixes = {Path(name).suffix for name in wanted}
    assert {".py", ".yaml", ".html", ".css"} <= suffixes
    assert any(name.startswith("threadline/store/migrations/versions/") for name in wanted)
    assert any(name.endswith("/licenses/LICENSE") for name in held)


def test_its_commands_work_without_any_extra(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "threadline", tmp_path, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "timeline" in shown.stdout
    connectors = run(installed / "threadline", tmp_path, "connectors", "--json")
    assert connectors.returncode == 0, connectors.stderr
    listed = {item["name"]: item["streams"] for item in msgspec.json.decode(connectors.stdout)}
    assert listed.keys() == {path.parent.name for path in (ROOT / "connectors").glob("*/__init__.py")}
    assert listed["zendesk"][:3] == ["users", "tickets", "comments"]
    checked = run(installed / "threadline", tmp_path, "map", "check", "--json")
    assert checked.returncode == 0, checked.stderr
    assert len(msgspec.json.decode(checked.stdout)) == len(list((ROOT / "mappings").glob("*/**/*.yaml")))


def test_a_connector_whose_library_is_missing_says_how_to_get_it(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "threadline.yaml").write_text(
        "sources:\n"
        "  mail: {connector: email, settings: {imap_host: 127.0.0.1, own_addresses: [help@example.org]}}\n"
        "  crm: {connector: salesforce, settings: {base_url: 'http://127.0.0.1:9'}}\n"
        "  x: {connector: x, settings: {base_url: 'http://127.0.0.1:9'}}\n"
    )
    secrets = {
        "mail": ("USER", "PASSWORD"), "crm": ("USERNAME", "PASSWORD"),
        "x": ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET"),
    }  # fmt: skip
    given = {f"THREADLINE_{source.upper()}_{name}": "any" for source, names in secrets.items() for name in names}
    for source, extra in (("mail", "email"), ("crm", "salesforce"), ("x", "x")):
        ran = run(installed / "threadline", tmp_path, "check", source, **given)
        assert ran.returncode == 3, ran.stderr
        assert f"pip install 'threadline[{extra}]'" in ran.stderr


def test_the_store_works_there(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "threadline.yaml").write_text("sources: {}\n")
    ran = run(installed / "threadline", tmp_path, "sync")
    assert ran.returncode == 0, ran.stderr
    assert run(installed / "threadline", tmp_path, "status").stdout == "no sources\n"
