"""How X counts and changes the text of a post (https://docs.x.com/fundamentals/counting-characters)."""

import html
import re
import unicodedata
from collections.abc import Callable

LIMIT = 280
"""The most that a post weighs."""
MESSAGE_LIMIT = 10_000
"""The most characters of a direct message."""
LINK_WEIGHT = 23
"""Every link is replaced by a t.co link of this length."""
ELLIPSIS = "…"

_LIGHT = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
_LINK = re.compile(r"(?:https?://|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b)\S*", re.IGNORECASE)
_LEADING_HANDLES = re.compile(r"^(?:@\w+\s+)+")


def weight(text: str) -> int:
    """Return the weighted length that X holds against its limit.

    It is never below X's own: an emoji made of several code points, and a bare host name, may count for more here.
    """
    text = unicodedata.normalize("NFC", text)
    links = [match.group() for match in _LINK.finditer(text)]
    return _plain_weight(_LINK.sub("", text)) + sum(map(_link_weight, links))


def _plain_weight(text: str) -> int:
    return sum(1 if any(first <= ord(character) <= last for first, last in _LIGHT) else 2 for character in text)


def _link_weight(link: str) -> int:
    # A bare host name is a link only when its ending is a real domain, which X looks up in a list of its own.
    return LINK_WEIGHT if "://" in link else max(LINK_WEIGHT, _plain_weight(link))


def shorten(text: str, limit: int = LIMIT, weigh: Callable[[str], int] = weight) -> str:
    """Cut a text to the limit, after a whole word where there is one, and end it in an ellipsis."""
    if weigh(text) <= limit:
        return text
    # Links aside, a character weighs at least one, so nothing behind this can stay; it also bounds the loop.
    cut = text[: limit * 4]
    while cut and weigh(cut + ELLIPSIS) > limit:
        shorter = cut.rstrip().rpartition(" ")[0].rstrip()
        cut = shorter or cut[:-1]
    return cut + ELLIPSIS


def same_text(one: str, other: str) -> bool:
    """Say whether two texts are one post, before and after X: it escapes HTML, replaces links and may add the mentions of a reply."""
    return _comparable(one) == _comparable(other)


def _comparable(text: str) -> str:
    text = unicodedata.normalize("NFC", html.unescape(text))
    return " ".join(_LINK.sub("<link>", _LEADING_HANDLES.sub("", text)).split())
