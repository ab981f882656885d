"""The incremental exports (developer.zendesk.com, Incremental Exports): what changed since a position, page by page.

Zendesk allows 10 export calls a minute and keeps back what changed within the last minute.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct

from connectors.zendesk.client import Client, TooRecentError
from connectors.zendesk.comments import CommentReader
from connectors.zendesk.identities import with_identities
from connectors.zendesk.status_changes import StatusReader
from threadline.sdk import JSON, Cursor, Opaque, Page, Rejected, split_records
from threadline.sdk.budget import Allowance, Left
from threadline.sdk.cursors import Following

BY_CURSOR = Opaque("cursor")
BY_TIME = Opaque("start_time")
KEPT_BACK = 61
"""Seconds: the youngest start time that Zendesk takes is a minute old."""

Made: TypeAlias = Callable[[Sequence[bytes]], tuple[Sequence[bytes], Sequence[Rejected]]]


def calls_left(headers: Mapping[str, str]) -> Left | None:
    """Read how many exports are left from Zendesk's own header: "total=10; remaining=9; resets=60"."""
    told = dict(re.findall(r"(\w+)=(\d{1,9})", headers.get("zendesk-ratelimit-incremental-exports", "")))
    if "remaining" not in told:
        return None
    return Left(int(told["remaining"]), float(told["resets"]) if "resets" in told else None)


ALLOWED = Allowance("exports", 10, 60, r"^GET .*/api/v2/incremental/", calls_left)


class _CursorEnvelope(Struct):
    end_of_stream: bool
    after_cursor: str | None = None


class _TimeEnvelope(Struct):
    end_of_stream: bool
    end_time: int | None = None

    @property
    def has_more(self) -> bool:
        """Whether to go on at once."""
        return not self.end_of_stream


class _ArticlesEnvelope(Struct):
    """The Help Center's own envelope (developer.zendesk.com, Understanding incremental article exports)."""

    next_page: str | None
    end_time: int | None = None

    @property
    def has_more(self) -> bool:
        """See `_TimeEnvelope`."""
        return self.next_page is not None


def first_start_time(start: datetime | None) -> int:
    """Return where a first read begins, in seconds since 1970, never later than Zendesk takes."""
    return min(int(start.timestamp()), int(time.time()) - KEPT_BACK) if start else 0


def by_cursor(client: Client, stream: str, since: Cursor | None, start: int, per_page: int, **more: Any) -> Iterator[Page]:
    """Read users or tickets; `more` is asked for besides. The cursor of the last page stays good: the next read goes on from it."""

    def fetch(cursor: JSON) -> Following | None:
        position: dict[str, Any] = {"cursor": cursor} if cursor else {"start_time": start}
        path = f"/api/v2/incremental/{stream}/cursor.json"
        try:
            envelope, body = client.read(path, _CursorEnvelope, records=stream, per_page=per_page, **more, **position)
        except TooRecentError:
            return None
        records = split_records(body, stream)
        records = with_identities(records, body) if stream == "users" else records
        return Following(records, envelope.after_cursor or None, not envelope.end_of_stream)

    return BY_CURSOR.scan(since, fetch)


def organizations(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read organizations as they are."""
    return _by_time(client, "organizations", since, start, lambda rows: (rows, ()), per_page=per_page)


def comments(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read comments out of the ticket events."""
    reader = CommentReader(client)
    return _by_time(client, "ticket_events", since, start, reader.read, per_page=per_page, include="comment_events")


def status_changes(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read status changes out of the ticket events."""
    reader = StatusReader(client)
    return _by_time(client, "ticket_events", since, start, reader.read, per_page=per_page)


def articles(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read Help Center articles as they are in their own language."""
    asked = {"sort_by": "updated_at", "sort_order": "asc", "per_page": per_page}
    return _by_time(client, "articles", since, start, lambda rows: (rows, ()), "help_center/", _ArticlesEnvelope, **asked)


def _by_time(
    client: Client,
    name: str,
    since: Cursor | None,
    start: int,
    made_of: Made,
    api: str = "",
    shape: type[_TimeEnvelope | _ArticlesEnvelope] = _TimeEnvelope,
    **asked: Any,
) -> Iterator[Page]:
    """Read what `made_of` makes of the rows of a time-based export.

    A page may end in the middle of a second, so the next one begins with that second again: what is of one second
    comes twice rather than not at all.
    """

    def fetch(position: JSON) -> Following | None:
        start_time = start if position is None else position
        try:
            path = f"/api/v2/{api}incremental/{name}.json"
            envelope, body = client.read(path, shape, records=name, start_time=start_time, **asked)
        except TooRecentError:
            return None
        records, rejected = made_of(split_records(body, name))
        # Where nothing has changed, the Help Center says 1.
        end_time = max(envelope.end_time, start_time) if envelope.end_time else None
        return Following(records, end_time, envelope.has_more, rejected)

    return BY_TIME.scan(since, fetch)
