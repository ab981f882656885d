"""Compares people's names, as far as a name can say that two records are, or are not, of one person."""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from nicknames import NickNamer

Likeness = Literal["same", "alike", "different"]
"""`alike`: what one person may be called in two places, such as A. Lima and Ana Lima, or Ana Lima and Ana Costa."""

_WORD = re.compile(r"[a-z]+")
_TITLES = frozenset({
    "mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sir", "dame", "herr", "frau", "dipl", "ing", "mag", "msc", "bsc", "phd", "md", "esq",
})  # fmt: skip
_PARTICLES = frozenset({
    "de", "del", "della", "di", "da", "do", "dos", "das", "du", "la", "le", "el", "al", "van", "von", "vom", "der", "den", "ter", "ten",
    "zu", "zum", "zur", "af", "av", "bin", "ibn", "st",
})  # fmt: skip
"""Words that many family names begin with, and some people are called."""
_GENERATIONS = frozenset({"jr", "junior", "sr", "senior", "ii", "iii", "iv"})
_UMLAUTS = (("ae", "a"), ("oe", "o"), ("ue", "u"))
_LONGEST = 200
"""Characters of a name that are looked at; a text beyond that is none."""
_TYPO_FROM, _TWO_TYPOS_FROM = 4, 8
"""Letters that a word needs before one, or two, of them may be wrong."""


class Name(NamedTuple):
    """A person's name in small Latin letters."""

    given: tuple[str, ...]
    family: tuple[str, ...]
    generation: str | None = None


@lru_cache(maxsize=50_000)
def read_name(given: str | None, family: str | None, formatted: str | None) -> Name | None:
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
    if len(parts) > 2 and parts[-1][0] in _GENERATIONS:
        last -= 1
    return _name([word for part in parts[:last] for word in part], [word for part in parts[last:] for word in part])


def _words(text: str) -> list[str]:
    folded = text.casefold()
    if not folded.isascii():
        from anyascii import anyascii

        folded = anyascii(folded).lower()
    return [word for word in _WORD.findall(folded.replace("'", "").replace("`", "")) if word not in _TITLES]


def _name(given: Sequence[str], family: Sequence[str]) -> Name | None:
    generation = next((word for word in (*family, *given) if word in _GENERATIONS), None)
    given = [word for place, word in enumerate(given) if word not in _GENERATIONS and not (place and word in _PARTICLES)]
    family = [word for word in family if word not in _GENERATIONS and word not in _PARTICLES]
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
    given, family = _best(one.given, other.given), _best(one.family, other.family)
    if given == "same" and family == "same":
        return "same"
    if _best(one.given, other.family) == "same" and _best(one.family, other.given) == "same":
        return "same"
    if given == "same" or (given == "alike" and family == "same"):
        return "alike"
    return "different"


def _partly(one: Name, other: Name) -> Likeness:
    """Compare where a name is but one word: it may be either."""
    likeness = _best((*one.given, *one.family), (*other.given, *other.family))
    return "different" if likeness == "different" else "alike"


def _best(some: Sequence[str], others: Sequence[str]) -> Likeness:
    """Compare the words of a given or family name: of several, people use now this one, now that."""
    found = {_compare_words(one, other) for one in some for other in others}
    return "same" if "same" in found else "alike" if "alike" in found else "different"


@lru_cache(maxsize=50_000)
def _compare_words(one: str, other: str) -> Likeness:
    if one == other:
        return "same"
    if len(one) == 1 or len(other) == 1:
        return "alike" if one[0] == other[0] else "different"
    if _spelling(one) == _spelling(other) or _is_typo(one, other) or _is_nickname(one, other):
        return "same"
    return "different"


def _spelling(word: str) -> str:
    for pair, letter in _UMLAUTS:
        word = word.replace(pair, letter)
    return word


def _is_typo(one: str, other: str) -> bool:
    """Whether one is the other misspelt. Names that end differently are two: Maria and Mario, Erik and Erika."""
    shorter = min(len(one), len(other))
    if shorter < _TYPO_FROM or one[-1] != other[-1]:
        return False
    from rapidfuzz.distance import OSA

    most = 2 if shorter >= _TWO_TYPOS_FROM else 1
    return int(OSA.distance(one, other, score_cutoff=most)) <= most


def _is_nickname(one: str, other: str) -> bool:
    names = _nicknames()
    return other in names.nicknames_of(one) or one in names.nicknames_of(other)


@cache
def _nicknames() -> "NickNamer":
    from nicknames import NickNamer

    return NickNamer()


__all__ = ["Likeness", "Name", "compare", "read_name"]
