"""`threadline listen`: what is new is pulled at once, whatever becomes of the connection, until it is told to stop."""

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from connectors.email.sandbox import EmailSandbox
from tests.cli.company import Shell, write_settings
from tests.cli.test_processes import finished, running, stopped
from tests.contract.email_imap_server import ScriptedImap
from tests.contract.test_email_listen import answers, heard
from threadline.store.database import open_database
from threadline.sync.config import load_config
from threadline.sync.lease import Run
from threadline.sync.listen import Followed, Follower, notices
from threadline.testing.sandbox import Sandbox

MAIL = b"From: ana@mail.example\r\nMessage-ID: <m%d@mail.example>\r\n\r\nhello\r\n"


@pytest.fixture
def inbox(shell: Shell) -> Iterator[EmailSandbox]:
    with EmailSandbox() as sandbox:
        shell.know({"inbox": sandbox})
        write_settings(shell.folder / "threadline.yaml", {"inbox": sandbox})
        yield sandbox


def said(stream: IO[str] | None) -> dict[str, Any]:
    assert stream
    return dict(msgspec.json.decode(stream.readline()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_new_mail_is_pulled_until_the_command_is_stopped(shell: Shell, inbox: EmailSandbox, number: signal.Signals) -> None:
    with running(shell.spawn("listen", "--json")) as process:
        first = said(process.stdout)
        assert (first["source"], first["stream"], first["pulled"]["read"]) == ("inbox", "messages", 0)
        for mail in (1, 2):
            inbox.deliver(MAIL % mail)
            assert said(process.stdout)["pulled"]["new"] == 1
        assert stopped(process, number) == (0, "", "")


def test_people_read_a_line_for_each_pull(shell: Shell, inbox: EmailSandbox) -> None:
    inbox.deliver(MAIL % 1)
    with running(shell.spawn("listen", "inbox")) as process:
        assert process.stdout
        assert process.stdout.readline().partition(" ")[2] == "inbox.messages: 1 read, 1 new\n"


def test_a_source_that_tells_nothing_is_refused(shell: Shell, desk: Sandbox) -> None:
    ran = shell.run("listen")
    assert (ran.code, ran.out) == (3, "")
    assert ran.message.endswith("has no source that says by itself when something has changed")
    assert shell.run("listen", "nobody").code == 3
    ended = finished(shell, "listen", "desk")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert "source desk: zendesk does not say by itself when something has changed: give it a schedule" in ended.stdout


def test_what_a_person_must_change_ends_the_command(shell: Shell, inbox: EmailSandbox) -> None:
    shell.monkeypatch.setenv("THREADLINE_INBOX_PASSWORD", "canary-pw")
    ended = finished(shell, "listen")
    assert ended.returncode == 3
    assert "refused the login" in ended.stdout
    assert "canary" not in ended.stdout + ended.stderr


def follow(shell: Shell, expected: int, at: dict[int, Any], **options: Any) -> list[Followed]:
    """Follow the source until so much was told; `at` says what to do once so much was."""
    told: list[Followed] = []

    def tell(what: Followed) -> None:
        told.append(what)
        if then := at.get(len(told)):
            then()
        if len(told) == expected:
            follower.stop()

    follower = Follower(load_config(shell.folder / "threadline.yaml"), "inbox", tell, **options)
    follower.run()
    return told


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threadline.sync.listen.FIRST_WAIT", 0.05)
    monkeypatch.setattr("threadline.sync.listen._PULL_AGAIN", 0.05)
    monkeypatch.setattr("threadline.sync.listen.PATIENCE", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_run_beside_it_does_no_harm(shell: Shell, inbox: EmailSandbox) -> None:
    inbox.deliver(MAIL % 1)
    config = load_config(shell.folder / "threadline.yaml")
    with open_database(config.database, create=True) as database:
        other = Run(database, "inbox", "messages")
        under_way = other.under_way()
        under_way.__enter__()
        told = follow(shell, 2, {1: lambda: under_way.__exit__(None, None, None)})
    assert "another run of inbox.messages is under way" in str(told[0].error)
    assert told[1].pulled
    assert told[1].pulled.new == 1


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_breaks_is_made_again(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADLINE_INBOX_USER", "help")
    monkeypatch.setenv("THREADLINE_INBOX_PASSWORD", "canary-pw")
    errors: list[str] = []
    with ScriptedImap(answers(), capabilities=b"IMAP4rev1 IDLE") as server:
        settings = {
            "imap_host": "127.0.0.1",
            "imap_port": server.port,
            "tls": "none",
            "folders": ["INBOX"],
            "own_addresses": ["a@b.example"],
        }
        path = shell.settings(msgspec.json.encode({"sources": {"inbox": {"connector": "email", "settings": settings}}}).decode())
        listening = notices(load_config(path), "inbox", report=lambda error, _: errors.append(str(error)))
        with closing(listening):
            assert next(listening) == ["messages"]
            server.say(b"BYE")
            assert heard(listening) == ["messages"]
    assert len(errors) == 1
    assert "canary" not in errors[0]


@pytest.mark.usefixtures("impatient")
def test_a_notice_that_never_came_costs_time_only(shell: Shell, inbox: EmailSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.email.watch.Watch.news", deaf)
    told = follow(shell, 2, {1: lambda: inbox.deliver(MAIL % 1)}, every=0.2)
    assert told[1].pulled
    assert told[1].pulled.new == 1


def deaf(_watch: object, _patience: float) -> Iterator[bool]:
    yield True
    while True:
        time.sleep(0.02)
        yield False


def test_the_schedule_says_when_to_pull_without_news(shell: Shell, inbox: EmailSandbox) -> None:
    path: Path = shell.folder / "threadline.yaml"
    write_settings(path, {"inbox": inbox}, lambda document: document["sources"]["inbox"].update(schedule="* * * * *"))
    assert 0 < Follower(load_config(path), "inbox", print).pause() <= 60
    write_settings(path, {"inbox": inbox}, lambda document: document["sources"]["inbox"].update(schedule="@continuous"))
    assert Follower(load_config(path), "inbox", print).pause() == 300
    assert Follower(load_config(path), "inbox", print, every=7).pause() == 7
