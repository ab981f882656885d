"""The email connector against its sandbox: what is read, from where on, and what stays untouched."""

import json
import logging
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient import IMAPClient

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from threadline.mapping.errors import MappingError
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError, Page, RetryableError
from threadline.testing.conformance.trial import trial
from threadline.testing.story import Garbled, Mailed, Person, Registered

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@mail.example", "+351 21 000", "ana")
Connect = Callable[..., Email]


@pytest.fixture
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def connector(sandbox: EmailSandbox, **changes: object) -> Email:
    return Email(Email.settings_type().model_validate({**sandbox.settings, **sandbox.secrets, **changes}))


def mailed(number: int, direction: str = "inbound") -> Mailed:
    answers = (f"m{number - 1}@mail.example",) if number else ()
    at = START + timedelta(minutes=number)
    return Mailed(at, "email", ANA, direction, f"m{number}@mail.example", f"Pedido {number}", f"Está atrasado? {number}", answers)  # type: ignore[arg-type]


def plain(number: int, sender: str = "ana@mail.example", *lines: str) -> bytes:
    head = [f"From: {sender}", "To: support@shop.example", f"Message-ID: <p{number}@mail.example>", *lines]
    return "\r\n".join([*head, "", f"text {number}", ""]).encode()


def records(pages: list[Page]) -> list[dict[str, object]]:
    return [json.loads(record) for page in pages for record in page.records]


def uids(pages: list[Page]) -> list[tuple[object, object]]:
    return [(record["mailbox"], record["uid"]) for record in records(pages) if "_deleted" not in record]


def gone(pages: list[Page]) -> list[tuple[object, object]]:
    return [(record["mailbox"], record["uid"]) for record in records(pages) if "_deleted" in record]


def pull(sandbox: EmailSandbox, since: object = None, **changes: object) -> list[Page]:
    return list(connector(sandbox, **changes).pull("messages", since))  # type: ignore[arg-type]


def client(sandbox: EmailSandbox) -> IMAPClient:
    imap = IMAPClient("127.0.0.1", sandbox.settings["imap_port"], ssl=False)
    imap.login(sandbox.secrets["user"], sandbox.secrets["password"])
    return imap


def test_a_conversation_is_read_from_both_sides(sandbox: EmailSandbox) -> None:
    sandbox.tell(mailed(0))
    sandbox.tell(mailed(1, "outbound"))
    sandbox.tell(mailed(2))
    found = {record["message_id"]: record for record in records(pull(sandbox))}
    assert {(record["mailbox"], record["direction"]) for record in found.values()} == {("INBOX", "inbound"), ("Sent", "outbound")}
    assert {str(record["customer"]["address"]) for record in found.values()} == {"ana@mail.example"}  # type: ignore[index]
    last = found["m2@mail.example"]
    assert last["in_reply_to"] == last["references"] == ["m1@mail.example"]
    assert last["date"] == last["received_at"] == "2026-03-02T08:02:00Z"
    assert (last["subject"], last["text"]) == ("Pedido 2", "Está atrasado? 2")


def test_every_record_maps_to_an_interaction(sandbox: EmailSandbox) -> None:
    sandbox.tell(mailed(0))
    sandbox.tell(mailed(1, "outbound"))
    mapping = pull_mapping("email/messages", "email", functions={})
    mapped = [describe(mapping, record, "key") for page in pull(sandbox) for record in page.records]
    assert [(each["direction"], each["customer"]["email"]) for each in mapped if each] == [
        ("inbound", "ana@mail.example"),
        ("outbound", "ana@mail.example"),
    ]


def test_a_second_pull_reads_nothing_and_then_only_what_is_new(sandbox: EmailSandbox) -> None:
    sandbox.tell(mailed(0))
    first = pull(sandbox)
    assert pull(sandbox, first[-1].cursor) == []
    sandbox.tell(mailed(1))
    assert [record["message_id"] for record in records(pull(sandbox, first[-1].cursor))] == ["m1@mail.example"]


def test_any_pages_cursor_resumes_with_exactly_the_rest(sandbox: EmailSandbox) -> None:
    for number in range(130):
        sandbox.deliver(plain(number), folder="Sent" if number % 3 == 0 else "INBOX")
    pages = pull(sandbox)
    assert len(pages) >= 3
    assert len(uids(pages)) == len(set(uids(pages))) == 130
    for index, page in enumerate(pages):
        assert uids(pull(sandbox, page.cursor)) == uids(pages[index + 1 :])


def test_reading_leaves_every_flag_as_it_was(sandbox: EmailSandbox) -> None:
    sandbox.deliver(plain(1))
    sandbox.deliver(plain(2), flags=["\\Seen", "\\Flagged"])
    with client(sandbox) as imap:
        imap.select_folder("INBOX", readonly=True)
        before = imap.get_flags(imap.search())
    assert len(records(pull(sandbox))) == 2
    with client(sandbox) as imap:
        imap.select_folder("INBOX", readonly=True)
        after = imap.get_flags(imap.search())
    assert [set(flags) - {rb"\Recent"} for flags in after.values()] == [set(), {rb"\Seen", rb"\Flagged"}]
    assert {uid: set(flags) - {rb"\Recent"} for uid, flags in before.items()} == {
        uid: set(flags) - {rb"\Recent"} for uid, flags in after.items()
    }


def test_a_new_uidvalidity_rereads_that_folder_alone(sandbox: EmailSandbox) -> None:
    for number in range(3):
        sandbox.deliver(plain(number))
    sandbox.deliver(plain(9), folder="Sent")
    before = pull(sandbox)
    sandbox.renumber("INBOX")
    again = pull(sandbox, before[-1].cursor)
    assert uids(again) == [("INBOX", 1), ("INBOX", 2), ("INBOX", 3)]
    keys = {(record["mailbox"], record["uidvalidity"], record["uid"]) for record in records(before) + records(again)}
    assert len(keys) == 7
    assert gone(again) == uids(again)
    assert {record["uidvalidity"] for record in records(again) if "_deleted" in record} == {records(before)[0]["uidvalidity"]}
    assert pull(sandbox, again[-1].cursor) == []


def test_folders_come_and_go(sandbox: EmailSandbox) -> None:
    sandbox.deliver(plain(1))
    with client(sandbox) as imap:
        imap.create_folder("Kunden/Grün")
    sandbox.deliver(plain(2), folder="Kunden/Grün")
    first = pull(sandbox, folders=["*"])
    assert uids(first) == [("INBOX", 1), ("Kunden/Grün", 1)]
    assert uids(pull(sandbox, folders=["Kunden/*"])) == [("Kunden/Grün", 1)]
    with client(sandbox) as imap:
        imap.delete_folder("Kunden/Grün")
    sandbox.deliver(plain(3))
    second = pull(sandbox, first[-1].cursor, folders=["*"])
    assert uids(second) == [("INBOX", 2)]
    sandbox.deliver(plain(4), folder="Kunden/Grün")
    third = pull(sandbox, second[-1].cursor, folders=["*"])
    assert (gone(third), uids(third)) == ([("Kunden/Grün", 1)], [("Kunden/Grün", 1)])


def test_a_folder_that_goes_during_the_pull_is_skipped(sandbox: EmailSandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.deliver(plain(1))
    sandbox.deliver(plain(2), folder="Old")
    sandbox.deliver(plain(3), folder="Sent")
    pages = connector(sandbox, folders=["*"]).pull("messages", None)
    assert uids([next(pages)]) == [("INBOX", 1)]
    with client(sandbox) as imap:
        imap.delete_folder("Old")
    assert uids(list(pages)) == [("Sent", 1)]
    assert "'Old' has gone" in caplog.text


def test_a_mail_moved_to_a_folder_that_is_read_is_gone_and_comes_again_from_there(sandbox: EmailSandbox) -> None:
    sandbox.deliver(plain(1))
    before = pull(sandbox)
    with client(sandbox) as imap:
        imap.select_folder("INBOX")
        imap.move([1], "Sent")
    left, again = records(pull(sandbox, before[-1].cursor))
    assert left == {"mailbox": "INBOX", "uidvalidity": left["uidvalidity"], "uid": 1, "_deleted": True}
    assert (again["mailbox"], again["message_id"]) == ("Sent", "p1@mail.example")


def test_a_mail_that_moves_is_one_interaction_wherever_it_is() -> None:
    with trial(Email) as surroundings:
        (stream,) = Email.streams
        for number in (1, 2):
            surroundings.rig.put("messages", number, surroundings.at(number))
        store = surroundings.store()

        def shown() -> list[tuple[str, str]]:
            surroundings.pull(store, stream)
            with store.read() as view:
                found = view.query("SELECT m.message_id, i.external_id FROM messages m JOIN interactions i ON i.id = m.interaction")
            return sorted((message, key.partition(":")[0]) for message, key in found)

        sandbox = surroundings.rig.sandbox
        assert isinstance(sandbox, EmailSandbox)
        assert shown() == [("m1@example.org", "INBOX"), ("m2@example.org", "INBOX")]
        with client(sandbox) as imap:
            imap.select_folder("INBOX")
            imap.move([1], "Sent")
        assert shown() == [("m1@example.org", "Sent"), ("m2@example.org", "INBOX")]
        with client(sandbox) as imap:
            imap.select_folder("Sent")
            imap.move([1], "INBOX")
        assert shown() == [("m1@example.org", "INBOX"), ("m2@example.org", "INBOX")]
        sandbox.renumber("INBOX")
        assert shown() == [("m1@example.org", "INBOX"), ("m2@example.org", "INBOX")]


def test_a_mail_deleted_meanwhile_is_no_error(sandbox: EmailSandbox) -> None:
    for number in range(3):
        sandbox.deliver(plain(number))
    with client(sandbox) as imap:
        imap.select_folder("INBOX")
        imap.delete_messages([2])
        imap.expunge()
    pages = pull(sandbox)
    assert uids(pages) == [("INBOX", 1), ("INBOX", 3)]
    with client(sandbox) as imap:
        imap.select_folder("INBOX")
        imap.delete_messages([3])
        imap.expunge()
    sandbox.deliver(plain(4))
    after = pull(sandbox, pages[-1].cursor)
    assert (gone(after), uids(after)) == ([("INBOX", 3)], [("INBOX", 4)])
    kept = pull(sandbox, pages[-1].cursor, deleted="keep")
    assert (gone(kept), uids(kept)) == ([], [("INBOX", 4)])
    assert pull(sandbox, after[-1].cursor) == []


def test_a_large_mail_is_rejected_with_its_header_fields_only(sandbox: EmailSandbox) -> None:
    sandbox.deliver(plain(1) + b"x" * 3_000)
    sandbox.deliver(plain(2))
    (page,) = pull(sandbox, max_message_bytes=2_000)
    assert [record["uid"] for record in records([page])] == [2]
    (rejected,) = page.rejected
    assert b"Message-ID: <p1@mail.example>" in rejected.raw
    assert b"xxx" not in rejected.raw
    assert re.fullmatch(r"INBOX:\d+:1", rejected.key)
    assert "2000" in rejected.reason


def test_pages_are_bounded_by_bytes_too(sandbox: EmailSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.email.imap.PAGE_BYTES", 10_000)
    for number in range(4):
        sandbox.deliver(plain(number) + b"x" * 6_000)
    assert [len(page.records) for page in pull(sandbox)] == [1, 1, 1, 1]


def test_every_garbled_mail_ends_as_a_dead_letter(sandbox: EmailSandbox) -> None:
    sandbox.tell(mailed(0))
    for number in range(7):
        sandbox.tell(Garbled(START, "email", number))
    pages = pull(sandbox)
    mapping = pull_mapping("email/messages", "email", functions={})
    reasons = [rejected.reason for page in pages for rejected in page.rejected]
    for page in pages:
        for record in page.records:
            try:
                assert describe(mapping, record, "key")
            except MappingError as error:
                reasons.append(f"{error} {error.path}")
    assert len(reasons) == 7
    assert any("nested more than 50 deep" in reason for reason in reasons)
    assert any("more than 1000 parts" in reason for reason in reasons)
    assert any("$.from.address" in reason for reason in reasons)


def test_a_broken_session_keeps_what_was_read_and_resumes(tmp_path: Path) -> None:
    sandbox = EmailSandbox(tmp_path)
    for number in range(120):
        sandbox.deliver(plain(number))
    sandbox.start()
    pages = connector(sandbox).pull("messages", None)
    first = next(pages)
    sandbox.stop()
    with pytest.raises(RetryableError, match=r"IMAP at 127\.0\.0\.1"):
        list(pages)
    with EmailSandbox(tmp_path) as again:
        rest = pull(again, first.cursor)
    assert [uid for _, uid in uids([first, *rest])] == list(range(1, 121))


def test_a_sandbox_with_a_folder_outlives_a_restart(tmp_path: Path) -> None:
    with EmailSandbox(tmp_path) as sandbox:
        sandbox.tell(mailed(0))
        sandbox.tell(mailed(1, "outbound"))
        before = pull(sandbox)
        with client(sandbox) as imap:
            imap.select_folder("INBOX")
            imap.add_flags([1], [rb"\Answered"])
            imap.copy([1], "Sent")
    with EmailSandbox(tmp_path) as sandbox:
        sandbox.tell(mailed(0))
        assert [{**record, "flags": []} for record in records(pull(sandbox))[:2]] == records(before)
        assert uids(pull(sandbox, before[-1].cursor)) == [("Sent", 2)]
        with client(sandbox) as imap:
            imap.select_folder("INBOX", readonly=True)
            assert rb"\Answered" in imap.get_flags([1])[1]


def test_the_sandbox_takes_only_what_can_happen_to_a_mailbox(sandbox: EmailSandbox) -> None:
    with pytest.raises(ValueError, match="no place for Registered"):
        sandbox.tell(Registered(START, "email", ANA, ("email",)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"password": "wrong-canary"}, ConfigError, "check user and password"),
        ({"smtp_password": "wrong-canary"}, ConfigError, "check smtp_user and smtp_password"),
        ({"folders": ["INBOX", "Absent"]}, ConfigError, "no 'Absent'; it has INBOX, Sent"),
        ({"tls": "tls"}, ConfigError, "does not speak TLS"),
        ({"tls": "starttls"}, ConfigError, "does not offer STARTTLS"),
        ({"smtp_tls": "tls"}, ConfigError, "SMTP at 127.0.0.1:.*does not speak TLS"),
        ({"smtp_tls": "starttls"}, ConfigError, "check smtp_tls"),
        ({"tls": "tls", "ca_file": "/nowhere.pem"}, ConfigError, "ca_file /nowhere.pem"),
    ],
)
def test_check_says_what_to_change(sandbox: EmailSandbox, changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        connector(sandbox, **changes).check()
    assert "canary" not in str(caught.value)


def test_check_passes_and_needs_no_sent_folder(sandbox: EmailSandbox) -> None:
    with client(sandbox) as imap:
        imap.delete_folder("Sent")
    connector(sandbox).check()
    assert pull(sandbox) == []


@pytest.mark.parametrize("part", ["imap", "smtp"])
def test_an_unreachable_server_is_named(sandbox: EmailSandbox, part: str) -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(RetryableError, match=f"{part.upper()} at 127.0.0.1:{port} .*check {part}_host"):
            connector(sandbox, **{f"{part}_port": port}).check()


def test_a_server_that_hangs_up_during_the_login_is_no_wrong_password(sandbox: EmailSandbox) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def greet_and_leave() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"* OK ready\r\n")
                tag = connection.recv(1_000).split()[0]
                connection.sendall(b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done\r\n")
                assert b"LOGIN" in connection.recv(1_000)

        thread = threading.Thread(target=greet_and_leave)
        thread.start()
        with pytest.raises(RetryableError, match="ended the session during the login"):
            connector(sandbox, imap_port=server.getsockname()[1]).check()
        thread.join()


def test_without_the_library_the_error_names_the_extra(sandbox: EmailSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imapclient", None)
    with pytest.raises(ConfigError, match=r"pip install 'threadline\[email\]'"):
        connector(sandbox).check()


def test_unknown_streams_are_errors(sandbox: EmailSandbox) -> None:
    with pytest.raises(ConfigError, match="no stream named 'tickets'"):
        list(connector(sandbox).pull("tickets", None))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"own_addresses": ["nobody"]}, "an address .* or a domain"),
        ({"own_addresses": ["@shop.example"]}, "from_address is needed"),
        ({"from_address": "a b@shop.example"}, "not an e-mail address"),
        ({"from_address": "help@shop.example\r\nBcc: x@y.example"}, "not an e-mail address"),
        ({"from_name": "Shop\r\nBcc: x@y.example"}, "on one line"),
        ({"folder": ["INBOX"]}, "Extra inputs"),
    ],
)
def test_settings_are_checked(sandbox: EmailSandbox, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        connector(sandbox, **changes)


def test_logs_hold_no_secret_and_nothing_of_a_mail(sandbox: EmailSandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.tell(mailed(0))
    with caplog.at_level(logging.DEBUG):
        running = connector(sandbox)
        running.check()
        assert len(list(running.pull("messages", None))) == 1
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith(("pymap", "mail.log")))
    for canary in (sandbox.secrets["password"], "ana@mail.example", "Pedido", "atrasado"):
        assert canary not in logged
    assert sandbox.secrets["password"] not in repr(running.settings)
