"""How a story's events read as mails: ordinary ones, and some that no mapping can use."""

from collections.abc import Callable
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from connectors.email.smtp import WirePolicy
from threadline.testing.story import Garbled, Mailed

OWN_ADDRESS = "support@shop.example"
OWN_NAME = "Shop Support"
_CUSTOMER_AGENTS = ("Apple Mail (2.3774.600.62)", "Mozilla Thunderbird", "K-9 Mail for Android", "Microsoft Outlook 16.0")


def ordinary(event: Mailed) -> bytes:
    """Write an e-mail as mail programs do: some as plain text, some as text and HTML."""
    company = Address(OWN_NAME, addr_spec=OWN_ADDRESS)
    customer = Address(event.person.name, addr_spec=event.person.email)
    sender, receiver = (customer, company) if event.direction == "inbound" else (company, customer)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, receiver
    mail["Subject"] = event.subject
    mail["Date"] = format_datetime(event.at)
    mail["Message-ID"] = f"<{event.mail}>"
    if event.answers:
        mail["In-Reply-To"] = f"<{event.answers[-1]}>"
        mail["References"] = " ".join(f"<{each}>" for each in event.answers)
    mail["X-Mailer"] = _CUSTOMER_AGENTS[event.person.number % len(_CUSTOMER_AGENTS)] if event.direction == "inbound" else "Shopdesk 4.2"
    mail.set_content(event.text)
    if event.person.number % 3 == 0:
        mail.add_alternative(f"<html><body><p>{event.text}</p></body></html>", subtype="html")
    return mail.as_bytes(policy=WirePolicy(linesep="\r\n"))


def _head(number: int, at: datetime, *lines: bytes) -> bytes:
    date = format_datetime(at).encode()
    return b"\r\n".join([b"Message-ID: <garbled-%d@broken.example>" % number, b"Date: " + date, *lines, b"", b""])


def _nested(number: int, at: datetime) -> bytes:
    depth = 80
    mail = _head(number, at, b"From: Mara <mara@broken.example>", b"Content-Type: multipart/mixed; boundary=b0")
    for level in range(1, depth):
        mail += b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level - 1, level)
    return mail + b"--b%d\r\n\r\nhello\r\n" % (depth - 1)


def _without_from(number: int, at: datetime) -> bytes:
    return _head(number, at, b"To: support@shop.example", b"Subject: Who am I?") + b"No sender.\r\n"


def _many_parts(number: int, at: datetime) -> bytes:
    head = _head(number, at, b"From: Mara <mara@broken.example>", b"Content-Type: multipart/mixed; boundary=part")
    return head + b"--part\r\n\r\nx\r\n" * 1_200 + b"--part--\r\n"


def _eight_bit(number: int, at: datetime) -> bytes:
    junk = bytes(range(128, 256))
    return _head(number, at, b"From: " + junk, b"Subject: =?x-unknown?B?####?= \x00 " + junk) + b"\xff\xfe\x00 text\r\n"


def _no_mail(number: int, at: datetime) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF garbled %d of %d\r\n" % (number, int(at.timestamp())) + bytes(range(256)) * 4


_KINDS: tuple[Callable[[int, datetime], bytes], ...] = (_nested, _without_from, _many_parts, _eight_bit, _no_mail)


def garbled(event: Garbled) -> bytes:
    """Write a mail that nobody can use: nested too deep, no sender, too many parts, a sender of 8-bit junk, or no mail at all."""
    return _KINDS[event.number % len(_KINDS)](event.number, event.at)
