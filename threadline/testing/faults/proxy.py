"""An HTTP proxy on loopback that stands in front of one server and spoils what its script says."""

import socket
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, cast, get_args
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

from threadline.testing.faults.front import LONGEST, Front, Seen, reset
from threadline.testing.faults.script import Fault, Kind, Script

_PER_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as the server gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class FaultProxy(Front):
    """Passes requests on to the server at `upstream` (http://host:port), and spoils those that the script names.

    Every answer closes its connection, so that each request of a client is one connection.
    """

    kinds: ClassVar[AbstractSet[Kind]] = frozenset(get_args(Kind))

    def __init__(self, upstream: str, script: Script) -> None:
        super().__init__(script)
        self.upstream = urlsplit(upstream)
        self._last: dict[str, Answer] = {}

    @property
    def url(self) -> str:
        """The address to give to the client."""
        return f"http://127.0.0.1:{self.port}"

    @override
    def restart(self, script: Script) -> None:
        super().restart(script)
        with self._lock:
            self._last = {}

    @override
    def serve(self, connection: socket.socket, peer: Any) -> None:
        _Exchange(connection, peer, cast("Any", self))

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
        connection = HTTPConnection(upstream.hostname or "", upstream.port, timeout=LONGEST)
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
        # The reader holds the socket as well.
        self.rfile.close()
        reset(self.connection)
        self.close_connection = True

    def refuse(self, fault: Fault, body: bytes) -> None:
        self.server.refuse(fault.seconds, self._reset)

    def reset(self, fault: Fault, body: bytes) -> None:
        self._reset()

    def truncate(self, fault: Fault, body: bytes) -> None:
        self._send(self._forward(body), lambda whole: self.wfile.write(whole[: len(whole) // 2 if fault.size is None else fault.size]))

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

    def give_up(self, fault: Fault, body: bytes) -> None:
        self._forward(body)
        self.instead(fault, body)

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
        earlier = _json(before)
        records[:0] = _records(earlier)[-1:]
        _add_beside(document, earlier)
    return Answer(answer.status, answer.headers, msgspec.json.encode(document)) if records else answer


def _add_beside(document: Any, earlier: Any) -> None:
    """Let what a document tells beside its records (side-loads) go with one of the document before."""
    if isinstance(document, dict) and isinstance(earlier, dict):
        held, told = cast("dict[str, Any]", document), _records(cast("Any", earlier))
        for name, beside in cast("dict[str, Any]", earlier).items():
            if isinstance(beside, list) and beside is not told:
                held[name] = [*cast("list[Any]", beside), *held.get(name, ())]


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
    "gateway timeout": _Exchange.give_up,
    "repeated page": _Exchange.page, "reversed page": _Exchange.page, "shifted page": _Exchange.page,
}  # fmt: skip
