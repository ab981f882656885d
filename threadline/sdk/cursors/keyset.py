"""Rows in the order of what does not change under the reader's hands: a time and a key, or a key alone."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from threadline.sdk.contract import JSON, Cursor, Page, Rejected
from threadline.sdk.cursors.kind import Kind
from threadline.sdk.cursors.saved import read_cursor, write_cursor
from threadline.sdk.errors import RetryableError

Position: TypeAlias = list[JSON]
"""The values that a row is ordered by, exactly as the source writes them: a rounded one would skip rows."""
Part: TypeAlias = Literal["changed", "untimed", "all"]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Span(msgspec.Struct, frozen=True):
    """What one query asks for: rows of a part in their order, from the first one after the position `after` (None: from the start).

    `changed` are the rows whose time t has `lower` <= t <= `upper` (`lower` None: any earlier time), in the order (t, key).
    `untimed` are those that no window will hold, without a time or with one above `upper`, in the order of the key.
    `all` are all of them, in the order of the key.
    """

    part: Part
    lower: datetime | None = None
    upper: datetime | None = None
    after: Position | None = None


class Rows(msgspec.Struct, frozen=True):
    """One page of a span: `last` is the position of its last row (None: it has none), `more` says whether others follow."""

    records: Sequence[bytes]
    last: Position | None
    more: bool
    rejected: Sequence[Rejected] = ()


Fetch: TypeAlias = Callable[[Span], Rows]


class _Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`until` alone ends a scan; with a part, the scan of (`since`, `until`) stands in that part, after the position `at`.

    Both kinds share it, so that a stream goes on when its settings name a time column, or name none any more.
    """

    until: _Moment | None = None
    since: _Moment | None = None
    part: str | None = None
    at: Position | None = None


class Window(Kind, frozen=True):
    """What changed in a window of the source's own time: every row ends at its latest version.

    A scan reads [last bound - `overlap`, bound]. The bound is the source's clock less `lag`, taken once when the scan
    begins; a scan that breaks off keeps it. No cursor passes it, so what changes meanwhile belongs to the next scan.
    Assumes that a change is visible at most `overlap` + `lag` after its time: what comes later is left to a sweep of all
    rows. The time must move with every change, and be of the clock that gives the bound, or within `overlap` of it.
    `by` names the time; `untimed` says that rows may lack a usable one: those are read with every scan.
    """

    lists_all = True

    by: str
    overlap: timedelta = timedelta(minutes=1)
    lag: timedelta = timedelta(0)
    untimed: bool = False

    def __str__(self) -> str:
        again = f", {self.overlap.total_seconds():g} s of it again" if self.overlap else ""
        return f"by {self.by}{again}{'; rows without it each time' if self.untimed else ''}"

    def scan(self, saved: Cursor | None, clock: Callable[[], datetime], fetch: Fetch) -> Iterator[Page]:
        """Yield what changed since `saved`; `clock` tells the source's time, with its offset to UTC."""
        place = read_cursor(self, saved, _Saved)
        if place.until and place.part:
            yield from self._read(place, place.until, fetch)
        until = clock().astimezone(UTC) - self.lag
        yield from self._read(_Saved(since=place.until), until, fetch)

    def _read(self, place: _Saved, until: datetime, fetch: Fetch) -> Iterator[Page]:
        """Read the scan from its place on; a part that the settings no longer have begins it again."""
        changed = Span("changed", place.since and place.since - self.overlap, until)
        spans = [changed, Span("untimed", upper=until)] if self.untimed else [changed]
        parts = [span.part for span in spans]
        if place.part in parts:
            first, *rest = spans[parts.index(place.part) :]
            spans = [replace(first, after=place.at), *rest]

        def cursor(following: Span | None) -> Cursor:
            return write_cursor(_Saved(until, place.since, following.part, following.after) if following else _Saved(until))

        return _pages(spans, fetch, cursor)


class KeyOrder(Kind, frozen=True):
    """All rows in the order of their key, with every scan: each row that is there throughout ends at its latest version.

    The cursor only saves what was read before a crash. Assumes that keys do not change.
    """

    lists_all = True

    def __str__(self) -> str:
        return "as a whole each time, in the order of the key"

    def scan(self, saved: Cursor | None, fetch: Fetch) -> Iterator[Page]:
        """Yield the rest of a scan that was broken off, then all rows."""
        place = read_cursor(self, saved, _Saved)
        if place.part == "all":
            yield from _pages([Span("all", after=place.at)], fetch, _key_cursor)
        yield from _pages([Span("all")], fetch, _key_cursor)


def _key_cursor(following: Span | None) -> Cursor:
    return write_cursor(_Saved(part=following.part, at=following.after) if following else _Saved())


def _pages(spans: Sequence[Span], fetch: Fetch, cursor: Callable[[Span | None], Cursor]) -> Iterator[Page]:
    """Read span by span; `cursor` writes down what is read next, None when nothing is left."""
    for beginning, following in zip_longest(spans, spans[1:]):
        span, more = beginning, True
        while more:
            rows = fetch(span)
            more = rows.more
            if more and rows.last in (None, span.after):
                raise RetryableError("the source says that there are more rows, but its page does not get on")
            span = replace(span, after=rows.last)
            yield Page(rows.records, cursor(span if more else following), rows.rejected)
