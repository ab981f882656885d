"""Header fields as values: addresses, Message-IDs, dates (RFC 5322), and whether a machine wrote the mail (RFC 3834)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from connectors.email.mime import MAX_FIELD, Fields
from connectors.email.text import decode_words

MAX_REFERENCES = 100

_MESSAGE_ID = re.compile(r"<([^<>\s]{1,900})>")
_BARE_ID = re.compile(r"[^<>\s,;]{1,900}@[^<>\s,;]{1,900}")
_ADDRESS = re.compile(r"[^\s@<>\x00-\x1f\ufffd]{1,254}(?:@[^\s@<>\x00-\x1f\ufffd]{1,254})+")
_DELIVERY_AGENTS = ("mailer-daemon", "postmaster", "mail-daemon")
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
        pairs = getaddresses(_values(fields, name))
    except (RecursionError, ValueError, IndexError):
        # Thousands of nested comments: nothing that a person has written.
        return []
    return [Address(decode_words(display).strip() or None, address) for display, address in pairs if _ADDRESS.fullmatch(address)]


def message_ids(fields: Fields, name: str) -> list[str]:
    """Return the Message-IDs of a field without brackets, each once, in their order; of a very long list both ends."""
    value = " ".join(_values(fields, name))
    found = _MESSAGE_ID.findall(value) or _BARE_ID.findall(value)
    unique = list(dict.fromkeys(found))
    if len(unique) <= MAX_REFERENCES:
        return unique
    return [unique[0], *unique[1 - MAX_REFERENCES :]]


def sent_at(fields: Fields) -> tuple[datetime, str | None] | None:
    """Return the Date field in UTC, and the offset that it was written with (None: "-0000", unknown); None where it is no date."""
    try:
        written = parsedate_to_datetime(str(fields.get("Date", "")))
        moment = written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment, written.isoformat()[-6:] if written.tzinfo else None


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
    # Mail without a return path is mail that must not be answered (RFC 5321, 4.5.5).
    without_return = str(fields.get("Return-Path", "")).strip() == "<>"
    marked = submitted not in ("", "no") or precedence in ("bulk", "junk", "auto_reply") or without_return
    return marked or any(name in fields for name in _AUTOMATIC)
