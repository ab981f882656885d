"""Serves pages of tickets from files, so cheaply that it never holds a reader up: `python -m benchmarks.server FOLDER`.

`GET /EDITION/tickets.json` answers `{"tickets": [...], "meta": {...}, "links": {"next": ...}}`; `links.next` leads to the next page.
The port stands on the first line of the output. The process ends when its standard input does.
"""

import subprocess
import sys
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from benchmarks.tickets import PAGE, pages, tickets

HOST = "127.0.0.1"


def write_pages(folder: Path, name: str, edition: str, numbers: Iterable[int], size: int = PAGE) -> None:
    """Write the pages that are served as `/NAME/tickets.json`."""
    place = folder / name
    place.mkdir(parents=True)
    for number, page in enumerate(pages(tickets(edition, numbers), size)):
        (place / str(number)).write_bytes(page)


class _Pages(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path
    base: str

    def do_GET(self) -> None:
        """Send one page: what goes around the records is made here, the records come straight from the file."""
        parts = urlsplit(self.path)
        name = parts.path.strip("/").removesuffix("/tickets.json")
        number = int(parse_qs(parts.query).get("page[after]", ["0"])[0])
        place = self.folder / name
        if not name.isidentifier() or not (place / str(number)).is_file():
            self.send_error(404)
            return
        following = str(number + 1) if (place / str(number + 1)).exists() else None
        link = f"{self.base}/{name}/tickets.json?page[after]={following}" if following else None
        head = b'{"tickets":'
        tail = msgspec.json.encode({"meta": {"has_more": bool(following), "after_cursor": following}, "links": {"next": link}})
        tail = b"," + tail[1:]
        with (place / str(number)).open("rb") as records:
            length = len(head) + records.seek(0, 2) + len(tail)
            records.seek(0)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(head)
            self.connection.sendfile(records)
            self.wfile.write(tail)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def serving(folder: Path) -> Generator[str]:
    """Serve the folder's pages from a process of their own; yield the base address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    with process:
        assert process.stdout
        assert process.stdin
        yield f"http://{HOST}:{int(process.stdout.readline())}"
        process.stdin.close()


def main() -> None:
    """Serve until standard input ends."""
    with ThreadingHTTPServer((HOST, 0), _Pages) as server:
        server.daemon_threads = True
        _Pages.folder = Path(sys.argv[1])
        _Pages.base = f"http://{HOST}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
