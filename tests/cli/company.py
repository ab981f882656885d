"""What the tests of the command line work with: a shell, and a company whose systems are sandboxes."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from threadline.cli.commands import app
from threadline.cli.exits import explained
from threadline.cli.standins import standin
from threadline.sync.offered import variable
from threadline.testing.company import Company
from threadline.testing.sandbox import Sandbox
from threadline.testing.story import Person

UNTIL = datetime(2026, 5, 1, tzinfo=UTC)
SYSTEMS = {"mail": "email", "helpdesk": "zendesk", "crm": "salesforce", "x": "x", "shop": "sql"}
TARGETS = {
    "crm": ["salesforce/push/contact"],
    "helpdesk": ["zendesk/push/user", "zendesk/push/ticket_comment"],
    "x": ["x/push/reply"],
    "mail": ["email/push/reply"],
    "shop": ["sql/push/preference", "sql/push/note"],
}
THREADLINE = [str(Path(sys.executable).with_name("threadline"))]
"""The installed command."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return msgspec.json.decode(self.out)

    @property
    def table(self) -> list[dict[str, str]]:
        """What it printed, as rows of a table."""
        return read_table(self.out)

    @property
    def message(self) -> str:
        """The one message on stderr."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("threadline: ")
        return lines[0].removeprefix("threadline: ")


def read_table(text: str) -> list[dict[str, str]]:
    """Read the first table of a text; its cells hold no two blanks in a row, and none is empty."""
    first = text.partition("\n\n")[0]
    head, *lines = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in first.splitlines()]
    return [dict(zip(head, line, strict=True)) for line in lines]


@dataclass(slots=True)
class Shell:
    """Runs commands in a folder."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str, columns: int | None = None) -> Ran:
        """Run a command in this process, as `threadline.cli.main` does."""
        if columns:
            self.monkeypatch.setenv("COLUMNS", str(columns))
        self.capsys.readouterr()
        code = explained(lambda: app([*arguments], prog_name="threadline"), debug=False)
        said = self.capsys.readouterr()
        return Ran(code, said.out, said.err)

    def spawn(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start the installed command as a process of its own."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen([*THREADLINE, *arguments], text=True, cwd=self.folder, **{**pipes, **options})

    def settings(self, text: str, name: str = "threadline.yaml") -> Path:
        """Write a settings file."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def know(self, boxes: Mapping[str, Sandbox]) -> None:
        """Put the credentials of sandboxes into the environment."""
        for name, box in boxes.items():
            for field, value in box.secrets.items():
                self.monkeypatch.setenv(variable(name, field), value)


def start_sandboxes(stack: ExitStack, systems: Mapping[str, str] = SYSTEMS) -> dict[str, Sandbox]:
    """Start the stand-ins of sources: name -> connector."""
    return {name: stack.enter_context(standin(connector, None)) for name, connector in systems.items()}


def settings_of(boxes: Mapping[str, Sandbox]) -> dict[str, Any]:
    """Return the threadline.yaml that reaches sandboxes."""
    return {
        "region": "DE",
        "references": {"order": "NL-[0-9]{5}"},
        "sources": {name: {"connector": box.name, "settings": dict(box.settings)} for name, box in boxes.items()},
        "targets": {name: {"system": name, "push": TARGETS[name]} for name in boxes if name in TARGETS},
    }


def write_settings(path: Path, boxes: Mapping[str, Sandbox], change: Callable[[dict[str, Any]], None] = lambda _: None) -> None:
    """Write the threadline.yaml that reaches sandboxes, changed as a test needs it; JSON is YAML."""
    document = settings_of(boxes)
    change(document)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document)))


@dataclass(frozen=True, slots=True)
class Nordlicht:
    """The company, its systems, and the folder with its settings and database."""

    folder: Path
    boxes: Mapping[str, Sandbox]
    company: Company

    @property
    def database(self) -> Path:
        """The store."""
        return self.folder / ".threadline" / "threadline.db"

    def sync(self) -> None:
        """Run `threadline sync`, before there is a shell."""
        with pytest.MonkeyPatch.context() as patch:
            for name, box in self.boxes.items():
                for field, value in box.secrets.items():
                    patch.setenv(variable(name, field), value)
            patch.chdir(self.folder)
            assert explained(lambda: app(["sync", "--json"], prog_name="threadline"), debug=True) == 0

    def moved_to(self, shell: Shell) -> "Nordlicht":
        """Return the same company with a copy of settings and database in the shell's folder."""
        shutil.copy(self.folder / "threadline.yaml", shell.folder)
        copy = replace(self, folder=shell.folder)
        copy.database.parent.mkdir()
        with closing(sqlite3.connect(self.database)) as source, closing(sqlite3.connect(copy.database)) as target:
            source.backup(target)
        shell.know(self.boxes)
        return copy

    def change_settings(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Write threadline.yaml anew."""
        write_settings(self.folder / "threadline.yaml", self.boxes, change)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the store."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql, parameters).fetchall()

    @property
    def traveller(self) -> Person:
        """A customer whose one matter runs through four systems and more, and who is known by phone and handle too."""
        known = {(number, kind) for (_, kind, _), number in self.company.truth.identity.items()}
        journeys = sorted(self.company.truth.journeys, key=lambda journey: -len(journey.systems))
        numbers = [one.customer for one in journeys if {(one.customer, "phone"), (one.customer, "handle")} <= known]
        return next(person for person in self.company.people if person.number == numbers[0])


def shipped(name: str) -> str:
    """Return the text of a shipped mapping."""
    return (files("mappings") / f"{name}.yaml").read_text(encoding="utf-8")


def mend(nordlicht: Nordlicht, text: str) -> None:
    """Map the helpdesk's tickets by a file of our own."""
    own = nordlicht.folder / "mappings" / "my_tickets.yaml"
    own.parent.mkdir(exist_ok=True)
    own.write_text(text, encoding="utf-8")

    def use_it(document: dict[str, Any]) -> None:
        document["sources"]["helpdesk"]["streams"] = {"users": {}, "tickets": {"mapping": "mappings/my_tickets.yaml"}, "comments": {}}

    nordlicht.change_settings(use_it)
