"""HTML as the text that its reader sees, at a bounded cost."""

import re
from collections.abc import Iterator
from typing import Any, cast

_LONGEST = 300_000
"""Characters that are laid out; above, and where the layout loses everything, the words alone count."""
_MOST_CELLS = 20_000
"""Rows and cells of tables that are laid out: each takes 30 microseconds."""
_MOST_TAGS = 100_000
"""Tags that are taken out of words, and entities that are read; what follows more of them stays as it is written."""
_MOST_WORDS = 1_000_000
"""Words that are set one blank apart; what follows more of them stays as it is written."""
_LARGEST_TABLE = 4_000_000
"""Characters that a table may come to: one wide cell and one high one make a field of blanks."""
_DECLARATION = re.compile(r"\s*<\?xml[^>]*>")
_UNSEEN = ("script", "style", "title")


def html_to_text(html: str) -> str:
    """Return paragraphs, lists and tables as text; markup too large or too broken for that still gives its words."""
    laid_out = _laid_out(html) if len(html) <= _LONGEST and html.count("<t") + html.count("<T") <= _MOST_CELLS else ""
    return laid_out or " ".join(_unescaped(" ".join(_words(html))).split(None, _MOST_WORDS))


def _laid_out(html: str) -> str:
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping
    from lxml import html as parser  # type: ignore[import-untyped]  # pyright: ignore[reportUnknownVariableType]

    try:
        document_fromstring = cast("Any", parser).document_fromstring
        tree = document_fromstring(_DECLARATION.sub("", html, count=1))
        for element in tree.xpath("//*[@style]"):
            # A few characters of style can ask for megabytes of space; what is hidden must stay hidden.
            hidden = "display:none" in element.get("style").replace(" ", "").lower()
            element.set("style", "display:none" if hidden else "")
        config = ParserConfig(custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping({}, {"table": _end_table}))
        return str(Inscriptis(tree, config).get_text()).strip()
    except Exception:
        # lxml and inscriptis fail in many ways on hostile markup.
        return ""


def _end_table(state: Any) -> None:
    from inscriptis.model.tag.table_tag import table_end_handler

    if state.current_table and _size(state.current_table[-1]) > _LARGEST_TABLE:
        raise ValueError
    table_end_handler(state)


def _size(table: Any) -> int:
    """Return how many characters and cells a table would come to with all its blanks."""
    height, widths = 0, list[int]()
    for row in table.rows:
        height += max((cell.normalize_blocks() for cell in row.columns), default=0) + 1
        widths += [0] * (len(row.columns) - len(widths))
        for index, cell in enumerate(row.columns):
            widths[index] = max(widths[index], cell.width)
    return height * (sum(widths) + len(widths))


def _unescaped(text: str) -> str:
    # Its table of entities is as dear to import as ten modules; most mappings read no HTML.
    from html import unescape

    *read, rest = text.split("&", _MOST_TAGS)
    return f"{unescape('&'.join(read))}&{rest}" if len(read) == _MOST_TAGS else unescape(text)


def _words(html: str) -> Iterator[str]:
    until = ""
    text, *pieces = html.split("<", _MOST_TAGS)
    rest = f"<{pieces.pop()}" if len(pieces) == _MOST_TAGS else ""
    yield text
    for piece in pieces:
        tag, closed, text = piece.partition("-->" if piece.startswith("!--") else ">")
        name = tag[:7].lower()
        if until and not name.startswith(until):
            continue
        until = next((f"/{unseen}" for unseen in _UNSEEN if name.startswith(unseen)), "")
        if not until:
            yield text if closed else piece
    yield rest
