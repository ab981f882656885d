"""Header fields as values: addresses, Message-IDs, dates (RFC 5322), and whether a machine wrote the mail (RFC 3834)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from connectors.email.mime import MAX_FIELD, Fields
from connectors.email.text import decode_words

MAX_REFERENCES = 100

_MESSAGE_ID = re.compile(r"<([^<>\s]{1,900})>")
_BARE_ID = re.compile(r"[^<>\s,;]+")
_LONGEST_BARE_ID = 1_800
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\ufffd]{1,254}(?:@[^\s@<>\x00-\x1f\ufffd]{1,254})+")
_PLAIN_NAME = re.compile(r'(?:^|(?<=,))([^",<>()\\]++)(?=<[^<>]*>)')
_SPECIAL = re.compile(r"[@\[\]]")
"""What makes an address of a display name that has no quotes around it (RFC 5322, 3.2.3)."""
_DELIVERY_AGENTS = ("mailer-daemon", "postmaster", "mail-daemon")
_NOBODY = "<>"
"""The sender of what must not be answered (RFC 5321, 4.5.5)."""
_COMMENT = re.compile(r"\([^()]*\)")
_FRACTION = re.compile(r"(?<=:\d\d)\.\d+")
_TWELVE_HOURS = re.compile(r"\b(\d\d?)(:\d\d(?::\d\d)?) ?([AP])M\b", re.IGNORECASE)
_UNREAD = re.compile(r"(mailer-daemon|mail-daemon|(no|do-?not)[-_.]?reply)\b", re.IGNORECASE)
_AUTOMATIC = ("X-Autoreply", "X-Autorespond")


@dataclass(frozen=True, slots=True)
class Address:
    """Display name and address of somebody."""

    name: str | None
    address: str


def text_field(fields: Fields, name: str) -> str:
    """Return the first field of a name, decoded; empty without one."""
    return decode_words(str(fields.get(name, ""))).strip()


def _values(fields: Fields, name: str) -> list[str]:
    """Return all fields of a name, as far as they are not longer together than one may be."""
    values: list[str] = []
    room = MAX_FIELD
    for value in fields.get_all(name, []):
        values.append(str(value)[:room])
        room -= len(values[-1])
        if room <= 0:
            break
    return values


def addresses(fields: Fields, name: str) -> list[Address]:
    """Return who stands in all fields of a name; entries without a usable address are left out."""
    try:
        pairs = getaddresses(_PLAIN_NAME.sub(_quoted, value) for value in _values(fields, name))
    except (RecursionError, ValueError, IndexError):
        # Thousands of nested comments: nothing that a person has written.
        return []
    people = ((decode_words(display).strip(), address) for display, address in pairs if _ADDRESS.fullmatch(address))
    return [Address(name if name.strip("'") not in ("", address) else None, address) for name, address in people]


def _quoted(name: re.Match[str]) -> str:
    """Quote a display name that would be read as an address."""
    return f'"{name[1].strip()}" ' if _SPECIAL.search(name[1]) else name[0]


def author(fields: Fields) -> Address | None:
    """Return who wrote a mail: From, else Sender, else the return path; MAILER-DAEMON for a mail system that names no address."""
    written = text_field(fields, "From")
    if found := addresses(fields, "From"):
        return found[0]
    if _NOBODY in written or _has_no_return_path(fields) or written.casefold() in _DELIVERY_AGENTS:
        name = written.replace(_NOBODY, "").strip(' "')
        return Address(name or None, "MAILER-DAEMON")
    last = Address(None, written.rpartition(" ")[2])
    others = [each for name in ("Sender", "Return-Path") for each in addresses(fields, name)]
    return next((each for each in (last, *others) if _ADDRESS.fullmatch(each.address)), None)


def message_ids(fields: Fields, name: str) -> list[str]:
    """Return the Message-IDs of a field without brackets, each once, in their order; of a very long list both ends."""
    value = " ".join(_values(fields, name))
    bare = (word for word in _BARE_ID.findall(value) if "@" in word[1:-1] and len(word) <= _LONGEST_BARE_ID)
    unique = list(dict.fromkeys(_MESSAGE_ID.findall(value) or bare))
    if len(unique) <= MAX_REFERENCES:
        return unique
    return [unique[0], *unique[1 - MAX_REFERENCES :]]


def sent_at(fields: Fields) -> tuple[datetime, str | None] | None:
    """Return the Date field in UTC, and the offset that it was written with (None: "-0000", unknown); None where it is no date."""
    try:
        written = _moment(str(fields.get("Date", "")))
        moment = written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment, written.isoformat()[-6:] if written.tzinfo else None


def _moment(text: str) -> datetime:
    """Read a date as RFC 5322 has it, as ISO 8601 has it, and with what some mailers do to the former."""
    plain = _FRACTION.sub("", _COMMENT.sub("", text)).strip()
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        return parsedate_to_datetime(_TWELVE_HOURS.sub(_of_24_hours, plain))


def _of_24_hours(time: re.Match[str]) -> str:
    return f"{int(time[1]) % 12 + (12 if time[3] in 'pP' else 0)}{time[2]}"


def is_delivery_report(fields: Fields, sender: Address | None) -> bool:
    """Say whether a mail system wrote it about another mail (RFC 3464)."""
    if fields.get_content_type() == "multipart/report":
        return True
    return sender is not None and sender.address.casefold().partition("@")[0] in _DELIVERY_AGENTS


def is_unread(address: str) -> bool:
    """Say whether nobody reads what is sent to an address: a mail system's, or one that says so itself."""
    return _UNREAD.match(address) is not None


def is_auto_submitted(fields: Fields) -> bool:
    """Say whether no person wrote it: Auto-Submitted (RFC 3834), or the older marks that mailers still set."""
    submitted = str(fields.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    precedence = str(fields.get("Precedence", "")).strip().lower()
    marked = submitted not in ("", "no") or precedence in ("bulk", "junk", "auto_reply") or _has_no_return_path(fields)
    return marked or any(name in fields for name in _AUTOMATIC)


def _has_no_return_path(fields: Fields) -> bool:
    return str(fields.get("Return-Path", "")).strip() == _NOBODY
