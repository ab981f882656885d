"""Names of people, in the form in which they are compared."""

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from msgspec import Struct

from threadline.identity.names import folded
from threadline.identity.vocabulary import GENERATIONS, PARTICLES, TITLES, full_names

_WORD = re.compile(r"[a-z0-9]+")
_BESIDE = TITLES | GENERATIONS
_BEFORE = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "å": "a", "Å": "a", "'": "", "’": "", ".": " "})


class Name(Struct, frozen=True, gc=False):
    """A name in plain small letters; `first` is the first of several given names, `family_parts` those of a double name."""

    given: str
    first: str
    family: str
    family_parts: tuple[str, ...]
    nicknames: tuple[str, ...]

    def turned(self) -> "Name":
        """Return the name with its parts the other way around."""
        return Name(self.family, self.family, self.given, (), _called(self.family))


@lru_cache(maxsize=200_000)
def words(text: str) -> Sequence[str]:
    """Return the words of a text in ASCII and small letters, whatever its alphabet."""
    if not text.isascii():
        from anyascii import anyascii

        text = anyascii(text.translate(_BEFORE))
    return tuple(_WORD.findall(text.lower().replace("'", "").replace(".", " ")))


@lru_cache(maxsize=200_000)
def split_name(given: str, family: str) -> Name:
    """Return a name whose parts are known."""
    firsts = [folded(word) for word in words(given) if word not in _BESIDE]
    lasts = [word for word in words(family) if word not in _BESIDE]
    lasts = [folded(word) for word in lasts if word not in PARTICLES] or list(map(folded, lasts))
    if all(len(word) == 1 for word in firsts):
        firsts = firsts[:1]
    first = firsts[0] if firsts else ""
    parts = tuple(part for part in lasts if len(part) > 3) if len(lasts) > 1 else ()
    return Name("".join(firsts), first, "".join(lasts), parts, _called(first))


@lru_cache(maxsize=200_000)
def parse_name(text: str) -> Name:
    """Return the name that a text writes: "Given Family", "Family, Given", with titles or without."""
    family, comma, given = text.partition(",")
    if comma and given.strip():
        return split_name(given, family)
    parts = [word for word in text.split() if word.strip(".").lower() not in _BESIDE]
    last = len(parts) - 1
    while last > 1 and parts[last - 1].lower() in PARTICLES:
        last -= 1
    return split_name(" ".join(parts[: max(last, 1)]), " ".join(parts[max(last, 1) :]))


def _called(first: str) -> tuple[str, ...]:
    return (first, *sorted(_full_names().get(first, ()))) if first else ()


@cache
def _full_names() -> Mapping[str, frozenset[str]]:
    return {folded(short): frozenset(map(folded, fulls)) for short, fulls in full_names().items()}
