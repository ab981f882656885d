"""A stand-in for X's API v2 on behalf of one account: mentions, timeline, search, direct messages, and how much was read."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.x.sandbox.account import Listed, XAccount
from connectors.x.sandbox.application import Application
from connectors.x.sandbox.lists import MESSAGES, POSTS, SEARCH, InvalidParameter, Shape, Walk, listing, not_found, number, shown
from connectors.x.sandbox.problems import invalid_request, nothing_found, problem
from connectors.x.sandbox.query import InvalidQuery, Matches, parse
from connectors.x.sandbox.records import OWN_USER, direct_message, position_at, post
from connectors.x.sandbox.signature import SignatureCheck
from connectors.x.sandbox.user_tokens import CLIENT_ID, CLIENT_SECRET, FIRST, USER_TOKEN, UserTokens
from connectors.x.session import VENDOR_HOST
from connectors.x.text import LIMIT, MESSAGE_LIMIT, weight
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event

if TYPE_CHECKING:
    from connectors.x.sandbox.rig import XRig

SEARCHED_SECONDS = 7 * 24 * 3600
MOST_IDS = 100


class XSandbox(HttpSandbox):
    """X as the account @threadline_care sees it."""

    name = "x"
    role = "social"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._signatures = SignatureCheck(self.secrets)
        self.account = XAccount(self.shelf)
        self.application = Application(self.secrets)
        self.user_tokens = UserTokens()

    @property
    def settings(self) -> Mapping[str, Any]:
        """The address."""
        return {"base_url": self.url}

    @property
    def secrets(self) -> Mapping[str, str]:
        """The keys of its only app and account."""
        return {field: f"sandbox-{field}" for field in ("consumer_key", "consumer_secret", "access_token", "access_token_secret")}

    @property
    def refresh_credentials(self) -> Mapping[str, str]:
        """The other way in, by OAuth 2.0."""
        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": FIRST}

    def rig(self) -> "XRig":
        """Return what the conformance kit works it with."""
        from connectors.x.sandbox.rig import XRig

        return XRig(self)

    def routes(self) -> list[Route]:
        """X's paths."""
        return [
            Route("/oauth2/token", self.application.token, methods=["POST"]),
            Route(USER_TOKEN, self.user_tokens.token, methods=["POST"]),
            Route("/2/usage/tweets", self.application.usage),
            Route("/2/users/me", self._me),
            Route("/2/users/{id}/mentions", self._mentions),
            Route("/2/users/{id}/tweets", self._timeline),
            Route("/2/tweets/search/recent", self._search),
            Route("/2/tweets", self._lookup, methods=["GET"]),
            Route("/2/tweets", self._create, methods=["POST"]),
            Route("/2/dm_events", self._dm_events),
            Route("/2/dm_events/{id}", self._dm_event),
            Route("/2/dm_conversations/{id}/dm_events", self._conversation),
            Route("/2/dm_conversations/{id}/messages", self._send, methods=["POST"]),
        ]

    def authorized(self, request: Request) -> bool:
        """Check the app's own credentials where it is asked for them, else the user's token or OAuth 1.0a signature.

        The signature covers the vendor's address, whatever gateway the call came through.
        """
        header = request.headers.get("Authorization", "")
        if request.url.path in self.application.paths:
            return self.application.accepts(request.url.path, header)
        if request.url.path == USER_TOKEN or header.startswith("Bearer "):
            return request.url.path == USER_TOKEN or self.user_tokens.accepts(header)
        return self._signatures.accepts(request.method, VENDOR_HOST + request.url.path, request.query_params.multi_items(), header)

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
        return self._of_account(request, lambda post: handle in post.get("text", ""))

    async def _timeline(self, request: Request) -> Response:
        return self._of_account(request, lambda post: post.get("author_id") == OWN_USER["id"])

    def _of_account(self, request: Request, belongs: Callable[[Document], bool]) -> Response:
        if request.path_params["id"] != OWN_USER["id"]:
            return nothing_found("user", request.path_params["id"], "id")
        return self._list(request, POSTS, self._walk("tweet", belongs))

    async def _search(self, request: Request) -> Response:
        oldest = position_at(time.time() - SEARCHED_SECONDS)
        try:
            matches = parse(request.query_params.get("query", ""))
            _require_younger(request.query_params, oldest)
        except (InvalidQuery, InvalidParameter) as error:
            return invalid_request(str(error))
        return self._list(request, SEARCH, lambda below: self._searched(matches, oldest, below))

    def _searched(self, matches: Matches, oldest: int, below: int | None) -> Iterator[Listed]:
        for entry in self.account.newest_first("tweet", below):
            if entry.position < oldest:
                return
            author = self.account.user(entry.record.get("author_id", "")) or {}
            if matches(entry.record, author.get("username", "")):
                yield entry

    async def _dm_events(self, request: Request) -> Response:
        return self._list(request, MESSAGES, self._walk("dm", lambda _: True))

    async def _conversation(self, request: Request) -> Response:
        name = request.path_params["id"]
        return self._list(request, MESSAGES, self._walk("dm", lambda event: event.get("dm_conversation_id") == name))

    def _walk(self, kind: str, belongs: Callable[[Document], bool]) -> Walk:
        return lambda below: (entry for entry in self.account.newest_first(kind, below) if belongs(entry.record))

    def _list(self, request: Request, shape: Shape, walk: Walk) -> Response:
        try:
            answer = listing(shape, walk, self.account.user, request.query_params)
        except InvalidParameter as error:
            return invalid_request(str(error))
        self.application.read += answer["meta"]["result_count"] if shape is not MESSAGES else 0
        return JSONResponse(answer)

    async def _lookup(self, request: Request) -> Response:
        ids = request.query_params.get("ids", "").split(",")
        if not 1 <= len(ids) <= MOST_IDS or not all(identity.isdigit() for identity in ids):
            return invalid_request(f"The `ids` query parameter takes 1 to {MOST_IDS} ids")
        found = {identity: self.account.record("tweet", identity) for identity in ids}
        answer: Document = {}
        if posts := [one for one in found.values() if one]:
            answer = shown(POSTS, posts, self.account.user, request.query_params)
            self.application.read += len(posts)
        if errors := [not_found("tweet", identity, "ids") for identity, one in found.items() if not one]:
            answer["errors"] = [*answer.get("errors", ()), *errors]
        return JSONResponse(answer)

    async def _dm_event(self, request: Request) -> Response:
        identity = request.path_params["id"]
        if not (event := self.account.record("dm", identity)):
            return nothing_found("dm_event", identity, "event_id")
        answer = shown(MESSAGES, [event], self.account.user, request.query_params)
        return JSONResponse({**answer, "data": answer["data"][0]})

    async def _create(self, request: Request) -> Response:
        wanted = await request.json()
        text, answered = wanted.get("text", ""), wanted.get("reply", {}).get("in_reply_to_tweet_id")
        if not text:
            return invalid_request("text is missing")
        with self.shelf.together():
            own = (entry.record for entry in self.account.newest_first("tweet") if entry.record.get("author_id") == OWN_USER["id"])
            position, parent = self.account.next_position(), self.account.record("tweet", answered)
            reply = post(position, OWN_USER, text, datetime.now(UTC), parent)
            if weight(text) > LIMIT:
                return problem(403, "Forbidden", "Your Tweet text is too long.")
            if answered and not parent:
                return problem(403, "Forbidden", "You attempted to reply to a Tweet that is deleted or not visible to you.")
            if any(one["text"] == reply["text"] for one in own):
                return problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
            self.account.keep("tweet", position, reply, pushed=True)
        created = {name: reply[name] for name in ("edit_history_tweet_ids", "id", "text")}
        return JSONResponse({"data": created}, status_code=201)

    async def _send(self, request: Request) -> Response:
        text, name = (await request.json()).get("text", ""), request.path_params["id"]
        if not 1 <= len(text) <= MESSAGE_LIMIT:
            return invalid_request(f"text has 1 to {MESSAGE_LIMIT} characters")
        others = [identity for identity in name.split("-") if identity != OWN_USER["id"]]
        receiver = self.account.user(others[0]) if len(others) == 1 else None
        if not receiver:
            return problem(403, "Forbidden", "You cannot send messages to this user.")
        with self.shelf.together():
            position = self.account.next_position()
            self.account.keep("dm", position, direct_message(position, OWN_USER, receiver, text, datetime.now(UTC)), pushed=True)
        return JSONResponse({"data": {"dm_conversation_id": name, "dm_event_id": str(position)}}, status_code=201)

    def tell(self, event: Event) -> None:
        """Write down a user's profile, a mention, a reply, a direct message, or something unusable."""
        self.account.tell(event)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return the posts or messages that came through the API, oldest first."""
        kinds = {"reply": "tweet", "direct_message": "dm"}
        if object not in kinds:
            raise ValueError(f"X takes no {object!r}; it takes: {', '.join(kinds)}")
        return self.account.pushed(kinds[object])


def _require_younger(query: Mapping[str, str], oldest: int) -> None:
    for name in ("since_id", "until_id"):
        if (given := number(query, name)) is not None and given < oldest:
            raise InvalidParameter(f"'{name}' must be a tweet id created after seven days ago. Please use a larger '{name}'")
