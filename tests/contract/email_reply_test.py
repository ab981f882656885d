"""Answers by e-mail: sent once, threaded, filed, recognised when they are read back, and never more than one mail."""

import json
from collections.abc import Iterator

import pytest

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import ConfigError, Intent, Receipt, RetryableError

ANSWER = {
    "to": "ana@mail.example",
    "subject": "Pedido 17",
    "text": "Saiu esta manhã.\n.\nFrom here on it is quick.\n" + "long " * 300,
    "in_reply_to": "m2@mail.example",
    "references": ["m0@mail.example", "m1@shop.example"],
}


@pytest.fixture
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def connector(sandbox: EmailSandbox, **changes: object) -> Email:
    return Email(Email.settings_type().model_validate({**sandbox.settings, **sandbox.secrets, **changes}))


def push(sandbox: EmailSandbox, *intents: Intent, **changes: object) -> list[Receipt]:
    return list(connector(sandbox, **changes).push("reply", intents))


def intent(identity: str = "01ARZ3NDEKTSV4RRFFQ69G5FAV", attempt: int = 1, **changes: object) -> Intent:
    return Intent(identity, "reply", {**ANSWER, **changes}, attempt)


def sent_copies(sandbox: EmailSandbox) -> list[dict[str, object]]:
    pages = connector(sandbox, folders=["Sent"]).pull("messages", None)
    return [json.loads(record) for page in pages for record in page.records]


def test_an_answer_reaches_the_customer_in_its_thread(sandbox: EmailSandbox) -> None:
    (receipt,) = push(sandbox, intent())
    assert (receipt.status, receipt.remote_id) == ("done", "01ARZ3NDEKTSV4RRFFQ69G5FAV@shop.example")
    (mail,) = sandbox.pushed("reply")
    assert mail["receivers"] == ["ana@mail.example"]
    assert mail["message_id"] == receipt.remote_id
    assert mail["in_reply_to"] == "m2@mail.example"
    assert mail["references"] == ["m0@mail.example", "m1@shop.example", "m2@mail.example"]
    assert mail["subject"] == "Re: Pedido 17"
    assert mail["from"] == "Shop Support <support@shop.example>"
    assert mail["headers"]["X-Threadline-Id"] == "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert mail["text"] == ANSWER["text"] + "\n"


def test_it_is_filed_as_read_and_its_echo_is_no_new_interaction(sandbox: EmailSandbox) -> None:
    push(sandbox, intent())
    (copy,) = sent_copies(sandbox)
    assert copy["threadline_id"] == "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert [mail.flags for mail in sandbox.store.mails("Sent")] == [("\\Seen",)]
    mapping = pull_mapping("email/messages", "email", functions={})
    assert describe(mapping, json.dumps(copy).encode(), "key") is None
    assert describe(mapping, json.dumps({**copy, "threadline_id": None}).encode(), "key") is not None


def test_a_marker_in_a_customers_mail_hides_nothing(sandbox: EmailSandbox) -> None:
    marks = b"X-Threadline-Id: 01J\r\nMessage-ID: <01J@shop.example>\r\n\r\nhello\r\n"
    sandbox.deliver(b"From: eve@mail.example\r\nTo: support@shop.example\r\n" + marks)
    sandbox.deliver(b"From: support@shop.example\r\nTo: ana@mail.example\r\nX-Threadline-Id: other\r\n" + marks)
    pages = connector(sandbox).pull("messages", None)
    assert [json.loads(record)["threadline_id"] for page in pages for record in page.records] == [None, None]


def test_a_repeated_attempt_sends_nothing_more(sandbox: EmailSandbox) -> None:
    (first,) = push(sandbox, intent())
    (second,) = push(sandbox, intent(attempt=2))
    assert (second.status, second.remote_id) == ("done", first.remote_id)
    assert len(sandbox.pushed("reply")) == len(sent_copies(sandbox)) == 1


def test_a_repeated_attempt_sends_what_never_arrived(sandbox: EmailSandbox) -> None:
    sandbox.fail_next.append("451 4.3.0 try again later")
    (first,) = push(sandbox, intent())
    assert first.status == "retry"
    assert sandbox.pushed("reply") == []
    (second,) = push(sandbox, intent(attempt=2))
    assert second.status == "done"
    assert len(sandbox.pushed("reply")) == len(sent_copies(sandbox)) == 1


def test_a_lost_reply_leaves_the_intent_unknown_and_a_resend_carries_the_same_message_id(sandbox: EmailSandbox) -> None:
    sandbox.lose_next = 1
    (first, after) = push(sandbox, intent(), intent("second"))
    assert (first.status, after.status) == ("unknown", "done")
    (again,) = push(sandbox, intent(attempt=2))
    assert again.status == "done"
    assert [mail["message_id"].partition("@")[0] for mail in sandbox.pushed("reply")] == [intent().id, "second", intent().id]


def test_with_a_blind_copy_a_lost_reply_sends_nothing_twice(sandbox: EmailSandbox) -> None:
    sandbox.lose_next = 1
    (first,) = push(sandbox, intent(), blind_copy=True)
    assert (first.status, sent_copies(sandbox)) == ("unknown", [])
    (again,) = push(sandbox, intent(attempt=2), blind_copy=True)
    assert (again.status, again.reason) == ("done", "an earlier attempt has sent it")
    (mail,) = sandbox.pushed("reply")
    assert "support@shop.example" not in mail["headers"]["To"]
    assert "Bcc" not in mail["headers"]
    (copy,) = [json.loads(record) for page in connector(sandbox, folders=["INBOX"]).pull("messages", None) for record in page.records]
    assert copy["threadline_id"] == intent().id


def test_who_is_refused_leaves_no_copy_that_could_pass_for_a_sent_mail(sandbox: EmailSandbox) -> None:
    sandbox.refuse["ana@mail.example"] = "450 4.2.0 later"
    (first,) = push(sandbox, intent(), blind_copy=True)
    assert first.status == "retry"
    sandbox.refuse.clear()
    (again,) = push(sandbox, intent(attempt=2), blind_copy=True)
    assert (again.status, len(sandbox.pushed("reply"))) == ("done", 1)
    assert again.reason is None


def test_a_copy_that_is_refused_keeps_no_answer_back(sandbox: EmailSandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.refuse["to support@shop.example"] = "550 5.7.1 not to yourself"
    (receipt,) = push(sandbox, intent(), blind_copy=True)
    assert (receipt.status, len(sandbox.pushed("reply"))) == ("done", 1)
    assert "may be sent twice" in caplog.text


def test_a_copy_that_the_provider_filed_is_not_filed_twice(sandbox: EmailSandbox) -> None:
    sandbox.deliver(b"Message-ID: <01ARZ3NDEKTSV4RRFFQ69G5FAV@shop.example>\r\n\r\nas submitted\r\n", folder="Sent")
    (receipt,) = push(sandbox, intent())
    assert receipt.status == "done"
    assert len(sandbox.pushed("reply")) == 1
    assert len(sandbox.store.mails("Sent")) == 1


@pytest.mark.parametrize(
    "address", ["MAILER-DAEMON@mx.example", "no-reply@shop.example", "noreply@x.example", "do.not@x.example", "donotreply+1@x.example"]
)
def test_nothing_is_sent_to_where_nobody_reads(sandbox: EmailSandbox, address: str) -> None:
    (receipt,) = push(sandbox, intent(to=address))
    dead = not address.startswith("do.not")
    assert receipt.status == ("dead" if dead else "done")
    assert len(sandbox.pushed("reply")) == (not dead)
    assert not dead or "nobody reads" in str(receipt.reason)


def test_the_sent_folder_is_made_where_it_is_missing(sandbox: EmailSandbox) -> None:
    (receipt,) = push(sandbox, intent(), sent_folder="Gesendet/Ö")
    assert receipt.status == "done"
    assert len(sandbox.store.mails("Gesendet/Ö")) == 1


def test_a_copy_that_cannot_be_filed_does_not_send_the_mail_again(sandbox: EmailSandbox, caplog: pytest.LogCaptureFixture) -> None:
    sandbox.store.full.add("Sent")
    (receipt,) = push(sandbox, intent())
    assert receipt.status == "done"
    assert len(sandbox.pushed("reply")) == 1
    assert "could not be filed" in caplog.text


@pytest.mark.parametrize(
    ("reply", "status"),
    [("451 4.3.0 canary", "retry"), ("421 4.3.2 canary", "retry"), ("554 5.7.1 canary", "dead"), ("canary!", "unknown")],
)
def test_a_refused_mail_does_not_hold_up_the_next(sandbox: EmailSandbox, reply: str, status: str) -> None:
    sandbox.fail_next.append(reply)
    receipts = push(sandbox, intent("one"), intent("two"))
    assert [(receipt.intent, receipt.status) for receipt in receipts] == [("one", status), ("two", "done")]
    reason = receipts[0].reason or ""
    assert status == "unknown" or reply[:3] in reason
    assert "canary" not in reason
    assert "ana@" not in reason


@pytest.mark.parametrize(("reply", "status"), [("550 5.1.1 no such user", "dead"), ("450 4.2.1 mailbox busy", "retry")])
def test_a_refused_recipient_is_that_intents_own_matter(sandbox: EmailSandbox, reply: str, status: str) -> None:
    sandbox.refuse["bea@mail.example"] = reply
    receipts = push(sandbox, intent("one", to="bea@mail.example"), intent("two"))
    assert [receipt.status for receipt in receipts] == [status, "done"]
    assert receipts[0].reason == f"the SMTP server refused the recipient with {reply[:3]}"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"to": None}, "$.to"),
        ({"to": ""}, "$.to"),
        ({"to": "nobody"}, "$.to"),
        ({"to": "ana@mail.example, eve@mail.example"}, "$.to"),
        ({"to": "ana@mail.example\r\nBcc: eve@mail.example"}, "$.to"),
        ({"to": "SUPPORT@shop.example"}, "$.to"),
        ({"text": None}, "$.text"),
        ({"text": " \n"}, "$.text"),
    ],
)
def test_a_payload_that_makes_no_mail_is_dead_and_the_rest_goes_on(sandbox: EmailSandbox, changes: dict[str, object], path: str) -> None:
    dead, done = push(sandbox, intent("one", **changes), intent("two"))
    assert (dead.status, done.status) == ("dead", "done")
    assert path in (dead.reason or "")
    assert "mail.example" not in (dead.reason or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: eve@mail.example\r\n\r\nnot this"},
        {"subject": "Hello\nX-Injected: yes\u2028\x00"},
        {"in_reply_to": "a@b\r\nX-Injected: yes"},
        {"references": ["<ok@mail.example>", "a@b>\r\nX-Injected: <yes", "x y@z"]},
    ],
)
def test_no_value_can_add_a_header_field(sandbox: EmailSandbox, changes: dict[str, object]) -> None:
    expected = {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "X-Threadline-Id",
        "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    (receipt,) = push(sandbox, intent(**changes))
    assert receipt.status == "done"
    (mail,) = sandbox.pushed("reply")
    assert set(mail["headers"]) <= expected
    assert mail["receivers"] == ["ana@mail.example"]
    assert mail["text"] == ANSWER["text"] + "\n"


def test_an_intent_id_of_any_shape_makes_a_stable_message_id(sandbox: EmailSandbox) -> None:
    odd = 'a b\r\nBcc: "<eve@mail.example>"'
    first, second = push(sandbox, intent(odd)), push(sandbox, intent(odd, attempt=2))
    assert first[0].remote_id == second[0].remote_id
    assert len(sandbox.pushed("reply")) == 1
    assert sent_copies(sandbox)[0]["threadline_id"]


@pytest.mark.parametrize(
    ("subject", "sent"), [("RE: Pedido", "RE: Pedido"), ("Re[2]: Pedido", "Re[2]: Pedido"), (None, "Re:"), ("Restock", "Re: Restock")]
)
def test_a_subject_is_answered_once(sandbox: EmailSandbox, subject: str | None, sent: str) -> None:
    push(sandbox, intent(subject=subject))
    assert sandbox.pushed("reply")[0]["subject"] == sent


def test_long_message_ids_stay_whole(sandbox: EmailSandbox) -> None:
    long = "AM6PR01MB12345" * 12 + "@eurprd01.prod.exchangelabs.com"
    push(sandbox, intent("i" * 90, in_reply_to=long, references=[long[1:], "b@x"]))
    (mail,) = sandbox.pushed("reply")
    assert (mail["in_reply_to"], mail["references"]) == (long, [long[1:], "b@x", long])
    (copy,) = sent_copies(sandbox)
    assert (copy["in_reply_to"], copy["references"]) == ([long], [long[1:], "b@x", long])
    assert (copy["message_id"], copy["threadline_id"]) == ("i" * 90 + "@shop.example", "i" * 90)


def test_a_long_thread_keeps_its_root_and_its_end(sandbox: EmailSandbox) -> None:
    push(sandbox, intent(references=[f"m{number}@mail.example" for number in range(60)], in_reply_to="m60@mail.example"))
    references = sandbox.pushed("reply")[0]["references"]
    assert (len(references), references[0], references[-2:]) == (20, "m0@mail.example", ["m59@mail.example", "m60@mail.example"])


def test_mail_to_the_mailbox_itself_arrives_in_its_inbox(sandbox: EmailSandbox) -> None:
    (receipt,) = push(sandbox, intent(to="support@shop.example"), own_addresses=["help@shop.example"])
    assert receipt.status == "done"
    assert len(sandbox.store.mails("INBOX")) == 1
    assert sandbox.pushed("reply") == []


def test_an_address_beyond_ascii_is_written_as_utf_8(sandbox: EmailSandbox) -> None:
    (receipt,) = push(sandbox, intent(to="jörg@mail.example"))
    assert receipt.status == "done"
    assert sandbox.pushed("reply")[0]["receivers"] == ["jörg@mail.example"]


def test_an_address_beyond_ascii_is_dead_where_the_server_has_no_smtputf8(sandbox: EmailSandbox) -> None:
    sandbox.smtputf8 = False
    dead, done = push(sandbox, intent("one", to="jörg@mail.example"), intent("two"))
    assert (dead.status, done.status) == ("dead", "done")
    assert "SMTPUTF8" in (dead.reason or "")


def test_a_refused_sender_is_dead_and_a_missing_login_a_matter_of_settings(sandbox: EmailSandbox) -> None:
    sandbox.refuse["support@shop.example"] = "553 5.7.1 not yours"
    (dead,) = push(sandbox, intent())
    assert (dead.status, dead.reason) == ("dead", "the SMTP server refused the sender with 553")
    sandbox.refuse["support@shop.example"] = "530 5.7.0 Authentication required"
    with pytest.raises(ConfigError, match="it wants a login; check smtp_user"):
        push(sandbox, intent())


def test_wrong_credentials_send_nothing(sandbox: EmailSandbox) -> None:
    with pytest.raises(ConfigError, match=r"SMTP at .* refused the login"):
        push(sandbox, intent(), smtp_password="wrong")
    with pytest.raises(ConfigError, match=r"IMAP at .* refused the login"):
        push(sandbox, intent(), password="wrong")
    assert sandbox.pushed("reply") == []


def test_nothing_is_sent_while_imap_cannot_be_asked(sandbox: EmailSandbox) -> None:
    with pytest.raises(RetryableError, match=r"IMAP at 127.0.0.1:1 "):
        push(sandbox, intent(attempt=2), imap_port=1)
    assert sandbox.pushed("reply") == []


def test_unknown_objects_are_errors(sandbox: EmailSandbox) -> None:
    with pytest.raises(ConfigError, match="takes no 'ticket'; it takes reply"):
        list(connector(sandbox).push("ticket", [intent()]))
    with pytest.raises(ValueError, match="takes no 'ticket'"):
        sandbox.pushed("ticket")
