"""Kinds of identifiers, and the one form in which each is compared."""

import re
import unicodedata

from msgspec import Struct

from threadline.model.ids import entity_id

SHARED_KINDS = frozenset({"email", "phone", "handle", "threadline"})
"""Kinds whose values mean the same in every source; an id of any other kind counts only within its source."""

CONTACT_TYPES = {"email": "email", "phone": "phone", "handle": "social"}
"""Identifier kinds at which a party can be reached, with the type of the contact point that they make."""
_LONGEST_DOMAIN = 255
"""RFC 1035, 2.3.4; the codec for names beyond ASCII takes seconds for a megabyte."""
_LOCAL = re.compile(r"(?!mailto:|@)[^\s<>,;]+")
_HOST = re.compile(r"[^\s<>,;@.]+(\.[^\s<>,;@.]+)*")


class Identifier(Struct, frozen=True, array_like=True, gc=False):
    """A value that names a party: `id` is the hash that equal identifiers share, `owner` the source for ids within one.

    `verified` says that the source has made sure that it is the party's.
    """

    id: bytes
    kind: str
    owner: str | None
    value: str
    normalized: str
    verified: bool = False


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
    local, _, domain = text.strip().rpartition("@")
    if len(domain) > _LONGEST_DOMAIN and not domain.isascii():
        raise ValueError("not an e-mail address: its domain is too long")
    try:
        host = (domain if domain.isascii() else domain.encode("idna").decode()).rstrip(".").lower()
    except UnicodeError:
        raise ValueError("not an e-mail address: its domain is not a name") from None
    # Small letters of what was composed may compose once more.
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    address = f"{local}@{host}"
    if not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host) or not address.isprintable():
        raise ValueError("not an e-mail address")
    return address


def normalize_phone(value: str, region: str | None) -> str:
    """Return a number in E.164; `region` (ISO 3166) is where numbers without a country code belong. ValueError when it is none."""
    import phonenumbers

    form = phonenumbers.PhoneNumberFormat.E164
    try:
        number = phonenumbers.parse(value, region)
        normalized = phonenumbers.format_number(number, form)
        # Zeros and nothing else are read differently each time: they are nobody's number.
        steady = phonenumbers.format_number(phonenumbers.parse(normalized, None), form) == normalized
    except phonenumbers.NumberParseException as error:
        hint = "" if region or value.strip().startswith("+") else "; it has no country code: set `region` in threadline.yaml"
        raise ValueError(f"not a phone number{hint}") from error
    if not steady or not phonenumbers.is_possible_number(number):
        raise ValueError("not a possible phone number")
    return normalized


def order_numbers(pattern: str) -> re.Pattern[str]:
    """Return what finds order numbers in text: the pattern of threadline.yaml, and no part of a longer word. re.error when it is none."""
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")


def normalize_handle(value: str) -> str:
    """Return `network:name` in lower case, without "@"; ValueError when it has not that form."""
    network, _, name = value.partition(":")
    network, name = network.strip().lower(), name.strip().removeprefix("@").lower()
    if not network or not name or name[0] == "@" or name[0].isspace():
        raise ValueError("not a handle: it is written network:name, such as x:mara_lq")
    return f"{network}:{name}"


def normalize_id(value: str) -> str:
    """Return an id of a source's own kind without the space around it; ValueError when nothing else is there."""
    text = value.strip()
    if not text:
        raise ValueError("blank: it names nobody")
    return text
