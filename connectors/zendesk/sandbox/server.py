"""The account's API over HTTP: exports, look-ups, writes and jobs, with Zendesk's paging, limits and errors."""

import time
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.zendesk.sandbox.account import API_EMAIL, API_USER, Account, InvalidRecordError
from connectors.zendesk.sandbox.records import Record, comments, job, seconds, ticket_event
from connectors.zendesk.sandbox.rig import ZendeskRig
from threadline.testing.sandbox import Endpoint, HttpSandbox
from threadline.testing.story import Event

_KEY = "zendesk-sandbox-key"


def _error(status: int, error: str, description: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": error, "description": description, **more}, status_code=status)


def _outside_exports(document: Record) -> Record:
    return {name: value for name, value in document.items() if name != "generated_timestamp"}


def _not_found() -> JSONResponse:
    return _error(404, "RecordNotFound", "Not found")


class ZendeskSandbox(HttpSandbox):
    """A Zendesk account on loopback.

    `exports_per_minute` and `kept_back` (seconds) are 10 and 60 at Zendesk; here tests and demos may go faster.
    """

    name = "zendesk"
    role = "tickets"
    exports_per_minute: int = 10_000
    kept_back: int = 0
    bulk_imports: bool = True
    """Whether create_or_update_many is allowed; at Zendesk the account owner has to ask for it."""
    _times: ClassVar[Mapping[str, Callable[[Record], int]]] = {
        "users": lambda user: seconds(user["updated_at"]),
        "tickets": lambda ticket: ticket["generated_timestamp"],
    }

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.account = Account(self.shelf)
        self._exported: deque[float] = deque()

    @property
    def settings(self) -> Mapping[str, Any]:
        """Where it listens."""
        return {"base_url": self.url}

    @property
    def secrets(self) -> Mapping[str, str]:
        """Its only user."""
        return {"email": API_EMAIL, "token": _KEY}

    def tell(self, event: Event) -> None:
        """Write a story's event down."""
        with self.shelf.together():
            self.account.tell(event)

    def pushed(self, object: str) -> list[Record]:  # noqa: A002 - the contract's word
        """Return the users, or the comments (with their ticket_id), that the API has written."""
        if object == "user":
            return [self.shelf.get("user", str(entry["id"])) or {} for entry in self.shelf.all("pushed_user")]
        if object == "ticket_comment":
            audits = [self.shelf.get("audit", str(entry["id"])) or {} for entry in self.shelf.all("pushed_comment")]
            return [{**comment, "ticket_id": audit["ticket_id"]} for audit in audits for comment in comments(audit)]
        raise ValueError(f"nothing pushes {object!r} to Zendesk")

    def rig(self) -> ZendeskRig:
        """See `Sandbox`."""
        return ZendeskRig(self)

    def routes(self) -> list[Route]:
        """Zendesk's endpoints, each with and without .json."""
        paths: list[tuple[str, str, Endpoint]] = [
            ("GET", "users/me", self._me),
            ("GET", "users/show_many", self._show_many_users),
            ("GET", "tickets/show_many", self._show_many_tickets),
            ("POST", "users/create_or_update", self._write_user),
            ("POST", "users/create_or_update_many", self._write_users),
            ("PUT", "users/update_many", self._write_users),
            ("PUT", "users/{id:int}", self._write_user),
            ("PUT", "tickets/{id:int}", self._write_ticket),
            ("GET", "tickets/{id:int}/audits", self._audits),
            ("GET", "tickets/{id:int}/comments", self._comments),
            ("GET", "job_statuses/{id}", self._job),
            ("GET", "incremental/users/cursor", self._export_users),
            ("GET", "incremental/tickets/cursor", self._export_tickets),
            ("GET", "incremental/ticket_events", self._export_events),
        ]
        return [Route(f"/api/v2/{path}{end}", endpoint, methods=[method]) for method, path, endpoint in paths for end in (".json", "")]

    def authorized(self, request: Request) -> bool:
        """Take the API token of the only user."""
        expected = b64encode(f"{API_EMAIL}/token:{_KEY}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {expected}"

    def limited(self, retry_after: int) -> Response:
        """Zendesk's answer above a rate limit."""
        response = _error(429, "APIRateLimitExceeded", "Number of allowed API requests per minute exceeded")
        response.headers["Retry-After"] = str(retry_after)
        return response

    def limit_headers(self, limit: int, remaining: int, reset: int) -> Mapping[str, str]:
        """Both spellings that Zendesk sends."""
        return {
            "x-rate-limit": str(limit),
            "x-rate-limit-remaining": str(remaining),
            "ratelimit-limit": str(limit),
            "ratelimit-remaining": str(remaining),
            "ratelimit-reset": str(reset),
        }

    async def _me(self, request: Request) -> Response:
        me = self.shelf.get("user", str(API_USER))
        return JSONResponse({"user": {**(me or {}), "authenticity_token": "x" * 86}})

    async def _show_many_users(self, request: Request) -> Response:
        return self._show_many(request, "user")

    async def _show_many_tickets(self, request: Request) -> Response:
        return self._show_many(request, "ticket")

    def _show_many(self, request: Request, kind: str) -> Response:
        ids = [one for one in request.query_params.get("ids", "").split(",") if one]
        if len(ids) > 100:
            return _error(400, "TooManyValues", "Too many values: ids must have fewer than 100 items")
        found = [document for one in ids if (document := self.shelf.get(kind, one)) and document.get("status") != "deleted"]
        found = [_outside_exports(document) for document in found]
        return JSONResponse({f"{kind}s": found, "next_page": None, "previous_page": None, "count": len(found)})

    async def _write_user(self, request: Request) -> Response:
        given = (await request.json())["user"]
        with self.shelf.together():
            held = None
            if "id" in request.path_params:
                held = self.shelf.get("user", str(request.path_params["id"]))
                if not held:
                    return _not_found()
            try:
                written, new = self.account.write_user(given, held)
            except InvalidRecordError as invalid:
                return _error(422, "RecordInvalid", "Record validation errors", details=invalid.details)
        return JSONResponse({"user": written}, status_code=201 if new else 200, headers={"location": written["url"]})

    async def _write_users(self, request: Request) -> Response:
        if not self.bulk_imports:
            return _error(403, "Forbidden", "You do not have access to this page. Please contact the account owner for help.")
        given = (await request.json())["users"]
        if len(given) > 100:
            return _error(400, "TooManyValues", "Too many values: users must have fewer than 100 items")
        with self.shelf.together():
            rows = [self._bulk_row(index, one) for index, one in enumerate(given)]
            identity = f"V3-{self.shelf.count('job') + 1:032x}"
            self.shelf.put("job", identity, {"rows": rows, "asked": 0})
        return JSONResponse({"job_status": job(identity, len(rows))})

    def _bulk_row(self, index: int, given: Record) -> Record:
        held = self.shelf.get("user", str(given["id"])) if "id" in given else None
        if "id" in given and not held:
            return {"index": index, "id": given["id"], "error": "UserNotFound", "details": "Not found"}
        try:
            written, new = self.account.write_user(given, held)
        except InvalidRecordError as invalid:
            return {"index": index, "error": "UserUpdateError", "details": str(invalid)}
        return {"id": written["id"], "status": "Created" if new else "Updated"}

    async def _job(self, request: Request) -> Response:
        identity = request.path_params["id"]
        held = self.shelf.get("job", identity)
        if not held:
            return _not_found()
        rows = held["rows"]
        self.shelf.put("job", identity, {**held, "asked": held["asked"] + 1})
        if not held["asked"]:
            working = {"status": "working", "progress": len(rows) // 2, "message": f"Creating User #{len(rows) // 2}"}
            return JSONResponse({"job_status": job(identity, len(rows), **working)})
        message = f"Completed at {time.strftime('%Y-%m-%d %H:%M:%S +0000', time.gmtime())}"
        done = {"status": "completed", "progress": len(rows), "message": message, "results": rows}
        return JSONResponse({"job_status": job(identity, len(rows), **done)})

    async def _write_ticket(self, request: Request) -> Response:
        given = (await request.json())["ticket"]
        with self.shelf.together():
            held = self.shelf.get("ticket", str(request.path_params["id"]))
            if not held or held["status"] == "deleted":
                return _not_found()
            try:
                ticket, audit = self.account.write_comment(held, given["comment"], given.get("metadata") or {})
            except InvalidRecordError as invalid:
                return _error(422, "RecordInvalid", "Record validation errors", details=invalid.details)
        return JSONResponse({"ticket": _outside_exports(ticket), "audit": audit})

    async def _audits(self, request: Request) -> Response:
        return self._list(request, "audits", lambda audit: [audit])

    async def _comments(self, request: Request) -> Response:
        return self._list(request, "comments", comments)

    def _list(self, request: Request, name: str, rows_of: Callable[[Record], list[Record]]) -> Response:
        number = request.path_params["id"]
        if not self.shelf.get("ticket", str(number)):
            return _not_found()
        rows = [row for audit in self.shelf.all("audit") if audit["ticket_id"] == number for row in rows_of(audit)]
        query = request.query_params
        size = min(int(query.get("page[size]", 100)), 100)
        start = int(urlsafe_b64decode(query["page[after]"])) if "page[after]" in query else 0
        page = rows[start : start + size]
        before, after = (urlsafe_b64encode(str(at).encode()).decode() for at in (start, start + len(page)))
        meta = {"has_more": start + size < len(rows), "after_cursor": after, "before_cursor": before}
        own = f"{self.url}{request.url.path}?"
        links = {
            "prev": own + urlencode({"page[before]": before, "page[size]": size}),
            "next": own + urlencode({"page[after]": after, "page[size]": size}),
        }
        return JSONResponse({name: page, "meta": meta, "links": links})

    async def _export_users(self, request: Request) -> Response:
        return self._export(lambda: self._by_cursor(request, "users"))

    async def _export_tickets(self, request: Request) -> Response:
        return self._export(lambda: self._by_cursor(request, "tickets"))

    async def _export_events(self, request: Request) -> Response:
        return self._export(lambda: self._by_time(request))

    def _export(self, answer: Callable[[], Response]) -> Response:
        now = time.monotonic()
        while self._exported and self._exported[0] <= now - 60:
            self._exported.popleft()
        resets = int(60 - (now - self._exported[0])) + 1 if self._exported else 60
        if len(self._exported) >= self.exports_per_minute:
            response = self.limited(resets)
        else:
            self._exported.append(now)
            response = answer()
        remaining = self.exports_per_minute - len(self._exported)
        limit = f"total={self.exports_per_minute}; remaining={remaining}; resets={resets}"
        response.headers["zendesk-ratelimit-incremental-exports"] = limit
        return response

    def _by_cursor(self, request: Request, stream: str) -> Response:
        query = request.query_params
        size = min(int(query.get("per_page", 1000)), 1000)
        start = int(query.get("start_time", 0))
        if start > time.time() - self.kept_back:
            return self._too_recent()
        after = int(b64decode(query["cursor"]).split(b"|")[2]) if "cursor" in query else 0
        shown: list[tuple[int, Record]] = []
        for seq, record in self.shelf.after(stream[:-1], after):
            if self._times[stream](record) > self._until():
                break
            if self._times[stream](record) >= start:
                shown.append((seq, record))
        page, more = shown[:size], len(shown) > size
        cursor = query.get("cursor")
        if page:
            seq, last = page[-1]
            cursor = b64encode(f"{self._times[stream](last)}.0||{seq}|".encode()).decode()
        after_url = f"{self.url}{request.url.path}?{urlencode({'cursor': cursor, 'per_page': size})}" if cursor else None
        places = {"after_url": after_url, "after_cursor": cursor, "before_url": None, "before_cursor": None}
        return JSONResponse({stream: [record for _, record in page], **places, "end_of_stream": not more})

    def _by_time(self, request: Request) -> Response:
        query = request.query_params
        size = min(int(query.get("per_page", 1000)), 1000)
        start = int(query["start_time"])
        events = self._events("comment_events" in query.get("include", ""))
        newest = events[-1]["timestamp"] if events else 0
        if start > max(time.time() - self.kept_back, newest):
            return self._too_recent()
        events = [event for event in events if event["timestamp"] >= start]
        # As at Zendesk a page takes more than was asked for when it would not get past its own second.
        while len(events) > size and events[size - 1]["timestamp"] == start:
            size += 1
        page = events[:size]
        end_time = page[-1]["timestamp"] if page else None
        asked = {name: value for name, value in query.items() if name != "start_time"}
        next_page = f"{self.url}{request.url.path}?{urlencode({**asked, 'start_time': end_time})}" if page else None
        rest = {"next_page": next_page, "count": len(page), "end_of_stream": len(events) <= size, "end_time": end_time}
        return JSONResponse({"ticket_events": page, **rest})

    def _events(self, comment_events: bool) -> list[Record]:
        """Return all events in the order of their timestamps: an audit told late is exported late, under a later time."""
        events: list[Record] = []
        timestamp = 0
        for audit in self.shelf.all("audit"):
            timestamp = max(timestamp, seconds(audit["created_at"]))
            if timestamp > self._until():
                break
            events.append(ticket_event(audit, timestamp, comment_events))
        return events

    def _until(self) -> float:
        """Return the time of the youngest change that exports show."""
        return time.time() - self.kept_back if self.kept_back else float("inf")

    def _too_recent(self) -> Response:
        return _error(400, "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 1 minute")
