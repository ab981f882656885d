"""Logging in with a token instead of a password, over IMAP and SMTP, and getting a new one."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from connectors.email import Email
from tests.contract.email_imap_server import ScriptedImap
from tests.contract.sharing import shared
from threadline.sdk import ConfigError, RetryableError


class Endpoint(BaseHTTPRequestHandler):
    """Gives out token-1, token-2 and so on."""

    asked: ClassVar[list[dict[str, list[str]]]] = []
    answer: ClassVar[tuple[int, dict[str, Any] | str | None]] = (200, None)

    def do_POST(self) -> None:
        self.asked.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, document = self.answer
        granted = {"access_token": f"token-{len(self.asked)}", "expires_in": 3600, "token_type": "Bearer"}
        body = (document if isinstance(document, str) else json.dumps(document or granted)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[str]:
    Endpoint.asked, Endpoint.answer = [], (200, None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/token"
        server.shutdown()
        thread.join()


@pytest.fixture
def accepted() -> set[str]:
    return {"token-1", "token-2"}


def imap(accepted: set[str], mechanism: str = "XOAUTH2") -> ScriptedImap:
    """A server whose only way in is a mechanism with tokens; a refusal ends in "NO", as after the challenge that says why."""

    def authenticate(command: bytes) -> bytes:
        said, response = command.split()[1].decode(), command.split()[2]
        sent = base64.b64decode(response)
        right = said == mechanism and any(b"auth=Bearer %s\x01" % token.encode() in sent for token in accepted)
        return b"OK in" if right and b"help@shop.example" in sent else b"NO [AUTHENTICATIONFAILED] no"

    capabilities = f"IMAP4rev1 AUTH={mechanism}".encode()
    answers = {"AUTHENTICATE": authenticate, "EXAMINE": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] yes\r\nOK open", "UID SEARCH": b"OK none"}
    return ScriptedImap(answers, capabilities=capabilities)


class Submission:
    """aiosmtpd's hook for a login with XOAUTH2: a refusal is a challenge that says why, and then 535."""

    def __init__(self, accepted: set[str]) -> None:
        self.accepted = accepted

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        sent = base64.b64decode(args[1]).decode()
        user, _, token = sent.partition("\x01auth=Bearer ")
        if user == "user=help@shop.example" and token.removesuffix("\x01\x01") in self.accepted:
            return AuthResult(success=True)
        await server.challenge_auth('{"status": "400"}')
        return AuthResult(success=False, handled=False)


@contextmanager
def smtp(accepted: set[str]) -> Iterator[int]:
    handler = Submission(accepted)
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = int(probe.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port, auth_require_tls=False, auth_exclude_mechanism=["LOGIN", "PLAIN"])
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def connector(endpoint: str, imap_port: int, smtp_port: int = 1, **changes: object) -> Email:
    settings = {
        "imap_host": "127.0.0.1", "imap_port": imap_port, "smtp_port": smtp_port, "tls": "none", "own_addresses": ["help@shop.example"],
        "user": "help@shop.example", "oauth_token_url": endpoint, "oauth_client_id": "app", "oauth_refresh_token": "canary-refresh",
    }  # fmt: skip
    return Email(Email.settings_type().model_validate({**settings, **changes}))


def test_one_token_serves_both_logins_and_the_next_run_of_the_same_process(endpoint: str, accepted: set[str]) -> None:
    with imap(accepted) as server, smtp(accepted) as port:
        mailbox = connector(endpoint, server.port, port)
        mailbox.check()
        assert list(mailbox.pull("messages", None)) == []
    assert Endpoint.asked == [{"grant_type": ["refresh_token"], "client_id": ["app"], "refresh_token": ["canary-refresh"]}]


def test_secret_and_scope_are_sent_where_they_are_set(endpoint: str, accepted: set[str]) -> None:
    with imap(accepted) as server:
        changes = {"oauth_client_secret": "canary-secret", "oauth_scope": "https://mail.example/ offline"}
        assert list(connector(endpoint, server.port, **changes).pull("messages", None)) == []
    assert (Endpoint.asked[0]["client_secret"], Endpoint.asked[0]["scope"]) == (["canary-secret"], ["https://mail.example/ offline"])


def test_the_standard_mechanism_serves_where_the_older_one_is_not_offered(endpoint: str, accepted: set[str]) -> None:
    with imap(accepted, "OAUTHBEARER") as server:
        assert list(connector(endpoint, server.port).pull("messages", None)) == []


@pytest.mark.parametrize("seconds", [30, "30"])
def test_a_token_that_is_about_to_end_is_not_used_again(endpoint: str, accepted: set[str], seconds: object) -> None:
    Endpoint.answer = (200, {"access_token": "token-1", "expires_in": seconds})
    with imap(accepted) as server:
        mailbox = connector(endpoint, server.port)
        for _ in range(2):
            assert list(mailbox.pull("messages", None)) == []
    assert len(Endpoint.asked) == 2


def test_a_token_that_was_taken_back_is_replaced(endpoint: str, accepted: set[str]) -> None:
    with imap(accepted) as server:
        mailbox = connector(endpoint, server.port)
        assert list(mailbox.pull("messages", None)) == []
        accepted.discard("token-1")
        with pytest.raises(RetryableError, match="the next attempt fetches a new one"):
            list(mailbox.pull("messages", None))
        assert list(mailbox.pull("messages", None)) == []


def test_what_the_refresh_token_has_become_outlives_the_process(endpoint: str, accepted: set[str], tmp_path: Path) -> None:
    Endpoint.answer = (200, {"access_token": "token-1", "expires_in": 30, "refresh_token": "canary-next"})
    with imap(accepted) as server:
        for _ in range(2):
            with shared(connector(endpoint, server.port), tmp_path) as mailbox:
                assert list(mailbox.pull("messages", None)) == []
    assert [asked["refresh_token"] for asked in Endpoint.asked] == [["canary-refresh"], ["canary-next"]]


def test_a_new_token_that_is_refused_is_a_matter_of_settings(endpoint: str, accepted: set[str]) -> None:
    with imap(set()) as server, pytest.raises(ConfigError, match=r"IMAP at .* refused the token; check user, oauth_scope"):
        connector(endpoint, server.port).check()
    with imap(accepted) as server, smtp({"token-9"}) as port:
        mailbox = connector(endpoint, server.port, port)
        with pytest.raises(RetryableError, match=r"SMTP at .* refused the token; the next attempt"):
            mailbox.check()


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "canary"}),
            ConfigError,
            "answered 400 to POST /token.*grant access again, and set the new one",
        ),
        ((401, {"error": "invalid_client"}), ConfigError, "credentials were refused.*oauth_client_secret"),
        ((200, {"error": "canary"}), RetryableError, "answered with something else than a token"),
        ((200, ["canary"]), RetryableError, "answered with something else than a token"),
        ((200, {"access_token": "two\r\nlines", "expires_in": 1}), RetryableError, "answered with a token that no header can carry"),
        ((200, "<html>canary</html>"), RetryableError, "answered with something else than a token"),
    ],
)
def test_an_endpoint_that_gives_no_token_is_named(
    endpoint: str, accepted: set[str], answer: Any, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    Endpoint.answer = answer
    with imap(accepted) as server, pytest.raises(error, match=message) as caught:
        connector(endpoint, server.port).check()
    assert "canary" not in str(caught.value)


def test_an_endpoint_that_cannot_answer_now_is_asked_again_later(
    endpoint: str, accepted: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    Endpoint.answer = (503, None)
    with imap(accepted) as server, pytest.raises(RetryableError, match="the OAuth token endpoint answered 503"):
        connector(endpoint, server.port).check()
    assert len(waits) == len(Endpoint.asked) - 1 == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"oauth_token_url": None}, "needs oauth_token_url and oauth_client_id"),
        ({"oauth_client_id": None}, "needs oauth_token_url and oauth_client_id"),
    ],
)
def test_what_a_login_needs_is_checked(endpoint: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connector(endpoint, 1, **changes)


def test_without_any_credential_the_error_names_both_ways(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="set a password, or oauth_refresh_token with"):
        connector(endpoint, 1, oauth_refresh_token=None).check()


def test_an_error_about_settings_quotes_no_credential(endpoint: str) -> None:
    with pytest.raises(ValueError, match="oauth_client_id") as caught:
        connector(endpoint, 1, oauth_client_id=None)
    assert "canary" not in str(caught.value)


def test_no_token_shows(endpoint: str, accepted: set[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with imap(accepted) as server:
        mailbox = connector(endpoint, server.port, oauth_client_secret="canary-secret")
        assert list(mailbox.pull("messages", None)) == []
    assert "canary" not in caplog.text + repr(mailbox.settings)
    assert "token-1" not in caplog.text
