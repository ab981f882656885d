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
_BEGINS, _TITLE, _DATA, _PROPERTIES = 0x0006_9002, 0x0001_8010, 0x0006_800F, 0x0006_9005
MAX_ATTACHMENTS = 1_000
MAX_ATTRIBUTES = 100_000
MAX_PROPERTIES = 100_000
"""Those of all attachments together."""

_LONG, _TYPE_AND_ID = struct.Struct("<I"), struct.Struct("<HH")
_SIZES = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
"""Bytes of a property's value by its type (MS-OXCDATA, 2.11.1), with its padding."""
_OBJECT, _UNICODE = 0x0D, 0x1F
_SIZED = (_OBJECT, 0x1E, _UNICODE, 0x0102)
_MULTIPLE, _NAMED = 0x1000, 0x8000
_LONG_NAME, _CONTENT = 0x3707, 0x3701
_INTERFACE = 16
"""Bytes before an object that say what kind of object it is."""


def is_tnef(content_type: str) -> bool:
    """Say whether a part is declared as TNEF."""
    return content_type in ("application/ms-tnef", "application/vnd.ms-tnef")


def attachments(content: bytes) -> list[tuple[str | None, bytes]] | None:
    """Return file names and contents, as far as they are sound; None when this is no TNEF."""
    if not content.startswith(_SIGNATURE):
        return None
    found: list[tuple[str | None, bytes]] = []
    room = iter(range(MAX_PROPERTIES))
    for kind, value in islice(_attributes(content), MAX_ATTRIBUTES):
        if kind == _BEGINS and len(found) < MAX_ATTACHMENTS:
            found.append((None, b""))
        elif found:
            found[-1] = _described(*found[-1], kind, value, room)
    return found


def _described(name: str | None, data: bytes, kind: int, value: bytes, room: Iterator[int]) -> tuple[str | None, bytes]:
    """Return an attachment's name and content with what an attribute says of it; a title is a name of 8 and 3 characters."""
    if kind == _TITLE:
        return name or _text(value), data
    if kind == _DATA:
        return name, data or value
    if kind == _PROPERTIES:
        said = {key: (of_type, held) for _, (key, of_type, held) in zip(room, _properties(value), strict=False)}
        of_type, long_name = said.get(_LONG_NAME, (0, b""))
        name = _text(long_name.decode("utf-16-le", "replace").encode() if of_type == _UNICODE else long_name) or name
        of_type, content = said.get(_CONTENT, (0, b""))
        data = content[_INTERFACE if of_type == _OBJECT else 0 :] or data
    return name, data


def _properties(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield id, type and value of each property, until one is not sound (MS-OXTNEF, 2.1.3.4)."""
    place = _LONG.size
    while place + _TYPE_AND_ID.size <= len(block):
        of_type, key = _TYPE_AND_ID.unpack_from(block, place)
        place += _TYPE_AND_ID.size
        if key >= _NAMED:
            place = _behind_name(block, place)
        size, values = _SIZES.get(of_type & ~_MULTIPLE), 1
        if size is None or of_type & _MULTIPLE:
            values, place = _long(block, place), place + _LONG.size
        if size is None and of_type & ~_MULTIPLE not in _SIZED:
            return
        for _ in range(values):
            if place >= len(block):
                return
            length, place = (_long(block, place), place + _LONG.size) if size is None else (size, place)
            yield key, of_type, block[place : place + length]
            place += length + -length % 4


def _behind_name(block: bytes, place: int) -> int:
    """Return where a name ends: a GUID, and a number or a text."""
    is_text, length = _long(block, place + 16), _long(block, place + 20)
    return place + 24 + (length + -length % 4 if is_text else 0)


def _long(block: bytes, place: int) -> int:
    return int.from_bytes(block[place : place + _LONG.size], "little")


def _text(value: bytes) -> str | None:
    return clean(guess(value.partition(b"\0")[0])) or None


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = _HEAD
    while place + _ATTRIBUTE.size <= len(content):
        _, kind, length = _ATTRIBUTE.unpack_from(content, place)
        place += _ATTRIBUTE.size
        yield kind, content[place : place + length]
        place += length + 2
