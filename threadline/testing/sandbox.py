"""Stand-in servers on loopback that speak a vendor's wire protocol.

A sandbox keeps its records in a `Shelf`, so that a demo can stop and go on; it serves them over HTTP from a thread of
this process (`HttpSandbox`) or over its own protocol (`Sandbox`). It records every push that it took.
"""

import asyncio
import socket
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typing_extensions import override

from threadline.testing.story import Event, Role

if TYPE_CHECKING:
    from threadline.testing.rig import Rig

Document = dict[str, Any]


class Shelf:
    """Documents by kind and id, in the order of their last change; in memory, or in a file that outlives the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS shelf (kind TEXT, id TEXT, seq INTEGER, body BLOB, PRIMARY KEY (kind, id))")
        self._db.execute("CREATE INDEX IF NOT EXISTS shelf_by_seq ON shelf (kind, seq)")
        self._db.execute("CREATE INDEX IF NOT EXISTS shelf_in_order ON shelf (seq)")
        if path:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = OFF")

    def put(self, kind: str, identity: str, document: Document) -> int:
        """Insert or replace a document; return its sequence number, higher than every earlier one of any kind."""
        with self._lock:
            (last,) = self._db.execute("SELECT coalesce(max(seq), 0) FROM shelf").fetchone()
            self._db.execute("INSERT OR REPLACE INTO shelf VALUES (?, ?, ?, ?)", (kind, identity, last + 1, msgspec.json.encode(document)))
            return int(last) + 1

    def get(self, kind: str, identity: str) -> Document | None:
        """Return a document, or None."""
        body = self.raw(kind, identity)
        return msgspec.json.decode(body) if body else None

    def raw(self, kind: str, identity: str) -> bytes | None:
        """Return a document as the JSON that is kept of it, or None."""
        with self._lock:
            row = self._db.execute("SELECT body FROM shelf WHERE kind = ? AND id = ?", (kind, identity)).fetchone()
        return row[0] if row else None

    def drop(self, kind: str, identity: str) -> None:
        """Remove a document, if there is one."""
        with self._lock:
            self._db.execute("DELETE FROM shelf WHERE kind = ? AND id = ?", (kind, identity))

    def after(self, kind: str, seq: int = 0, limit: int = -1) -> list[tuple[int, Document]]:
        """Return (sequence number, document) of those changed after `seq`, oldest change first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT seq, body FROM shelf WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?", (kind, seq, limit)
            ).fetchall()
        return [(number, msgspec.json.decode(body)) for number, body in rows]

    def all(self, kind: str) -> list[Document]:
        """Return every document of a kind, oldest change first."""
        return [document for _, document in self.after(kind)]

    def count(self, kind: str) -> int:
        """Return how many documents of a kind there are."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM shelf WHERE kind = ?", (kind,)).fetchone()[0])

    @contextmanager
    def together(self) -> Generator[None]:
        """Hold the shelf, so that a read and the write that depends on it are one step; also makes bulk seeding fast."""
        with self._lock:
            outer = self._db.in_transaction
            if not outer:
                self._db.execute("BEGIN")
            try:
                yield
            except BaseException:
                if not outer:
                    self._db.execute("ROLLBACK")
                raise
            if not outer:
                self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()


class Sandbox(ABC):
    """A stand-in for one system.

    `folder` keeps its state between starts (None: in memory). `settings` and `secrets` are what the connector needs to
    reach it while it runs: the entries for threadline.yaml, and the credentials by field name. `role` is the part that
    the system plays in a make-believe company.
    """

    name: ClassVar[str]
    role: ClassVar[Role]

    def __init__(self, folder: Path | None = None) -> None:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    @abstractmethod
    def start(self, port: int = 0) -> None:
        """Listen on loopback (0: any free port); return when connections are taken."""

    @abstractmethod
    def stop(self) -> None:
        """Stop listening, and release port and files."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The connector's settings that reach this sandbox."""

    @property
    @abstractmethod
    def secrets(self) -> Mapping[str, str]:
        """The credentials that it accepts, by field name of the connector's settings."""

    @abstractmethod
    def tell(self, event: Event) -> None:
        """Write a story's event down as this system would hold it; ValueError for an event that cannot happen here."""

    def rig(self) -> "Rig":
        """Return what the conformance kit works this stand-in with."""
        raise NotImplementedError(f"the {self.name} sandbox has no rig: the conformance kit cannot work it")

    @abstractmethod
    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the connector contract's word
        """Return what pushes have made of an object here, as the vendor would show it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


Endpoint = Callable[[Request], Awaitable[Response]]
_STOPPING = 1.0
"""Seconds that a server gives to answers that are under way when it stops."""


class _Server(uvicorn.Server):
    """Stops as soon as it is told to; uvicorn's own looks ten times a second whether it shall, and tests start hundreds."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Tell it, from another thread."""
        self.should_exit = True
        # RuntimeError: it has ended by itself.
        with suppress(RuntimeError):
            if self._loop:
                self._loop.call_soon_threadsafe(self._told.set)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    @override
    async def main_loop(self) -> None:
        # A tick writes the Date header, which changes when a second begins.
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0 - time.time() % 1)

    @override
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        until = time.monotonic() + _STOPPING
        while (self.server_state.connections or self.server_state.tasks) and time.monotonic() < until:
            await asyncio.sleep(0.001)
        for task in self.server_state.tasks:
            task.cancel()


class HttpSandbox(Sandbox):
    """A sandbox that speaks HTTP: subclasses give `routes`, `authorized`, the vendor's error bodies and rate-limit headers.

    `fail_next` queues faults: each is sent instead of the next answer. `calls` lists (method, path with query), newest last.
    """

    limit_per_minute: int = 10_000

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.shelf = Shelf(folder / "shelf.db" if folder else None)
        self.fail_next: deque[Response] = deque()
        self.calls: deque[tuple[str, str]] = deque(maxlen=10_000)
        self._spent: deque[float] = deque()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    @abstractmethod
    def routes(self) -> list[Route]:
        """Return the vendor's endpoints."""

    @abstractmethod
    def authorized(self, request: Request) -> bool:
        """Say whether the request's credentials are right."""

    def unauthorized(self) -> Response:
        """The vendor's answer to wrong credentials."""
        return JSONResponse({"error": "Couldn't authenticate you"}, status_code=401)

    def limited(self, retry_after: int) -> Response:
        """The vendor's answer above its rate limit."""
        return JSONResponse({"error": "TooManyRequests"}, status_code=429, headers={"Retry-After": str(retry_after)})

    def limit_headers(self, limit: int, remaining: int, reset: int) -> Mapping[str, str]:
        """The vendor's rate-limit headers; `reset` is in seconds from now."""
        return {"X-Rate-Limit": str(limit), "X-Rate-Limit-Remaining": str(remaining)}

    @property
    def url(self) -> str:
        """The base address while it runs."""
        return f"http://127.0.0.1:{self.port}"

    async def _answer(self, request: Request, endpoint: Endpoint) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        self.calls.append((request.method, request.url.path + query))
        if self.fail_next:
            return self.fail_next.popleft()
        if not self.authorized(request):
            return self.unauthorized()
        now = time.monotonic()
        while self._spent and self._spent[0] <= now - 60:
            self._spent.popleft()
        reset = int(60 - (now - self._spent[0])) + 1 if self._spent else 60
        if len(self._spent) >= self.limit_per_minute:
            return self.limited(reset)
        self._spent.append(now)
        response = await endpoint(request)
        response.headers.update(self.limit_headers(self.limit_per_minute, self.limit_per_minute - len(self._spent), reset))
        return response

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            return await self._answer(request, endpoint)

        return guarded

    def start(self, port: int = 0) -> None:
        """Serve from a thread of this process."""
        routes = [Route(route.path, self._guarded(route.endpoint), methods=list(route.methods or ["GET"])) for route in self.routes()]
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name=f"sandbox-{self.name}", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the {self.name} sandbox did not start on port {self.port}")
            time.sleep(0.002)

    def stop(self) -> None:
        """Stop the server's thread."""
        if self._server and self._thread:
            self._server.stop()
            self._thread.join(timeout=5)
        self.shelf.close()
