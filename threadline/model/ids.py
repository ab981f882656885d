"""Identities of 128 bits: hashes for what a source names, ULIDs for what only threadline names."""

import os
import time

from xxhash import xxh3_128_digest

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {char: value for value, char in enumerate(_ALPHABET)}
_LENGTH = 26


def entity_id(source: str, kind: str, external_id: str) -> bytes:
    """Return the 16 bytes that name one record of a source; the same reference always gives the same id."""
    return xxh3_128_digest(f"{source}\x1f{kind}\x1f{external_id}".encode("utf-8", "surrogatepass"))


def new_ulid() -> bytes:
    """Return 16 bytes that sort by creation time: 48 bits of milliseconds, 80 of chance (ULID specification)."""
    return int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10)


def show_id(identity: bytes) -> str:
    """Write an identity as 26 characters of Crockford's base 32."""
    number = int.from_bytes(identity, "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))


def parse_id(text: str) -> bytes | None:
    """Read what `show_id` wrote; None for anything else."""
    if len(text) != _LENGTH or not text.isascii():
        return None
    number = 0
    for char in text.upper():
        value = _VALUES.get(char)
        if value is None:
            return None
        number = number << 5 | value
    return number.to_bytes(17, "big")[1:] if number < 1 << 128 else None


def id_range(beginning: str) -> tuple[bytes, bytes] | None:
    """Return the first and the last identity that `show_id` writes with this beginning; None where it writes none so."""
    first, last = (parse_id(beginning + show_id(end)[len(beginning) :]) for end in (bytes(16), b"\xff" * 16))
    return (first, last) if first and last else None
