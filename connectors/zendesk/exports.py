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
from threadline.sdk import JSON, Cursor, Opaque, Page, split_records
from threadline.sdk.cursors import Following

BY_CURSOR = Opaque("cursor")
BY_TIME = Opaque("start_time")
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

    def fetch(cursor: JSON) -> Following | None:
        position: dict[str, Any] = {"cursor": cursor} if cursor else {"start_time": start}
        try:
            envelope, body = client.read(f"/api/v2/incremental/{stream}/cursor.json", _CursorEnvelope, per_page=per_page, **position)
        except TooRecentError:
            return None
        return Following(split_records(body, stream), envelope.after_cursor or None, not envelope.end_of_stream)

    return BY_CURSOR.scan(since, fetch)


def comments(client: Client, since: Cursor | None, start: int, per_page: int) -> Iterator[Page]:
    """Read comments out of the ticket events.

    A page may end in the middle of a second, so the next one begins with that second again: events of one second
    come twice rather than not at all.
    """
    reader = CommentReader(client)

    def fetch(position: JSON) -> Following | None:
        start_time = start if position is None else position
        try:
            envelope, body = client.read(
                "/api/v2/incremental/ticket_events.json",
                _TimeEnvelope,
                start_time=start_time,
                include="comment_events",
                per_page=per_page,
            )
        except TooRecentError:
            return None
        records, rejected = reader.read(split_records(body, "ticket_events"))
        end_time = max(envelope.end_time, start_time) if envelope.end_time else None
        return Following(records, end_time, not envelope.end_of_stream, rejected)

    return BY_TIME.scan(since, fetch)
