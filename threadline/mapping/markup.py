"""HTML as the text that its reader sees, at a bounded cost."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any, cast

_LONGEST = 300_000
"""Characters that are laid out; above, and where the layout loses everything, the words alone count."""
_DECLARATION = re.compile(r"\s*<\?xml[^>]*>")
_UNSEEN = ("script", "style", "title")


def html_to_text(html: str) -> str:
    """Return paragraphs, lists and tables as text."""
    laid_out = _laid_out(html) if len(html) <= _LONGEST else ""
    return laid_out or " ".join(unescape(" ".join(_words(html))).split())


def _laid_out(html: str) -> str:
    from inscriptis.html_engine import Inscriptis
    from lxml import html as parser  # type: ignore[import-untyped]  # pyright: ignore[reportUnknownVariableType]

    try:
        document_fromstring = cast("Any", parser).document_fromstring
        tree = document_fromstring(_DECLARATION.sub("", html, count=1))
        for element in tree.xpath("//*[@style]"):
            # A few characters of style can ask for megabytes of space; what is hidden must stay hidden.
            hidden = "display:none" in element.get("style").replace(" ", "").lower()
            element.set("style", "display:none" if hidden else "")
        return str(Inscriptis(tree).get_text()).strip()
    except Exception:
        # lxml and inscriptis fail in many ways on hostile markup.
        return ""


def _words(html: str) -> Iterator[str]:
    until = ""
    text, *pieces = html.split("<")
    yield text
    for piece in pieces:
        tag, closed, text = piece.partition("-->" if piece.startswith("!--") else ">")
        name = tag[:7].lower()
        if until and not name.startswith(until):
            continue
        until = next((f"/{unseen}" for unseen in _UNSEEN if name.startswith(unseen)), "")
        if not until:
            yield text if closed else piece
