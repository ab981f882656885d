"""Kinds of identifiers, and the one form in which each is compared."""

import unicodedata
from typing import NamedTuple

from threadline.model.ids import entity_id

SHARED_KINDS = frozenset({"email", "phone", "handle", "threadline"})
"""Kinds whose values mean the same in every source; an id of any other kind counts only within its source."""

CONTACT_TYPES = {"email": "email", "phone": "phone", "handle": "social"}
"""Identifier kinds at which a party can be reached, with the type of the contact point that they make."""


class Identifier(NamedTuple):
    """A value that names a party: `id` is the hash that equal identifiers share, `owner` the source for ids within one."""

    id: bytes
    kind: str
    owner: str | None
    value: str
    normalized: str


def identify(kind: str, value: str, normalized: str, source: str) -> Identifier:
    """Make an identifier; `source` owns it unless its kind is shared by all sources."""
    owner = None if kind in SHARED_KINDS else source
    return Identifier(entity_id(owner or "", kind, normalized), kind, owner, value, normalized)


def normalize_email(value: str) -> str:
    """Return an address as it is compared: no display name, lower case, domain in ASCII; ValueError when it is none."""
    text = value.strip()
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1]
    text = text.removeprefix("mailto:")
    local, at, domain = text.strip().rpartition("@")
    if not at or not local or not domain or any(char.isspace() for char in text) or ".." in domain or "," in text:
        raise ValueError("not an e-mail address")
    try:
        host = domain.rstrip(".").encode("idna").decode() if not domain.isascii() else domain.rstrip(".")
    except UnicodeError:
        raise ValueError("not an e-mail address: its domain is not a name") from None
    return f"{unicodedata.normalize('NFC', local)}@{host}".lower()


def normalize_phone(value: str, region: str | None) -> str:
    """Return a number in E.164; `region` (ISO 3166) is where numbers without a country code belong. ValueError when it is none."""
    import phonenumbers

    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException as error:
        hint = "" if region or value.strip().startswith("+") else "; it has no country code: set `region` in threadline.yaml"
        raise ValueError(f"not a phone number{hint}") from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("not a possible phone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalize_handle(value: str) -> str:
    """Return `network:name` in lower case, without "@"; ValueError when it has not that form."""
    network, colon, name = value.strip().partition(":")
    name = name.strip().removeprefix("@")
    if not colon or not network or not name:
        raise ValueError("not a handle: it is written network:name, such as x:mara_lq")
    return f"{network}:{name}".lower()
