"""The incremental exports of the stand-in: what changed, by cursor or by time, counted against a limit of their own."""

import time
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import islice, takewhile
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.zendesk.sandbox.records import Record, identities, metric_set, seconds, ticket_event
from connectors.zendesk.sandbox.shelves import changes, outside_exports, place_before

if TYPE_CHECKING:
    from connectors.zendesk.sandbox.server import ZendeskSandbox

_MOST = 1000
"""Rows of a page."""


class Exports:
    """Pages over the shelf, each at the cost of its own rows."""

    def __init__(self, sandbox: "ZendeskSandbox") -> None:
        self._sandbox = sandbox
        self.spent: deque[float] = deque()

    def endpoint(self, answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        """Make an endpoint that counts as an export."""

        async def counted(request: Request) -> Response:
            return self._counted(lambda: answer(request))

        return counted

    def _counted(self, answer: Callable[[], Response]) -> Response:
        limit, now = self._sandbox.exports_per_minute, time.monotonic()
        while self.spent and self.spent[0] <= now - 60:
            self.spent.popleft()
        resets = int(60 - (now - self.spent[0])) + 1 if self.spent else 60
        if len(self.spent) >= limit:
            response = self._sandbox.limited(resets)
        else:
            self.spent.append(now)
            response = answer()
        said = f"total={limit}; remaining={limit - len(self.spent)}; resets={resets}"
        response.headers["zendesk-ratelimit-incremental-exports"] = said
        return response

    def users(self, request: Request) -> Response:
        """Users by cursor, with the identities side-load."""
        return self._by_cursor(request, "user", lambda user: seconds(user["updated_at"]), lambda user: user, identities)

    def tickets(self, request: Request) -> Response:
        """Tickets by cursor, with the metric_sets side-load."""
        metrics = "metric_sets" in request.query_params.get("include", "")
        shown: Callable[[Record], Record] = (lambda ticket: {**ticket, "metric_set": metric_set(ticket)}) if metrics else dict
        return self._by_cursor(request, "ticket", lambda ticket: int(ticket["generated_timestamp"]), shown)

    def organizations(self, request: Request) -> Response:
        """Organizations by time."""
        return self._by_time(request, "organizations", "organization", outside_exports)

    def articles(self, request: Request) -> Response:
        """Articles of the Help Center by time, which tells the end in words of its own."""
        query, (page, more) = request.query_params, self._changed_since(request, "article")
        end_time = page[-1]["generated_timestamp"] if page else 1
        asked = urlencode({**query, "start_time": end_time})
        next_page = f"{self._sandbox.url}{request.url.path}?{asked}" if more else None
        rows = [outside_exports(record) for record in page]
        return JSONResponse({"count": len(rows), "next_page": next_page, "end_time": end_time, "articles": rows})

    def ticket_events(self, request: Request) -> Response:
        """Ticket events by time."""
        comments = "comment_events" in request.query_params.get("include", "")
        return self._by_time(request, "ticket_events", "audit", lambda audit: ticket_event(self._sandbox.account.shown(audit), comments))

    def _by_cursor(
        self, request: Request, kind: str, changed: Callable[[Record], int], shown: Callable[[Record], Record],
        beside: Callable[[Record], list[Record]] | None = None,
    ) -> Response:  # fmt: skip
        query = request.query_params
        size, start = min(int(query.get("per_page", _MOST)), _MOST), int(query.get("start_time", 0))
        if start > time.time() - self._sandbox.kept_back:
            return self._too_recent()
        after = int(b64decode(query["cursor"]).split(b"|")[2]) if "cursor" in query else 0
        until = self._until()
        visible = takewhile(lambda row: changed(row[1]) <= until, changes(self._sandbox.shelf, kind, after, size + 1))
        found = list(islice((row for row in visible if changed(row[1]) >= start), size + 1))
        page, cursor = found[:size], query.get("cursor")
        if page:
            seq, last = page[-1]
            cursor = b64encode(f"{changed(last)}.0||{seq}|".encode()).decode()
        url = f"{self._sandbox.url}{request.url.path}"
        after_url = f"{url}?{urlencode({'cursor': cursor, 'per_page': size})}" if cursor else None
        places = {"after_url": after_url, "after_cursor": cursor, "before_url": None, "before_cursor": None}
        rows: Record = {f"{kind}s": [shown(record) for _, record in page]}
        if beside and query.get("include") == beside.__name__:
            rows[beside.__name__] = [one for _, record in page for one in beside(record)]
        return JSONResponse({**rows, **places, "end_of_stream": len(found) <= size})

    def _by_time(self, request: Request, name: str, kind: str, shown: Callable[[Record], Record]) -> Response:
        query = request.query_params
        if int(query["start_time"]) > min(self._until(), max(time.time(), self._sandbox.account.newest(kind))):
            return self._too_recent()
        page, more = self._changed_since(request, kind)
        end_time = page[-1]["generated_timestamp"] if page else None
        asked = {name: value for name, value in query.items() if name != "start_time"}
        next_page = f"{self._sandbox.url}{request.url.path}?{urlencode({**asked, 'start_time': end_time})}" if page else None
        rest = {"next_page": next_page, "count": len(page), "end_of_stream": not more, "end_time": end_time}
        return JSONResponse({name: [shown(record) for record in page], **rest})

    def _changed_since(self, request: Request, kind: str) -> tuple[list[Record], bool]:
        """Return a page of what changed from start_time on, and whether more follows."""
        query = request.query_params
        size, start, until = min(int(query.get("per_page", _MOST)), _MOST), int(query["start_time"]), self._until()
        shelf, page = self._sandbox.shelf, list[Record]()
        for _, record in changes(shelf, kind, place_before(shelf, kind, start), size + 1):
            if record["generated_timestamp"] > until:
                break
            # As at Zendesk a page takes more than was asked for when it would not get past its own second.
            if len(page) >= size and page[-1]["generated_timestamp"] > start:
                return page, True
            page.append(record)
        return page, False

    def _until(self) -> float:
        """Return the time of the youngest change that exports show."""
        return time.time() - self._sandbox.kept_back if self._sandbox.kept_back else float("inf")

    def _too_recent(self) -> Response:
        said = {"error": "StartTimeTooRecent", "description": "Too recent start_time. Use a start_time older than 1 minute"}
        return JSONResponse(said, status_code=400)
