"""Which pairs are looked at: people who share a blocking key."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from xxhash import xxh3_64_intdigest

from threadline.identity.matching.features import Features

SMALL_BLOCK = 4
"""Who shares but one key with somebody is looked at where no more than so many have it."""
_SIGNED = (1 << 63) - 1
_SOUNDS = str.maketrans("cqkzdtvwbpmn", "kkksttffppnn")
_SILENT = frozenset("aeiouyhw")


def keys(row: Features) -> list[int]:
    """Return the blocking keys of a person, as 63 bits that fit a database's integer and tell nothing.

    Each joins two things that errors seldom hit at once, so that one of them may be wrong or missing altogether.
    """
    return [xxh3_64_intdigest(text.encode()) & _SIGNED for text in dict.fromkeys(_keys(row))]


def promising(sizes: Sequence[int]) -> bool:
    """Tell whether a pair is worth a score that shares keys which so many people have each, themselves included."""
    return len(sizes) > 1 or min(sizes, default=SMALL_BLOCK + 1) <= SMALL_BLOCK


def _keys(row: Features) -> Iterator[str]:
    yield from (f"p{phone}" for phone in row.phones)
    yield from (f"n{nick}" for nick in row.nicks)
    yield from (f"a{account}" for account in row.accounts)
    yield from (f"d{door}" for door in row.doors)
    given, family = row.given or "", row.family or ""
    sounds = sorted({_sound(name) for name in (given, *row.nicknames[1:2], family, *row.families) if name})
    if given and family:
        yield f"N{min(given, family)} {max(given, family)}"
        yield f"I{given[0]} {family}"
    days = [part for birth in row.births for part in (f"y{birth[:4]}", f"m{birth[4:]}", f"w{birth[2:4]}{birth[6:]}", f"v{birth[:6]}")]
    days += [f"m{turned[4:]}" for turned in row.turned]
    places = [f"{name}{value}" for name, value in (("s", row.street), ("c", row.city), ("o", row.post_code)) if value]
    for number, sound in enumerate(sounds):
        yield from (f"{sound} {other}" for other in sounds[number + 1 :])
        yield from (f"{sound} {part}" for part in (*days, *places))
    yield from (f"{day} {place}" for day in days for place in places)
    yield from (f"b{birth}" for birth in row.births)
    if len(places) > 1:
        yield from (f"{place} h{row.house}" for place in places if row.house)
        yield f"{places[0]} {places[-1]}"


@lru_cache(maxsize=100_000)
def _sound(name: str) -> str:
    # The first letter and the consonants that follow, those that sound alike as one.
    spoken = name.translate(_SOUNDS)
    kept = [letter for letter, before in zip(spoken[1:], spoken, strict=False) if letter != before and letter not in _SILENT]
    return spoken[0] + "".join(kept)[:4]
