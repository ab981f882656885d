"""The attachments inside of a `winmail.dat`, in which Outlook wraps what it sends (MS-OXTNEF, 2.1)."""

import struct
from collections.abc import Iterator
from itertools import islice

from connectors.email.text import clean, guess

_SIGNATURE = struct.pack("<I", 0x223E9F78)
_HEAD = 6
"""Bytes of the signature and the key."""
_ATTRIBUTE = struct.Struct("<BII")
"""Level, id and length; the value follows, and a checksum of two bytes."""
_BEGINS, _TITLE, _DATA = 0x0006_9002, 0x0001_8010, 0x0006_800F
MAX_ATTACHMENTS = 1_000
MAX_ATTRIBUTES = 100_000


def is_tnef(content_type: str) -> bool:
    """Say whether a part is declared as TNEF."""
    return content_type in ("application/ms-tnef", "application/vnd.ms-tnef")


def attachments(content: bytes) -> list[tuple[str | None, bytes]] | None:
    """Return file names and contents, as far as they are sound; None when this is no TNEF."""
    if not content.startswith(_SIGNATURE):
        return None
    found: list[tuple[str | None, bytes]] = []
    for kind, value in islice(_attributes(content), MAX_ATTRIBUTES):
        if kind == _BEGINS and len(found) < MAX_ATTACHMENTS:
            found.append((None, b""))
        elif kind == _TITLE and found:
            found[-1] = clean(guess(value.partition(b"\0")[0])) or None, found[-1][1]
        elif kind == _DATA and found:
            found[-1] = found[-1][0], value
    return found


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = _HEAD
    while place + _ATTRIBUTE.size <= len(content):
        _, kind, length = _ATTRIBUTE.unpack_from(content, place)
        place += _ATTRIBUTE.size
        yield kind, content[place : place + length]
        place += length + 2
