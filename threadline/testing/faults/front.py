"""What every fault proxy is: a listener on loopback that stands in front of a server, follows a script and notes what it saw."""

import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from threadline.testing.faults.script import Fault, Kind, Script

LONGEST = 30.0
"""Seconds after which something is stuck."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER on, with no time to linger: closing sends RST."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One exchange: what was asked, what was done to it, and HTTP's status that went back (None: no answer, or another protocol)."""

    method: str
    path: str
    fault: str | None
    status: int | None = None


class Front(ABC):
    """Takes connections while it is entered, each in a thread of its own; `port` is where."""

    kinds: ClassVar[AbstractSet[Kind]]
    """The faults that can happen here."""

    def __init__(self, script: Script) -> None:
        self.seen: list[Seen] = []
        self.script = self._possible(script)
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._closed = False
        self._handlers: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, name="fault proxy", daemon=True)

    def restart(self, script: Script) -> None:
        """Go on with another script, as if nothing had been seen yet."""
        with self._lock:
            self.script, self.seen = self._possible(script), []

    def _possible(self, script: Script) -> Script:
        if impossible := script.kinds - self.kinds:
            raise ValueError(f"a {type(self).__name__} has no {', '.join(sorted(impossible))}; it has {', '.join(sorted(self.kinds))}")
        return script

    @property
    def spoiled(self) -> list[str]:
        """The faults that struck, in order."""
        return [seen.fault for seen in self.seen if seen.fault]

    @abstractmethod
    def serve(self, connection: socket.socket, peer: Any) -> None:
        """Serve one connection; an OSError ends it."""

    def __enter__(self) -> Self:
        self._open.set()
        self._acceptor.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closed = True
        for handler in self._handlers:
            handler.join(LONGEST)
        self._stop_listening()
        self._open.set()
        self._acceptor.join(LONGEST)

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
                self._open.wait(LONGEST)
                continue
            handler = threading.Thread(target=self._handle, args=(connection, peer), daemon=True)
            self._handlers.append(handler)
            handler.start()

    def _handle(self, connection: socket.socket, peer: Any) -> None:
        try:
            self.serve(connection, peer)
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
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._open.set()

    def choose(self, method: str, path: str) -> Fault | None:
        """Return what the script says of the next exchange."""
        with self._lock:
            script = self.script
        return script.next(method, path)

    def note(self, seen: Seen) -> None:
        """Write an exchange down."""
        with self._lock:
            self.seen.append(seen)


def reset(connection: socket.socket) -> None:
    """Close a connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
