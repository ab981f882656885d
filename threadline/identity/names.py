"""Compares people's names, as far as a name can say that two records are, or are not, of one person."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from threadline.identity.vocabulary import GENERATIONS, PARTICLES, TITLES, full_names, given_names

Likeness = Literal["same", "alike", "different"]
"""`alike`: what one person may be called in two places, such as A. Lima and Ana Lima, or Ana Lima and Ana Costa."""
Writing = Literal["yes", "no", "unclear"]

_WORD = re.compile(r"[a-z]+")
_VOWELS = re.compile(r"([aou])e|aa")
_LONGEST = 200
"""Characters of a name that are looked at; a text beyond that is none."""
_TELLING, _INITIALS = 3, 3
"""Letters of a name that say whose it is wherever they stand, and letters at most that are but initials."""
_FOLDED_FROM, _ENDING = 3, 2
_TYPO_FROM, _TWO_TYPOS_FROM = 4, 8
"""Letters that a word needs before one, or two, of them may be wrong."""


_SPECIAL = GENERATIONS | PARTICLES
"""Words that are not names themselves."""


class Name(NamedTuple):
    """A person's name in small Latin letters."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    generation: str | None = None


@lru_cache(maxsize=50_000)
def read_name(given: str, family: str, formatted: str) -> Name | None:
    """Read a name; None when there is none, such as an address or a number in its place."""
    if given and family:
        return _name(_words(given), _words(family))
    whole = formatted or given or family
    if not whole or "@" in whole or len(whole) > _LONGEST:
        return None
    before, comma, after = whole.partition(",")
    if comma and (first := _words(after)):
        return _name(first, _words(before))
    parts = [words for part in whole.split() if (words := _words(part))]
    last = len(parts) - 1 if len(parts) > 1 else len(parts)
    if len(parts) > 2 and parts[-1][0] in GENERATIONS:
        last -= 1
    return _name([word for part in parts[:last] for word in part], [word for part in parts[last:] for word in part])


@lru_cache(maxsize=50_000)
def _words(text: str) -> Sequence[str]:
    folded = text.casefold()
    if not folded.isascii():
        from anyascii import anyascii

        folded = anyascii(folded).lower()
    return tuple([word for word in _WORD.findall(folded.replace("'", "").replace("`", "")) if word not in TITLES])


def _name(given: Sequence[str], family: Sequence[str]) -> Name | None:
    if _SPECIAL.isdisjoint(given) and _SPECIAL.isdisjoint(family):
        return Name(tuple(given), tuple(family)) if given or family else None
    generation = next((word for word in (*family, *given) if word in GENERATIONS), None)
    given = [word for place, word in enumerate(given) if word not in GENERATIONS and not (place and word in PARTICLES)]
    family = [word for word in family if word not in GENERATIONS]
    family = [word for word in family if word not in PARTICLES] or family
    return Name(tuple(given), tuple(family), generation) if given or family else None


@lru_cache(maxsize=50_000)
def compare(one: Name, other: Name) -> Likeness:
    """Say whether two names can be one person's."""
    if one == other:
        return "same"
    if one.generation and other.generation and one.generation[0] != other.generation[0]:
        return "different"
    if not (one.given and one.family and other.given and other.family):
        return _partly(one, other)
    given, family = _given(one.given, other.given), _best(one.family, other.family)
    if given == "same" and family == "same":
        return "same"
    if _given(one.given, other.family) == "same" and _given(one.family, other.given) == "same":
        return "same"
    # One letter wrong and another family are one difference too many.
    if (given == "alike" and family == "same") or (given == "same" and not _spelled(one.given).isdisjoint(_spelled(other.given))):
        return "alike"
    return "different"


def _given(some: Sequence[str], others: Sequence[str]) -> Likeness:
    """Compare given names: where each side has one that the other has not, and either comes first, they are two people's."""
    mine, theirs = (
        [word for word in here if all(_compare_words(word, other) == "different" for other in there)]
        for here, there in ((some, others), (others, some))
    )
    apart = mine and theirs and (some[0] in mine or others[0] in theirs)
    return "different" if apart else _best(some, others)


def _spelled(words: Sequence[str]) -> set[str]:
    return {folded(word) for word in words}


@lru_cache(maxsize=50_000)
def writes(local: str, name: Name) -> Writing:
    """Say whether the local part of an address writes a name; "no" where it writes another one, or only the family's.

    ana.lima, alima7 and ana1980 write Ana Lima's; lima, bo.lima and casa.lima do not; bluefox77 is anybody's.
    """
    words = [folded(word) for word in _WORD.findall(local)]
    text = "".join(words)
    given = {folded(word) for word in name.given}
    if any(len(word) >= _TELLING and (word in text or any(_is_nickname(word, other) for other in words)) for word in given):
        return "yes"
    family = sorted({word for word in map(folded, name.family) if len(word) >= _TELLING}, key=len, reverse=True)
    rest = text
    for word in family:
        rest = rest.replace(word, "", 1)
    if rest == text:
        # Two words that are neither of its names are somebody else's names.
        return "no" if len([word for word in words if len(word) >= _TELLING]) > 1 else "unclear"
    initials = {word[0] for word in given}
    return "yes" if rest[:1] in initials and len(rest) <= _INITIALS else "no"


def _partly(one: Name, other: Name) -> Likeness:
    """Compare where a name is but one word: it may be either."""
    likeness = _best((*one.given, *one.family), (*other.given, *other.family))
    return "different" if likeness == "different" else "alike"


def _best(some: Sequence[str], others: Sequence[str]) -> Likeness:
    """Compare words of names: of several, people use now this one, now that."""
    found = {_compare_words(one, other) for one in some for other in others}
    return "same" if "same" in found else "alike" if "alike" in found else "different"


@lru_cache(maxsize=50_000)
def _compare_words(one: str, other: str) -> Likeness:
    if one == other:
        return "same"
    if len(one) == 1 or len(other) == 1:
        return "alike" if one[0] == other[0] else "different"
    if folded(one) == folded(other) or _is_typo(one, other) or _is_nickname(one, other):
        return "same"
    return "alike" if _is_beginning(one, other) else "different"


@lru_cache(maxsize=50_000)
def folded(word: str) -> str:
    """Return a word without the second letter of an umlaut: Müller is written Mueller, Muller and Müller by the same systems."""
    return _VOWELS.sub(lambda found: found[1] or "a", word) if len(word) > _FOLDED_FROM else word


def _is_beginning(one: str, other: str) -> bool:
    """Whether one is short for the other, such as Dani for Daniela; no more than another ending makes Jan and Jana two."""
    short, long = sorted((one, other), key=len)
    return len(short) >= _TELLING and len(long) - len(short) > _ENDING and long.startswith(short)


def _is_typo(one: str, other: str) -> bool:
    """Whether one is the other misspelt. Names that begin or end differently are two (Maria and Mario), and so are two known ones."""
    shorter = min(len(one), len(other))
    if shorter < _TYPO_FROM or one[0] != other[0] or one[-1] != other[-1] or {one, other} <= given_names():
        return False
    from rapidfuzz.distance import OSA

    most = 2 if shorter >= _TWO_TYPOS_FROM else 1
    return int(OSA.distance(one, other, score_cutoff=most)) <= most


def _is_nickname(one: str, other: str) -> bool:
    full = full_names()
    return one in full.get(other, ()) or other in full.get(one, ())


__all__ = ["Likeness", "Name", "compare", "folded", "read_name", "writes"]
