"""The account's API over HTTP: exports, look-ups, writes and jobs, with Zendesk's paging, limits and errors."""

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.zendesk.sandbox import lists
from connectors.zendesk.sandbox.account import API_EMAIL, API_USER, Account
from connectors.zendesk.sandbox.exports import Exports
from connectors.zendesk.sandbox.records import Record, comments, job
from connectors.zendesk.sandbox.rig import ZendeskRig
from connectors.zendesk.sandbox.shelves import outside_exports
from connectors.zendesk.sandbox.writes import InvalidRecordError, OutdatedError, create_ticket, update_ticket, write_user
from threadline.testing.sandbox import Endpoint, HttpSandbox
from threadline.testing.story import Event

_KEY = "zendesk-sandbox-key"
_KEYS_LIVE = 7_200
"""Seconds that an idempotency key is remembered."""


def _error(status: int, error: str, description: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": error, "description": description, **more}, status_code=status)


def _not_found() -> JSONResponse:
    return _error(404, "RecordNotFound", "Not found")


def _invalid(invalid: InvalidRecordError) -> JSONResponse:
    return _error(422, "RecordInvalid", "Record validation errors", details=invalid.details)


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

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.account = Account(self.shelf)
        self.exports = Exports(self)

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
        """Return the users, the tickets, or the comments (with their ticket_id), that the API has written."""
        if object in ("user", "ticket"):
            return [self.shelf.get(object, str(entry["id"])) or {} for entry in self.shelf.all(f"pushed_{object}")]
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
            ("GET", "users/show_many", self._show_many("user")),
            ("GET", "users/{id:int}", self._show("user")),
            ("GET", "tickets", self._tickets),
            ("POST", "tickets", self._create_ticket),
            ("GET", "tickets/show_many", self._show_many("ticket")),
            ("GET", "tickets/{id:int}", self._show("ticket")),
            ("GET", "deleted_tickets", self._deleted_tickets),
            ("GET", "organizations/show_many", self._show_many("organization")),
            ("GET", "organizations/{id:int}", self._show("organization")),
            ("POST", "users/create_or_update", self._write_user),
            ("POST", "users/create_or_update_many", self._write_users),
            ("PUT", "users/update_many", self._write_users),
            ("PUT", "users/{id:int}", self._write_user),
            ("PUT", "tickets/{id:int}", self._write_ticket),
            ("GET", "satisfaction_ratings", self._satisfaction_ratings),
            ("GET", "tickets/{id:int}/audits", self._audits),
            ("GET", "tickets/{id:int}/comments", self._comments),
            ("GET", "job_statuses/{id}", self._job),
            ("GET", "help_center/articles/{id:int}", self._show("article")),
            ("GET", "help_center/incremental/articles", self._articles),
            ("GET", "incremental/users/cursor", self.exports.endpoint(self.exports.users)),
            ("GET", "incremental/tickets/cursor", self.exports.endpoint(self.exports.tickets)),
            ("GET", "incremental/organizations", self.exports.endpoint(self.exports.organizations)),
            ("GET", "incremental/ticket_events", self.exports.endpoint(self.exports.ticket_events)),
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

    def _show_many(self, kind: str) -> Endpoint:
        async def show_many(request: Request) -> Response:
            ids = [one for one in request.query_params.get("ids", "").split(",") if one]
            if len(ids) > 100:
                return _error(400, "TooManyValues", "Too many values: ids must have fewer than 100 items")
            found = [document for one in ids if (document := self._there(kind, one))]
            return JSONResponse({f"{kind}s": found, "next_page": None, "previous_page": None, "count": len(found)})

        return show_many

    def _show(self, kind: str) -> Endpoint:
        async def show(request: Request) -> Response:
            found = self._there(kind, str(request.path_params["id"]))
            return JSONResponse({kind: found}) if found else _not_found()

        return show

    def _there(self, kind: str, identity: str) -> Record | None:
        """Return what the API still shows, deleted users and organizations too."""
        document = self.shelf.get(kind, identity)
        return outside_exports(document) if document and document.get("status") != "deleted" else None

    async def _deleted_tickets(self, request: Request) -> Response:
        return lists.deleted_tickets(request, self.url, self.shelf)

    async def _write_user(self, request: Request) -> Response:
        given = (await request.json())["user"]
        with self.shelf.together():
            held = None
            if "id" in request.path_params:
                held = self.shelf.get("user", str(request.path_params["id"]))
                if not held:
                    return _not_found()
            try:
                written, new = write_user(self.account, given, held)
            except InvalidRecordError as invalid:
                return _invalid(invalid)
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
        failed = {"index": index, "id": given.get("id"), "action": "update" if "id" in given else "create", "success": False}
        if "id" in given and not held:
            return {**failed, "error": "UserNotFound", "details": "Not found"}
        try:
            written, new = write_user(self.account, given, held)
        except InvalidRecordError as invalid:
            return {**failed, "error": "UserUpdateError", "details": str(invalid)}
        if new:
            return {"id": written["id"], "status": "Created"}
        return {"id": written["id"], "action": "update", "success": True, "status": "Updated"}

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

    async def _tickets(self, request: Request) -> Response:
        """List the tickets of an external id; here a new one replaces an older one of the same."""
        entry = self.shelf.get("ticket_of", request.query_params.get("external_id", "").lower())
        held = self.shelf.get("ticket", str(entry["ticket"])) if entry else None
        found = [outside_exports(held)] if held and held["status"] != "deleted" else []
        return JSONResponse({"tickets": found, "next_page": None, "previous_page": None, "count": len(found)})

    async def _create_ticket(self, request: Request) -> Response:
        given, key = (await request.json())["ticket"], request.headers.get("Idempotency-Key")
        with self.shelf.together():
            if key is None:
                return self._created(given)
            asked, known = sha256(await request.body()).hexdigest(), self.shelf.get("key", key)
            if known is None or known["at"] < time.time() - _KEYS_LIVE:
                response = self._created(given)
                if response.status_code == 201:
                    self.shelf.put("key", key, {"asked": asked, "at": time.time(), "answer": bytes(response.body).decode()})
                response.headers["x-idempotency-lookup"] = "miss"
                return response
        if known["asked"] != asked:
            return _error(400, "IdempotentRequestError", "Request parameters don't match the given idempotency key")
        return Response(known["answer"], 201, {"x-idempotency-lookup": "hit"}, "application/json")

    def _created(self, given: Record) -> Response:
        try:
            ticket, audit = create_ticket(self.account, given)
        except InvalidRecordError as invalid:
            return _invalid(invalid)
        answer = {"ticket": outside_exports(ticket), "audit": audit}
        return JSONResponse(answer, status_code=201, headers={"location": ticket["url"]})

    async def _write_ticket(self, request: Request) -> Response:
        given = (await request.json())["ticket"]
        with self.shelf.together():
            held = self.shelf.get("ticket", str(request.path_params["id"]))
            if not held or held["status"] == "deleted":
                return _not_found()
            try:
                ticket, audit = update_ticket(self.account, held, given)
            except InvalidRecordError as invalid:
                return _invalid(invalid)
            except OutdatedError:
                return _error(409, "UpdateConflict", "Safe Update prevented the update due to outdated ticket data")
        return JSONResponse({"ticket": outside_exports(ticket), "audit": audit})

    async def _articles(self, request: Request) -> Response:
        return self.exports.articles(request)

    async def _satisfaction_ratings(self, request: Request) -> Response:
        return lists.satisfaction_ratings(request, self.url, self.shelf)

    async def _audits(self, request: Request) -> Response:
        return self._of_ticket(request, "audits", lambda audit: [outside_exports(audit)])

    async def _comments(self, request: Request) -> Response:
        return self._of_ticket(request, "comments", comments)

    def _of_ticket(self, request: Request, name: str, rows_of: Callable[[Record], list[Record]]) -> Response:
        number = request.path_params["id"]
        held = self.shelf.get("ticket", str(number))
        if not held or held["status"] == "deleted":
            return _not_found()
        rows = [row for audit in self.shelf.all("audit") if audit["ticket_id"] == number for row in rows_of(self.account.shown(audit))]
        return lists.page_of_rows(request, self.url, name, rows)
