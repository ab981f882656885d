"""What a mail's bytes become, from the sandbox's folder to the record: headers, text, sides, and hostile input."""

import json
import struct
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email import Email
from connectors.email.mime import MAX_DEPTH, MAX_PARTS
from connectors.email.record import MAX_TEXT, Stored, to_record
from connectors.email.sandbox import EmailSandbox
from connectors.email.settings import EmailSettings
from connectors.email.tnef import attachments
from threadline.mapping.errors import MappingError
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import Page, RecordError, encode_record

RECORDED = Path(__file__).parents[2] / "../shared/contracts/recorded/email"
AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
FROM = b"From: Ana <ana@mail.example>\r\n"
SETTINGS = EmailSettings.model_validate(
    {"imap_host": "mail.example", "own_addresses": ["support@shop.example"], "user": "u", "password": "p"}
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def pull(sandbox: EmailSandbox, *mails: bytes, **changes: object) -> list[Page]:
    """Read mails that are delivered into a folder of their own."""
    folder = f"F{len(sandbox.store.folders())}"
    for mail in mails:
        sandbox.deliver(mail, folder=folder, at=AT)
    settings = {**sandbox.settings, **sandbox.secrets, "folders": [folder], **changes}
    return list(Email(EmailSettings.model_validate(settings)).pull("messages", None))


def read(sandbox: EmailSandbox, mail: bytes, **changes: object) -> dict[str, Any]:
    (page,) = pull(sandbox, mail, **changes)
    assert page.rejected == []
    record: dict[str, Any] = json.loads(page.records[0])
    return record


def word(charset: str, data: bytes) -> bytes:
    return b"=?%s?B?%s?=" % (charset.encode(), b64encode(data))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus?= Bonn", "Grüße aus Bonn"),
        (word("utf-8", "Grü".encode()[:3]) + b"\r\n " + word("utf-8", "Grü".encode()[3:]), "Grü"),
        (b"=?utf-8?Q?one?= =?iso-8859-1?Q?=E9?=", "oneé"),
        (b"=?utf-8?Q?kept?= between =?utf-8?Q?words?=", "kept between words"),
        (b"=?utf-8?B?R3LDvMOfZQ?= unpadded", "Grüße unpadded"),
        (b"=?utf-8?Q?Wo_ist_es?_Gr=C3=BC=C3=9Fe??= now", "Wo ist es? Grüße? now"),
        (b"=?utf-8?Q?open =?utf-8?Q?closed?=", "=?utf-8?Q?open closed"),
        (b"=?utf-8?B?A?= broken", "=?utf-8?B?A?= broken"),
        (b"=?x-nobody-knows?Q?caf=C3=A9?=", "café"),
        (b"=?iso-8859-1?Q?=80uro?=", "€uro"),
        (word("iso-2022-jp", "日本語".encode("iso-2022-jp")), "日本語"),
        (word("ks_c_5601-1987", "한국어".encode("cp949")), "한국어"),
        (b"=?utf-8*en?Q?with_language?=", "with language"),
        ("Olá já".encode(), "Olá já"),
        ("Olá já".encode("latin-1"), "Olá já"),
        (b"folded\r\n\tover lines", "folded\tover lines"),
        (b"nul \x00 here", "nul � here"),
        (word("utf-7", b"+2AA-"), "�"),
        (b"=?unicode_escape?Q?=5Cud800?=", "\\ud800"),
    ],
)
def test_a_subject_is_decoded_as_far_as_it_is_sound(sandbox: EmailSandbox, written: bytes, read_as: str) -> None:
    assert read(sandbox, FROM + b"Subject: " + written + b"\r\n\r\n")["subject"] == read_as


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        (b"ana@mail.example", None, "ana@mail.example"),
        (b'"Lima, Ana" <ana@mail.example>', "Lima, Ana", "ana@mail.example"),
        (b"=?utf-8?Q?Ana_L=C3=ADma=2C_CEO?= <ana@mail.example>", "Ana Líma, CEO", "ana@mail.example"),
        ("Ana Líma <ana@mail.example>".encode(), "Ana Líma", "ana@mail.example"),
        (b"<ana@mail.example>, Bea <bea@mail.example>", None, "ana@mail.example"),
        (b"ana@mail.example (Ana)", "Ana", "ana@mail.example"),
    ],
)
def test_a_sender_has_name_and_address(sandbox: EmailSandbox, written: bytes, name: str | None, address: str) -> None:
    assert read(sandbox, b"From: " + written + b"\r\n\r\n")["from"] == {"name": name, "address": address}


@pytest.mark.parametrize("written", [b"Ana", b"", b"undisclosed:;", b"@", b"a@", b"(" * 50_000, b"ana@mail .\x00example"])
def test_a_sender_without_a_usable_address_is_nobody_and_a_dead_letter(sandbox: EmailSandbox, written: bytes) -> None:
    record = read(sandbox, b"From: " + written + b"\r\nTo: support@shop.example\r\n\r\nhello\r\n")
    assert record["from"] is record["customer"] is None
    with pytest.raises(MappingError) as caught:
        describe(pull_mapping("email/messages", "email", functions={}), json.dumps(record).encode(), "key")
    assert caught.value.path == "$.from.address"


@pytest.mark.parametrize(
    ("written", "date", "offset", "origin"),
    [
        (b"Mon, 02 Mar 2026 09:15:00 +0100", "2026-03-02T08:15:00Z", "+01:00", "header"),
        (b"2 Mar 26 08:15 GMT (winter)", "2026-03-02T08:15:00Z", "+00:00", "header"),
        (b"Mon, 02 Mar 2026 08:15:00 -0000", "2026-03-02T08:15:00Z", None, "header"),
        (b"Mon, 02 Mar 2026 13:45:00 +0530", "2026-03-02T08:15:00Z", "+05:30", "header"),
        (b"yesterday", "2026-03-02T08:00:00Z", None, "server"),
        (b"Mon, 32 Mar 2026 08:15:00 +0000", "2026-03-02T08:00:00Z", None, "server"),
        (b"Mon, 02 Mar 2026 08:15:00 +9999", "2026-03-02T08:00:00Z", None, "server"),
        (b"1 Jan 0001 00:00:00 +0100 extra", "2000-12-31T23:00:00Z", "+01:00", "header"),
    ],
)
def test_a_date_is_in_utc_and_falls_back_to_the_servers(
    sandbox: EmailSandbox, written: bytes, date: str, offset: str | None, origin: str
) -> None:
    record = read(sandbox, FROM + b"Date: " + written + b"\r\n\r\n")
    assert (record["date"], record["date_offset"], record["date_from"]) == (date, offset, origin)
    assert record["received_at"] == "2026-03-02T08:00:00Z"


def test_message_ids_lose_their_brackets_and_repetitions(sandbox: EmailSandbox) -> None:
    record = read(
        sandbox,
        FROM + b"Message-ID: <c@x>\r\nIn-Reply-To: Your message <b@x> of Monday\r\nReferences: <a@x>\r\n <b@x> <a@x>junk<\r\n\r\n",
    )
    assert (record["message_id"], record["in_reply_to"], record["references"]) == ("c@x", ["b@x"], ["a@x", "b@x"])


def test_endless_references_keep_both_ends(sandbox: EmailSandbox) -> None:
    chain = b" ".join(b"<m%d@x>" % number for number in range(500))
    references = read(sandbox, FROM + b"References: " + chain + b"\r\n\r\n")["references"]
    assert (len(references), references[0], references[-1]) == (100, "m0@x", "m499@x")


def test_a_missing_message_id_is_made_from_the_bytes(sandbox: EmailSandbox) -> None:
    (first, again, other) = (read(sandbox, FROM + b"\r\n" + body)["message_id"] for body in (b"one", b"one", b"two"))
    assert first == again != other
    assert first.startswith("missing-")
    assert first.endswith("@threadline")


@pytest.mark.parametrize(
    ("lines", "direction", "audience", "customer"),
    [
        (b"From: ana@x.example\r\nTo: support@shop.example", "inbound", "customer", "ana@x.example"),
        (b"From: SUPPORT@shop.example\r\nTo: bea@x.example, ana@x.example", "outbound", "customer", "bea@x.example"),
        (b"From: support@shop.example\r\nTo: help@shop.example\r\nCc: ana@x.example", "outbound", "customer", "ana@x.example"),
        (b"From: support@shop.example\r\nTo: help@shop.example", "outbound", "internal", None),
        (b"From: support@shop.example\r\nTo: help@shop.example\r\nReply-To: ana@x.example", "inbound", "customer", "ana@x.example"),
        (b"From: Mail Delivery <MAILER-DAEMON@x.example>\r\nTo: support@shop.example", "inbound", "customer", None),
    ],
)
def test_the_customer_is_the_other_side(sandbox: EmailSandbox, lines: bytes, direction: str, audience: str, customer: str | None) -> None:
    record = read(sandbox, lines + b"\r\n\r\nhello\r\n", own_addresses=["support@shop.example", "help@shop.example"])
    assert (record["direction"], record["audience"]) == (direction, audience)
    assert (record["customer"] or {}).get("address") == customer
    mapped = describe(pull_mapping("email/messages", "email", functions={}), json.dumps(record).encode(), "key")
    assert mapped is not None
    assert mapped["visibility"] == ("private" if audience == "customer" else "internal")


def test_a_whole_domain_can_be_the_companys(sandbox: EmailSandbox) -> None:
    mail = b"From: anyone@Shop.example\r\nTo: ana@notshop.example\r\n\r\n"
    record = read(sandbox, mail, own_addresses=["@shop.example"], from_address="help@shop.example")
    assert (record["direction"], record["customer"]["address"]) == ("outbound", "ana@notshop.example")


@pytest.mark.parametrize(
    ("line", "machine"),
    [
        (b"Auto-Submitted: auto-replied; owner=x", True),
        (b"Auto-Submitted: no", False),
        (b"Precedence: Bulk", True),
        (b"Precedence: first-class", False),
        (b"X-Autoreply: yes", True),
        (b"X-Autorespond: yes", True),
        (b"Return-Path: <>", True),
        (b"Return-Path: <ana@mail.example>", False),
        (b"Content-Type: multipart/report; report-type=delivery-status; boundary=b", True),
        (b"X-Other: 1", False),
    ],
)
def test_what_a_machine_wrote_is_marked(sandbox: EmailSandbox, line: bytes, machine: bool) -> None:
    record = read(sandbox, FROM + line + b"\r\n\r\ntext\r\n")
    assert record["auto_submitted"] is machine
    mapped = describe(pull_mapping("email/messages", "email", functions={}), json.dumps(record).encode(), "key")
    assert mapped is not None
    assert mapped.get("reason") == ("auto_reply" if machine else None)


REPORT = (
    b"From: Mail Delivery System <mailer-daemon@mx.example>\r\nTo: support@shop.example\r\nReturn-Path: <>\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    b"--b\r\n\r\nIt did not work.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; ana@mail.example\r\nAction: Failed\r\nStatus: 5.1.1 (gone)\r\n\r\n"
    b"Original-Recipient: rfc822;b@mail.example\r\nFinal-Recipient: rfc822;\r\n bea@mail.example\r\n\r\n"
    b"--b\r\nContent-Type: %s\r\n\r\nSubject: Re: Pedido\r\nMessage-ID: <01J@shop.example>\r\n\r\nMessage-ID: <other@x>\r\n--b--\r\n"
)


@pytest.mark.parametrize("returned", [b"message/rfc822", b"text/rfc822-headers", b"message/rfc822-headers", b"message/global-headers"])
def test_a_delivery_report_says_what_did_not_arrive_and_joins_its_thread(sandbox: EmailSandbox, returned: bytes) -> None:
    record = read(sandbox, REPORT % returned)
    assert record["report"] == {
        "message_id": "01J@shop.example",
        "recipients": [
            {"address": "ana@mail.example", "action": "failed", "status": "5.1.1"},
            {"address": "bea@mail.example", "action": None, "status": None},
        ],
    }
    assert (record["in_reply_to"], record["auto_submitted"], record["customer"]) == (["01J@shop.example"], True, None)


def test_a_report_without_a_part_for_machines_names_its_receivers_in_a_field(sandbox: EmailSandbox) -> None:
    failed = b"X-Failed-Recipients: ana@mail.example,\r\n  bea@mail.example\r\n\r\nIt could not be delivered.\r\n"
    report = read(sandbox, b"From: Mail Delivery System <Mailer-Daemon@mx.example>\r\n" + failed)["report"]
    assert [(each["address"], each["action"]) for each in report["recipients"]] == [
        ("ana@mail.example", "failed"),
        ("bea@mail.example", "failed"),
    ]
    assert read(sandbox, FROM + failed)["report"] is None


def test_a_receiver_needs_no_kind_of_address(sandbox: EmailSandbox) -> None:
    mail = (REPORT % b"message/rfc822").replace(b"rfc822; ana@mail.example", b"<ana@mail.example>")
    assert read(sandbox, mail)["report"]["recipients"][0]["address"] == "ana@mail.example"


def test_a_report_without_the_mail_that_it_is_about_is_one_all_the_same(sandbox: EmailSandbox) -> None:
    record = read(sandbox, FROM + b"Content-Type: message/delivery-status\r\n\r\n")
    assert (record["report"], record["in_reply_to"], record["customer"]) == ({"message_id": None, "recipients": []}, [], None)
    assert read(sandbox, FROM + b"\r\nhello\r\n")["report"] is None


def multipart(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"--=_b 1\r\n" + part + b"\r\n" for part in parts)
    return FROM + b"Content-Type: multipart/" + kind + b'; boundary="=_b 1"\r\n\r\npreamble\r\n' + body + b"--=_b 1--\r\nepilogue\r\n"


PLAIN = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nOl=C3=A1,\r\nsoft =\r\nbreak\r\n"
HTML = (
    b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n"
    b"<html><body><p>Ol\xe1</p><ul><li>one</li></ul><script>x()</script></body></html>\r\n"
)


def test_plain_text_wins_over_html(sandbox: EmailSandbox) -> None:
    record = read(sandbox, multipart(b"alternative", PLAIN, HTML))
    assert (record["text"], record["html"]) == ("Olá,\nsoft break", None)


def test_html_alone_gives_text_and_is_kept(sandbox: EmailSandbox) -> None:
    record = read(sandbox, FROM + HTML)
    assert "Olá" in record["text"]
    assert "* one" in record["text"]
    assert "x()" not in record["text"]
    assert record["html"].startswith("<html>")


def test_an_interaction_says_what_is_new_and_the_record_all_of_it(sandbox: EmailSandbox) -> None:
    fields = FROM + b"Subject: Re: Pedido\r\nIn-Reply-To: <b@x>\r\n"
    record = read(sandbox, fields + b"\r\nYes.\r\n\r\nOn Mon, Mar 2, 2026 at 9:15 AM Shop wrote:\r\n> Shall we?\r\n")
    assert (record["new_text"], record["text"].count("\n")) == ("Yes.", 3)
    mapped = describe(pull_mapping("email/messages", "email", functions={}), json.dumps(record).encode(), "key")
    assert mapped is not None
    assert mapped["message"]["content"] == "Yes."
    html = b"Content-Type: text/html\r\n\r\n<div>Yes.</div><br><div>On Mon, Mar 2, 2026 at 9:15 AM Shop wrote:<br></div>"
    assert read(sandbox, fields + html + b"<blockquote>Shall we?</blockquote>")["new_text"] == "Yes."
    assert read(sandbox, FROM + b"\r\n")["new_text"] is None


def test_blank_plain_text_gives_way_to_html(sandbox: EmailSandbox) -> None:
    record = read(sandbox, multipart(b"alternative", b"Content-Type: text/plain\r\n\r\n \r\n", HTML))
    assert record["text"].startswith("Olá")


def test_flowed_text_is_joined_outside_of_quotes(sandbox: EmailSandbox) -> None:
    body = b"One sentence \r\nover two lines.\r\n> quoted \r\n> apart\r\n stuffed\r\n-- \r\nAna\r\n"
    record = read(sandbox, FROM + b"Content-Type: text/plain; format=flowed\r\n\r\n" + body)
    assert record["text"] == "One sentence over two lines.\n> quoted \n> apart\nstuffed\n-- \nAna"


def test_attachments_are_described_and_mails_within_stay_whole(sandbox: EmailSandbox) -> None:
    data = bytes(range(256)) * 3
    binary = b"Content-Type: Application/PDF; name*=utf-8''Rechnung%20%C3%BC.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64encode(
        data
    )
    noted = b'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="=?utf-8?Q?n=C3=B6te.txt?="\r\n\r\nnot the text'
    forwarded = b"Content-Type: message/rfc822\r\n\r\n" + multipart(b"mixed", PLAIN).replace(b"=_b 1", b"inner")
    record = read(sandbox, multipart(b"mixed", PLAIN, binary, noted, forwarded))
    assert record["text"] == "Olá,\nsoft break"
    described = [(each["filename"], each["content_type"]) for each in record["attachments"]]
    assert described == [("Rechnung ü.pdf", "application/pdf"), ("nöte.txt", "text/plain"), (None, "message/rfc822")]
    assert record["attachments"][0]["size"] == len(data)
    assert record["attachments"][0]["digest"] == f"sha256:{sha256(data).hexdigest()}"


def tnef(*attributes: tuple[int, bytes]) -> bytes:
    """Write a winmail.dat (MS-OXTNEF, 2.1.3)."""
    parts = [struct.pack("<BII", 2, kind, len(value)) + value + struct.pack("<H", sum(value) % 65_536) for kind, value in attributes]
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(parts)


BEGINS, TITLE, DATA, OTHER = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
WRAPPED = tnef(
    (OTHER, b"\0" * 14), (BEGINS, b"\0" * 14), (TITLE, "Rechnung ü.pdf\0".encode("cp1252")), (DATA, b"%PDF one"), (OTHER, b"x"),
    (BEGINS, b"\0" * 14), (DATA, b"two"),
)  # fmt: skip


def test_what_outlook_wraps_is_unwrapped(sandbox: EmailSandbox) -> None:
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b64encode(WRAPPED)
    record = read(sandbox, multipart(b"mixed", PLAIN, part))
    assert [(each["filename"], each["size"]) for each in record["attachments"]] == [("Rechnung ü.pdf", 8), (None, 3)]
    assert record["attachments"][0]["digest"] == f"sha256:{sha256(b'%PDF one').hexdigest()}"


def held(key: int, of_type: int, value: bytes) -> bytes:
    """Write a property of variable length (MS-OXTNEF, 2.1.3.4)."""
    return struct.pack("<HHII", of_type, key, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def test_properties_tell_the_whole_name_and_what_is_no_file() -> None:
    named = struct.pack("<HH", 0x1F, 0x8001) + b"\1" * 16 + struct.pack("<II", 1, 6) + "abc".encode("utf-16-le") + b"\0\0"
    named += struct.pack("<II", 1, 2) + b"x\0\0\0"
    properties = [
        struct.pack("<HHI", 3, 0x3705, 1), struct.pack("<HHI", 0x1003, 0x3706, 2) + b"\0" * 8, named,
        held(0x3707, 0x1F, "Rechnung für März.pdf\0".encode("utf-16-le")), held(0x3701, 0x0D, b"\2" * 16 + b"embedded"),
    ]  # fmt: skip
    content = tnef((BEGINS, b""), (TITLE, b"RECHNU~1.PDF\0"), (OTHER, struct.pack("<I", len(properties)) + b"".join(properties)))
    assert attachments(content) == [("Rechnung für März.pdf", b"embedded")]
    ascii_name = struct.pack("<I", 1) + held(0x3707, 0x1E, b"bill.pdf\0")
    assert attachments(tnef((BEGINS, b""), (DATA, b"%PDF"), (OTHER, ascii_name), (TITLE, b"BILL~1.PDF\0"))) == [("bill.pdf", b"%PDF")]


def test_a_wrapping_that_is_none_is_an_attachment_itself(sandbox: EmailSandbox) -> None:
    part = b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nsomething else"
    record = read(sandbox, multipart(b"mixed", PLAIN, part))
    assert [(each["filename"], each["content_type"]) for each in record["attachments"]] == [("winmail.dat", "application/ms-tnef")]


@given(
    st.lists(st.tuples(st.sampled_from([BEGINS, TITLE, DATA, OTHER]), st.binary(max_size=40)), max_size=12),
    st.integers(0, 200),
    st.binary(max_size=9),
)
def test_a_broken_wrapping_gives_what_is_sound(attributes: list[tuple[int, bytes]], cut: int, junk: bytes) -> None:
    whole = tnef(*attributes)
    found = attachments(whole)
    assert found is not None
    assert len(found) == sum(kind == BEGINS for kind, _ in attributes)
    broken = attachments(whole[:cut] + junk)
    assert broken is None or len(broken) <= len(attributes) + 1


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_parts_survive_missing_and_foreign_delimiters(sandbox: EmailSandbox, ending: bytes) -> None:
    inner = b"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n\r\nfirst\r\n--other\r\nstill first\r\n"
    mail = FROM + b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\n" + inner + b"--out\r\n\r\nsecond"
    record = read(sandbox, mail.replace(b"\r\n", ending))
    assert record["text"] == "first\n--other\nstill first\nsecond"


def test_parameters_in_a_charset_that_fails_are_left_out() -> None:
    named = multipart(b"mixed", PLAIN, b"Content-Type: image/png; name*=idna''x\r\n\r\npng")
    record = to_record(Stored("INBOX", 1, 1, AT, named), SETTINGS)
    assert [(each["filename"], each["size"]) for each in record["attachments"]] == [(None, 3)]
    bounded = FROM + b"Content-Type: multipart/mixed; boundary*=idna''x\r\n\r\n--x\r\n\r\ntext\r\n"
    assert "text" in to_record(Stored("INBOX", 1, 1, AT, bounded), SETTINGS)["text"]


def test_receivers_beyond_the_bound_are_left_out(sandbox: EmailSandbox) -> None:
    receivers = b"".join(b"To: receiver%d@mail.example\r\n" % number for number in range(5_000))
    to = read(sandbox, FROM + receivers + b"\r\n")["to"]
    assert 2_000 < len(to) < 5_000
    assert to[0] == {"name": None, "address": "receiver0@mail.example"}


def test_a_multipart_without_parts_is_its_own_text(sandbox: EmailSandbox) -> None:
    record = read(sandbox, FROM + b"Content-Type: multipart/mixed; boundary=never\r\n\r\njust text\r\n")
    assert record["text"] == "just text"


@pytest.mark.parametrize("label", [b"utf-8", b"us-ascii", b"nobody-knows", b"idna", b"\xff\xfe", b""])
def test_a_wrong_charset_label_still_gives_text(sandbox: EmailSandbox, label: bytes) -> None:
    record = read(sandbox, FROM + b"Content-Type: text/plain; charset=" + label + b"\r\n\r\ncaf\xe9 \x00\r\n")
    assert record["text"] == "café �"


def test_a_very_long_text_is_cut_and_says_so(sandbox: EmailSandbox) -> None:
    plain = read(sandbox, FROM + b"\r\n" + b"word \r\n" * 200_000)
    assert (len(plain["text"]), plain["text_cut"]) == (MAX_TEXT, True)
    html = read(sandbox, FROM + b"Content-Type: text/html\r\n\r\n" + b"<p>word</p>\r\n" * 100_000)
    assert (len(html["html"]), html["text_cut"]) == (MAX_TEXT, True)
    assert html["text"].startswith("word")


@pytest.mark.parametrize(
    "markup",
    [
        b"<?xml\nversion='1.0' encoding='utf-8'?><p>deep &amp; done",
        b"<div>" * 50_000 + b"deep &amp; done",
        b"<p>" + b"<" * 400_000 + b"deep &amp; done</p>",
        b"<![ deep &amp; done",
    ],
)
def test_markup_that_cannot_be_laid_out_gives_its_words(sandbox: EmailSandbox, markup: bytes) -> None:
    assert "deep & done" in read(sandbox, FROM + b"Content-Type: text/html\r\n\r\n" + markup)["text"]


def nested(depth: int) -> bytes:
    opened = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1) for level in range(depth - 1))
    return FROM + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + opened + b"--b%d\r\n\r\ndeep\r\n" % (depth - 1)


def test_bounds_of_structure_are_exact(sandbox: EmailSandbox) -> None:
    def parts(number: int) -> bytes:
        return FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * number + b"--b--\r\n"

    assert read(sandbox, nested(MAX_DEPTH))["text"] == "deep"
    assert read(sandbox, parts(MAX_PARTS - 1))["text"].count("x") == MAX_PARTS - 1
    (page,) = pull(sandbox, nested(MAX_DEPTH + 1), parts(MAX_PARTS), FROM + b"X: " + b"y" * 500_000 + b"\r\n\r\n")
    assert page.records == []
    assert [rejected.reason.partition(": ")[2][:30] for rejected in page.rejected] == [
        "its parts are nested more than",
        "it has more than 1000 parts",
        "its header fields take more th",
    ]
    assert page.rejected[0].raw == nested(MAX_DEPTH + 1)


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded mails are not in this checkout")
def test_every_recorded_mail_ends_as_an_interaction_or_a_dead_letter(sandbox: EmailSandbox) -> None:
    mails = [path.read_bytes() for path in sorted(RECORDED.rglob("*")) if path.is_file()]
    pages = pull(sandbox, *mails)
    mapping = pull_mapping("email/messages", "email", functions={})
    interactions = 0
    reasons = [rejected.reason for page in pages for rejected in page.rejected]
    for page in pages:
        for record in page.records:
            try:
                interactions += describe(mapping, record, "key") is not None
            except MappingError as error:
                reasons.append(error.path)
    assert set(reasons) <= {"$.from.address", "$.customer.address"}
    assert interactions + len(reasons) == len(mails) > 180
    assert interactions > 90


FRAGMENTS = st.sampled_from(
    b"From: |To: |Date: |Subject: |Message-ID: |References: |Content-Type: |Content-Transfer-Encoding: |Content-Disposition: attachment; "
    b"|multipart/mixed; boundary=b|text/html|text/plain; charset=|message/rfc822|base64|quoted-printable|x-uuencode|begin 644 x\n"
    b"|utf-8|utf-7|hz|filename=|name*0*=|boundary*=idna''b|; filename*=idna''x|\r\n|\n|\r\n\r\n|--b|--b--|=?utf-8?|B?|Q?|?="
    b"|Return-Path: <>|Sender: |X-Failed-Recipients: |message/delivery-status|multipart/alternative; boundary=b|application/ms-tnef|inline"
    b"|\x78\x9f\x3e\x22|iso-2022-jp|\x1b$B|\x1b(I|\x1b(B|koi8-r|\xef\xbb\xbf|stray\n|\r|Subject :|> |wrote:\n> q|-- \n|12:00 PM| 0100"
    b'|=E9|<a@b.example>|<|>|(|\\|,|;|:|\x00|\xff|\xc3|<p>|<![|<!--|&#55296;|"'.split(b"|")
)


@given(st.lists(FRAGMENTS | st.binary(max_size=12), max_size=60).map(b"".join))
def test_no_bytes_make_anything_but_a_record_or_a_reason(raw: bytes) -> None:
    try:
        record = to_record(Stored("INBOX", 1, 1, AT, raw), SETTINGS)
    except RecordError:
        return
    # A backslash that a mail wrote is escaped itself.
    assert "\\u0000" not in encode_record(record).decode("utf-8").replace("\\\\", "")
