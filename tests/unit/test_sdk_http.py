"""HTTP for connectors: what a status means, what is repeated, and where credentials never go. Real sockets, no waiting."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.http import ATTEMPTS, LONGEST_WAIT, Http, network_error, reroute, retry_after, retrying


class Server:
    """Answers from a list of (status, headers, body), the last one again and again; remembers what it was asked."""

    def __init__(self):
        self.answers = [(200, {}, b"{}")]
        self.asked = []

    def answer(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        self.asked.append((handler.command, handler.path, dict(handler.headers), handler.rfile.read(length)))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def running():
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name):
            if name.startswith("do_"):
                return lambda: server.answer(self)
            raise AttributeError(name)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{httpd.server_port}"
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture
def server():
    with running() as one:
        yield one


@pytest.fixture
def http(server):
    client = Http("Desk", f"{server.address}/api/", auth=("ana", "s3cret"), headers={"X-Account": "7"})
    yield client
    client.close()


AT_ONCE = {"Retry-After": "0"}


class TestCalls:
    def test_a_path_is_below_the_base_address(self, server, http):
        assert http.get("tickets.json", params={"page": 2}).content == b"{}"
        http.get("/tickets.json?next=http://other.example/")
        assert [path for _, path, _, _ in server.asked] == ["/api/tickets.json?page=2", "/api/tickets.json?next=http://other.example/"]

    def test_credentials_and_headers_go_along(self, server, http):
        http.once("POST", "notes", json={"a": 1})
        ((method, _, headers, body),) = server.asked
        assert (method, body) == ("POST", b'{"a": 1}')
        assert headers["Authorization"] == "Basic YW5hOnMzY3JldA=="
        assert (headers["X-Account"], headers["User-Agent"]) == ("7", "threadline/0.1")

    def test_a_link_to_the_same_host_is_followed(self, server, http):
        http.get(f"{server.address}/api/page?cursor=x")
        http.get(f"{server.address.replace('http', 'HTTP')}/other")
        assert [path for _, path, _, _ in server.asked] == ["/api/page?cursor=x", "/other"]

    @pytest.mark.parametrize(
        "link",
        [
            "https://127.0.0.1:{port}/x",
            "http://evil.example/x",
            "http://127.0.0.1:1/x",
            "http://127.0.0.1:{port}@evil.example/",
            "http://a@127.0.0.1:{port}/",
        ],
    )
    def test_a_link_to_another_host_gets_no_credentials(self, server, http, link):
        port = server.address.rpartition(":")[2]
        with pytest.raises(ConfigError, match="Desk linked to another host"):
            http.get(link.format(port=port))
        assert server.asked == []

    @pytest.mark.parametrize("base", ["https://desk.example", "https://DESK.example:443/api", "https://desk.example:443"])
    def test_the_default_port_is_the_same_host(self, base):
        assert Http("Desk", base)._url("https://desk.example/x") == "https://desk.example/x"
        with pytest.raises(ConfigError):
            Http("Desk", base)._url("https://desk.example:8443/x")

    def test_neither_netrc_nor_proxies_of_the_environment_count(self, server, monkeypatch, tmp_path):
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        client = Http("Desk", server.address)
        client.get("x")
        client.close()
        assert "Authorization" not in server.asked[0][2]


class TestStatuses:
    @pytest.mark.parametrize("status", [200, 201, 204])
    def test_what_went_well_is_returned(self, server, http, status):
        server.answers = [(status, {}, b"")]
        assert http.once("PUT", "x").status_code == status

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
    def test_what_may_pass_is_retryable(self, server, http, status):
        server.answers = [(status, {"Retry-After": "7"}, b"private words")]
        with pytest.raises(RetryableError, match=rf"Desk answered {status} to POST /api/x\Z") as caught:
            http.once("POST", "x?email=ana@example.org")
        assert caught.value.retry_after == 7
        assert len(server.asked) == 1

    @pytest.mark.parametrize("status", [401, 403])
    def test_refused_credentials_are_a_persons_matter(self, server, http, status):
        server.answers = [(status, {}, b"private words")]
        with pytest.raises(ConfigError, match=rf"Desk answered {status} to GET /api/x: the credentials were refused") as caught:
            http.get("x?email=ana@example.org")
        assert "s3cret" not in str(caught.value)
        assert "ana" not in str(caught.value)
        assert len(server.asked) == 1

    @pytest.mark.parametrize("status", [400, 404, 405, 410, 422])
    def test_other_refusals_are_settings(self, server, http, status):
        server.answers = [(status, {}, b"")]
        with pytest.raises(ConfigError, match="check the address and the settings"):
            http.get("x")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_redirect_is_not_taken_for_an_answer(self, server, http, status, method):
        server.answers = [(status, {"Location": f"{server.address}/elsewhere"}, b""), (200, {}, b"{}")]
        with pytest.raises(ConfigError, match=f"Desk answered {status} to {method} /api/x: it answers at another address; set base_url"):
            http.once(method, "x")
        assert len(server.asked) == 1


class TestRepeating:
    def test_a_read_is_repeated_until_it_goes_well(self, server, http):
        server.answers = [(503, AT_ONCE, b""), (429, AT_ONCE, b""), (200, {}, b'{"ok": 1}')]
        assert http.get("x").json() == {"ok": 1}
        assert len(server.asked) == 3

    def test_it_gives_up_after_some_attempts(self, server, http):
        server.answers = [(503, AT_ONCE, b"")]
        with pytest.raises(RetryableError):
            http.get("x")
        assert len(server.asked) == ATTEMPTS == 5

    def test_who_asks_for_a_long_wait_is_left_for_later(self, server, http):
        server.answers = [(429, {"Retry-After": str(int(LONGEST_WAIT) + 1)}, b"")]
        with pytest.raises(RetryableError) as caught:
            http.get("x")
        assert (len(server.asked), caught.value.retry_after) == (1, LONGEST_WAIT + 1)

    def test_a_write_is_never_repeated(self, server, http):
        server.answers = [(503, AT_ONCE, b""), (200, {}, b"")]
        with pytest.raises(RetryableError):
            http.once("POST", "x")
        assert len(server.asked) == 1

    def test_only_what_may_pass_is_repeated(self):
        calls = []

        def call():
            calls.append(1)
            raise ConfigError("no")

        with pytest.raises(ConfigError):
            retrying(call)
        assert len(calls) == 1


class TestRetryAfter:
    @pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("120", 120), (" 7 ", 7), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)])
    def test_seconds_from_now(self, value, seconds):
        assert retry_after({"Retry-After": value}) == seconds

    def test_a_date_is_counted_from_now(self):
        soon = datetime.now(UTC) + timedelta(seconds=600)
        assert 500 < retry_after({"Retry-After": format_datetime(soon, usegmt=True)}) <= 600

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "-1",
            "1.5",
            "soon",
            "²",
            "٣",
            "Mon, 99 Jan 2020 00:00:00 GMT",
            "Mon, 01 Jan 99999 00:00:00 GMT",
            "Mon, 01 Jan 2020 00:00:00 +" + "9" * 20,
        ],
    )
    def test_what_cannot_be_read_is_not_there(self, value):
        assert retry_after({"Retry-After": value}) is None
        assert retry_after({}) is None

    @settings(max_examples=150, deadline=None)
    @given(
        st.text(max_size=40) | st.from_regex(r"\A(Mon|Xxx)?,? ?\d{1,3} (Jan|Foo) \d{1,9} \d{1,3}:\d{1,3}(:\d{1,3})? ?([+-]\d{1,20}|GMT)?\Z")
    )
    def test_any_value_is_read_or_left(self, value):
        seconds = retry_after({"Retry-After": value})
        assert seconds is None or seconds >= 0


class TestNetwork:
    def test_a_host_that_does_not_answer_is_named_with_what_to_check(self):
        client = Http("Desk", "http://user:s3cret@127.0.0.1:1/api")
        with pytest.raises(
            RetryableError, match=r"Desk at 127\.0\.0\.1:1 cannot be reached; check the address, the network and that the service runs"
        ) as caught:
            client.once("GET", "x")
        client.close()
        assert "s3cret" not in str(caught.value)

    def test_an_answer_that_breaks_off_may_come_again(self, server, http):
        server.answers = [(200, {"Transfer-Encoding": "chunked"}, b"zz\r\n")]
        with pytest.raises(RetryableError, match="cannot be reached"):
            http.once("GET", "x")

    @pytest.mark.parametrize(
        "base",
        [
            "desk.example",
            "user:s3cret@desk.example",
            "ftp://desk.example",
            "http://",
            "http://desk.example:99999",
            "http://[::1",
            "http://a b",
            "http://" + "a" * 300 + ".de",
            "http://.x",
            "http://*",
        ],
    )
    def test_what_is_no_address_is_a_config_error(self, base):
        client = Http("Desk", base)
        with pytest.raises(ConfigError, match=r"Desk.*: not a usable address; it must begin with http:// or https://") as caught:
            client.once("GET", "x")
        client.close()
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("secret", ["to\nken", "to\rken", "tok✓en"])
    def test_credentials_that_cannot_be_sent_are_a_config_error(self, server, secret):
        client = Http("Desk", server.address, headers={"X-Token": secret})
        with pytest.raises(ConfigError, match="the credentials hold a line end or another character that HTTP cannot carry") as caught:
            client.once("GET", "x")
        client.close()
        assert "ken" not in str(caught.value)
        client = Http("Desk", server.address, auth=("ana", "✓"))
        with pytest.raises(ConfigError, match="the credentials hold"):
            client.once("GET", "x")
        client.close()
        assert server.asked == []

    def test_a_time_out_says_so(self):
        error = network_error(requests.ReadTimeout("..."), "Desk", "https://desk.example/x")
        assert (type(error), str(error)) == (RetryableError, "Desk at desk.example did not answer in time")


class TestRerouting:
    def test_calls_to_the_vendor_go_elsewhere_and_answers_keep_the_vendors_address(self, server):
        session = requests.Session()
        session.trust_env = False
        reroute(session, "https://acme.vendor.example", f"{server.address}/stand-in/")
        answer = session.get("https://acme.vendor.example/api/v2/x.json?a=1#frag", timeout=5)
        session.close()
        assert server.asked[0][:2] == ("GET", "/stand-in/api/v2/x.json?a=1")
        assert answer.url.startswith("https://acme.vendor.example/api/v2/x.json?a=1")
        assert answer.request.url.startswith("https://acme.vendor.example/api/v2/x.json?a=1")

    def test_a_failure_keeps_the_vendors_address_too(self):
        session = requests.Session()
        session.trust_env = False
        reroute(session, "https://acme.vendor.example", "http://127.0.0.1:1")
        with pytest.raises(requests.ConnectionError) as caught:
            session.get("https://acme.vendor.example/x", timeout=5)
        session.close()
        assert caught.value.request.url == "https://acme.vendor.example/x"
