"""`threadline new connector`: what it writes works at once, is clean, and takes nobody's place."""

import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.company import Shell

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
VARIANTS = {"--rest": "acme_desk", "--python": "threadline-connector-acme-desk"}
"""The folder that each writes when it is told none."""
variants = pytest.mark.parametrize("variant", VARIANTS)


def made(shell: Shell, variant: str, name: str = "acme_desk") -> Path:
    ran = shell.run("new", "connector", name, variant)
    assert (ran.code, ran.err) == (0, "")
    return shell.folder / VARIANTS[variant].replace("acme_desk", name).replace("acme-desk", name.replace("_", "-"))


def run(folder: Path, *command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(folder / ".cache"), **environment}
    return subprocess.run([*map(str, command)], cwd=folder, env=given, capture_output=True, text=True, check=False)


def passed(folder: Path, *options: str) -> str:
    ran = run(folder, BIN / "pytest", "-q", "-p", "no:cacheprovider", *options)
    assert ran.returncode == 0, ran.stdout[-3000:]
    return ran.stdout


@variants
def test_what_it_writes_passes_its_tests_at_once(shell: Shell, variant: str) -> None:
    said = passed(made(shell, variant), "-k", "mappings or everything or poison or answers")
    assert re.search(r"\b6 passed, ", said), said


@pytest.mark.slow
@variants
@pytest.mark.parametrize("name", ["a", "data2", "a_rather_long_name_of_a_system"])
def test_any_name_does(shell: Shell, variant: str, name: str) -> None:
    said = passed(made(shell, variant, name), "-m", "not slow")
    assert re.search(r"\b25 passed, 1 skipped", said), said


@pytest.mark.slow
@variants
def test_it_outlives_faults_and_keeps_memory_flat(shell: Shell, variant: str) -> None:
    assert re.search(r"\b4 passed, ", passed(made(shell, variant), "-m", "slow"))


@variants
def test_what_it_writes_is_clean(shell: Shell, variant: str) -> None:
    folder = made(shell, variant)
    settings = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), "--extend-ignore=INP"]
    code = sorted({str(path.relative_to(folder).parts[0]) for path in folder.rglob("*.py")} - {"tests"})
    checked = run(folder, BIN / "ruff", "check", *settings, *code)
    assert checked.returncode == 0, checked.stdout
    checked = run(folder, BIN / "ruff", "check", *settings, "--extend-ignore=D,S", "tests")
    assert checked.returncode == 0, checked.stdout
    formatted = run(folder, BIN / "ruff", "format", "--no-cache", "--config", settings[2], "--diff", ".")
    assert formatted.returncode == 0, formatted.stdout


@pytest.mark.slow
@variants
def test_its_types_are_right(shell: Shell, variant: str) -> None:
    folder = made(shell, variant)
    code = [str(path.relative_to(folder)) for path in folder.rglob("*.py") if "tests" not in path.parts[:-1]]
    checked = run(folder, BIN / "mypy", "--strict", "--no-warn-redundant-casts", *code, MYPYPATH=str(ROOT))
    assert checked.returncode == 0, checked.stdout


def test_a_package_brings_the_connector_and_its_mappings(shell: Shell, tmp_path: Path) -> None:
    folder, installed = made(shell, "--python"), tmp_path / "installed"
    built = run(folder, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist")
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        # What an installer does, too.
        archive.extractall(installed)
    listed = run(tmp_path, BIN / "threadline", "connectors", "acme_desk", PYTHONPATH=str(installed))
    assert "contacts" in listed.stdout, listed.stderr
    checked = run(tmp_path, BIN / "threadline", "map", "check", "acme_desk/contacts", "acme_desk/push/contact", PYTHONPATH=str(installed))
    assert checked.returncode == 0, checked.stderr


@variants
def test_nothing_is_overwritten(shell: Shell, variant: str) -> None:
    folder = made(shell, variant)
    (folder / "README.md").write_text("mine")
    again = shell.run("new", "connector", "acme_desk", variant)
    assert again.code == 3
    assert again.message == f"{folder.name} is there already, and nothing is overwritten: name another folder with --folder"
    assert (folder / "README.md").read_text() == "mine"
    assert shell.run("new", "connector", "acme_desk", variant, "--folder", "deep/other").code == 0
    assert (shell.folder / "deep/other/README.md").is_file()


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(shell: Shell) -> None:
    (shell.folder / "file").touch()
    ran = shell.run("new", "connector", "acme_desk", "--folder", "file/acme")
    assert (ran.code, ran.message) == (3, "file/acme cannot be written: File exists")
    assert sorted(path.name for path in shell.folder.iterdir()) == ["file"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Acme", "'Acme' is no name of a connector: small letters, digits and single _ between them, such as acme_desk"),
        ("../acme", "'../acme' is no name of a connector"),
        ("acme__desk", "'acme__desk' is no name"),
        ("2acme", "'2acme' is no name"),
        ("zendesk", "a connector 'zendesk' is installed already; take another name"),
        ("connector", "a class called Connector would hide another one; take a longer name, such as my_connector"),
        ("path", "a class called Path would hide another one"),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(shell: Shell, name: str, message: str) -> None:
    ran = shell.run("new", "connector", name)
    assert ran.code == 3
    assert message in ran.message
    assert list(shell.folder.iterdir()) == []


def test_machines_are_told_what_was_written(shell: Shell) -> None:
    told = shell.run("new", "connector", "acme_desk", "--json").json
    written = {str(path.relative_to(shell.folder / "acme_desk")) for path in (shell.folder / "acme_desk").rglob("*") if path.is_file()}
    assert (told["folder"], set(told["files"])) == ("acme_desk", written)


# The tutorial

TUTORIAL = (ROOT / "docs/tutorial-connector.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|diff|text)\n(.*?)```", TUTORIAL, re.DOTALL)


def edit(folder: Path, change: str) -> None:
    """Apply a change of the tutorial: the lines that stay or go must stand in the file, once."""
    head, *lines = change.splitlines()
    file = folder / head.removeprefix("--- ")
    old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] != sign) for sign in "+-")
    assert file.read_text().count(old) == 1, change
    file.write_text(file.read_text().replace(old, new))


class Terminal:
    """A shell in which somebody types what the tutorial says; what was started in it ends with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        command = ["bash", "-e"]
        self._shell = subprocess.Popen(command, cwd=folder, env=environment, text=True, start_new_session=True, **pipes)

    def type(self, commands: str) -> str:
        """Run commands, and return what they said; one that fails ends the shell."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f'{commands}\necho "{_END}$PWD"\n')
        self._shell.stdin.flush()
        said: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                self.folder = Path(line.removeprefix(_END).strip())
                return "".join(said)
            said.append(line)
        pytest.fail(f"{commands}\n{''.join(said)}")

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()


_END = "the end of it: "


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def squeezed(text: str) -> str:
    return re.sub(" +", " ", text)


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(shell: Shell) -> None:
    terminal, said, port = Terminal(shell.folder), "", free_port()
    try:
        for kind, text in BLOCKS:
            if kind == "diff":
                edit(terminal.folder, text)
            elif kind == "text":
                expected = text.replace("8009", port).splitlines()
                assert [line for line in expected if squeezed(line).strip() not in squeezed(said)] == [], said
            else:
                said = terminal.type(text.replace("8009", port))
                for path in shell.folder.glob("acme/*"):
                    if path.suffix in (".py", ".yaml"):
                        path.write_text(path.read_text().replace("8009", port))
    finally:
        terminal.close()
    assert [kind for kind, _ in BLOCKS].count("sh") == 9
