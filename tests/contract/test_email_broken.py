"""Mails that break the rules as real mailers do are read as their writers meant them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.email.record import Stored, to_record
from connectors.email.settings import EmailSettings
from threadline.mapping.library import describe, pull_mapping
from threadline.sdk import encode_record

AT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SETTINGS = EmailSettings.model_validate(
    {"imap_host": "mail.example", "own_addresses": ["support@shop.example"], "user": "u", "password": "p"}
)
FROM = b"From: Ana <ana@mail.example>\n"
REST = b"Subject: Order\nDate: Mon, 2 Mar 2026 09:15:00 +0100\nContent-Type: text/plain\n\nWhere is it?\n"


def read(mail: bytes) -> dict[str, Any]:
    return to_record(Stored("INBOX", 1, 1, AT, mail), SETTINGS)


def mapped(record: dict[str, Any]) -> dict[str, Any] | None:
    return describe(pull_mapping("email/messages", "email", functions={}), encode_record(record), "key")


# Header fields


SPOILT = {
    "a stray line": FROM + b"a line that was not folded\n" + REST,
    "stray lines": FROM + b"QFsmz55/lntWkwYWhmvOgE=\n=\n" + REST,
    "a blank before an unknown colon": FROM + b"Autocrypt : addr=ana@mail.example\n" + REST,
    "blanks before a colon": FROM + REST.replace(b"Subject:", b"Subject \t:"),
    "a byte order mark": b"\xef\xbb\xbf" + FROM + REST,
    "blank lines": b"\n \r\n" + FROM + REST,
    "an indented line": b" " + FROM + REST,
    "an escaped envelope": b">From ana@mail.example Mon Mar  2 09:15:00 2026\n" + FROM + REST,
    "an envelope": b"From ana@mail.example Mon Mar  2 09:15:00 2026\n" + FROM + REST,
    "returns alone": (FROM + REST).replace(b"\n", b"\r"),
    "doubled returns": (FROM + REST).replace(b"\n", b"\r\r\n"),
    "a return in a field": FROM + b"X-Note: one\rtwo\n" + REST,
}


@pytest.mark.parametrize("mail", SPOILT.values(), ids=SPOILT)
def test_header_fields_are_found_in_spite_of(mail: bytes) -> None:
    record = read(mail)
    assert record["from"] == {"name": "Ana", "address": "ana@mail.example"}
    assert (record["subject"], record["date"], record["text"]) == ("Order", "2026-03-02T08:15:00Z", "Where is it?")


def test_a_line_that_was_not_folded_belongs_to_the_field_above_it() -> None:
    part = b'Content-Type: application/pdf;\nname="bill.pdf"\nContent-Transfer-Encoding: base64\n\nJVBERg==\n'
    record = read(FROM + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + part + b"--b--\n")
    assert [(each["filename"], each["size"]) for each in record["attachments"]] == [("bill.pdf", 4)]


@pytest.mark.parametrize(
    "body",
    [b"Hello\nsubject of this mail is\n\nSubject: nothing\n", b"Hello,\nNote: one\n\ntwo\n", b"x\n" * 30 + b"Subject: later\n"],
)
def test_a_body_that_no_blank_line_parts_from_the_fields_is_a_body(body: bytes) -> None:
    assert read(FROM + body)["text"] == body.decode().strip()


def test_a_part_may_begin_where_the_fields_end() -> None:
    head = FROM + b"Content-Type: multipart/mixed; boundary=b\nSubject: Order\n"
    assert read(head + b"--b\nContent-Type: text/plain\n\nWhere is it?\n--b--\n")["text"] == "Where is it?"


def test_a_boundary_ends_at_its_quotation_mark() -> None:
    head = FROM + b'Content-Type: multipart/mixed; boundary="b/1" Message-ID: <lost@mail.example>\n\n'
    assert read(head + b"--b/1\n\nWhere is it?\n--b/1--\n")["text"] == "Where is it?"


# Who wrote it


@pytest.mark.parametrize(
    ("fields", "name", "address"),
    [
        (b"From: Mail Delivery System <>", "Mail Delivery System", "MAILER-DAEMON"),
        (b"From: <>", None, "MAILER-DAEMON"),
        (b"From: Postmaster", "Postmaster", "MAILER-DAEMON"),
        (b"From: Der Server\nReturn-Path: <>", "Der Server", "MAILER-DAEMON"),
    ],
)
def test_what_a_mail_system_says_is_kept_without_an_address(fields: bytes, name: str | None, address: str) -> None:
    record = read(fields + b"\nTo: support@shop.example\n\nIt was not delivered.\n")
    assert (record["from"], record["customer"], record["auto_submitted"]) == ({"name": name, "address": address}, None, True)
    interaction = mapped(record)
    assert interaction
    assert interaction["message"]["sender"] == "MAILER-DAEMON"


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        (b"Sender: Ana <ana@mail.example>\nReturn-Path: <bounces@mail.example>", "ana@mail.example"),
        (b"Return-Path: <ana@mail.example>", "ana@mail.example"),
        (b"From: ana\nReturn-Path: <ana@mail.example>", "ana@mail.example"),
        (b"From: Ana <ana@mail.example>\nSender: list@mail.example", "ana@mail.example"),
    ],
)
def test_who_sent_a_mail_from_nobody_wrote_it(fields: bytes, address: str) -> None:
    record = read(fields + b"\n\nWhere is it?\n")
    assert record["from"]["address"] == record["customer"]["address"] == address


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"eve@x.example <ana@mail.example>", "eve@x.example"),
        (b"Ana @ Home <ana@mail.example>", "Ana @ Home"),
        (b"[Shop] Ana <ana@mail.example>", "[Shop] Ana"),
        (b"Order: Ana <ana@mail.example>", "Ana"),
        (b"Friends:Ana <ana@mail.example>, bea@mail.example;", "Ana"),
        (b'"ana@mail.example" <ana@mail.example>', None),
        (b"'ana@mail.example' <ana@mail.example>", None),
        (b"Ana ana@mail.example", None),
        (b"ana@mail.example>", None),
    ],
)
def test_the_address_in_angle_brackets_is_the_senders_and_another_is_at_most_a_name(written: bytes, name: str | None) -> None:
    assert read(b"From: " + written + b"\n\n")["from"] == {"name": name, "address": "ana@mail.example"}


@pytest.mark.parametrize(
    ("written", "date", "offset"),
    [
        (b"Mon, 2 Mar 2026 09:15:00.882 +0100", "2026-03-02T08:15:00Z", "+01:00"),
        (b"Mon, 2 Mar 2026 09:15:00 0100", "2026-03-02T08:15:00Z", "+01:00"),
        (b"Mon, 2 Mar 2026 09:15:00 (CET) +0100", "2026-03-02T08:15:00Z", "+01:00"),
        (b"Mon 02 Mar 2026 03:15:00 AM EST", "2026-03-02T08:15:00Z", "-05:00"),
        (b"Mon, 2 Mar 2026 08:15:00 PM", "2026-03-02T20:15:00Z", None),
        (b"Mon, 2 Mar 2026 12:15 am", "2026-03-02T00:15:00Z", None),
        (b"2026-03-02T09:15:00+01:00", "2026-03-02T08:15:00Z", "+01:00"),
        (b"Mon Mar  2 08:15:00 2026", "2026-03-02T08:15:00Z", None),
    ],
)
def test_a_date_is_read_as_it_was_meant(written: bytes, date: str, offset: str | None) -> None:
    record = read(FROM + b"Date: " + written + b"\n\n")
    assert (record["date"], record["date_offset"], record["date_from"]) == (date, offset, "header")


# Text


def body(content: bytes, kind: bytes = b"text/plain") -> bytes:
    return FROM + b"Content-Type: " + kind + b"\n\n" + content


@pytest.mark.parametrize(
    ("mail", "text"),
    [
        (body("Здравствуйте".encode() + b"\xaa", b"text/plain; charset=utf-8"), "Здравствуйте�"),
        (body("Olá, �".encode() + b"\n"), "Olá, �"),
        (body("日本①ｱ".encode("cp932"), b"text/plain; charset=x-sjis"), "日本①ｱ"),
        (body(b"\x1b$BF|K\\-!\x1b(B and \x1b(I1\x1b(B\n", b"text/plain; charset=iso-2022-jp"), "日本① and ｱ"),
        (body("Привет".encode("cp1251"), b"text/plain; charset=win-1251"), "Привет"),
        (body("Привет".encode("mac-cyrillic"), b"text/plain; charset=x-mac-cyrillic"), "Привет"),
        (body("שלום".encode("iso8859-8"), b"text/plain; charset=iso-8859-8-e"), "שלום"),
        (body("<meta charset=windows-1251>Привет".encode("cp1251"), b"text/html"), "Привет"),
        (body(b"one\rtwo\r\nthree\r\r\nfour"), "one\ntwo\nthree\nfour"),
    ],
    ids=["broken", "replaced", "vendor", "vendor JIS", "alias", "foreign", "direction", "meta", "line ends"],
)
def test_a_text_is_read_in_its_charset(mail: bytes, text: str) -> None:
    assert read(mail)["text"] == text


@pytest.mark.parametrize(
    "kind",
    [b"text/plain charset=koi8-r", b"text/plain, charset=koi8-r", b"text /plain (plain); charset=koi8-r", b'text/plain; charset="koi8-r'],
)
def test_a_type_is_told_from_its_parameters(kind: bytes) -> None:
    assert read(body("Привет".encode("koi8-r"), kind))["text"] == "Привет"


@pytest.mark.parametrize("encoding", [b"quoted-printable;", b"Quoted-Printable (x)", b'"quoted-printable"'])
def test_a_transfer_encoding_is_the_word_in_its_field(encoding: bytes) -> None:
    assert read(FROM + b"Content-Transfer-Encoding: " + encoding + b"\n\nOl=C3=A1\n")["text"] == "Olá"


def test_text_of_another_kind_is_text_where_nothing_else_is() -> None:
    record = read(body(b"*Where* is it?", b"text/markdown"))
    assert (record["text"], [each["content_type"] for each in record["attachments"]]) == ("*Where* is it?", ["text/markdown"])


def test_fields_without_a_charset_are_in_that_of_the_body() -> None:
    subject = "Subject: Где мой заказ?\n".encode("koi8-r")
    assert read(subject + body("Привет".encode("koi8-r"), b"text/plain; charset=koi8-r"))["subject"] == "Где мой заказ?"


def test_a_long_text_that_is_cut_within_a_character_stays_what_it_is() -> None:
    assert read(body("日".encode() * 1_400_000, b"text/plain; charset=utf-8"))["text"] == "日" * 1_000_000


HTML = b"Content-Type: text/html\n\n<p>The body.</p>\n"
FOOTER = b"Content-Type: text/plain\n\nYou get this mail because you are on a list.\n"
PLAIN = b"Content-Type: text/plain\n\nThe body.\n"


def mixed(*parts: bytes) -> bytes:
    return FROM + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"".join(b"--b\n" + part for part in parts) + b"--b--\n"


def alternative(*parts: bytes) -> bytes:
    return b"Content-Type: multipart/alternative; boundary=in\n\n" + b"".join(b"--in\n" + part for part in parts) + b"--in--\n"


@pytest.mark.parametrize(
    ("parts", "text", "has_html"),
    [
        ([HTML, FOOTER], "The body.\nYou get this mail because you are on a list.", True),
        ([FOOTER, HTML], "You get this mail because you are on a list.\nThe body.", True),
        ([alternative(PLAIN, HTML), FOOTER], "The body.\nYou get this mail because you are on a list.", False),
        ([alternative(b"\n\n", HTML), FOOTER], "The body.\nYou get this mail because you are on a list.", True),
        ([PLAIN, HTML], "The body.", False),
        ([HTML, PLAIN], "The body.", False),
        ([b"Content-Type: text/plain\n\n \n", HTML], "The body.", True),
    ],
    ids=["footer", "head", "alternative", "blank alternative", "twice", "twice the other way", "blank"],
)
def test_only_what_says_the_same_is_left_out(parts: list[bytes], text: str, has_html: bool) -> None:
    record = read(mixed(*parts))
    assert (record["text"], record["html"] is not None) == (text, has_html)


@pytest.mark.parametrize(
    ("disposition", "text"), [(b"inline; filename=mail.txt", "Where is it?"), (b"attachment; filename=mail.txt", None)]
)
def test_a_file_that_is_shown_is_the_text_where_nothing_else_is(disposition: bytes, text: str | None) -> None:
    shown = b"Content-Type: text/plain\nContent-Disposition: " + disposition + b"\n\nWhere is it?\n"
    record = read(mixed(shown))
    assert (record["text"], [each["filename"] for each in record["attachments"]]) == (text, ["mail.txt"])
    assert read(mixed(PLAIN, shown))["text"] == "The body."
