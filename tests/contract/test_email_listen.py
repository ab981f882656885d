"""News of a mailbox: from servers that tell them, that speak at any moment, that hang up, and that have to be asked."""

from collections.abc import Collection, Generator, Iterator
from contextlib import closing, contextmanager

import pytest

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from connectors.email.settings import EmailSettings
from tests.contract.email_imap_server import Answer, ScriptedImap
from threadline.sdk import RetryableError

MAIL = b"From: ana@mail.example\r\nMessage-ID: <m@mail.example>\r\n\r\nhello\r\n"
NEWS, NOTHING = ("messages",), ()
WAITS = "ALONE_SECONDS", "AMONG_SECONDS", "ASK_SECONDS"


def opened(exists: int, more: bytes = b"") -> bytes:
    return b"* %d EXISTS\r\n* OK [UIDVALIDITY 7] yes\r\n%bOK [READ-ONLY] open" % (exists, more)


def answers(exists: int = 3, **more: Answer) -> dict[str, Answer]:
    status = b'* STATUS "x" (MESSAGES %d UIDNEXT %d UIDVALIDITY 7)\r\nOK done' % (exists, exists + 1)
    return {"EXAMINE": opened(exists), "STATUS": status, "IDLE": b"+ idling", **more}


def connector(port: int, **changes: object) -> Email:
    settings = {
        "imap_host": "127.0.0.1", "imap_port": port, "tls": "none", "folders": ["INBOX"], "own_addresses": ["help@shop.example"],
        "user": "help", "password": "canary-pw",
    }  # fmt: skip
    return Email(EmailSettings.model_validate({**settings, **changes}))


@contextmanager
def listening_to(email: Email) -> Generator[Iterator[Collection[str]]]:
    listening = email.listen(0.02)
    with closing(listening):  # type: ignore[type-var]
        assert next(listening) == NEWS
        yield listening


def heard(listening: Iterator[Collection[str]], most: int = 500) -> Collection[str]:
    """Return the first news; none when there are none for a while."""
    return next((streams for streams, _ in zip(listening, range(most), strict=False) if streams), NOTHING)


def test_what_comes_or_goes_is_told_at_once() -> None:
    with EmailSandbox() as sandbox:
        uid = sandbox.deliver(MAIL)
        email = Email(EmailSettings.model_validate({**sandbox.settings, **sandbox.secrets, "folders": ["INBOX"]}))
        with listening_to(email) as listening:
            assert next(listening) == NOTHING
            sandbox.deliver(MAIL)
            assert heard(listening) == NEWS
            assert next(listening) == NOTHING
            sandbox.expunge("INBOX", uid)
            assert heard(listening) == NEWS
            listening.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "lines", [b"* 4 EXISTS\r\n", b"* 2 EXPUNGE\r\n* 4 EXISTS\r\n", b"* 4 EX", b"* OK [ALERT] hello\r\n* VANISHED 1:2\r\n"]
)
def test_a_notice_leads_to_a_look(lines: bytes) -> None:
    with ScriptedImap(answers(), capabilities=b"IMAP4rev1 IDLE") as server, listening_to(connector(server.port)) as listening:
        server.answers.update(answers(4))
        server.say(lines)
        if not lines.endswith(b"\n"):
            next(listening)
            server.say(b"ISTS\r\n")
        assert heard(listening) == NEWS
        assert heard(listening, 3) == NOTHING


def test_a_notice_of_nothing_new_is_none() -> None:
    with ScriptedImap(answers(), capabilities=b"IMAP4rev1 IDLE") as server, listening_to(connector(server.port)) as listening:
        server.say(b"* OK Still here\r\n* 1 FETCH (FLAGS (\\Seen))\r\n")
        assert heard(listening, 5) == NOTHING
        assert server.asked.count("IDLE") == 2


@pytest.mark.parametrize("told", [b"* 4 EXISTS\r\n+ idling", b"+ idling\r\n* 4 EXISTS\r\n+"])
def test_what_comes_together_with_the_go_ahead_is_heard(told: bytes) -> None:
    """It was read together with it: nothing more comes on the connection that would wake anybody."""
    exists, idles = iter([opened(3)]), iter([told])
    first = answers(4, EXAMINE=lambda _: next(exists, opened(4)), IDLE=lambda _: next(idles, b"+ idling"))
    with ScriptedImap(first, capabilities=b"IMAP4rev1 IDLE") as server, listening_to(connector(server.port)) as listening:
        assert heard(listening, 3) == NEWS
        assert heard(listening, 3) == NOTHING


@pytest.mark.parametrize("end", [b"BYE", b"* BYE shutting down\r\n"])
def test_the_end_of_the_connection_is_no_silence(end: bytes) -> None:
    with ScriptedImap(answers(), capabilities=b"IMAP4rev1 IDLE") as server, listening_to(connector(server.port)) as listening:
        server.say(end)
        with pytest.raises(RetryableError) as caught:
            heard(listening)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("capabilities", [b"IMAP4rev1", b"IMAP4rev1 IDLE"])
def test_a_server_without_it_or_that_refuses_it_is_asked(capabilities: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAITS:
        monkeypatch.setattr(f"connectors.email.watch.{name}", 0.05)
    with ScriptedImap(answers(IDLE=b"NO not here"), capabilities=capabilities) as server, listening_to(connector(server.port)) as listening:
        assert heard(listening, 5) == NOTHING
        server.answers.update(answers(4, IDLE=b"NO not here"))
        assert heard(listening) == NEWS
    assert server.asked.count("IDLE") == (1 if b"IDLE" in capabilities else 0)


def test_other_folders_are_asked_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.email.watch.AMONG_SECONDS", 0.05)
    sent = [b'* STATUS "Sent" (MESSAGES 1 UIDNEXT 2)\r\nOK done']
    told = answers(STATUS=lambda command: sent[0] if b"Sent" in command else b'* STATUS "INBOX" (MESSAGES 3)\r\nOK done')
    with (
        ScriptedImap(told, capabilities=b"IMAP4rev1 IDLE", folders=(b"INBOX", b"Sent")) as server,
        listening_to(connector(server.port, folders=["INBOX", "Sent"])) as listening,
    ):
        assert heard(listening, 10) == NOTHING
        sent[0] = b'* STATUS "Sent" (MESSAGES 2 UIDNEXT 3)\r\nOK done'
        assert heard(listening) == NEWS
        sent[0] = b"NO gone"
        assert heard(listening) == NEWS


def test_idle_is_renewed_before_the_server_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.email.watch.ALONE_SECONDS", 0.05)
    with ScriptedImap(answers(), capabilities=b"IMAP4rev1 IDLE") as server, listening_to(connector(server.port)) as listening:
        assert heard(listening, 12) == NOTHING
        assert server.asked.count("IDLE") >= 2
