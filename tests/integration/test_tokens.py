"""Refresh tokens that the vendor replaces with each use: one request for each generation, and none is lost that can be kept."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from threadline.cli.commands import app
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.oauth import Grant, RefusedGrantError, ask_endpoint
from threadline.store.database import open_database
from threadline.sync.config import load_config
from threadline.sync.connect import open_connector
from threadline.sync.tokens import SharedTokens

KEY = Fernet.generate_key().decode()
FIRST = "canary-refresh-0"


@dataclass
class Vendor:
    """Takes each refresh token once; a second time ends the newest as well (RFC 9700, 4.14.2)."""

    good: str | None = FIRST
    spent: Counter[str] = field(default_factory=Counter[str])
    lock: Any = field(default_factory=threading.Lock)
    seconds: float | None = 3_600
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def grant(self, token: str) -> dict[str, Any] | None:
        with self.lock:
            self.spent[token] += 1
            if token != self.good:
                self.good = None
                return None
            number = next(self._numbers)
            self.good = f"canary-refresh-{number}"
            return {"access_token": f"canary-access-{number}", "expires_in": self.seconds, "refresh_token": self.good}

    def ask(self, token: str) -> Grant:
        """Answer as its endpoint does, without HTTP."""
        answer = self.grant(token)
        if answer is None:
            raise RefusedGrantError("the vendor takes the refresh token no more")
        return Grant(answer["access_token"], answer["refresh_token"])


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def endpoint(vendor: Vendor) -> Iterator[str]:
    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            answer = vendor.grant(form["refresh_token"][0])
            body = msgspec.json.encode(answer or {"error": "invalid_grant"})
            self.send_response(200 if answer else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
        server.shutdown()
        thread.join()


def tokens(url: str, key: str = KEY) -> SharedTokens:
    return SharedTokens(url, "source crm", key)


def asking(endpoint: str, token: str) -> Grant:
    return ask_endpoint("the token endpoint", endpoint, {"grant_type": "refresh_token", "refresh_token": token})


def worker(url: str, endpoint: str, line: Any) -> None:
    """Fetch an access token when it is told to; tell which."""
    shared = tokens(url, line.recv())
    line.send("ready")
    line.recv()
    line.send(shared.refreshed(FIRST, None, lambda token: asking(endpoint, token)).access_token)


def killed(url: str, endpoint: str, key: str) -> None:
    """Die with the vendor's answer in hand."""

    def ask(token: str) -> Grant:
        asking(endpoint, token)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    tokens(url, key).refreshed(FIRST, None, ask)


def test_processes_that_need_a_token_at_once_make_one_request(database_url: str, endpoint: str, vendor: Vendor) -> None:
    context = multiprocessing.get_context("forkserver")
    lines, processes = [], []
    for _ in range(3):
        ours, theirs = multiprocessing.Pipe()
        processes.append(context.Process(target=worker, args=(database_url, endpoint, theirs)))
        processes[-1].start()
        theirs.close()
        lines.append(ours)
        ours.send(KEY)
    assert [line.recv() for line in lines] == ["ready"] * 3
    for line in lines:
        line.send("go")
    assert {line.recv() for line in lines} == {"canary-access-1"}
    for process in processes:
        process.join()
        process.close()
    assert vendor.spent == {FIRST: 1}


def test_threads_that_saw_the_same_token_refused_make_one_request(database_url: str, vendor: Vendor) -> None:
    last = tokens(database_url).refreshed(FIRST, None, vendor.ask)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: tokens(database_url).refreshed(FIRST, last, vendor.ask), range(6)))
    assert {grant.access_token for grant in found} == {"canary-access-2"}
    assert vendor.spent == {FIRST: 1, "canary-refresh-1": 1}


def test_who_gets_the_lock_late_looks_once_more(database_url: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_database(database_url, create=False) as database:
        kind = type(database)
    sole = kind.sole

    def late(held: Any, name: str) -> Any:
        monkeypatch.undo()
        tokens(database_url).refreshed(FIRST, None, vendor.ask)
        return sole(held, name)

    monkeypatch.setattr(kind, "sole", late)
    assert tokens(database_url).refreshed(FIRST, None, vendor.ask).access_token == "canary-access-1"
    assert vendor.spent == {FIRST: 1}


def test_the_next_token_outlives_the_process(database_url: str, vendor: Vendor) -> None:
    grant = None
    for number in range(1, 5):
        grant = tokens(database_url).refreshed(FIRST, grant, vendor.ask)
        assert (grant.access_token, grant.generation) == (f"canary-access-{number}", number)
    assert set(vendor.spent.values()) == {1}


def test_a_token_that_is_about_to_end_is_not_handed_out(database_url: str, endpoint: str, vendor: Vendor) -> None:
    vendor.seconds = 30
    for number in (1, 2):
        grant = tokens(database_url).refreshed(FIRST, None, lambda token: asking(endpoint, token))
        assert grant.access_token == f"canary-access-{number}"


def test_an_answer_that_died_with_its_process_is_missed_and_said(database_url: str, endpoint: str, vendor: Vendor) -> None:
    process = multiprocessing.get_context("forkserver").Process(target=killed, args=(database_url, endpoint, KEY))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    process.close()
    with pytest.raises(ConfigError, match=r"source crm: .*; an answer of \d{4}-.* UTC may be lost, and the next token with it") as caught:
        tokens(database_url).refreshed(FIRST, None, vendor.ask)
    assert "canary" not in str(caught.value)
    vendor.good = "canary-again"
    assert tokens(database_url).refreshed("canary-again", None, vendor.ask).generation == 1


def test_a_vendor_that_takes_the_old_token_again_repairs_a_lost_answer(database_url: str, vendor: Vendor) -> None:
    def lost(token: str) -> Grant:
        raise RetryableError("the token endpoint did not answer in time")

    with pytest.raises(RetryableError, match="did not answer"):
        tokens(database_url).refreshed(FIRST, None, lost)
    assert tokens(database_url).refreshed(FIRST, None, vendor.ask).generation == 1
    for _ in range(2):
        with pytest.raises(ConfigError, match="takes the refresh token no more") as caught:
            tokens(database_url).refreshed(FIRST, Grant("", generation=1), lambda _: Vendor(None).ask(""))
        assert "lost" not in str(caught.value)


def test_an_answer_is_kept_although_the_connection_broke_meanwhile(
    database_url: str, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, broken = SharedTokens._write, [True, True]

    def failing(*given: Any) -> None:
        if broken:
            broken.pop()
            raise RetryableError("the connection to PostgreSQL failed")
        write(*given)

    monkeypatch.setattr(SharedTokens, "_write", failing)
    monkeypatch.setattr("time.sleep", lambda _: None)
    tokens(database_url).refreshed(FIRST, None, vendor.ask)
    assert tokens(database_url).refreshed(FIRST, None, vendor.ask).access_token == "canary-access-1"
    assert vendor.spent == {FIRST: 1}


def test_nothing_of_a_token_can_be_read_in_the_store_or_in_messages(
    tmp_path: Path, vendor: Vendor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    url = f"sqlite:///{tmp_path}/store.db"
    grant = tokens(url).refreshed(FIRST, None, vendor.ask)
    assert "canary" not in repr(grant) + caplog.text
    assert not any(b"canary" in path.read_bytes() for path in tmp_path.iterdir())
    with open_database(url, create=False) as database, database.read() as view:
        ((generation, secret),) = view.query("SELECT generation, secret FROM tokens")
    assert generation == 1
    assert b"canary-refresh-1" in Fernet(KEY).decrypt(bytes(secret))


def test_a_key_is_replaced_by_naming_both(database_url: str, vendor: Vendor) -> None:
    new = Fernet.generate_key().decode()
    last = tokens(database_url).refreshed(FIRST, None, vendor.ask)
    with pytest.raises(ConfigError, match="was encrypted with another key: set THREADLINE_SECRET_KEY to the new and the old one"):
        tokens(database_url, new).refreshed(FIRST, None, vendor.ask)
    assert tokens(database_url, f"{new}, {KEY}").refreshed(FIRST, last, vendor.ask).generation == 2
    assert tokens(database_url, new).refreshed(FIRST, None, vendor.ask).generation == 2


def test_a_key_that_is_none_is_found_out_before_anything_is_asked(database_url: str, vendor: Vendor) -> None:
    with pytest.raises(ConfigError, match="THREADLINE_SECRET_KEY is no key") as caught:
        tokens(database_url, "s3cret").refreshed(FIRST, None, vendor.ask)
    assert "s3cret" not in str(caught.value)
    assert not vendor.spent


def test_without_a_key_no_refresh_token_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THREADLINE_SECRET_KEY", raising=False)
    for name in ("consumer_key", "refresh_token"):
        monkeypatch.setenv(f"THREADLINE_CRM_{name.upper()}", "canary")
    settings_file = tmp_path / "threadline.yaml"
    settings_file.write_text("sources: {crm: {connector: salesforce, settings: {base_url: 'http://127.0.0.1:1'}}}")
    source = load_config(settings_file).source("crm")
    url = f"sqlite:///{tmp_path}/store.db"
    with open_connector(source, database=url) as connector, pytest.raises(ConfigError, match="set THREADLINE_SECRET_KEY to what") as caught:
        connector.check()
    assert "canary" not in str(caught.value)
    key = CliRunner().invoke(app, ["secret-key"]).stdout.strip()
    assert Fernet(key)
    monkeypatch.setenv("THREADLINE_SECRET_KEY", key)
    with open_connector(source, database=url) as connector:
        assert isinstance(connector.tokens, SharedTokens)
    with open_connector(source) as connector, pytest.raises(ConfigError, match="logs in with a refresh token"):
        connector.check()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["need", "refused", "lost answer", "not reached"])), max_size=12))
def test_whatever_happens_no_token_is_sent_twice_unless_an_answer_was_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('tokens')}/store.db"
    vendor, lost = Vendor(), False
    processes: list[Grant | None] = [None] * 3
    said: list[str] = []

    def answers_nobody(token: str) -> Grant:
        vendor.ask(token)
        raise RetryableError("the token endpoint did not answer in time")

    def is_down(token: str) -> Grant:
        raise RetryableError("the token endpoint cannot be reached")

    for process, what in steps:
        ask = {"lost answer": answers_nobody, "not reached": is_down}.get(what, vendor.ask)
        newest = max((grant.generation for grant in processes if grant), default=0)
        try:
            processes[process] = tokens(url).refreshed(FIRST, processes[process] if what != "need" else None, ask)
        except RetryableError:
            lost = lost or what == "lost answer"
        except ConfigError as error:
            said.append(str(error))
        else:
            assert (processes[process] or Grant("")).generation >= newest
        assert lost or (not said and set(vendor.spent.values()) <= {1})
    assert all("may be lost" in one for one in said)
