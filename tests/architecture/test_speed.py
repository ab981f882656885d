"""Starting is quick because each command imports only what it uses."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from connectors.zendesk.sandbox import ZendeskSandbox
from threadline.testing.sandbox import Sandbox

# Ends as the installed command does, and then tells what was imported.
COMMAND = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))
sys.argv = ["threadline", *sys.argv[1:]]
from threadline.cli import main
main()
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Sandbox]:
    with ZendeskSandbox() as sandbox:
        source = {"connector": "zendesk", "settings": sandbox.settings}
        (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": {"desk": source}}))
        yield sandbox


def modules_of(folder: Path, environment: dict[str, str], *arguments: str) -> set[str]:
    command = [sys.executable, "-c", COMMAND, *arguments]
    ran = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(msgspec.json.decode(ran.stderr, type=list[str]))


def test_help_takes_less_than_a_second(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([Path(sys.executable).with_name("threadline"), "--help"], cwd=tmp_path, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


def test_a_pull_imports_no_more_than_it_uses(desk: Sandbox, tmp_path: Path) -> None:
    secrets = {f"THREADLINE_DESK_{name.upper()}": value for name, value in desk.secrets.items()}
    pull = ("pull", "desk", "--stream", "users", "--json")
    first = modules_of(tmp_path, secrets, *pull)
    assert "alembic" in first, "the database is made by migrations"
    later = modules_of(tmp_path, secrets, *pull)
    unused = {
        "sqlalchemy", "alembic", "fastapi", "starlette", "uvicorn", "jinja2", "rich", "rich.table", "croniter", "airflow", "psycopg",
        "imapclient", "simple_salesforce", "tweepy",
    }  # fmt: skip
    assert later & unused == set()


def test_help_imports_nothing_of_the_engine(tmp_path: Path) -> None:
    loaded = modules_of(tmp_path, {}, "--help")
    assert loaded & {"threadline.sync.pull", "sqlalchemy", "requests", "rich", "fastapi"} == set()
