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
        other = {"connector": "x"}
        (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": {"desk": source, "other": other}}))
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


UNUSED_BY_A_PULL = {
    # What draws, serves, migrates or schedules.
    "rich", "fastapi", "starlette", "uvicorn", "jinja2", "alembic", "sqlalchemy", "threadline.store.create", "croniter", "airflow",
    # Other systems' libraries, and the other connectors of the same settings file.
    "psycopg", "imapclient", "simple_salesforce", "tweepy", "connectors.x",
    # What pushes, joins, replays and repairs.
    "threadline.journey", "threadline.sync.push", "threadline.sync.resolve", "threadline.sync.replay", "threadline.sync.reconcile",
    "threadline.sync.diff",
    # What shows how the syncs are, and other ways to find what is new.
    "threadline.sync.health", "threadline.sdk.cursors.newest_first", "threadline.sdk.cursors.offsets", "threadline.sdk.cursors.uids",
    # The parser of YAML, once the files were read; repeated calls, and the signs of HTML.
    "ruamel.yaml", "threadline.sdk.yamlparser", "tenacity", "html.entities",
}  # fmt: skip


def test_a_pull_imports_no_more_than_it_uses(desk: Sandbox, tmp_path: Path) -> None:
    environment = {f"THREADLINE_DESK_{name.upper()}": value for name, value in desk.secrets.items()}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    pull = ("pull", "desk", "--stream", "users", "--json")
    first = modules_of(tmp_path, environment, *pull)
    assert {"threadline.store.create", "ruamel.yaml"} <= first, "the tables are made, and the files are parsed"
    assert "alembic" not in first
    later = modules_of(tmp_path, environment, *pull)
    assert later & UNUSED_BY_A_PULL == set()


def test_help_imports_nothing_of_the_engine(tmp_path: Path) -> None:
    loaded = modules_of(tmp_path, {}, "--help")
    assert (
        loaded & {"threadline.sync", "threadline.store", "threadline.sdk.contract", "pydantic", "sqlalchemy", "requests", "rich", "fastapi"}
        == set()
    )
