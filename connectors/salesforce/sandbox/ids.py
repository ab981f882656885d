"""Record ids: 15 characters that tell case apart, and 3 that repeat their case for systems that do not.

https://help.salesforce.com/s/articleView?id=000385585
"""

import hashlib
from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "5eT"
_WIDTH = 9
MADE_BY_PUSH = 62**8
"""Numbers from here on belong to records that a push created; lower ones to the story's."""


def with_suffix(fifteen: str) -> str:
    """Return the 18-character form of a 15-character id."""
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, char in enumerate(fifteen[start : start + 5]) if char.isascii() and char.isupper())
        suffix += _CHECKS[bits]
    return fifteen + suffix


@lru_cache(1_000)
def record_id(prefix: str, number: int) -> str:
    """Return the id of the numbered record of an object; `prefix` is the object's key prefix."""
    digits = ""
    for _ in range(_WIDTH):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return with_suffix(prefix + _POD + digits)


def number_of(text: str) -> int:
    """Return the number of a record that a push creates under an external id."""
    return MADE_BY_PUSH + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) % MADE_BY_PUSH
