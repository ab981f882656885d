"""A stand-in for X's API v2 on behalf of one account: its mentions, its timeline and its direct messages."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.x.sandbox.lists import InvalidParameter, Listed, listing
from connectors.x.sandbox.records import OWN_USER, direct_message, garbled, post, post_position, user
from connectors.x.sandbox.signature import SignatureCheck
from connectors.x.session import VENDOR_HOST
from connectors.x.text import LIMIT, weight
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event, Garbled, Posted, Registered

PROBLEMS = "https://api.x.com/2/problems"


class XSandbox(HttpSandbox):
    """X as the account @threadline_care sees it."""

    name = "x"
    role = "social"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._signatures = SignatureCheck(self.secrets)
        if not self.shelf.get("user", OWN_USER["id"]):
            self.shelf.put("user", OWN_USER["id"], OWN_USER)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The address."""
        return {"base_url": self.url}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The keys of its only app and account."""
        return {field: f"sandbox-{field}" for field in ("consumer_key", "consumer_secret", "access_token", "access_token_secret")}

    def routes(self) -> list[Route]:
        """X's paths."""
        return [
            Route("/2/users/me", self._me),
            Route("/2/users/{id}/mentions", self._mentions),
            Route("/2/users/{id}/tweets", self._timeline),
            Route("/2/dm_events", self._dm_events),
            Route("/2/tweets", self._create, methods=["POST"]),
        ]

    def authorized(self, request: Request) -> bool:
        """Check the OAuth 1.0a signature, which covers the vendor's address whatever gateway the call came through."""
        return self._signatures.accepts(
            request.method, VENDOR_HOST + request.url.path, request.query_params.multi_items(), request.headers.get("Authorization", "")
        )

    def unauthorized(self) -> Response:
        """X's 401."""
        return problem(401, "Unauthorized", "Unauthorized")

    def limited(self, retry_after: int) -> Response:
        """X's 429: no Retry-After, but the second at which the window ends."""
        headers = self.limit_headers(self.limit_per_minute, 0, retry_after)
        return problem(429, "Too Many Requests", "Too Many Requests", headers=headers)

    def limit_headers(self, limit: int, remaining: int, reset: int) -> Mapping[str, str]:
        """X's three rate-limit headers."""
        return {
            "x-rate-limit-limit": str(limit),
            "x-rate-limit-remaining": str(remaining),
            "x-rate-limit-reset": str(int(time.time()) + reset),
            "x-access-level": "read-write-directmessages",
        }

    async def _me(self, request: Request) -> Response:
        return JSONResponse({"data": {name: OWN_USER[name] for name in ("id", "name", "username")}})

    async def _mentions(self, request: Request) -> Response:
        handle = f"@{OWN_USER['username']}"
        return self._list(request, "tweet", lambda post: handle in post.get("text", ""))

    async def _timeline(self, request: Request) -> Response:
        return self._list(request, "tweet", lambda post: post.get("author_id") == OWN_USER["id"])

    async def _dm_events(self, request: Request) -> Response:
        return self._list(request, "dm", lambda _: True)

    def _list(self, request: Request, kind: str, belongs: Callable[[Document], bool]) -> Response:
        if request.path_params.get("id", OWN_USER["id"]) != OWN_USER["id"]:
            return JSONResponse({"errors": [_problem_body(200, "Not Found Error", "Could not find user.", "resource-not-found")]})
        entries = [Listed(entry["position"], entry["record"]) for entry in self.shelf.all(kind) if belongs(entry["record"])]
        users = {user["id"]: user for user in self.shelf.all("user")}
        try:
            return JSONResponse(listing(kind, entries, users, request.query_params))
        except InvalidParameter as error:
            return invalid_request(str(error))

    async def _create(self, request: Request) -> Response:
        wanted = await request.json()
        text, answered = wanted.get("text", ""), wanted.get("reply", {}).get("in_reply_to_tweet_id")
        if not text:
            return invalid_request("text is missing")
        with self.shelf.together():
            mine = [entry["record"]["text"] for entry in self.shelf.all("tweet") if entry["record"].get("author_id") == OWN_USER["id"]]
            position = self._above_all()
            reply = post(position, OWN_USER, text, datetime.now(UTC), self._post(answered))
            if weight(text) > LIMIT:
                return problem(403, "Forbidden", "Your Tweet text is too long.")
            if answered and not self._post(answered):
                return problem(403, "Forbidden", "You attempted to reply to a Tweet that is deleted or not visible to you.")
            if reply["text"] in mine:
                return problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
            self._keep("tweet", position, reply, pushed=True)
        created = {name: reply[name] for name in ("edit_history_tweet_ids", "id", "text")}
        return JSONResponse({"data": created}, status_code=201)

    def _post(self, identity: str | None) -> Document | None:
        entry = self.shelf.get("tweet", identity) if identity else None
        return entry["record"] if entry else None

    def _above_all(self) -> int:
        positions = [entry["position"] for kind in ("tweet", "dm") for entry in self.shelf.all(kind)]
        return max(positions, default=post_position(0)) + 1

    def _keep(self, kind: str, position: int, record: Document, *, pushed: bool = False) -> None:
        self.shelf.put(kind, str(position), {"position": position, "record": record, "pushed": pushed})

    def tell(self, event: Event) -> None:
        """Write down a user's profile, a mention, a reply, a direct message, or something unusable."""
        with self.shelf.together():
            match event:
                case Registered():
                    self._register(event)
                case Posted():
                    self._tell_post(event)
                case Garbled():
                    self._tell_garbled(event)
                case _:
                    raise ValueError(f"{type(event).__name__} cannot happen on X; Registered, Posted and Garbled can")

    def _register(self, event: Registered) -> None:
        profile = user(event.person, event.at, knows_name="name" in event.knows)
        if self.shelf.get("user", profile["id"]) != profile:
            self.shelf.put("user", profile["id"], profile)

    def _tell_post(self, event: Posted) -> None:
        position, kind = post_position(event.post), "dm" if event.direct else "tweet"
        if self.shelf.get(kind, str(position)):
            return
        customer = user(event.person, event.at, knows_name=True)
        known = self.shelf.get("user", customer["id"])
        if not known:
            self.shelf.put("user", customer["id"], customer)
        sides = (known or customer, OWN_USER) if event.direction == "inbound" else (OWN_USER, known or customer)
        if event.direct:
            record = direct_message(position, *sides, event.text, event.at)
        else:
            answered = self._post(str(post_position(event.answers))) if event.answers is not None else None
            # A mention names us, and a reply names the one it answers.
            handle = f"@{sides[1]['username']}"
            record = post(position, sides[0], event.text if handle in event.text else f"{handle} {event.text}", event.at, answered)
        self._keep(kind, position, record)

    def _tell_garbled(self, event: Garbled) -> None:
        identity = f"garbled-{event.number}"
        if self.shelf.get("garbled", identity):
            return
        position = self._above_all()
        kind, record = garbled(event.number, position, event.at)
        self.shelf.put("garbled", identity, {"id": record["id"]})
        self._keep(kind, position, record)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return the posts that came through the API, oldest first."""
        if object != "reply":
            raise ValueError(f"X takes no {object!r}; it takes: reply")
        return [entry["record"] for entry in self.shelf.all("tweet") if entry["pushed"]]


def _problem_body(status: int, title: str, detail: str, kind: str = "") -> Document:
    return {"title": title, "detail": detail, "type": f"{PROBLEMS}/{kind}" if kind else "about:blank", "status": status}


def problem(status: int, title: str, detail: str, kind: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """An error as X writes it (RFC 7807)."""
    body = _problem_body(status, title, detail, kind)
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def invalid_request(message: str) -> Response:
    """X's 400, with what is wrong beside the problem."""
    body = _problem_body(400, "Invalid Request", "One or more parameters to your request was invalid.", "invalid-request")
    return JSONResponse({"errors": [{"message": message}], **body}, status_code=400, media_type="application/problem+json")
