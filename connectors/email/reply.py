"""What a mail says anew: its text without the earlier mail quoted below it, and without the signature."""

import re
from itertools import takewhile

_LINES = 400
_CHARS = 20_000
"""How far the text is looked through: the library takes quadratic time for lines that all look like a quote's beginning."""
_SIGNATURE = "\n-- \n"
"""RFC 3676, 4.3: the space belongs to it."""
_ANSWERED = re.compile(r"\s*(re|aw|antw?|sv|vs|odp|ynt|rif|res|ref|回复|答复|回覆)\s*(\[\d+\])?\s*[:：]", re.IGNORECASE)
_FORWARDED = re.compile(r"\s*(fwd?|wg|tr|rv|enc|i)\s*:", re.IGNORECASE)
"""How subjects of forwarded mail begin, as mail programs write them in English, German, French, Spanish, Portuguese and Italian."""
_MOMENT = re.compile(r"\d{1,2}[:.h]\d\d|\b\d{4}\b")
_LABELLED = re.compile(r"[*\s]{0,2}[^\W\d_][^:：@]{0,24}[:：]")
"""A line of the head that mail programs put above a mail that they do not mark with ">", in whatever language."""
_RULE = re.compile(r"\s*[-_=*]{3,}")
_FULL_LINE = 40
"""Characters of a line that a mail program may have broken."""


def new_text(text: str, subject: str, *, answers: bool) -> str:
    """Return what was written above a quoted mail and the signature; all of the text where that is not certain to be the rest.

    `answers` says whether the mail answers another: only then is a mail below it a quote, and not what is being passed on.
    """
    said = text.partition(_SIGNATURE)[0]
    quoted = (answers or _ANSWERED.match(subject)) and not _FORWARDED.match(subject)
    return (_above(said).strip() if quoted else said.strip()) or text


def _above(text: str) -> str:
    lines = text.splitlines()
    end = min(_marked(lines), _headed(lines))
    return "\n".join(lines[:end]) if end < len(lines) else _above_what_is_known(text, lines)


def _marked(lines: list[str]) -> int:
    """Return where the lines begin that are all marked with ">" up to the end, with what says above them who wrote when."""
    below = list(takewhile(lambda line: line.startswith(">") or not line.strip(), reversed(lines)))
    end = len(lines) - len(below)
    return end - _introduced(lines[:end]) if any(below) else len(lines)


def _introduced(lines: list[str]) -> int:
    """Return how many lines at the end are one sentence that introduces a quote; a mail program may have broken it."""
    if not lines or not lines[-1].rstrip().endswith((":", "：")):
        return 0
    broken = len(list(takewhile(lambda line: len(line) >= _FULL_LINE, reversed(lines[-3:-1]))))
    with_moment = (count for count in range(1, broken + 2) if _MOMENT.search(" ".join(lines[-count:])))
    return next(with_moment, 1 if "@" in lines[-1] else 0)


def _headed(lines: list[str]) -> int:
    """Return where the head of an earlier mail begins: who, when, and to whom, a line each."""
    for at, (who, when, whom) in enumerate(zip(lines[:_LINES], lines[1:], lines[2:], strict=False)):
        is_apart = at and (not lines[at - 1].strip() or _RULE.match(lines[at - 1]))
        if is_apart and "@" in who and _MOMENT.search(when) and all(map(_LABELLED.match, (who, when, whom))):
            last = next((above for above in range(at - 1, -1, -1) if lines[above].strip()), 0)
            return last if _RULE.match(lines[last]) else at
    return len(lines)


def _above_what_is_known(text: str, lines: list[str]) -> str:
    from quotequail import unwrap

    seen = "\n".join(lines[:_LINES])[:_CHARS]
    found = unwrap(seen)
    if not found or "text_bottom" in found or not found.get("text_top", "").strip():
        return text
    marked = any(line.startswith(">") for line in lines[:_LINES])
    if marked and any(line.strip() and not line.startswith(">") for line in lines[_LINES:]):
        # Who answers between the lines of a long quote has written those too.
        return text
    return str(found["text_top"])
