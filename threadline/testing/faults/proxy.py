"""An HTTP proxy on loopback that stands in front of one server and spoils what its script says."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import Any, Self, cast
from urllib.parse import urlsplit

import msgspec

from threadline.testing.faults.script import Fault, Script

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, with no time to linger: closing sends RST."""
_PER_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange: what was asked, what was done to it, and the status that went back (None: no answer)."""

    method: str
    path: str
    fault: str | None
    status: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as the server gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FaultProxy:
    """Passes requests on to the server at `upstream` (http://host:port), and spoils those that the script names.

    Every answer closes its connection, so that each request of a client is one connection.
    """

    def __init__(self, upstream: str, script: Script) -> None:
        self.seen: list[Seen] = []
        self.script = script
        self.upstream = urlsplit(upstream)
        self._last: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._closed = False
        self._handlers: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name="fault proxy", daemon=True)

    @property
    def url(self) -> str:
        """The address to give to the client."""
        return f"http://127.0.0.1:{self._port}"

    def restart(self, script: Script) -> None:
        """Go on with another script, as if nothing had been seen yet."""
        with self._lock:
            self.script, self.seen, self._last = script, [], {}

    @property
    def spoiled(self) -> list[str]:
        """The faults that struck, in order."""
        return [seen.fault for seen in self.seen if seen.fault]

    def __enter__(self) -> Self:
        self._open.set()
        self._acceptor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed = True
        for handler in self._handlers:
            handler.join(_LONGEST)
        self._stop_listening()
        self._open.set()
        self._acceptor.join(_LONGEST)

    def _stop_listening(self) -> None:
        # Closing alone would not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RD)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection, peer = self._listener.accept()
            except OSError:
                # Not listening for the moment, or not any more.
                self._open.wait(_LONGEST)
                continue
            handler = threading.Thread(target=self._handle, args=(connection, peer), daemon=True)
            self._handlers.append(handler)
            handler.start()

    def _handle(self, connection: socket.socket, peer: Any) -> None:
        try:
            _Exchange(connection, peer, cast("Any", self))
        except OSError:
            # The client went away, or was sent away.
            pass
        finally:
            connection.close()

    def refuse(self, seconds: float, hang_up: Callable[[], None]) -> None:
        """Take no connection for a while, and hang up on the one that is there."""
        self._open.clear()
        self._stop_listening()
        hang_up()
        time.sleep(seconds)
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._open.set()

    def choose(self, method: str, path: str) -> Fault | None:
        """Return what the script says of the next request."""
        with self._lock:
            return self.script.next(method, path)

    def note(self, seen: Seen) -> None:
        """Write an exchange down."""
        with self._lock:
            self.seen.append(seen)

    def follow(self, path: str, answer: Answer) -> Answer | None:
        """Return the last good answer of the same path, whatever its query, and keep this one."""
        place = path.partition("?")[0]
        with self._lock:
            before = self._last.get(place)
            if answer.status == 200:
                self._last[place] = answer
        return before


class _Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    _before: Answer | None = None
    _spoiled: str | None = None
    server: FaultProxy  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing: paths may name customers."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.choose(self.command, self.path)
        self._spoiled = fault.kind if fault else None
        if fault:
            _WAYS[fault.kind](self, fault, body)
        else:
            self._send(self._forward(body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _answer  # noqa: N815 - the standard library's names

    def _forward(self, body: bytes) -> Answer:
        upstream = self.server.upstream
        connection = HTTPConnection(upstream.hostname or "", upstream.port, timeout=_LONGEST)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _PER_CONNECTION}
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _PER_CONNECTION}
            # Links lead through the proxy again.
            body = response.read().replace(upstream.netloc.encode(), urlsplit(self.server.url).netloc.encode())
            answer = Answer(response.status, kept, body)
        finally:
            connection.close()
        self._before = self.server.follow(self.path, answer)
        return answer

    def _send(self, answer: Answer, write: Callable[[bytes], object] | None = None) -> None:
        self._note(answer.status)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "date" not in {name.lower() for name in answer.headers}:
            self.send_header("Date", self.date_time_string())
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            (write or self.wfile.write)(answer.body)
        self.close_connection = True

    def _note(self, status: int | None) -> None:
        # Before the client can know, so that who has its answer finds it noted.
        self.server.note(Seen(self.command, self.path, self._spoiled, status))

    def _reset(self) -> None:
        self._note(None)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # The reader holds the socket as well.
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def refuse(self, fault: Fault, body: bytes) -> None:
        self.server.refuse(fault.seconds, self._reset)

    def reset(self, fault: Fault, body: bytes) -> None:
        self._reset()

    def truncate(self, fault: Fault, body: bytes) -> None:
        self._send(self._forward(body), lambda whole: self.wfile.write(whole[: len(whole) // 2]))

    def delay(self, fault: Fault, body: bytes) -> None:
        time.sleep(fault.seconds)
        self._send(self._forward(body))

    def slow(self, fault: Fault, body: bytes) -> None:
        def write(whole: bytes) -> None:
            # The first bytes alone: enough to look alive, and quick enough for a test.
            for index in range(min(20, len(whole))):
                self.wfile.write(whole[index : index + 1])
                time.sleep(fault.seconds / 20)
            self.wfile.write(whole[20:])

        self._send(self._forward(body), write)

    def instead(self, fault: Fault, body: bytes) -> None:
        self._send(Answer(200 if fault.kind == "error body" else fault.status, fault.headers, fault.body))

    def lose(self, fault: Fault, body: bytes) -> None:
        self._forward(body)
        self._reset()

    def page(self, fault: Fault, body: bytes) -> None:
        answer = self._forward(body)
        self._send(_rearranged(fault, answer, self._before))


def _rearranged(fault: Fault, answer: Answer, before: Answer | None) -> Answer:
    if fault.kind == "repeated page":
        return before or answer
    document = _json(answer)
    records = _records(document)
    if fault.kind == "reversed page":
        records.reverse()
    elif before:
        records[:0] = _records(_json(before))[-1:]
    return Answer(answer.status, answer.headers, msgspec.json.encode(document)) if records else answer


def _json(answer: Answer) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return None


def _records(document: Any) -> list[Any]:
    """Return the list of records in a document: itself, or the first list of objects in it."""
    found = [document, *(cast("dict[str, Any]", document).values() if isinstance(document, dict) else ())]
    lists = [cast("list[Any]", value) for value in found if isinstance(value, list)]
    none: list[Any] = []
    return next((value for value in lists if value and isinstance(value[0], dict)), none)


_WAYS: Mapping[str, Callable[[_Exchange, Fault, bytes], None]] = {
    "refuse": _Exchange.refuse, "reset": _Exchange.reset, "truncate": _Exchange.truncate, "delay": _Exchange.delay, "slow": _Exchange.slow,
    "status": _Exchange.instead, "error body": _Exchange.instead, "lost response": _Exchange.lose,
    "repeated page": _Exchange.page, "reversed page": _Exchange.page, "shifted page": _Exchange.page,
}  # fmt: skip
