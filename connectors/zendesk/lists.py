"""Lists with cursor pagination (developer.zendesk.com, Cursor pagination): ratings by their time, deleted tickets as a whole.

A customer who thinks again makes another rating, and none ever changes. Deleted tickets are listed for 30 days.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil, floor
from typing import Any

from msgspec import Struct

from connectors.zendesk.client import Client
from threadline.sdk import Cursor, KeyOrder, Page, split_records
from threadline.sdk.cursors import Rows, Span, Window

BY_CREATION = Window("created_at", overlap=timedelta(minutes=5))
AS_A_WHOLE = KeyOrder()
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
        asked: dict[str, Any] = {"score": "received"}
        if begin := span.lower or start:
            asked["start_time"] = floor(begin.timestamp())
        if span.upper:
            asked["end_time"] = ceil(span.upper.timestamp())
        return _rows(client, "satisfaction_ratings", span, per_page, asked)

    return BY_CREATION.scan(since, client.clock, fetch)


def deleted_tickets(client: Client, since: Cursor | None, per_page: int) -> Iterator[Page]:
    """Read the tickets that can still be restored."""
    return AS_A_WHOLE.scan(since, lambda span: _rows(client, "deleted_tickets", span, per_page, {}))


def _rows(client: Client, name: str, span: Span, per_page: int, asked: dict[str, Any]) -> Rows:
    page: dict[str, Any] = {"page[size]": min(per_page, AT_ONCE)}
    if span.after:
        page["page[after]"] = span.after[0]
    answer, body = client.read(f"/api/v2/{name}.json", _Listed, records=name, **asked, **page)
    place = [answer.meta.after_cursor] if answer.meta.after_cursor else None
    return Rows(split_records(body, name), place, answer.meta.has_more)
