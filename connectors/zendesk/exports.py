"""The incremental exports (developer.zendesk.com, Incremental Exports): what changed since a position, page by page.

Zendesk allows 10 export calls a minute and keeps back what changed within the last minute.
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct

from connectors.zendesk.client import Client, TooRecentError
from connectors.zendesk.comments import CommentReader
from threadline.sdk import Cursor, Page, RetryableError, split_records

KEPT_BACK = 61
"""Seconds: the youngest start time that Zendesk takes is a minute old."""


class _CursorEnvelope(Struct):
    end_of_stream: bool
    after_cursor: str | None = None


class _TimeEnvelope(Struct):
    end_of_stream: bool
    end_time: int | None = None


def first_start_time(start: datetime | None) -> int:
    """Return where a first read begins, in seconds since 1970, never later than Zendesk takes."""
    return min(int(start.timestamp()), int(time.time()) - KEPT_BACK) if start else 0


def by_cursor(client: Client, stream: str, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read users or tickets. The cursor of the last page stays good: the next read goes on from it."""
    cursor = since.get("cursor") if since else None
    while True:
        position: dict[str, Any] = {"cursor": cursor} if cursor else {"start_time": start}
        try:
            envelope, body = client.read(f"/api/v2/incremental/{stream}/cursor.json", _CursorEnvelope, per_page=per_page, **position)
        except TooRecentError:
            return
        after = envelope.after_cursor
        yield Page(split_records(body, stream), {"cursor": after} if after else None)
        if envelope.end_of_stream:
            return
        if not after or after == cursor:
            raise RetryableError(f"the export of {stream} says that there is more, but not where")
        cursor = after


def comments(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read comments out of the ticket events.

    A page may end in the middle of a second, so the next one begins with that second again: events of one second
    come twice rather than not at all.
    """
    start_time = int(since["start_time"]) if since and "start_time" in since else start
    reader = CommentReader(client)
    while True:
        try:
            envelope, body = client.read(
                "/api/v2/incremental/ticket_events.json",
                _TimeEnvelope,
                start_time=start_time,
                include="comment_events",
                per_page=per_page,
            )
        except TooRecentError:
            return
        records, rejected = reader.read(split_records(body, "ticket_events"))
        end_time = max(envelope.end_time or 0, start_time)
        yield Page(records, {"start_time": end_time} if envelope.end_time else None, rejected)
        if envelope.end_of_stream:
            return
        if end_time == start_time:
            raise RetryableError(f"the export of ticket events does not get past {start_time}; raise per_page")
        start_time = end_time
