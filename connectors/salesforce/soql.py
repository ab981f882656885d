"""Statements: which rows of an object, in the order (SystemModstamp, Id).

https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from threadline.sdk.contract import CursorKind
from threadline.sdk.cursors import Position, Span, foreign_cursor


class Place(msgspec.Struct, frozen=True):
    """The row to go on from; with `job`, a query job reads what follows it, and stands at `locator`."""

    modstamp: str
    id: str
    job: str | None = None
    locator: str = ""

    @property
    def row(self) -> Position:
        """The place without a job."""
        return [self.modstamp, self.id]

    def at_job(self, job: str, locator: str = "") -> Position:
        """Return the place in a job's results."""
        return [self.modstamp, self.id, job, locator]


def read_place(kind: CursorKind, after: Position | None) -> Place | None:
    """Read a position of a saved cursor; ConfigError for one that is not ours, for it becomes part of a statement."""
    if after is None:
        return None
    try:
        place = Place(*(str(value) for value in after))
        moment = datetime.fromisoformat(place.modstamp)
    except (ValueError, TypeError):
        raise foreign_cursor(kind) from None
    if moment.tzinfo is None or not place.id.isalnum() or not (place.job or "0").isalnum():
        raise foreign_cursor(kind)
    return place


def select(fields: Sequence[str], sobject: str, where: str) -> str:
    """Write the statement that reads fields."""
    return " ".join(("SELECT", ", ".join(fields), "FROM", sobject, "WHERE", where))


def page(fields: Sequence[str], sobject: str, where: str, most: int) -> str:
    """Write the statement that reads the first rows in their order."""
    return f"{select(fields, sobject, where)} ORDER BY SystemModstamp, Id LIMIT {most}"


def count(sobject: str, where: str, most: int) -> str:
    """Write the statement that counts rows, and stops at so many."""
    return f"{select(['COUNT()'], sobject, where)} LIMIT {most}"


def conditions(span: Span, place: Place | None) -> str:
    """Say which rows of a span follow a place."""
    found = [f"SystemModstamp <= {literal(span.upper)}"] if span.upper else []
    if place:
        modstamp = literal(datetime.fromisoformat(place.modstamp))
        # The first condition is implied, but lets the index on SystemModstamp be used.
        found += [f"SystemModstamp >= {modstamp}", f"(SystemModstamp > {modstamp} OR Id > '{place.id}')"]
    elif span.lower:
        found.append(f"SystemModstamp >= {literal(span.lower)}")
    return " AND ".join(found)


def literal(moment: datetime) -> str:
    """Write a time as SOQL takes it: responses say +0000, which SOQL refuses."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
