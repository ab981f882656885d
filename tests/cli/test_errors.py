"""What can go wrong ends a command with one message: what, where, what to do; no traceback, no secret, no noise."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.company import SYSTEMS, Nordlicht, Ran, Shell
from threadline.sync.offered import variable

SECRET = "wr0ng-s3cret"
CREDENTIAL = {"mail": "password", "helpdesk": "token", "crm": "password", "x": "access_token"}
"""A credential of each source whose stand-in asks for one."""


def failed(ran: Ran, *fragments: str, code: int = 3) -> str:
    """Expect one message with these fragments; return it."""
    assert ran.code == code, ran
    assert ran.out == ""
    for fragment in fragments:
        assert fragment in ran.message
    assert "Traceback" not in ran.err
    assert SECRET not in ran.err
    return ran.message


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody else can take, and that refuses connections."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def strict_postgres() -> Iterator[int]:
    """Answer on a port as PostgreSQL does to a wrong password (protocol 3.0: StartupMessage, ErrorResponse)."""
    fields = {"S": "FATAL", "V": "FATAL", "C": "28P01", "M": 'password authentication failed for user "u"'}
    body = b"".join(key.encode() + value.encode() + b"\0" for key, value in fields.items()) + b"\0"
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.05)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.settimeout(5)
                    # A request for encryption has a fixed length, and is declined.
                    while int.from_bytes((start := connection.recv(1024))[:4], "big") == 8 and start:
                        connection.sendall(b"N")
                    connection.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def one_source(shell: Shell, settings: str = "{subdomain: acme}", connector: str = "zendesk", more: str = "") -> None:
    """Write a threadline.yaml with one source, whose credentials are there."""
    shell.settings(f"sources:\n  desk:\n    connector: {connector}\n    settings: {settings}\n{more}")
    shell.monkeypatch.setenv("THREADLINE_DESK_EMAIL", "somebody@example.org")
    shell.monkeypatch.setenv("THREADLINE_DESK_TOKEN", SECRET)


# Systems that do not answer, or not to us


@pytest.mark.parametrize("command", ["check", "pull"])
@pytest.mark.parametrize("source", list(CREDENTIAL))
def test_a_wrong_password(nordlicht: Nordlicht, shell: Shell, source: str, command: str) -> None:
    shell.monkeypatch.setenv(variable(source, CREDENTIAL[source]), SECRET)
    ran = shell.run(command, source)
    message = failed(Ran(ran.code, "", ran.err), f"source {source}: ")
    assert re.search(r"check (user|them|username|consumer_key)", message)


@pytest.mark.parametrize("command", ["check", "pull"])
def test_a_wrong_password_of_a_database(nordlicht: Nordlicht, shell: Shell, command: str) -> None:
    with strict_postgres() as port:
        shell.monkeypatch.setenv("THREADLINE_SHOP_URL", f"postgresql://u:{SECRET}@127.0.0.1:{port}/shop")
        ran = shell.run(command, "shop")
    failed(
        Ran(ran.code, "", ran.err), "source shop: ", f"127.0.0.1:{port} refused the connection", "check user, password and database name"
    )


@pytest.mark.parametrize("source", list(SYSTEMS))
def test_a_host_that_cannot_be_reached(nordlicht: Nordlicht, shell: Shell, closed_port: int, source: str) -> None:
    def lead_nowhere(document: dict[str, Any]) -> None:
        settings = document["sources"][source]["settings"]
        for name in settings.keys() & {"imap_port", "smtp_port"}:
            settings[name] = closed_port
        if "base_url" in settings:
            settings["base_url"] = f"http://127.0.0.1:{closed_port}"

    nordlicht.change_settings(lead_nowhere)
    if source == "shop":
        shell.monkeypatch.setenv("THREADLINE_SHOP_URL", f"postgresql://u:{SECRET}@127.0.0.1:{closed_port}/shop")
    ran = shell.run("pull" if source == "x" else "check", source)
    failed(Ran(ran.code, "", ran.err), f"source {source}: ", f"127.0.0.1:{closed_port} cannot be reached", "check", code=4)


def test_a_source_that_fails_keeps_no_other_back(nordlicht: Nordlicht, shell: Shell) -> None:
    nordlicht.database.unlink()
    shell.monkeypatch.setenv("THREADLINE_HELPDESK_TOKEN", SECRET)
    ran = shell.run("sync", "--json")
    assert ran.code == 3
    assert {item["source"] for item in ran.json["pulled"]} == {"mail", "crm", "x", "shop"}
    assert {item["target"] for item in ran.json["pushed"]} == {"mail", "crm", "x", "shop"}
    assert [error["what"] for error in ran.json["errors"]] == ["source helpdesk"]
    assert ran.message == f"source helpdesk: {ran.json['errors'][0]['message']}"
    status = shell.run("status")
    assert status.code == 1
    assert "helpdesk.users: Zendesk answered 401" in status.message


# Settings


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("sources:\n  desk: {connector: zendeks}\n", ("threadline.yaml:2: no connector named 'zendeks'", "installed: ", "zendesk")),
        ("surces: {}\n", ("threadline.yaml:1: ", "no key 'surces'", "did you mean 'sources'?")),
        ("sources:\n  desk:\n    conector: zendesk\n", ("threadline.yaml:3: source desk", "'conector'", "did you mean 'connector'?")),
        (
            "sources:\n  desk:\n    connector: zendesk\n    settings:\n      subdomian: acme\n",
            ("threadline.yaml:5: source desk", "'subdomian'", "did you mean 'subdomain'?"),
        ),
        (
            "sources:\n  desk:\n    connector: zendesk\n    settings: {subdomain: acme}\n    streams:\n      tickts: {}\n",
            ("threadline.yaml:6: `streams`", "'tickts'", "did you mean 'tickets'?"),
        ),
        (
            f"sources:\n  desk:\n    connector: zendesk\n    settings:\n      subdomain: acme\n      token: {SECRET}\n",
            ("threadline.yaml:6: `token` is a credential", "set THREADLINE_DESK_TOKEN"),
        ),
        ("sources:\n  desk:\n    connector: zendesk\n    settings: {subdomain: 'A B'}\n", ("threadline.yaml:4: source desk: subdomain: ",)),
        ("sources:\n  desk:\n    connector: zendesk\n", ("threadline.yaml:2: source desk: zendesk: set either subdomain", "or base_url")),
        (
            "sources:\n  desk:\n    connector: zendesk\n    settings: {subdomain: acme}\n    schedule: hourly\n",
            ("threadline.yaml:5: 'hourly' is no cron expression",),
        ),
        ("sources: [desk]\n", ("threadline.yaml:1: `sources` is a mapping of names to entries",)),
        ("references:\n  order: '['\n", ("threadline.yaml:2: not a regular expression",)),
        ("sources: {\n", ("threadline.yaml:2: not valid YAML",)),
        ("- sources\n", ("threadline.yaml:1: threadline.yaml must be a mapping", "a list")),
    ],
)
@pytest.mark.parametrize("command", ["check", "pull desk"])
def test_settings_that_cannot_be_used(shell: Shell, text: str, fragments: tuple[str, ...], command: str) -> None:
    shell.settings(text)
    ran = shell.run(*command.split())
    failed(Ran(ran.code, "", ran.err), *fragments)


def test_a_name_that_no_environment_variable_could_hold(shell: Shell) -> None:
    shell.settings("sources:\n  De sk: {connector: zendesk}\n")
    ran = shell.run("check")
    failed(Ran(ran.code, "", ran.err), "threadline.yaml:2: 'De sk' is no usable name")


def test_settings_that_are_not_there(shell: Shell) -> None:
    failed(shell.run("--config", "nowhere.yaml", "status"), "no settings file at nowhere.yaml", "--config", "THREADLINE_CONFIG")
    failed(shell.run("status"), "no settings file at threadline.yaml")


def test_settings_that_are_no_text(shell: Shell) -> None:
    (shell.folder / "threadline.yaml").write_bytes(b"sources: {}\xff\n")
    failed(shell.run("status"), "threadline.yaml: is not UTF-8 text")


@pytest.mark.parametrize("command", ["check desk", "pull desk", "sync"])
def test_a_credential_that_is_missing(shell: Shell, command: str) -> None:
    one_source(shell)
    shell.monkeypatch.delenv("THREADLINE_DESK_TOKEN")
    ran = shell.run(*command.split())
    message = failed(Ran(ran.code, "", ran.err), "source desk: no token", "set the environment variable THREADLINE_DESK_TOKEN")
    assert message.count("desk") == message.count("'desk'") + 1, "the source is named once, and its Airflow connection"


def test_a_name_that_is_not_there(shell: Shell) -> None:
    one_source(shell, more="targets:\n  desk: {system: desk, push: [zendesk/push/user]}\n")
    failed(shell.run("pull", "dsk"), f"{shell.folder}/threadline.yaml has no source named 'dsk'; did you mean 'desk'?")
    failed(shell.run("check", "dsk"), "no source named 'dsk'")
    failed(shell.run("push", "dsk"), "no target named 'dsk'; did you mean 'desk'?")
    failed(shell.run("pull", "desk", "--stream", "tikets"), "source desk has no stream 'tikets'; did you mean 'tickets'?")
    failed(shell.run("map", "preview", "zendesk/tickets", "--source", "dsk"), "no source named 'dsk'")


def test_a_target_that_cannot_be_used(shell: Shell) -> None:
    one_source(shell, more="targets:\n  crm: {system: crm, push: [zendesk/push/user]}\n  desk: {system: desk, push: [zendesk/push/usr]}\n")
    failed(shell.run("push", "crm"), "threadline.yaml:6: target crm: source 'crm' is not there; known: desk")
    failed(shell.run("push", "desk"), "threadline.yaml:7: target desk: zendesk takes no 'usr'; did you mean 'user'?")


# Mappings


def test_a_mapping_that_cannot_be_used(nordlicht: Nordlicht, shell: Shell) -> None:
    (shell.folder / "own.yaml").write_text("# Ours.\nsource: zendesk.users\ntarget: party\nversion: 1\nfields:\n  nmae: name\n")

    def use_it(document: dict[str, Any]) -> None:
        document["sources"]["helpdesk"]["streams"] = {"users": {"mapping": "own.yaml"}}

    nordlicht.change_settings(use_it)
    ran = shell.run("check", "helpdesk")
    failed(Ran(ran.code, "", ran.err), "source helpdesk: ", "own.yaml:6: ", "'nmae'")
    failed(shell.run("pull", "helpdesk"), "helpdesk.users: ", "own.yaml:6: ", "'nmae'")


def test_a_push_mapping_that_cannot_be_used(nordlicht: Nordlicht, shell: Shell) -> None:
    path = shell.folder / "mappings" / "user.yaml"
    path.parent.mkdir()
    path.write_text("# Ours.\nsource: profile\ntarget: zendesk.user\nversion: 1\nfields:\n  name: {form: formatted_name}\n")

    def use_it(document: dict[str, Any]) -> None:
        document["targets"]["helpdesk"]["push"] = ["mappings/user.yaml"]

    nordlicht.change_settings(use_it)
    failed(shell.run("push", "helpdesk"), "target helpdesk: ", "user.yaml:6: ", "'form'", "did you mean 'from'?")


def test_a_mapping_that_is_not_there(nordlicht: Nordlicht, shell: Shell) -> None:
    def use_it(document: dict[str, Any]) -> None:
        document["sources"]["x"]["streams"] = {"mentions": {"mapping": "mappings/mine.yaml"}}

    nordlicht.change_settings(use_it)
    failed(shell.run("pull", "x"), "x.mentions: no mapping 'mappings/mine.yaml'", str(shell.folder))


# The database

READING = ["status", "timeline somebody", "dead list", "dead show 1", "dead replay"]
WRITING = ["pull desk", "push desk", "sync"]


@pytest.mark.parametrize("command", READING)
def test_a_database_that_is_not_there_yet(shell: Shell, command: str) -> None:
    one_source(shell)
    failed(shell.run(*command.split()), f"no database at {shell.folder}/.threadline/threadline.db yet", "run `threadline sync` first")
    assert not (shell.folder / ".threadline").exists()


@pytest.mark.parametrize("command", [*READING, *WRITING])
@pytest.mark.parametrize(
    ("url", "fragments"),
    [
        (f"mysql://u:{SECRET}@db.example.org/threadline", ("no database of kind 'mysql'", "use sqlite:///PATH or postgresql://")),
        (f"u:{SECRET}@db.example.org", ("names no kind of database", "use sqlite:///PATH or postgresql://")),
        ("sqlite:///notes.txt", ("notes.txt cannot be opened", "not a database")),
        ("sqlite:///folder", ("folder cannot be opened",)),
    ],
)
def test_a_database_that_is_none(shell: Shell, url: str, fragments: tuple[str, ...], command: str) -> None:
    one_source(shell, more="targets:\n  desk: {system: desk, push: [zendesk/push/user]}\n")
    (shell.folder / "notes.txt").write_text("Not a database, but a text of some length. " * 50)
    (shell.folder / "folder").mkdir()
    shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", url)
    failed(shell.run(*command.split()), *fragments)


@pytest.mark.parametrize("command", WRITING)
def test_a_database_where_nothing_can_be_written(shell: Shell, command: str) -> None:
    one_source(shell, more="targets:\n  desk: {system: desk, push: [zendesk/push/user]}\n")
    (shell.folder / "file").touch()
    shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", "sqlite:///file/threadline.db")
    failed(shell.run(*command.split()), f"{shell.folder}/file/threadline.db cannot be opened")


@pytest.mark.parametrize("command", [*READING, *WRITING])
def test_a_database_server_that_does_not_answer(shell: Shell, closed_port: int, command: str) -> None:
    one_source(shell, more="targets:\n  desk: {system: desk, push: [zendesk/push/user]}\n")
    shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:{closed_port}/threadline")
    ran = shell.run(*command.split())
    failed(ran, "PostgreSQL cannot be used", "127.0.0.1", str(closed_port), "refused", "check THREADLINE_DATABASE_URL", code=4)


def test_a_database_server_that_refuses_the_password(shell: Shell) -> None:
    one_source(shell)
    with strict_postgres() as port:
        shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:{port}/threadline")
        failed(shell.run("status"), "PostgreSQL cannot be used", "password authentication failed", "check THREADLINE_DATABASE_URL")


def test_a_check_tells_of_the_database_too(shell: Shell, closed_port: int) -> None:
    shell.settings("sources: {}\n")
    shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", f"postgresql://u:{SECRET}@127.0.0.1:{closed_port}/threadline")
    ran = shell.run("check")
    assert ran.table == [{"entry": "database", "what was found": "FAILS"}]
    assert "PostgreSQL" in ran.message
    assert ran.code == 4


# Usage


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pul desk", "No such command 'pul'"), ("pull desk --ful", "No such option: --ful"), ("pull", "Missing argument"),
        ("pull a b", "unexpected extra argument"), ("dead list --limit none", "Invalid value for '--limit'"),
        ("dead lst", "No such command 'lst'"),
        ("serve --port 70000", "Invalid value for '--port'"), ("--confg x status", "No such option: --confg"),
    ],
)  # fmt: skip
def test_wrong_usage(shell: Shell, command: str, said: str) -> None:
    ran = shell.run(*command.split())
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "--help" in ran.err


def test_a_record_that_is_no_json(shell: Shell) -> None:
    failed(shell.run("map", "preview", "zendesk/tickets", "--record", "nowhere.json"), "nowhere.json: cannot be read")
    Path("broken.json").write_text('{"secret": ')
    failed(shell.run("map", "preview", "zendesk/tickets", "--record", "broken.json"), "broken.json: not valid JSON")
