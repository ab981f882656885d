"""Ways to read what changed: the sound one, and the ones known to lose records, which the oracle has to catch."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeAlias

from threadline.sdk import Cursor, Page, Window
from threadline.sdk.cursors import Rows, Span
from threadline.testing.simulator.source import Place, Source, instant

Scan: TypeAlias = Callable[[Source, Cursor | None, int], Iterator[Page]]
_EVER = 1 << 60
_START = Place(-_EVER, 0)


def window(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Read as the SDK does: [last bound - lag, bound] in keyset order, the bound being the source's clock as the scan begins."""
    return _window(source, since, size, source.lag)


def narrow(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Overlap by less than the commit lag."""
    return _window(source, since, size, source.lag // 4)


def ahead(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Save where the scan will end before its records are."""
    bound = source.clock.moment().isoformat()
    for page in _window(source, since, size, source.lag):
        yield Page(page.records, {"until": bound})


def _window(source: Source, since: Cursor | None, size: int, overlap: int) -> Iterator[Page]:
    def fetch(span: Span) -> Rows:
        lower = -_EVER if span.lower is None else instant(span.lower)
        upper = _EVER if span.upper is None else instant(span.upper)
        after = Place(*span.after) if span.after else _START
        rows = [row for row in source.rows() if row[0] > after and lower <= row[0].stamp <= upper]
        page = rows[:size]
        return Rows([body for _, body in page], list(page[-1][0]) if page else None, len(rows) > size)

    return Window("stamp", timedelta(milliseconds=overlap)).scan(since, source.clock.moment, fetch)


def unbounded(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Overlap by the commit lag, but go on to what changed since the scan began."""
    return _open(source, since, size, source.lag)


def at_least(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Read the latest that was seen once more, and what is later."""
    return _open(source, since, size, 0)


def newest(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Read what is later than the latest that was seen."""
    return _open(source, since, size, -1)


def _open(source: Source, since: Cursor | None, size: int, overlap: int) -> Iterator[Page]:
    reached = since["at"] if since else 0
    place = Place(reached - overlap, 0) if since else _START
    while rows := [row for row in source.rows() if row[0] > place][:size]:
        place = rows[-1][0]
        reached = max(reached, place.stamp)
        yield Page([body for _, body in rows], {"at": reached})


def offset(source: Source, since: Cursor | None, size: int) -> Iterator[Page]:
    """Count rows instead of following keys, while rows move."""
    saved, bound, skip = since["at"] if since else 0, source.clock.now, 0
    start = Place(saved - source.lag, 0) if since else _START
    while rows := [row for row in source.rows() if row[0] > start and row[0].stamp <= bound][skip : skip + size]:
        skip += size
        yield Page([body for _, body in rows], {"at": max(saved, rows[-1][0].stamp)})
    yield Page([], {"at": bound})
