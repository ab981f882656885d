"""An IMAP server that follows a script, to answer as servers do that nobody can install: each command has its answer."""

import re
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BufferedRWPair
from types import TracebackType
from typing import Self

Answer = bytes | Callable[[bytes], bytes]
_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%s" % (len(data), data)


class ScriptedImap:
    """Answers each command line with the first entry whose name it begins with; the lines are in `asked`.

    An answer is untagged lines, then a last line without its tag (`OK done`); "BYE" alone hangs up. A function is given the line,
    which for AUTHENTICATE ends with what was sent after it. An answer that ends with a line "+ ..." is one to IDLE: what `say` is
    given follows it, until the client is done.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer],
        *,
        capabilities: bytes = b"IMAP4rev1",
        folders: tuple[bytes, ...] = (b"INBOX",),
        greeting: bytes = b"* OK ready\r\n",
    ) -> None:
        listed = b"".join(b'* LIST () "/" %s\r\n' % folder for folder in folders)
        self._greeting = greeting
        self.answers: dict[str, Answer] = {
            "CAPABILITY": b"* CAPABILITY " + capabilities + b"\r\nOK done",
            "LOGIN": b"OK in",
            "LIST": listed + b"OK done",
            "LOGOUT": b"* BYE\r\nOK out",
            **answers,
        }
        self.asked: list[str] = []
        self.idling = threading.Event()
        self._connection: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RD)
        self._listener.close()
        self._thread.join(10)

    def say(self, lines: bytes) -> None:
        """Tell a client that listens; "BYE" alone hangs up."""
        assert self.idling.wait(10)
        assert self._connection
        if lines == b"BYE":
            self._connection.shutdown(socket.SHUT_RDWR)
        else:
            self._connection.sendall(lines)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # A client that is gone also fails what is left to be flushed when the stream is closed.
            with suppress(OSError, ValueError), connection, connection.makefile("rwb") as stream:
                self._connection = connection
                stream.write(self._greeting)
                stream.flush()
                while self._command(stream):
                    stream.flush()

    def _command(self, stream: BufferedRWPair) -> bool:
        line = self._line(stream)
        tag, _, command = line.rstrip().partition(b" ")
        if not tag:
            return False
        self.asked.append(command.decode("latin-1"))
        name = next((name for name in self.answers if command.upper().startswith(name.encode())), None)
        answer = self.answers[name] if name else b"BAD what?"
        given = answer(command) if callable(answer) else answer
        if given == b"BYE":
            return False
        untagged, _, last = given.rpartition(b"\r\n")
        if last.startswith(b"+"):
            stream.write(given + b"\r\n")
            stream.flush()
            self.idling.set()
            done = stream.readline().rstrip() == b"DONE"
            self.idling.clear()
            untagged, last = b"", b"OK done" if done else b"BAD what?"
        stream.write((untagged + b"\r\n" if untagged else b"") + tag + b" " + last + b"\r\n")
        return True

    def _line(self, stream: BufferedRWPair) -> bytes:
        line: bytes = stream.readline()
        if b" AUTHENTICATE " in line:
            stream.write(b"+ \r\n")
            stream.flush()
            line = line.rstrip() + b" " + stream.readline()
        while found := _LITERAL.search(line):
            stream.write(b"+ go on\r\n")
            stream.flush()
            line += stream.read(int(found[1])) + stream.readline()
        return line
