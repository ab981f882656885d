"""What IMAP servers answer that differ from the usual: extensions, old habits, refusals and nonsense."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from connectors.email import Email
from tests.contract.email_imap_server import Answer, ScriptedImap, literal
from threadline.sdk import ConfigError, Page, RetryableError

MAIL = b"From: ana@mail.example\r\nMessage-ID: <m%d@mail.example>\r\n\r\nhello %d\r\n"
OPENED = b"* 3 EXISTS\r\n* 0 RECENT\r\n* FLAGS (\\Answered)\r\n* OK [UIDVALIDITY 7] yes\r\n* OK [UIDNEXT 4] next\r\n"


def search_in_empty_folder(command: bytes) -> bytes:
    """0 is no UID (RFC 9051, 9: nz-number)."""
    return b"BAD no such UID" if b":0" in command else b"* SEARCH\r\nOK done"


def uids_of(command: bytes) -> list[int]:
    return [int(uid) for uid in command.split()[2].split(b",")]


def bodies(command: bytes, flags: Mapping[int, bytes] | None = None) -> bytes:
    """Answer a fetch as servers do: sizes, dates and flags, or bodies."""
    lines: list[bytes] = []
    for uid in uids_of(command):
        mail = MAIL % (uid, uid)
        if b"SIZE" in command:
            flag = (flags or {}).get(uid, b"")
            date = b'INTERNALDATE "02-Mar-2026 08:00:00 +0000"'
            lines.append(b"* %d FETCH (UID %d RFC822.SIZE %d FLAGS (%s) %s)\r\n" % (uid, uid, len(mail), flag, date))
        else:
            lines.append(b"* %d FETCH (UID %d BODY[] %s)\r\n" % (uid, uid, literal(mail)))
    return b"".join(lines) + b"OK done"


def search(command: bytes) -> bytes:
    return b"* SEARCH 3 1 2\r\nOK done" if b"1:*" in command else b"* SEARCH 3\r\nOK done"


USUAL: Mapping[str, Answer] = {"EXAMINE": OPENED + b"OK [READ-ONLY] open", "UID SEARCH": search, "UID FETCH": bodies}


def pull(server: ScriptedImap, since: Any = None, **changes: Any) -> list[Page]:
    settings = {
        "imap_host": "127.0.0.1", "imap_port": server.port, "tls": "none", "folders": ["INBOX"], "own_addresses": ["help@shop.example"],
        "user": "help", "password": "canary-pw",
    }  # fmt: skip
    return list(Email(Email.settings_type().model_validate({**settings, **changes})).pull("messages", since))


def records(pages: list[Page]) -> list[dict[str, Any]]:
    return [json.loads(record) for page in pages for record in page.records]


def uids(pages: list[Page]) -> list[int]:
    return [record["uid"] for record in records(pages)]


def test_a_plain_server_is_read_in_the_order_of_uids() -> None:
    with ScriptedImap(USUAL) as server:
        pages = pull(server)
        assert uids(pages) == [1, 2, 3]
        assert pages[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3"}}}
        assert pull(server, pages[-1].cursor) == []
    assert not [line for line in server.asked if "ENABLE" in line or "MODSEQ" in line]


@pytest.mark.parametrize(
    "answer",
    [
        b"OK done",
        b"* SEARCH\r\nOK done",
        b"* SEARCH \r\nOK done",
        b'* ESEARCH (TAG "x") UID\r\nOK done',
        b"* 3 EXISTS\r\n* SEARCH\r\nOK done",
    ],
)
def test_an_empty_search_has_many_forms(answer: bytes) -> None:
    with ScriptedImap({**USUAL, "UID SEARCH": answer}) as server:
        assert pull(server) == []


@pytest.mark.parametrize(
    "answer",
    [b'* ESEARCH (TAG "x") UID ALL 1,2:3\r\nOK done', b"* ESEARCH UID ALL 1:3\r\nOK done", b"* ESEARCH UID COUNT 3 ALL 1:3\r\nOK done"],
)
def test_a_server_may_answer_as_imap4rev2_does(answer: bytes) -> None:
    with ScriptedImap({**USUAL, "UID SEARCH": answer}) as server:
        assert uids(pull(server)) == [1, 2, 3]


@pytest.mark.parametrize("answer", [b"* SEARCH one two\r\nOK done", b"* ESEARCH UID ALL all\r\nOK done", b"* ESEARCH UID ALL\r\nOK done"])
def test_a_search_that_answers_nonsense_is_tried_again(answer: bytes) -> None:
    with ScriptedImap({**USUAL, "UID SEARCH": answer}) as server, pytest.raises(RetryableError, match="answer to a search"):
        pull(server)


def counting(modseq: int, flags: bytes, changed: bytes = b"* SEARCH 2 (MODSEQ 12)\r\nOK done") -> Mapping[str, Answer]:
    """A server with CONDSTORE."""
    opened = OPENED + b"* OK [HIGHESTMODSEQ %d] counted\r\nOK [READ-ONLY] open" % modseq

    return {
        "ENABLE": b"* ENABLED CONDSTORE\r\nOK done",
        "EXAMINE": opened,
        "UID SEARCH": lambda command: changed if b"MODSEQ" in command else search(command),
        "UID FETCH": lambda command: bodies(command, {2: flags}),
    }


def test_flags_are_told_where_modifications_are_counted() -> None:
    with ScriptedImap(counting(10, b"\\Seen"), capabilities=b"IMAP4rev1 CONDSTORE ENABLE") as server:
        first = pull(server)
        assert [record["flags"] for record in records(first)] == [[], [], []]
        server.answers.update(counting(12, b"\\Answered $Forwarded \\Seen \\Recent"))
        second = pull(server, first[-1].cursor)
        assert [(record["uid"], record["flags"]) for record in records(second)] == [(2, ["$Forwarded", "\\Answered"])]
        assert second[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3", "modseq": 12}}}
        assert pull(server, second[-1].cursor) == []
    assert "UID SEARCH UID 1:3 MODSEQ 11" in server.asked


@pytest.mark.parametrize("changed", [b"* SEARCH\r\nOK done", b"OK done"])
def test_no_flag_may_have_changed_of_the_mails_that_were_read(changed: bytes) -> None:
    with ScriptedImap(counting(10, b""), capabilities=b"IMAP4rev1 CONDSTORE ENABLE") as server:
        first = pull(server)
        server.answers.update(counting(12, b"", changed))
        (page,) = pull(server, first[-1].cursor)
    assert page.records == ()
    assert page.cursor is not None
    assert page.cursor["folders"]["INBOX"]["modseq"] == 12


@pytest.mark.parametrize("line", [b"", b"* OK [NOMODSEQ] none\r\n", b"* OK [HIGHESTMODSEQ 0] none\r\n"])
def test_a_folder_may_count_no_modifications_though_the_server_does(line: bytes) -> None:
    answers = {**USUAL, "ENABLE": b"OK nothing enabled", "EXAMINE": OPENED + line + b"OK [READ-ONLY] open"}
    with ScriptedImap(answers, capabilities=b"IMAP4rev1 CONDSTORE ENABLE") as server:
        first = pull(server)
        assert pull(server, first[-1].cursor) == []
    assert first[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3"}}}


def test_a_folder_that_is_empty_may_count_modifications_too() -> None:
    empty = {"UID SEARCH": search_in_empty_folder}
    with ScriptedImap({**counting(10, b""), **empty}, capabilities=b"IMAP4rev1 CONDSTORE ENABLE") as server:
        first = pull(server)
        server.answers.update({**counting(12, b""), **empty})
        (page,) = pull(server, first[-1].cursor)
    assert page.cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 0, "present": "", "modseq": 12}}}


def test_what_was_expunged_is_searched_for_only_when_the_numbers_say_so() -> None:
    fewer = {**USUAL, "EXAMINE": OPENED.replace(b"3 EXISTS", b"2 EXISTS") + b"OK open", "UID SEARCH": b"* SEARCH 1 3\r\nOK done"}
    with ScriptedImap(USUAL) as server:
        first = pull(server)
        assert pull(server, first[-1].cursor) == []
        asked = [line for line in server.asked if "SEARCH" in line]
        assert len(asked) == 2
        server.answers.update(fewer)
        second = pull(server, first[-1].cursor)
    assert not [line for line in asked if "1:3" in line]
    assert records(second) == [{"mailbox": "INBOX", "uidvalidity": 7, "uid": 2, "_deleted": True}]
    assert second[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1,3"}}}


def test_an_emptied_folder_is_not_searched() -> None:
    with ScriptedImap(USUAL) as server:
        first = pull(server)
        server.answers.update({"EXAMINE": OPENED.replace(b"3 EXISTS", b"0 EXISTS") + b"OK open", "UID SEARCH": b"* SEARCH\r\nOK done"})
        second = pull(server, first[-1].cursor)
    assert [record["uid"] for record in records(second) if record["_deleted"]] == [1, 2, 3]


def test_answers_nobody_asked_for_are_passed_over() -> None:
    def chatty(command: bytes) -> bytes:
        return b"* 4 EXISTS\r\n* OK still here\r\n* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 9 FETCH (UID 9 FLAGS ())\r\n" + bodies(command)

    with ScriptedImap({**USUAL, "UID FETCH": chatty}) as server:
        assert uids(pull(server)) == [1, 2, 3]


def test_a_mail_that_goes_between_two_commands_is_left_out() -> None:
    def going(command: bytes) -> bytes:
        return bodies(command if b"SIZE" in command else b"UID FETCH 1,3 (BODY.PEEK[])")

    with ScriptedImap({**USUAL, "UID FETCH": going}) as server:
        pages = pull(server)
    assert uids(pages) == [1, 3]
    assert pages[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1,3"}}}


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ({"LOGIN": b"NO [AUTHENTICATIONFAILED] no"}, ConfigError, "check user and password"),
        ({"LOGIN": b"NO [UNAVAILABLE] later"}, RetryableError, "cannot log anyone in now"),
        ({"LOGIN": b"NO [LIMIT] too many sessions"}, RetryableError, "cannot log anyone in now"),
        ({"LOGIN": b"BYE"}, RetryableError, "ended the session during the login"),
        ({"EXAMINE": b"NO [INUSE] locked"}, RetryableError, "cannot open folder 'INBOX' now"),
        ({"EXAMINE": b"NO [NOPERM] not yours"}, ConfigError, "check what the account may read"),
        ({"UID SEARCH": b"BAD no such command"}, RetryableError, "refused a command"),
        ({"UID SEARCH": b"NO [SERVERBUG] oops"}, RetryableError, "refused a command"),
        ({"UID FETCH": b"BYE"}, RetryableError, "ended the session"),
        ({"UID FETCH": b"* 1 FETCH (UID\r\nOK done"}, RetryableError, "refused a command"),
        ({"LIST": b"* BYE shutting down\r\nNO gone"}, RetryableError, "refused a command|ended the session"),
    ],
)
def test_a_refusal_says_whether_it_may_pass(answers: Mapping[str, Answer], error: type[Exception], message: str) -> None:
    with ScriptedImap({**USUAL, **answers}) as server, pytest.raises(error, match=message) as caught:
        pull(server)
    assert "canary" not in f"{caught.value!r}"
