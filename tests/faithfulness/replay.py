"""Serves recorded answers on loopback, and pulls them with the connector that they are for."""

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from threadline.mapping.compiled import PullMapping
from threadline.mapping.library import pull_mapping
from threadline.sdk import Connector
from threadline.sdk.registry import connector_class
from threadline.store.database import Database, open_database
from threadline.sync.batch import Judge
from threadline.sync.policy import Policy
from threadline.sync.pull import pull

Answer = Callable[[str, Mapping[str, str]], Any]
"""Makes the answer to a path and its query: bytes, or a value for JSON."""
_ONE_THREAD = Policy(ahead=0, breaker_percent=100)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answer: Answer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        said = type(self).answer(parts.path, dict(parse_qsl(parts.query)))
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Answer every call; give the base address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answer": staticmethod(answer)}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Outcome:
    """What became of records: how many are in each state, and why those that could not be used are set aside."""

    states: Counter[str] = field(default_factory=Counter[str])
    reasons: Counter[str] = field(default_factory=Counter[str])
    keys: set[str] = field(default_factory=set[str])


def replayed(name: str, stream: str, settings: Mapping[str, Any], answer: Answer) -> Outcome:
    """Pull a stream from what is answered, as a scheduled run does, into an empty store."""
    kind = connector_class(name)
    with served(answer) as address, tempfile.TemporaryDirectory() as folder:
        connector = kind(kind.settings_type().model_validate({**settings, "base_url": address}))
        try:
            declared = next(one for one in connector.available_streams() if one.name == stream)
            mapping = _mapping(declared.mapping, type(connector))
            with open_database(f"sqlite:///{Path(folder)}/store.db", create=True) as store:
                pull(store, connector, Judge("recorded", stream, declared.key, mapping), policy=_ONE_THREAD)
                return _outcome(store)
        finally:
            connector.close()


@cache
def _mapping(name: str, kind: type[Connector[Any]]) -> PullMapping:
    return pull_mapping(name, "recorded", region="US", functions=kind.functions)


def _outcome(store: Database) -> Outcome:
    with store.read() as view:
        records = view.query("SELECT key, state FROM records WHERE source = ?", ["recorded"])
        letters = view.query("SELECT path, reason FROM dead_letters WHERE source = ?", ["recorded"])
    outcome = Outcome(Counter(str(state) for _, state in records), keys={str(key) for key, _ in records})
    outcome.reasons.update(f"{path}: {reason}" for path, reason in letters)
    return outcome
