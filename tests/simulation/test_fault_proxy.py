"""What the proxy does to an exchange, as a client sees it."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPResponse, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from threadline.testing.faults import script
from threadline.testing.faults.front import Seen
from threadline.testing.faults.proxy import FaultProxy
from threadline.testing.faults.script import Fault, Rule, Script, seeded


class Counting(BaseHTTPRequestHandler):
    """Answers with a page of two records, numbered on, and with a link to itself."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        number = 2 * len(self.asked)
        page = {"rows": [{"id": number - 1}, {"id": number}], "next": f"http://{self.headers['Host']}/more", "own": self.own}
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @property
    def own(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/own"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[str]:
    Counting.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: str) -> Iterator[FaultProxy]:
    with FaultProxy(upstream, Script()) as running:
        yield running


def get(proxy: FaultProxy, path: str = "/rows", data: bytes | None = None) -> Any:
    response: HTTPResponse
    with urlopen(Request(proxy.url + path, data), timeout=10) as response:
        return json.loads(response.read())


def ids(page: Any) -> list[int]:
    return [row["id"] for row in page["rows"]]


def test_without_a_fault_everything_passes_and_links_lead_back(proxy):
    page = get(proxy, "/rows?after=0")
    assert ids(page) == [1, 2]
    assert page["next"] == f"{proxy.url}/more"
    assert page["own"] == f"{proxy.url}/own"
    assert proxy.seen == [Seen("GET", "/rows?after=0", None, 200)]


def test_a_reset_request_never_arrives(proxy):
    proxy.restart(Script(Rule(script.RESET, 1)))
    with pytest.raises((ConnectionResetError, URLError)):
        get(proxy)
    assert Counting.asked == []
    assert ids(get(proxy)) == [1, 2]
    assert proxy.seen == [Seen("GET", "/rows", "reset", None), Seen("GET", "/rows", None, 200)]


def test_a_lost_response_did_arrive(proxy):
    proxy.restart(Script(Rule(script.LOST_RESPONSE, 1, method="POST")))
    get(proxy)
    with pytest.raises((ConnectionResetError, URLError)):
        get(proxy, data=b"{}")
    assert len(Counting.asked) == 2


def test_a_server_that_went_away_refuses_until_it_is_back(proxy):
    proxy.restart(Script(Rule(replace(script.REFUSE, seconds=0.3), 1)))
    with pytest.raises((ConnectionResetError, URLError)):
        get(proxy)
    with pytest.raises(URLError, match="refused"):
        get(proxy)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert ids(get(proxy)) == [1, 2]
        except URLError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("the proxy did not come back")


def test_a_truncated_answer_announces_more_than_it_brings(proxy):
    proxy.restart(Script(Rule(script.TRUNCATE, 1)))
    with pytest.raises(IncompleteRead):
        get(proxy)


@pytest.mark.parametrize("fault", [replace(script.SLOW, seconds=0.1), replace(script.DELAY, seconds=0.1)], ids=lambda fault: fault.kind)
def test_a_slow_answer_is_whole(proxy, fault):
    proxy.restart(Script(Rule(fault)))
    assert ids(get(proxy)) == [1, 2]
    assert proxy.spoiled == [fault.kind]


@pytest.mark.parametrize(
    ("fault", "status", "hint"),
    [(script.LIMITED, 429, None), (script.LIMITED_FOR, 429, "0"), (script.UNAVAILABLE, 503, None), (script.EXPIRED, 401, None)],
)
def test_a_status_comes_instead_of_the_answer(proxy, fault, status, hint):
    proxy.restart(Script(Rule(fault, 1)))
    with pytest.raises(HTTPError) as refused:
        get(proxy)
    with refused.value as error:
        assert (error.code, error.headers["Retry-After"]) == (status, hint)
    assert Counting.asked == []
    assert ids(get(proxy)) == [1, 2]


def test_an_error_body_looks_like_success(proxy):
    proxy.restart(Script(Rule(script.ERROR_BODY, 1)))
    with urlopen(proxy.url + "/rows", timeout=10) as response:
        assert response.status == 200
        assert response.read().startswith(b"<html>")


def test_pages_are_repeated_reversed_and_shifted(proxy):
    proxy.restart(Script(Rule(script.REPEATED_PAGE, 2), Rule(script.REVERSED_PAGE, 3), Rule(script.SHIFTED_PAGE, 4)))
    assert [ids(get(proxy, f"/rows?page={number}")) for number in range(1, 5)] == [[1, 2], [1, 2], [6, 5], [6, 7, 8]]


def test_rules_count_the_requests_that_they_name():
    rules = Script(Rule(script.EXPIRED, 2, path="^/b"), Rule(script.LIMITED, 3, method="POST", onwards=True))
    asked = [("GET", "/a"), ("GET", "/b"), ("POST", "/a"), ("GET", "/b"), ("POST", "/a"), ("POST", "/a"), ("GET", "/b"), ("POST", "/a")]
    struck = [rules.next(*one) for one in asked]
    assert struck == [None, None, None, script.EXPIRED, None, script.LIMITED, None, script.LIMITED]


def test_a_seed_always_writes_the_same_script():
    def struck(seed: int) -> list[Fault | None]:
        written = seeded(seed)
        return [written.next("GET", "/") for _ in range(100)]

    assert struck(1) == struck(1) != struck(2)
    assert 10 < sum(fault is not None for fault in struck(1)) < 60
