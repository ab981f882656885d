"""IMAP servers that keep the standard in ways that few others do, or nearly keep it: each can be read."""

import pytest

from connectors.email import Email
from connectors.email.session import open_mailbox
from connectors.email.settings import EmailSettings
from tests.contract.email_imap_server import Answer, ScriptedImap, literal
from tests.contract.test_email_servers import MAIL, OPENED, USUAL, bodies, counting, pull, records, uids, uids_of
from threadline.sdk import ConfigError, RetryableError

COUNTING = b"IMAP4rev1 CONDSTORE ENABLE"


@pytest.mark.parametrize(
    "answer",
    [
        b"* SEARCH (MODSEQ 12)\r\nOK done",
        b"* SEARCH 2 (MODSEQ 12)\r\nOK done",
        b'* ESEARCH (TAG "A1") UID ALL 2 MODSEQ 12\r\nOK done',
        b"NO [CANNOT] no such criterion",
        b"BAD no such criterion",
    ],
)
def test_changed_flags_are_asked_for_as_the_server_takes_it(answer: bytes) -> None:
    changed = b"* 2 FETCH (UID 2 FLAGS (\\Answered) MODSEQ (12))\r\n* 1 FETCH (MODSEQ (3) UID 1 FLAGS ())\r\nOK done"
    told = {"UID FETCH 1:3 (FLAGS MODSEQ) (CHANGEDSINCE 10)": changed, **counting(12, b"\\Answered", answer)}
    with ScriptedImap(counting(10, b""), capabilities=COUNTING) as server:
        first = pull(server)
        server.answers = {**told, **{name: given for name, given in server.answers.items() if name not in told}}
        pages = pull(server, first[-1].cursor)
    expected = [] if answer.startswith(b"* SEARCH (") else [2]
    assert uids(pages) == expected
    assert pages[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3", "modseq": 12}}}


def test_flags_are_left_as_they_are_where_the_server_counts_and_does_not_tell() -> None:
    refusing = {"UID FETCH 1:3 (FLAGS MODSEQ)": b"BAD what?", **counting(12, b"", b"BAD what?")}
    with ScriptedImap(counting(10, b""), capabilities=COUNTING) as server:
        first = pull(server)
        server.answers = {**refusing, **{name: given for name, given in server.answers.items() if name not in refusing}}
        assert uids(pull(server, first[-1].cursor)) == []


@pytest.mark.parametrize("refusal", [b"BAD no such command", b"NO not you"])
def test_what_is_only_asked_for_may_be_refused(refusal: bytes) -> None:
    with ScriptedImap({**USUAL, "ENABLE": refusal, "ID": refusal}, capabilities=b"IMAP4rev1 CONDSTORE ENABLE ID") as server:
        assert uids(pull(server)) == [1, 2, 3]


def test_uidvalidity_is_asked_for_where_opening_a_folder_does_not_tell_it() -> None:
    late = {**USUAL, "EXAMINE": b"* 3 EXISTS\r\nOK [READ-ONLY] open", "STATUS": b'* STATUS "INBOX" (UIDVALIDITY 7)\r\nOK done'}
    with ScriptedImap(late) as server:
        assert {record["uidvalidity"] for record in records(pull(server))} == {7}


def test_a_long_answer_may_come_in_several_lines_and_be_very_long() -> None:
    many = b" ".join(b"%d" % uid for uid in range(1_000_000, 1_200_000))
    searched = b"* SEARCH 3\r\n* SEARCH 1 2\r\n* SEARCH\r\nOK done"
    with ScriptedImap({**USUAL, "UID SEARCH": searched}) as server:
        assert uids(pull(server)) == [1, 2, 3]
        server.answers["UID SEARCH"] = b"* SEARCH " + many + b"\r\nOK done"
        server.answers["UID FETCH"] = b"OK none is there any more"
        assert pull(server) == []


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        (rb'"Kl&AOQ-ger"', "Kläger"),
        ('"Kläger"'.encode(), "Kläger"),
        (b'"Kl\xe4ger"', "Kläger"),
        (b'"R&D"', "R&D"),
        (b'"&!!-"', "&!!-"),
        (b"2026", "2026"),
        (rb'"a\"b\\c"', 'a"b\\c'),
        (b'{5}\r\na"b c', 'a"b c'),
    ],
)
def test_a_folder_is_opened_by_the_name_that_was_listed(listed: bytes, name: str) -> None:
    with ScriptedImap(USUAL, folders=(listed,)) as server:
        assert {record["mailbox"] for record in records(pull(server, folders=["*"]))} == {name}
    (opened,) = [line for line in server.asked if line.startswith("EXAMINE")]
    expected = listed if listed.startswith(b'"') else b'"a\\"b c"' if listed.startswith(b"{") else b'"2026"'
    assert opened.encode("latin-1") == b"EXAMINE " + expected


def settings_for(server: ScriptedImap) -> EmailSettings:
    return EmailSettings.model_validate(
        {"imap_host": "127.0.0.1", "imap_port": server.port, "tls": "none", "own_addresses": ["a@b.example"], "user": "u", "password": "p"}
    )


def listing(*lines: bytes) -> dict[str, Answer]:
    return {**USUAL, "LIST": b"".join(b"* LIST %b\r\n" % line for line in lines) + b"OK done"}


def test_folders_without_mail_and_without_a_hierarchy_are_listed_too() -> None:
    told = listing(
        b'(\\Noselect \\HasChildren) "/" "Old"', b'() NIL "INBOX"', b"(\\NonExistent) NIL Gone", b'() "/" "Old/1" ("OLDNAME" ("x"))'
    )
    with ScriptedImap(told) as server:
        assert {record["mailbox"] for record in records(pull(server, folders=["*"]))} == {"INBOX", "Old/1"}


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ([b'() "." "INBOX"', b'() "." "INBOX.Sent"'], "INBOX.Sent"),
        ([b'() "/" "Inbox"', b'(\\HasNoChildren \\Sent) "/" "Gesendete Objekte"'], "Gesendete Objekte"),
        ([b'() "/" "INBOX"', b'() "/" "Sent"', b'(\\Sent) "/" "Elsewhere"'], "Sent"),
    ],
)
def test_sent_is_where_the_server_has_it(lines: list[bytes], sent: str) -> None:
    with ScriptedImap(listing(*lines)) as server:
        assert [record["mailbox"] for record in records(pull(server, folders=["INBOX", "Sent"]))][-1] == sent
        settings = settings_for(server)
        with open_mailbox(settings, Email(settings)._tokens) as mailbox:
            assert mailbox.absent() == []


def test_a_folder_is_made_within_inbox_where_that_is_the_only_place() -> None:
    told = {
        **listing(b'() "." "INBOX"'),
        'CREATE "SENT"': b"NO not there",
        'CREATE "INBOX.SENT"': b"OK made",
        'APPEND "INBOX.SENT"': b"OK kept",
    }
    with ScriptedImap(told) as server:
        settings = settings_for(server)
        with open_mailbox(settings, Email(settings)._tokens) as mailbox:
            mailbox.file("Sent", b"Subject: x\r\n\r\nx\r\n")
    assert [line for line in server.asked if line.startswith('APPEND "INBOX.Sent" (\\Seen)')]


def test_a_folder_that_nobody_named_and_that_cannot_be_opened_stops_no_other() -> None:
    def opened(command: bytes) -> bytes:
        return b"NO [NOPERM] not mail" if b"Calendar" in command else OPENED + b"OK open"

    with ScriptedImap({**USUAL, "EXAMINE": opened}, folders=(b"INBOX", b"Calendar")) as server:
        assert uids(pull(server, folders=["*"])) == [1, 2, 3]
        with pytest.raises(ConfigError, match="refuses folder 'Calendar'"):
            pull(server, folders=["INBOX", "Calendar"])


def test_a_mail_whose_size_or_date_is_not_told_is_read() -> None:
    def bare(command: bytes) -> bytes:
        if b"SIZE" in command:
            return b"* 1 FETCH (UID 1 FLAGS (2 $x))\r\n* 2 FETCH (UID 2 INTERNALDATE NIL RFC822.SIZE 10 FLAGS ())\r\nOK done"
        return bodies(command)

    with ScriptedImap({**USUAL, "UID SEARCH": b"* SEARCH 1 2\r\nOK done", "UID FETCH": bare}) as server:
        found = records(pull(server))
    assert [(record["uid"], record["received_at"], record["flags"]) for record in found] == [
        (1, "1970-01-01T00:00:00Z", ["$x", "2"]),
        (2, "1970-01-01T00:00:00Z", []),
    ]


def test_a_header_may_come_without_where_it_begins() -> None:
    def large(command: bytes) -> bytes:
        if b"SIZE" in command:
            return b'* 1 FETCH (UID 1 RFC822.SIZE 5000 FLAGS () INTERNALDATE "02-Mar-2026 08:00:00 +0000")\r\nOK done'
        return b"* 1 FETCH (UID 1 BODY[HEADER] %b)\r\nOK done" % literal(MAIL % (1, 1))

    with ScriptedImap({**USUAL, "UID SEARCH": b"* SEARCH 1\r\nOK done", "UID FETCH": large}) as server:
        (page,) = pull(server, max_message_bytes=1_000)
    assert [rejected.key for rejected in page.rejected] == ["INBOX:7:1"]


def test_a_session_may_begin_logged_in() -> None:
    with ScriptedImap(USUAL, greeting=b"* PREAUTH welcome\r\n") as server:
        assert uids(pull(server)) == [1, 2, 3]
    assert not [line for line in server.asked if line.startswith("LOGIN")]


@pytest.mark.parametrize(
    ("user", "password", "capabilities", "asked"),
    [
        ("help", 'p"w', b"IMAP4rev1", 'LOGIN help "p\\"w"'),
        ("ACME\\help me", "pw", b"IMAP4rev1", 'LOGIN "ACME\\\\help me" "pw"'),
        ("help", "pässword", b"IMAP4rev1 AUTH=PLAIN", "AUTHENTICATE PLAIN AGhlbHAAcMOkc3N3b3Jk"),
        ("help", "pw", b"IMAP4rev1 LOGINDISABLED AUTH=PLAIN", "AUTHENTICATE PLAIN AGhlbHAAcHc="),
    ],
)
def test_credentials_are_given_as_the_server_takes_them(user: str, password: str, capabilities: bytes, asked: str) -> None:
    with ScriptedImap({**USUAL, "AUTHENTICATE": b"OK in"}, capabilities=capabilities) as server:
        assert uids(pull(server, user=user, password=password)) == [1, 2, 3]
    assert asked in server.asked


@pytest.mark.parametrize("refusal", [b"NO [ALERT] Too many simultaneous connections. (Failure)", b"NO [UNAVAILABLE] later"])
def test_too_many_sessions_pass(refusal: bytes) -> None:
    with ScriptedImap({**USUAL, "LOGIN": refusal}) as server, pytest.raises(RetryableError, match="cannot log anyone in now"):
        pull(server)


@pytest.mark.parametrize("refusal", [b"NO cannot read it", b"BAD oops", b"* 2 FETCH (UID 2 BODY[]\r\nOK done"])
@pytest.mark.parametrize("part", [b"BODY", b"FETCH"])
def test_a_mail_that_the_server_cannot_read_stops_no_other(refusal: bytes, part: bytes) -> None:
    def fetched(command: bytes) -> bytes:
        return refusal if part in command and 2 in uids_of(command) else bodies(command)

    with ScriptedImap({**USUAL, "UID FETCH": fetched}) as server:
        pages = pull(server)
        assert uids(pages) == [1, 3]
        assert [(one.key, one.reason) for page in pages for one in page.rejected] == [
            ("INBOX:7:2", "the server lists the mail, and refuses to hand it out")
        ]
        assert pages[-1].cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3"}}}
        part = b"SIZE"
        assert uids(pull(server)) == [1, 2, 3]
        part = b"FETCH"
        server.answers["UID SEARCH"] = b"* SEARCH 2\r\nOK done"
        with pytest.raises(RetryableError, match="refused a command"):
            pull(server)


def test_a_server_may_know_the_newer_version_alone() -> None:
    with ScriptedImap({**USUAL, "UID SEARCH": b"* ESEARCH UID ALL 1:3\r\nOK done"}, capabilities=b"IMAP4rev2 IDLE") as server:
        assert uids(pull(server)) == [1, 2, 3]
