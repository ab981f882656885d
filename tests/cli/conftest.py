"""The command line as a user has it: a folder with a threadline.yaml, systems that answer, and a terminal to read."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.company import UNTIL, Nordlicht, Shell, start_sandboxes, write_settings
from threadline.cli.standins import systems_of
from threadline.testing.company import make_company
from threadline.testing.sandbox import Sandbox


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A shell in an empty folder, without any setting of this machine's."""
    for name in [name for name in os.environ if name.startswith("THREADLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path, monkeypatch, capsys)


@pytest.fixture
def desk(shell: Shell) -> Iterator[Sandbox]:
    """An empty helpdesk, which is all that the shell's folder knows."""
    with ExitStack() as stack:
        boxes = start_sandboxes(stack, {"desk": "zendesk"})
        shell.know(boxes)
        write_settings(shell.folder / "threadline.yaml", boxes)
        yield boxes["desk"]


@pytest.fixture(scope="session")
def synchronised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nordlicht]:
    """A company in five systems, after `threadline sync`; its systems run as long as the tests."""
    folder = tmp_path_factory.mktemp("nordlicht")
    with ExitStack() as stack:
        boxes = start_sandboxes(stack)
        company = make_company(7, UNTIL, 40, systems_of(boxes))
        for event in company.events:
            boxes[event.system].tell(event)
        nordlicht = Nordlicht(folder, boxes, company)
        write_settings(folder / "threadline.yaml", boxes)
        nordlicht.sync()
        yield nordlicht


@pytest.fixture
def nordlicht(synchronised: Nordlicht, shell: Shell) -> Nordlicht:
    """The synchronised company, with its settings, credentials and a database of the test's own in the shell's folder."""
    return synchronised.moved_to(shell)
