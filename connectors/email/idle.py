"""The IDLE command (RFC 2177)."""

import selectors
from contextlib import suppress
from ssl import SSLWantReadError
from typing import Any

READ_SECONDS = 60.0
"""How long a server may take to answer."""


class RefusedError(Exception):
    """The server does not take IDLE, whatever it has offered."""


class Idle:
    """One IDLE command on a connection of the standard library.

    IMAPClient's takes the end of the connection for silence, and fails when the server speaks before it says "go on".
    """

    def __init__(self, imap: Any) -> None:
        self._imap = imap
        self._tag: bytes = imap._new_tag()  # noqa: SLF001 - the library has no IDLE of its own yet
        self._rest = b""
        self._ended = False
        self._early = False
        self._imap.send(self._tag + b" IDLE\r\n")
        while not (line := self._imap.readline()).startswith(b"+"):
            self._note(line)
            self._early = True
            if self._ended:
                raise RefusedError

    def hear(self, seconds: float) -> bool:
        """Wait until the server says something, at most for so long; return whether it did."""
        if self._available() or self._early:
            self._early = False
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(self._imap.sock, selectors.EVENT_READ)
            if not selector.select(seconds):
                return False
        return self._available(readable=True)

    def end(self) -> None:
        """Go back to where commands are taken."""
        if not self._ended:
            self._imap.send(b"DONE\r\n")
        while not self._ended:
            self._rest += self._imap.readline()
            self._note(self._rest)
            self._rest = b""

    def _available(self, *, readable: bool = False) -> bool:
        """Read the lines that are there; ConnectionError when something is to be read, and that is the end."""
        heard = False
        self._imap.sock.setblocking(False)
        try:
            with suppress(SSLWantReadError):
                while part := self._imap.readline():
                    readable, heard = False, True
                    self._rest += part
                    if self._rest.endswith(b"\n"):
                        self._note(self._rest)
                        self._rest = b""
                if readable:
                    raise ConnectionResetError
        finally:
            self._imap.sock.settimeout(READ_SECONDS)
        return heard

    def _note(self, line: bytes) -> None:
        if not line or line.upper().startswith(b"* BYE"):
            raise ConnectionResetError
        self._ended = self._ended or line.startswith(self._tag + b" ")
