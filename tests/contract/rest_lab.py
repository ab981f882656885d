"""A server that answers as it is told to, and connectors to it by the text of an API file."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from connectors.rest import Rest
from connectors.rest.settings import RestSettings


class Server:
    """`answer` is given (path, query, headers, body) and returns (status, headers, body); `asked` is what it was given."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.connections = 0
        self.asked: list[SimpleNamespace] = []
        self.answer: Callable[[SimpleNamespace], object] = lambda _: []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        sent = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = SimpleNamespace(
            method=handler.command, path=parts.path, query=dict(parse_qsl(parts.query)), headers=dict(handler.headers), body=sent
        )
        if handler.command != "HEAD":
            self.asked.append(asked)
        answer = self.answer(asked)
        status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(raw)


def serving() -> Iterator[Server]:
    """Run a server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            server.connections += 1
            super().setup()

        def do_GET(self) -> None:
            server(self)

        do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = Server(listener.server_port)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    listener.shutdown()
    thread.join()
    listener.server_close()


def silent(running: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return it as nothing was asked yet, and let nobody wait for it."""
    running.asked, running.connections = [], 0
    monkeypatch.setattr("threadline.sdk.http._backoff", lambda _: 0.0)
    return running


def connecting(server: Server, tmp_path: Path) -> Iterator[Callable[..., Rest]]:
    """Make connectors by the text of an API file."""
    made: list[Rest] = []

    def connect(text: str, **settings: object) -> Rest:
        (tmp_path / "api.yaml").write_text(text)
        made.append(Rest(RestSettings.model_validate({"api": str(tmp_path / "api.yaml"), "base_url": server.url, **settings})))
        return made[-1]

    yield connect
    for rest in made:
        rest.close()


def stream(more: str, path: str = "things") -> str:
    """An API file with one stream."""
    return f"streams:\n  things: {{path: {path}, key: id, {more}}}\n"


def read(rest: Rest, since=None, name: str = "things"):
    ids, cursor = [], since
    for page in rest.pull(name, since):
        ids += [msgspec.json.decode(record)["id"] for record in page.records]
        cursor = cursor if page.cursor is None else page.cursor
    return ids, cursor


def numbered(first: int, beyond: int) -> list[dict[str, int]]:
    return [{"id": number} for number in range(first, beyond)]
