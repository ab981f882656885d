"""A stand-in whose one list can be read in every way that an API file can say, and its rig."""

import itertools
from base64 import b64encode
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.rest import Rest
from threadline.testing.rig import HttpRig
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event

HERE = Path(__file__).parent
CLIENT, SECRET = "things-client", "things-secret"


class Things(Rest):
    """The rest connector, for the list of things."""

    sandbox = "tests.conformance.pagings:ThingsSandbox"


class ThingsSandbox(HttpSandbox):
    """Things in the order of their change, of their ids, and of the feed's own positions."""

    name = "rest"
    role = "crm"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.things: dict[int, Document] = {}
        self.places: dict[int, tuple[int, int]] = {}
        self.by_time: list[tuple[int, int]] = []
        self.by_id: list[tuple[int, int]] = []
        self.feed: list[tuple[int, int]] = []
        self.gone: list[int] = []
        self.made: dict[str, int] = {}
        self.tokens: set[str] = set()
        self._numbers = itertools.count(1)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"api": str(HERE / "pagings.yaml"), "base_url": self.url}

    @property
    def secrets(self) -> Mapping[str, str]:
        return {"client_id": CLIENT, "client_secret": SECRET}

    def tell(self, event: Event) -> None:
        raise ValueError(f"nothing of a {type(event).__name__} is known here")

    def pushed(self, object: str) -> list[Document]:  # noqa: A002
        return [thing for thing in self.things.values() if thing.get("by") == object]

    def rig(self) -> "ThingsRig":
        return ThingsRig(self)

    def routes(self) -> list[Route]:
        return [
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/things", self._things),
            Route("/wrapped", self._wrapped),
            Route("/feed", self._feed),
            Route("/numbered", self._numbered),
            Route("/search", self._search, methods=["POST"]),
            Route("/synced", self._synced),
            Route("/gone", self._gone),
            Route("/things", self._create, methods=["POST"]),
            Route("/things/{id:int}", self._one),
            Route("/things/{id:int}", self._update, methods=["PUT"]),
            Route("/batch", self._batch, methods=["POST"]),
        ]

    def authorized(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if request.url.path == "/oauth/token":
            return given == b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        return scheme == "Bearer" and given in self.tokens

    def unauthorized(self) -> Response:
        return _error(401, "invalid_token")

    def save(self, at: datetime, number: int, **fields: Any) -> Document:
        held = self.things.get(number, {})
        if held:
            self.by_time.remove(_time(held))
            self.feed.remove(self.places[number])
        else:
            insort(self.by_id, (number, number))
        thing = {**held, **fields, "id": number, "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.things[number] = thing
        self.places[number] = (next(self._numbers), number)
        self.feed.append(self.places[number])
        insort(self.by_time, _time(thing))
        return thing

    def erase(self, number: int) -> None:
        thing = self.things.pop(number)
        self.by_time.remove(_time(thing))
        self.by_id.remove((number, number))
        self.feed.remove(self.places.pop(number))
        self.gone.append(number)

    async def _token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("grant_type") != ["client_credentials"] or form.get("scope") != ["read write"] or form.get("audience") != ["things"]:
            return _error(400, "invalid_request")
        token = f"token-{next(self._numbers)}-7f1c"
        self.tokens.add(token)
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 3600})

    async def _things(self, request: Request) -> Response:
        if ids := request.query_params.get("ids"):
            return JSONResponse([thing for number in ids.split(",") if (thing := self.things.get(int(number)))])
        if mail := request.query_params.get("mail"):
            return JSONResponse([thing for thing in self.pushed("upserted") if thing["email"] == mail])
        found, headers, _ = self._page(request.query_params, request.url)
        return JSONResponse(found, headers=headers)

    async def _one(self, request: Request) -> Response:
        thing = self.things.get(request.path_params["id"])
        return JSONResponse(thing) if thing else _error(404, "unknown_thing")

    async def _wrapped(self, request: Request) -> Response:
        found, headers, address = self._page(request.query_params, request.url)
        following = headers.get("X-Next-Cursor")
        cursor = {"next": following, "more": following is not None}
        return JSONResponse({"data": {"things": found}, "links": {"next": address}, "cursor": cursor})

    def _page(self, wanted: Mapping[str, str], url: URL) -> tuple[list[Document], dict[str, str], str | None]:
        """Return a page, headers that lead on, and the same as an address: relative, as the host that was asked may be another."""
        size, by_id = int(wanted.get("limit", 50)), wanted.get("order") == "id"
        first, last = _moment(wanted.get("from", "0")), _moment(wanted.get("to", "9999999999"))
        order = [place for place in self.by_id if first <= _time(self.things[place[1]])[0] <= last] if by_id and "to" in wanted else None
        order = order if order is not None else self.by_id if by_id else self.by_time
        start = int(wanted.get("offset", 0)) if by_id else bisect_left(order, (first, 0))
        if "beyond" in wanted:
            start = bisect_right(order, (first, int(wanted["beyond"])))
        if "above" in wanted:
            start = bisect_right(order, (int(wanted["above"]), 10**12))
        if "cursor" in wanted:
            start = bisect_right(order, tuple(int(part) for part in wanted["cursor"].split(",")))
        page = [place for place in order[start : start + size] if by_id or place[0] <= last]
        headers = {"X-Total": str(len(order))}
        address = None
        if len(page) == size and start + size < len(order):
            headers["X-Next-Cursor"] = ",".join(map(str, page[-1]))
            address = str(url.replace(scheme="", netloc="").include_query_params(cursor=headers["X-Next-Cursor"]))
            headers["Link"] = f'<{address}>; rel="next"'
        return [self.things[number] for _, number in page], headers, address

    async def _feed(self, request: Request) -> Response:
        position, size = int(request.query_params.get("cursor", 0)), int(request.query_params["limit"])
        start = bisect_right(self.feed, (position, 10**12))
        page = self.feed[start : start + size]
        place = page[-1][0] if page else position
        found = [self.things[number] for _, number in page]
        return JSONResponse({"things": found, "position": str(place), "done": start + size >= len(self.feed)})

    async def _numbered(self, request: Request) -> Response:
        start = 7 * int(request.query_params["page"]) - 7
        found = [self.things[number] for _, number in self.by_id[start : start + 7]]
        return JSONResponse({"things": found, "more": start + 7 < len(self.by_id)})

    async def _search(self, request: Request) -> Response:
        given = msgspec.json.decode(await request.body())
        wanted = {**given["changed"], **{name: str(value) for name, value in given.items() if name != "changed"}}
        found, headers, _ = self._page(wanted, request.url)
        links = [{"rel": "next", "cursor": headers["X-Next-Cursor"]}] if "X-Next-Cursor" in headers else []
        return JSONResponse({"things": {str(thing["id"]): thing for thing in found}, "links": [{"rel": "self"}, *links]})

    async def _synced(self, request: Request) -> Response:
        wanted = request.query_params
        place, size = int(wanted.get("cursor", wanted.get("since", 0))), int(wanted["limit"])
        start = bisect_right(self.feed, (place, 10**12))
        page = self.feed[start : start + size]
        columns = ["id", "name", "email", "at", "deleted"]
        rows = [[self.things[number].get(name) for name in columns] for _, number in page]
        ends = {"token": str(page[-1][0] if page else place)} if start + size >= len(self.feed) else {"next": str(page[-1][0])}
        return JSONResponse({"columns": columns, "rows": rows, **ends})

    async def _gone(self, request: Request) -> Response:
        start = int(request.query_params.get("cursor", 0))
        return JSONResponse({"gone": self.gone[start : start + 50], "position": min(start + 50, len(self.gone))})

    async def _create(self, request: Request) -> Response:
        return self._made(msgspec.json.decode(await request.body()), request.headers.get("Idempotency-Key"), "made")

    async def _update(self, request: Request) -> Response:
        given = msgspec.json.decode(await request.body())
        return JSONResponse(self.save(datetime.now(UTC), request.path_params["id"], **given))

    async def _batch(self, request: Request) -> Response:
        given = msgspec.json.decode(await request.body())["things"]
        if not all(each["thing"]["name"] for each in given):
            return _error(422, "invalid_batch")
        results = [self._made(each["thing"], each["key"], "batched").body for each in given]
        return JSONResponse({"results": [msgspec.json.decode(body) for body in results]})

    def _made(self, given: Document, key: str | None, by: str) -> JSONResponse:
        if "@" not in given["email"]:
            return _error(422, "invalid_email")
        if key is None:
            by, key = "upserted", str(next(self._numbers))
        number = self.made.setdefault(key, 10**6 + next(self._numbers))
        return JSONResponse(self.save(datetime.now(UTC), number, **given, by=by), status_code=201)


class ThingsRig(HttpRig):
    """Works the list."""

    small_pages: ClassVar[Mapping[str, Any]] = {"page_size": 3}
    mappings: ClassVar[Path | None] = HERE
    waivers: ClassVar[Mapping[str, str]] = {
        "reads one moment: by_time": "more things of one second than a page holds cannot be told apart by the second alone",
        "reads each once: by_time": "a page begins with the second that the page before ended with",
        "resumes: by_time": "a page begins with the second that the page before ended with",
        "reads changes: by_id": "who follows ids sees what is new, not what changes",
    }
    sandbox: ThingsSandbox

    def put(self, stream: str, number: int, at: datetime) -> str:
        self.sandbox.save(at, number, name=f"Ana Lima {number}", email=f"ana{number}@example.org")
        return str(number)

    def change(self, stream: str, number: int, at: datetime) -> None:
        self.sandbox.save(at, number, name="Ana Maria Lima")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        if stream in ("by_id", "by_position", "by_number", "by_token"):
            self.sandbox.erase(number)
        else:
            self.sandbox.save(at, number, deleted=True)

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        self.sandbox.save(at, number, name="Nobody", email="no address")
        return str(number)

    def limit(self, seconds: int) -> None:
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        self.sandbox.tokens.clear()

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        return {"name": "Ana Lima", "email": f"{object}{number}@example.org"}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        return {"name": "Ana Lima" if number % 2 else "", "email": "no address"}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        return sum(thing["email"] == f"{object}{number}@example.org" for thing in self.sandbox.pushed(object))


def _time(thing: Document) -> tuple[int, int]:
    return _moment(thing["at"]), thing["id"]


def _moment(text: str) -> int:
    """Read a time in any of the forms that the API takes."""
    if text.isdecimal():
        return int(text) // 1000 if len(text) > 10 else int(text)
    return int(datetime.fromisoformat(text).timestamp())


def _error(status: int, code: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code}}, status_code=status)
