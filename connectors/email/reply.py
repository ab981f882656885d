"""What a mail says anew: its text without the earlier mail quoted below it, and without the signature."""

import re

_LINES = 400
_CHARS = 20_000
"""How far the text is looked through: the library takes quadratic time for lines that all look like a quote's beginning."""
_SIGNATURE = "\n-- \n"
"""RFC 3676, 4.3: the space belongs to it."""
_FORWARDED = re.compile(r"\s*(fwd?|wg|tr|rv|enc|i)\s*:", re.IGNORECASE)
"""How subjects of forwarded mail begin, as mail programs write them in English, German, French, Spanish, Portuguese and Italian."""


def new_text(text: str, subject: str, *, answers: bool) -> str:
    """Return what was written above a quoted mail and the signature; all of the text where that is not certain to be the rest.

    `answers` says whether the mail answers another: only then is a mail below it a quote, and not what is being passed on.
    """
    quoted = answers and not _FORWARDED.match(subject)
    written = _above(text) if quoted else text
    return written.partition(_SIGNATURE)[0].strip() or text


def _above(text: str) -> str:
    from quotequail import unwrap

    lines = text.splitlines()
    seen = "\n".join(lines[:_LINES])[:_CHARS]
    found = unwrap(seen)
    if not found or "text_bottom" in found or not found.get("text_top", "").strip():
        return text
    marked = any(line.startswith(">") for line in lines[:_LINES])
    if marked and any(line.strip() and not line.startswith(">") for line in lines[_LINES:]):
        # Who answers between the lines of a long quote has written those too.
        return text
    return str(found["text_top"])
