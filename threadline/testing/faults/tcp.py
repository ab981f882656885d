"""A proxy on loopback for any protocol over TCP, which spoils what its script says: IMAP, SMTP, PostgreSQL."""

import select
import socket
import time
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, ClassVar

from typing_extensions import override

from threadline.testing.faults.front import LONGEST, Front, Seen, reset
from threadline.testing.faults.script import Fault, Kind, Script

_CHUNK = 65_536
_SHOWN = 200
"""Characters of what a client sent that rules can match."""


class TcpFaultProxy(Front):
    """Passes bytes on between clients and the server at `upstream`, and spoils the exchanges that the script names.

    The first exchange of a connection is of the method `connect`; a new one, of the method `send`, begins with what the client
    sends after the server has spoken, whose beginning (as Latin-1) is the path. What the server sends until then is the answer.
    """

    kinds: ClassVar[AbstractSet[Kind]] = {"refuse", "reset", "truncate", "delay", "slow", "lost response"}

    def __init__(self, upstream: tuple[str, int], script: Script) -> None:
        super().__init__(script)
        self.upstream = upstream
        self._clients: set[socket.socket] = set()

    @override
    def __exit__(self, *exc: object) -> None:
        with self._lock:
            for client in self._clients:
                # It may be on its way out already.
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
        super().__exit__(*exc)

    @override
    def serve(self, connection: socket.socket, peer: Any) -> None:
        with self._lock:
            self._clients.add(connection)
        try:
            with socket.create_connection(self.upstream, LONGEST) as server:
                _Session(self, connection, server).run()
        finally:
            with self._lock:
                self._clients.discard(connection)


class _EndedError(Exception):
    """The session is over."""


class _Session:
    """One connection, and the exchange that it is in."""

    def __init__(self, proxy: TcpFaultProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._fault: Fault | None = None
        self._room: int | None = None
        self._answered = False
        for each in (client, server):
            # What was written as one packet goes on as one, at once.
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self) -> None:
        """Pass on what comes from either side, until one ends it or a fault does."""
        try:
            self._begin("connect", b"")
            while True:
                ready, _, _ = select.select([self._client, self._server], [], [], LONGEST)
                # What the client has sent before it could see the server's bytes belongs to the exchange before them.
                if self._client in ready:
                    self._sent(self._received(self._client))
                elif self._server in ready:
                    self._answer(self._received(self._server))
        except _EndedError:
            return

    def _received(self, side: socket.socket) -> bytes:
        data = side.recv(_CHUNK)
        if not data:
            raise _EndedError
        return data

    def _begin(self, method: str, data: bytes) -> None:
        path = data[:_SHOWN].decode("latin-1")
        self._fault, self._room, self._answered = self._proxy.choose(method, path), None, False
        self._proxy.note(Seen(method, path, self._fault.kind if self._fault else None))
        if self._fault and self._fault.kind == "refuse":
            self._proxy.refuse(self._fault.seconds, lambda: reset(self._client))
            raise _EndedError
        if self._fault and self._fault.kind == "reset":
            self._hang_up()

    def _hang_up(self) -> None:
        reset(self._client)
        raise _EndedError

    def _sent(self, data: bytes) -> None:
        if self._answered:
            self._begin("send", data)
        self._server.sendall(data)

    def _answer(self, data: bytes) -> None:
        fault, first, self._answered = self._fault, not self._answered, True
        match fault.kind if fault else None:
            case "lost response":
                self._hang_up()
            case "truncate" if fault:
                data = self._cut(fault, data)
            case "delay" if fault and first:
                time.sleep(fault.seconds)
            case "slow" if fault and first:
                data = self._drip(fault, data)
            case _:
                pass
        self._client.sendall(data)
        if self._room == 0:
            raise _EndedError

    def _cut(self, fault: Fault, data: bytes) -> bytes:
        if self._room is None:
            self._room = len(data) // 2 if fault.size is None else fault.size
        passed = data[: self._room]
        self._room -= len(passed)
        return passed

    def _drip(self, fault: Fault, data: bytes) -> bytes:
        # The first bytes alone: enough to look alive, and quick enough for a test.
        for index in range(min(20, len(data))):
            self._client.sendall(data[index : index + 1])
            time.sleep(fault.seconds / 20)
        return data[20:]
