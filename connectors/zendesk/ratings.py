"""Satisfaction ratings: what customers answered when they were asked how they were served.

A customer who thinks again makes another rating, and none ever changes; they are listed by the time of their creation.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any

from msgspec import Struct

from connectors.zendesk.client import Client
from threadline.sdk import Cursor, Page, split_records
from threadline.sdk.cursors import Rows, Span, Window

BY_CREATION = Window("created_at", overlap=timedelta(minutes=5))
AT_ONCE = 100
"""The most that Zendesk puts on a page of a list."""


class _Meta(Struct):
    has_more: bool
    after_cursor: str | None = None


class _Listed(Struct):
    meta: _Meta


def satisfaction_ratings(client: Client, since: Cursor | None, start: datetime | None, per_page: int) -> Iterator[Page]:
    """Read the ratings that were received, not those that were only offered."""

    def fetch(span: Span) -> Rows:
        asked: dict[str, Any] = {"score": "received", "page[size]": min(per_page, AT_ONCE)}
        if begin := span.lower or start:
            asked["start_time"] = floor(begin.timestamp())
        if span.upper:
            asked["end_time"] = ceil(span.upper.timestamp())
        if span.after:
            asked["page[after]"] = span.after[0]
        answer, body = client.read("/api/v2/satisfaction_ratings.json", _Listed, **asked)
        place = [answer.meta.after_cursor] if answer.meta.after_cursor else None
        return Rows(split_records(body, "satisfaction_ratings"), place, answer.meta.has_more)

    return BY_CREATION.scan(since, client.clock, fetch)
