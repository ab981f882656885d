"""Conditions on a pair, each of which says itself in SQL and in Python: batch and single scores cannot part ways."""

from collections.abc import Callable, Mapping
from operator import attrgetter

from msgspec import Struct
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from threadline.identity.matching.features import Features

DUCKDB: Mapping[str, str] = {"overlap": "list_has_any", "closeness": "jaro_winkler_similarity", "edits": "damerau_levenshtein"}
SPARK: Mapping[str, str] = {"overlap": "arrays_overlap", "closeness": "jaro_winkler", "edits": "damerau_levenshtein"}
"""What the same functions are called; on Spark the last two come with Splink's jar."""
DIALECTS = {"duckdb": DUCKDB, "spark": SPARK}


class Condition(Struct, frozen=True):
    """A condition on the left and right features of a pair; a missing value fulfils none but `missing`."""

    sql: str
    """With the functions of a dialect as {overlap}, {closeness}, {edits}."""
    holds: Callable[[Features, Features], bool]

    def written(self, dialect: str) -> str:
        """Return the SQL of a dialect."""
        return self.sql.format_map(DIALECTS[dialect])

    def __and__(self, other: "Condition") -> "Condition":
        one, two = self.holds, other.holds
        return Condition(f"({self.sql} AND {other.sql})", lambda left, right: one(left, right) and two(left, right))

    def __invert__(self) -> "Condition":
        holds = self.holds
        return Condition(f"(NOT coalesce({self.sql}, FALSE))", lambda left, right: not holds(left, right))

    def __or__(self, other: "Condition") -> "Condition":
        one, two = self.holds, other.holds
        return Condition(f"({self.sql} OR {other.sql})", lambda left, right: one(left, right) or two(left, right))


def missing(column: str) -> Condition:
    """Either side has no value."""
    read = attrgetter(column)
    return Condition(
        f"({column}_l IS NULL OR {column}_r IS NULL)", lambda left, right: read(left) is None or read(right) is None
    )  # fmt: skip


def same(column: str, other: str | None = None) -> Condition:
    """The left value of a column is the right value of it, or of another one."""
    read, compared = attrgetter(column), attrgetter(other or column)

    def holds(left: Features, right: Features) -> bool:
        return (value := read(left)) is not None and value == compared(right)

    return Condition(f"{column}_l = {other or column}_r", holds)


def overlap(column: str, other: str | None = None) -> Condition:
    """The left values of a column and the right ones of it, or of another, have one in common."""
    read, compared = attrgetter(column), attrgetter(other or column)
    return Condition(
        f"{{overlap}}({column}_l, {other or column}_r)", lambda left, right: not set(read(left)).isdisjoint(compared(right))
    )  # fmt: skip


def close(column: str, least: float, other: str | None = None) -> Condition:
    """The left value and the right one of the column, or of another, have at least this Jaro-Winkler similarity (Winkler 1990)."""
    read, compared = attrgetter(column), attrgetter(other or column)

    def holds(left: Features, right: Features) -> bool:
        one, two = read(left), compared(right)
        return one is not None and two is not None and JaroWinkler.similarity(one, two) >= least

    return Condition(f"{{closeness}}({column}_l, {other or column}_r) >= {least}", holds)


def few_edits(column: str, most: int) -> Condition:
    """At most so many letters were inserted, lost, replaced or swapped with their neighbour (Damerau-Levenshtein)."""
    read = attrgetter(column)

    def holds(left: Features, right: Features) -> bool:
        one, two = read(left), read(right)
        return one is not None and two is not None and DamerauLevenshtein.distance(one, two) <= most

    return Condition(f"{{edits}}({column}_l, {column}_r) <= {most}", holds)


def long(column: str, least: int) -> Condition:
    """Both sides have at least so many letters."""
    read = attrgetter(column)

    def holds(left: Features, right: Features) -> bool:
        one, two = read(left), read(right)
        return one is not None and two is not None and len(one) >= least and len(two) >= least

    return Condition(f"(length({column}_l) >= {least} AND length({column}_r) >= {least})", holds)


def same_part(column: str, start: int, end: int) -> Condition:
    """The letters from `start` to before `end` are the same."""
    read = attrgetter(column)

    def holds(left: Features, right: Features) -> bool:
        one, two = read(left), read(right)
        return one is not None and two is not None and one[start:end] == two[start:end]

    part = f"substr({column}_{{side}}, {start + 1}, {end - start})"
    return Condition(f"{part.replace('{side}', 'l')} = {part.replace('{side}', 'r')}", holds)


def initial(column: str) -> Condition:
    """One side is the first letter of the other."""
    read = attrgetter(column)

    def holds(left: Features, right: Features) -> bool:
        one, two = read(left), read(right)
        return one is not None and two is not None and (len(one) == 1 or len(two) == 1) and one[:1] == two[:1]

    return Condition(
        f"((length({column}_l) = 1 OR length({column}_r) = 1) AND substr({column}_l, 1, 1) = substr({column}_r, 1, 1))", holds
    )  # fmt: skip
