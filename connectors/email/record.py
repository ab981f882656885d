"""One mail as the JSON record of the `messages` stream."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from xxhash import xxh3_128_hexdigest

from connectors.email import tnef
from connectors.email.fields import Address, addresses, author, is_auto_submitted, is_delivery_report, message_ids, sent_at, text_field
from connectors.email.mime import Fields, Mail, Part, filename_of, split
from connectors.email.reply import new_text
from connectors.email.report import delivery_report
from connectors.email.settings import EmailSettings
from connectors.email.text import clean, declared, decode, decode_words, unflow
from threadline.sdk.markup import html_to_text
from threadline.sdk.records import DELETED

MARKER = "X-Threadline-Id"
"""Header field of the answers that threadline sends."""
MAX_TEXT = 1_000_000
"""Characters of a body that a record carries."""
# No charset takes more bytes for a character, and one character above the limit says that the text was cut.
_MAX_TEXT_BYTES = 4 * MAX_TEXT + 4

_TEXT_TYPES = ("text/plain", "text/html")
_SHOWN_TYPES = (*_TEXT_TYPES, "text/markdown", "text/enriched", "text/richtext")
_COMPARED = 20_000
_LINE_END = re.compile(r"\r{0,2}\n|\r")
_NO_LETTER = re.compile(r"\W+")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """A mail as the server keeps it."""

    mailbox: str
    uidvalidity: int
    uid: int
    received_at: datetime
    raw: bytes
    flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The record's key."""
        return f"{self.mailbox}:{self.uidvalidity}:{self.uid}"


@dataclass(frozen=True, slots=True)
class _Text:
    """What a part says; parts of one `choice` are alternatives."""

    text: str
    is_html: bool
    choice: int | None


@dataclass(frozen=True, slots=True)
class _Sides:
    """Who wrote to whom, seen from the company."""

    direction: str
    audience: str
    customer: Address | None


def rfc3339(moment: datetime) -> str:
    """Write a time in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_record(mail: Stored, settings: EmailSettings, files: list[bytes] | None = None) -> Document:
    """Read a mail into a record; RecordError for one beyond the bounds of `connectors.email.mime`.

    What its attachments contain is added to `files`.
    """
    parsed = split(mail.raw)
    fields = parsed.fields
    answers_to, to, cc = (addresses(fields, name) for name in ("Reply-To", "To", "Cc"))
    sender = author(fields)
    about = delivery_report(parsed)
    report = about is not None or is_delivery_report(fields, sender)
    sides = _sides(sender, to + cc, answers_to, settings)
    identity, subject, content = (
        _identity(mail.raw, fields, about),
        text_field(fields, "Subject"),
        _content(parsed, files if files is not None else []),
    )
    answers = not report and bool(identity["in_reply_to"] or identity["references"])
    return {
        "mailbox": mail.mailbox,
        "uidvalidity": mail.uidvalidity,
        "uid": mail.uid,
        **identity,
        **_times(fields, mail.received_at),
        "from": _person(sender),
        "reply_to": [_person(each) for each in answers_to],
        "to": [_person(each) for each in to],
        "cc": [_person(each) for each in cc],
        "subject": subject,
        **content,
        "new_text": new_text(content["text"], subject, answers=answers) if content["text"] else None,
        "direction": sides.direction,
        "audience": sides.audience,
        "customer": None if report else _person(sides.customer),
        "auto_submitted": report or is_auto_submitted(fields),
        "report": about,
        "threadline_id": _marker(fields, sender, settings),
        "flags": list(mail.flags),
        "size": len(mail.raw),
    }


def gone_record(mailbox: str, uidvalidity: int, uid: int) -> Document:
    """Return the record of a mail that is no longer in its folder: deleted, or moved to another."""
    return {"mailbox": mailbox, "uidvalidity": uidvalidity, "uid": uid, DELETED: True}


def _person(who: Address | None) -> Document | None:
    return {"name": who.name, "address": who.address} if who else None


def _sides(sender: Address | None, receivers: list[Address], answers_to: list[Address], settings: EmailSettings) -> _Sides:
    def first_outsider(people: Iterable[Address]) -> Address | None:
        return next((each for each in people if not settings.is_own(each.address)), None)

    if sender is None or not settings.is_own(sender.address):
        return _Sides("inbound", "customer", sender)
    if customer := first_outsider(receivers):
        return _Sides("outbound", "customer", customer)
    # A contact form writes from the company to itself, and names the customer as the one to answer.
    if customer := first_outsider(answers_to):
        return _Sides("inbound", "customer", customer)
    return _Sides("outbound", "internal", None)


def _identity(raw: bytes, fields: Fields, report: Document | None) -> Document:
    own = message_ids(fields, "Message-ID")
    # A report seldom says so in its own fields, but it belongs to the thread of the mail that it is about.
    about = [report["message_id"]] if report and report["message_id"] else []
    return {
        "message_id": own[0] if own else f"missing-{xxh3_128_hexdigest(raw)}@threadline",
        "in_reply_to": message_ids(fields, "In-Reply-To") or about,
        "references": message_ids(fields, "References"),
    }


def _times(fields: Fields, received_at: datetime) -> Document:
    written = sent_at(fields)
    moment, offset = written or (received_at, None)
    return {
        "date": rfc3339(moment),
        "date_offset": offset,
        "date_from": "header" if written else "server",
        "received_at": rfc3339(received_at),
    }


def _marker(fields: Fields, sender: Address | None, settings: EmailSettings) -> str | None:
    """Believe the marker only in mail of the company whose Message-ID carries it too, lest a customer's mail hides itself."""
    marker = text_field(fields, MARKER)
    if not marker or sender is None or not settings.is_own(sender.address):
        return None
    return marker if any(each.startswith(f"{marker}@") for each in message_ids(fields, "Message-ID")) else None


def _content(mail: Mail, files: list[bytes]) -> Document:
    texts: list[_Text] = []
    named: list[_Text] = []
    attachments: list[Document] = []
    room = _MAX_TEXT_BYTES
    for part in mail.parts:
        kind, content = part.fields.get_content_type(), part.content()
        is_attached = _is_attached(part, kind)
        if is_attached:
            attachments += _attached(part, kind, content, files)
        if not is_attached or (kind in _SHOWN_TYPES and part.fields.get_content_disposition() != "attachment"):
            (named if is_attached else texts).append(_text(part, kind, content[:room], mail.charset))
            room -= min(room, len(content))
    # Where nothing else is text, what is shown within the mail is what was written.
    return {**_said(_shown(texts) or _shown(named)), "attachments": attachments}


def _shown(texts: list[_Text]) -> list[_Text]:
    """Leave out blank texts, and markup that is an alternative to plain text."""
    written = [each for each in texts if each.text.strip()]
    plain = {each.choice for each in written if not each.is_html and each.choice is not None}
    return [each for each in written if not each.is_html or each.choice not in plain]


def _said(shown: list[_Text]) -> Document:
    plain = "\n".join(each.text for each in shown if not each.is_html).strip()
    markup = "\n".join(each.text for each in shown if each.is_html)
    laid_out = clean(html_to_text(markup[:MAX_TEXT])) if markup else ""
    if plain and _says_the_same(plain, laid_out):
        markup = laid_out = ""
    text = "\n".join(filter(None, (laid_out, plain) if shown and shown[0].is_html else (plain, laid_out)))
    return {
        "text": text[:MAX_TEXT] or None,
        "text_cut": max(len(plain), len(markup), len(text)) > MAX_TEXT,
        "html": markup[:MAX_TEXT] or None,
    }


def _says_the_same(plain: str, laid_out: str) -> bool:
    """Say whether a sender has sent a text twice without saying that one is an alternative to the other."""
    written, other = (_NO_LETTER.sub("", text[:_COMPARED]) for text in (plain, laid_out))
    return other in written or (written[:100] in other and 2 * len(written) >= len(other))


def _is_attached(part: Part, kind: str) -> bool:
    if part.fields.get_content_disposition() == "attachment" or filename_of(part.fields):
        return True
    # A multipart without any part is text that somebody has labelled wrongly.
    return kind not in _TEXT_TYPES and not kind.startswith("multipart/")


def _text(part: Part, kind: str, content: bytes, likely: str | None) -> _Text:
    is_html = kind == "text/html"
    written = clean(decode(content, part.fields.get_content_charset(), (declared(content) if is_html else None) or likely))
    flowed = str(part.fields.get_param("format", "")).lower() == "flowed"
    text = unflow(written) if flowed else _LINE_END.sub("\n", written)
    return _Text(text, is_html, part.choice)


def _attached(part: Part, kind: str, content: bytes, files: list[bytes]) -> list[Document]:
    name = decode_words(filename_of(part.fields) or "") or None
    wrapped = tnef.attachments(content) if tnef.is_tnef(kind) else None
    files += [content] if wrapped is None else [data for _, data in wrapped]
    if wrapped is None:
        return [_attachment(name, clean(kind), content)]
    return [_attachment(inner, "application/octet-stream", data) for inner, data in wrapped]


def _attachment(name: str | None, kind: str, content: bytes) -> Document:
    return {"filename": name, "content_type": kind, "size": len(content), "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
