"""The installed command as a process: servers that run until they are told, signals, pipes, and what libraries must not say."""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import IO

import msgspec
import requests

from tests.cli.company import THREADLINE, Nordlicht, Shell
from threadline.testing.sandbox import Sandbox

TOKEN = "t0ken-of-this-test"


@contextmanager
def running(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Let a process be killed in any case, and its pipes be closed."""
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def line_with(stream: IO[str] | None, text: str) -> str:
    """Read lines until one holds a text."""
    assert stream
    said: list[str] = []
    for line in stream:
        said.append(line)
        if text in line:
            return line.rstrip("\n")
    raise AssertionError("".join(said))


def stopped(process: "subprocess.Popen[str]", number: int) -> tuple[int, str, str]:
    """Send a signal; return exit code, stdout and stderr."""
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def finished(shell: Shell, *arguments: str) -> "subprocess.CompletedProcess[str]":
    with running(shell.spawn(*arguments)) as process:
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def test_the_server_lets_nobody_in_without_the_token(nordlicht: Nordlicht, shell: Shell) -> None:
    shell.monkeypatch.setenv("THREADLINE_API_TOKEN", TOKEN)
    with running(shell.spawn("serve", "--port", "0")) as process:
        address = line_with(process.stderr, "http://").split()[0]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        for path in ("/health", f"/api/customers?q={nordlicht.traveller.email}"):
            assert requests.get(address + path, timeout=20).status_code == 401
            assert requests.get(address + path, headers={"Authorization": "Bearer wrong"}, timeout=20).status_code == 401
        allowed = {"Authorization": f"Bearer {TOKEN}"}
        page = requests.get(f"{address}/health", headers=allowed, timeout=20)
        assert page.status_code == 200
        assert "helpdesk" in page.text
        assert "comments" in page.text
        code, out, err = stopped(process, signal.SIGINT)
    assert (code, out, err) == (0, "", "")


def test_the_server_prints_a_token_where_none_was_chosen(nordlicht: Nordlicht, shell: Shell) -> None:
    with running(shell.spawn("serve", "--port", "0")) as process:
        token = re.search(r"access token for this run: (\S+)", line_with(process.stderr, "access token"))
        address = line_with(process.stderr, "http://").split()[0]
        assert token
        answer = requests.get(f"{address}/health", headers={"Authorization": f"Bearer {token[1]}"}, timeout=20)
        assert answer.status_code == 200
        assert stopped(process, signal.SIGTERM) == (0, "", "")


def test_the_server_says_when_its_port_is_taken(nordlicht: Nordlicht, shell: Shell) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ran = shell.run("serve", "--port", str(port))
    assert ran.code == 3
    assert ran.message == f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another address with --host and --port"


def test_a_sandbox_prints_all_that_is_needed_to_reach_it(shell: Shell) -> None:
    names = ["salesforce", "zendesk"]
    with running(shell.spawn("sandbox", *names, "--seed", "7", "--folder", "systems")) as process:
        line_with(process.stderr, "Ctrl-C")
        assert process.stdout
        settings, _, environment = os.read(process.stdout.fileno(), 65_536).decode().partition("# In the environment:\n")
        shell.settings(settings)
        for name in names:
            pull = ["sh", "-c", f'{environment}exec "$@"', "sh", *THREADLINE, "pull", name, "--json"]
            pulled = subprocess.run(pull, cwd=shell.folder, capture_output=True, check=False)
            assert pulled.returncode == 0, pulled.stderr
            assert all(item["new"] > 10 for item in msgspec.json.decode(pulled.stdout)["pulled"])
        assert stopped(process, signal.SIGTERM) == (0, "", "")
    assert (shell.folder / "systems" / "zendesk").is_dir()


def test_a_sandbox_that_does_not_exist(shell: Shell) -> None:
    assert "no connector named 'zendeks'" in shell.run("sandbox", "zendeks").message


def test_ctrl_c_ends_a_command_with_one_word(shell: Shell) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        shell.settings(
            f"sources:\n  desk:\n    connector: zendesk\n    settings: {{base_url: 'http://127.0.0.1:{silent.getsockname()[1]}'}}\n"
        )
        shell.monkeypatch.setenv("THREADLINE_DESK_EMAIL", "a@example.org")
        shell.monkeypatch.setenv("THREADLINE_DESK_TOKEN", "secret")
        for number in (signal.SIGINT, signal.SIGTERM):
            with running(shell.spawn("pull", "desk")) as process:
                connection, _ = silent.accept()
                with connection:
                    assert connection.recv(100)
                    assert stopped(process, number) == (130, "", "threadline: stopped\n")
    assert "stopped by hand" in shell.run("status").message


def test_a_reader_that_has_enough_is_no_error(nordlicht: Nordlicht, shell: Shell) -> None:
    reader, writer = os.pipe()
    with running(shell.spawn("status", "--json", stdout=writer)) as process:
        os.close(writer)
        os.close(reader)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_libraries_say_nothing(nordlicht: Nordlicht, shell: Shell) -> None:
    shell.monkeypatch.setenv("THREADLINE_HELPDESK_TOKEN", "wrong")
    ran = finished(shell, "sync", "--json")
    assert ran.returncode == 3
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("threadline: source helpdesk: Zendesk answered 401")


def test_progress_is_shown_on_a_terminal_and_nowhere_else(desk: Sandbox, shell: Shell) -> None:
    assert finished(shell, "pull", "desk").stderr == ""
    ours, theirs = os.openpty()
    with running(shell.spawn("pull", "desk", "--full", stderr=theirs)) as process:
        os.close(theirs)
        shown = b""
        while chunk := _some(ours):
            shown += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"pulling desk.users" in shown


def _some(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:
        # Linux answers so when nobody has the other end open.
        return b""
