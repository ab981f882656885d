"""What is compared of two people, and the degrees in which it agrees."""

from collections.abc import Sequence

from msgspec import Struct

from threadline.identity.matching.predicates import Condition, close, few_edits, initial, long, missing, overlap, same, same_part


class Level(Struct, frozen=True):
    """A degree of agreement; `frequency` is the column by how frequent whose value the weight is adjusted."""

    name: str
    condition: Condition
    frequency: str | None = None


class Comparison(Struct, frozen=True):
    """One field of a pair: its level is the first whose condition holds, the last one being "differs"."""

    name: str
    absent: Condition
    """Nothing can be said."""
    levels: Sequence[Level]
    kinship: float
    """How likely relatives agree as one person would: they share a door, not a birthday."""
    kind: str
    """Fields of one kind err and agree together: evidence of one kind alone is thin, and a place is shared by too many to count."""
    mistaken: float = 0.2
    """How often it differs for one person, before any data tell: addresses and numbers change."""
    learned: bool = True
    """Whether its weights come of the levels that are seen among pairs."""


_SWAPPED = close("given", 0.88, "family") & close("family", 0.88, "given")
_CALLED_ALIKE = close("given", 0.92) & close("family", 0.92) & long("given", 2)
_ONE_LETTER = few_edits("given", 1) & long("given", 3)
_POST_AND_CITY = same("post_code") & same("city")

COMPARISONS = (
    Comparison(
        "given",
        missing("given"),
        [
            Level("same", same("given") & long("given", 2), "given"),
            Level("swapped with the family name", _SWAPPED),
            Level("one of them the same", overlap("givens") & long("given", 2)),
            Level("short form", overlap("nicknames") & long("given", 2)),
            Level("initial", initial("given")),
            Level("very close", close("given", 0.92) | _ONE_LETTER),
            Level("close", close("given", 0.8)),
        ],
        kinship=0.04, kind="name", mistaken=0.03,
    ),
    Comparison(
        "family",
        missing("family") | _SWAPPED,
        [
            Level("same", same("family"), "family"),
            Level("one of them the same", overlap("families")),
            Level("very close", close("family", 0.92) | few_edits("family", 1)),
            Level("close", close("family", 0.8)),
        ],
        kinship=0.9, kind="name", mistaken=0.03,
    ),
    Comparison(
        # Given and family names go together: a whole name is more frequent than its parts, taken by themselves, say.
        "name",
        ~_CALLED_ALIKE,
        [Level("alike", _CALLED_ALIKE)],
        kinship=1.0, kind="whole name", learned=False,
    ),
    Comparison(
        "birth",
        missing("birth"),
        [
            Level("same", same("birth"), "birth"),
            Level("one of them the same", overlap("births")),
            Level("day and month swapped", overlap("births", "turned")),
            Level("one digit", few_edits("birth", 1)),
            Level(
                "two of day, month, year",
                (same_part("birth", 4, 8))
                | (same_part("birth", 0, 6))
                | (same_part("birth", 0, 4) & same_part("birth", 6, 8)),
            ),
            Level("year", same_part("birth", 0, 4)),
        ],
        kinship=0.015, kind="birth", mistaken=0.03,
    ),
    Comparison(
        "street",
        missing("street"),
        [
            Level("same", same("street") & same("house"), "street"),
            Level("one of them the same", overlap("doors")),
            Level("close, and the house number", close("street", 0.88) & same("house")),
            Level("same, another house number", same("street"), "street"),
            Level("close", close("street", 0.88)),
            Level("house number", same("house")),
        ],
        kinship=0.9, kind="home",
    ),
    Comparison(
        "place",
        missing("post_code") & missing("city"),
        [
            Level("same", _POST_AND_CITY, "post_code"),
            Level("post code", same("post_code"), "post_code"),
            Level("town, post code close", same("city") & few_edits("post_code", 1), "city"),
            Level("town", same("city"), "city"),
            Level("town close", close("city", 0.92)),
            Level("post code close", few_edits("post_code", 1)),
        ],
        kinship=0.95, kind="place",
    ),
    Comparison(
        "phone",
        missing("phone"),
        [Level("same", overlap("phones")), Level("one digit", few_edits("phone", 1))],
        kinship=0.5, kind="contact",
    ),
    Comparison(
        "account",
        missing("account"),
        [Level("same", overlap("accounts")), Level("same name elsewhere", overlap("nicks"))],
        kinship=0.25, kind="contact",
    ),
    Comparison(
        # A system seldom knows somebody twice.
        "source",
        missing("source"),
        [Level("of other systems", ~overlap("sources"))],
        kinship=0.0, kind="source", mistaken=0.4,
    ),
)  # fmt: skip
