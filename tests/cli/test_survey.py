"""`threadline new connector --url`: for lists of many kinds, what is written reads all their records at once."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.cli.company import Shell

Parameters = dict[str, str]
Dialect = Callable[[Parameters], tuple[Any, dict[str, str]]]
PEOPLE = [
    {"id": number, "name": f"Ana Lima {number}", "email": f"ana{number}@example.org", "updated_at": "2026-01-02T03:04:05Z"}
    for number in range(1, 61)
]


def span(given: Parameters, start: str, size: str, most: int = 20) -> tuple[int, list[dict[str, Any]]]:
    first, count = int(given.get(start, 0)), min(int(given.get(size, 20)), most)
    return first + count, PEOPLE[first : first + count]


def linked(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "from", "per_page", 100)
    return page, {"Link": f'<?per_page={len(page)}&from={end}>; rel="next"'} if end < len(PEOPLE) else {}


def addressed(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "at", "page[size]")
    return {"data": page, "links": {"self": "/people", "next": f"/people?at={end}" if end < len(PEOPLE) else None}}, {}


def related(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "startindex", "limit")
    following = [{"rel": "next", "href": f"/people?startindex={end}&limit={len(page)}"}] if end < len(PEOPLE) else []
    return {"features": page, "links": [{"rel": "self", "href": "/people"}, *following]}, {}


def continued(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "pageToken", "maxResults")
    return {"items": page, **({"nextPageToken": str(end)} if end < len(PEOPLE) else {})}, {}


def skipped(given: Parameters) -> tuple[Any, dict[str, str]]:
    _, page = span(given, "skip", "limit")
    return {"people": page, "count": len(page), "total": len(PEOPLE)}, {}


def paged(given: Parameters) -> tuple[Any, dict[str, str]]:
    number, size = int(given.get("page", 1)), min(int(given.get("pageSize", 30)), 50)
    return {"results": {"people": PEOPLE[(number - 1) * size : number * size]}}, {"X-Total": str(len(PEOPLE))}


def paged_as_it_likes(given: Parameters) -> tuple[Any, dict[str, str]]:
    number = int(given.get("p", 0))
    return PEOPLE[number * 7 : number * 7 + 7], {}


def at_once_until_limited(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "_start", "_limit", 99) if "_limit" in given else (0, PEOPLE)
    return {"data": page}, {"Next-Page": f"/people?_limit={len(page)}&_start={end}"} if "_limit" in given and end < len(PEOPLE) else {}


def by_filters(given: Parameters) -> tuple[Any, dict[str, str]]:
    """Every parameter is a filter: nothing has a field `page` with the value 2."""
    return [each for each in PEOPLE if all(str(each.get(name)) == value for name, value in given.items())], {}


def keyed(_: Parameters) -> tuple[Any, dict[str, str]]:
    return {"people": {str(each["id"]): {"name": each["name"], "email": each["email"]} for each in PEOPLE}}, {}


def tabled(given: Parameters) -> tuple[Any, dict[str, str]]:
    end, page = span(given, "offset", "limit")
    del end
    return {"columns": list(PEOPLE[0]), "rows": [list(each.values()) for each in page]}, {}


def wrapped(_: Parameters) -> tuple[Any, dict[str, str]]:
    return {"data": {"edges": [{"cursor": "x", "node": each} for each in PEOPLE]}}, {}


def deep_key(_: Parameters) -> tuple[Any, dict[str, str]]:
    return {"items": [{"kind": "person", "metadata": {"uid": f"u{each['id']}"}, "spec": {"email": each["email"]}} for each in PEOPLE]}, {}


@pytest.fixture
def serve() -> Iterator[Callable[[Dialect], str]]:
    dialect: list[Dialect] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            given = dict(parse_qsl(parts.query))
            allowed = self.headers.get("X-Key", given.pop("api_key", None)) in ("k3y", "Key k3y") or parts.path == "/people"
            body, headers = dialect[0](given) if allowed else ({"error": "who are you?"}, {})
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(int(headers.pop("Status", "200")) if allowed else 401)
            for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def serve(spoken: Dialect) -> str:
        dialect[:] = [spoken]
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    server.shutdown()
    thread.join()
    server.server_close()


DIALECTS = {
    linked: "{kind: link, size: 100}",
    addressed: "{kind: next_url, at: links.next, size: 100}",
    related: '{kind: next_url, at: "links[rel=next].href", size: 100}',
    continued: "{kind: cursor, at: nextPageToken}",
    skipped: "{kind: offset, size: 100, total: total}",
    paged: "{kind: page, size: 50, total_header: x-total}",
    paged_as_it_likes: "{kind: page, first: 0}",
    at_once_until_limited: "{kind: next_url, header: next-page, size: 100}",
    by_filters: None,
    keyed: None,
    tabled: "{kind: offset, size: 100}",
    wrapped: None,
    deep_key: None,
}


QUICK = (continued, skipped, paged_as_it_likes, wrapped)
CASES = [
    pytest.param(dialect, paging, id=dialect.__name__, marks=[] if dialect in QUICK else [pytest.mark.slow])
    for dialect, paging in DIALECTS.items()
]


@pytest.mark.parametrize(("dialect", "paging"), CASES)
def test_what_is_seen_of_a_list_reads_all_of_it(shell: Shell, serve, dialect: Dialect, paging: str | None) -> None:
    ran = shell.run("new", "connector", "acme", "--url", f"{serve(dialect)}/people")
    assert (ran.code, ran.err) == (0, ""), ran.err
    written = (shell.folder / "acme/apis/acme.yaml").read_text()
    assert f"    paging: {paging}\n" in written if paging else "paging:" not in written.replace(": paging.", "")
    assert ("    each: node\n" in written) == (dialect is wrapped)
    settings = ["--config", str(shell.folder / "acme/threadline.yaml")]
    (told,) = shell.run(*settings, "pull", "acme", "--json").json["pulled"]
    assert (told["new"], told["dead"]) == (len(PEOPLE), 0)
    assert "ana7@example.org" in shell.run(*settings, "timeline", "ana7@example.org").out


@pytest.mark.parametrize("auth", ["header:X-Key", "header:X-Key:Key", "query:api_key"])
def test_credentials_come_from_where_the_source_has_them(shell: Shell, serve, auth: str) -> None:
    url = f"{serve(linked)}/private?api_key=k3y" if auth.startswith("query") else f"{serve(linked)}/private"
    ran = shell.run("new", "connector", "acme", "--url", url, "--auth", auth)
    assert (ran.code, ran.message) == (3, f"--auth {auth.partition(':')[0]}: set THREADLINE_ACME_TOKEN, which the source will read too")
    shell.monkeypatch.setenv("THREADLINE_ACME_TOKEN", "k3y")
    assert shell.run("new", "connector", "acme", "--url", url, "--auth", auth).code == 0
    assert "k3y" not in "".join(path.read_text() for path in (shell.folder / "acme").rglob("*.*") if path.is_file())
    settings = ["--config", str(shell.folder / "acme/threadline.yaml")]
    (told,) = shell.run(*settings, "pull", "acme", "--json").json["pulled"]
    assert told["new"] == len(PEOPLE)
    assert shell.run(*settings, "check").code == 0
    (again,) = shell.run(*settings, "pull", "acme", "--json").json["pulled"]
    assert (again["new"], again["changed"]) == (0, 0)


def test_what_cannot_be_seen_is_said_and_nothing_is_written(shell: Shell, serve) -> None:
    base = serve(lambda _: ({"status": "ok"}, {}))
    for url, options, message in (
        (f"{base}/people", [], "people: the answer has no array of objects"),
        (f"{base}/private", [], "answered 401 to GET /private: the credentials were refused"),
        ("desk.example.com/people", [], "--url: the address of a list, such as https://desk.example.com/api/people"),
        (f"{base}/people", ["--auth", "digest"], "--auth 'digest': say none, basic, bearer, query:NAME, header:NAME or header:NAME:PREFIX"),
    ):
        ran = shell.run("new", "connector", "acme", "--url", url, *options)
        assert ran.code == 3
        assert message in ran.message
    serve(lambda _: (b"<html>", {}))
    assert "does not answer people in JSON" in shell.run("new", "connector", "acme", "--url", f"{base}/people").message
    assert shell.run("new", "connector", "acme", "--url", f"{base}/people", "--python").code == 2
    assert list(shell.folder.iterdir()) == []


def test_a_limit_is_waited_for_and_is_no_answer(shell: Shell, serve) -> None:
    calls: list[Parameters] = []

    def limited(given: Parameters) -> tuple[Any, dict[str, str]]:
        calls.append(given)
        return ({}, {"Status": "429", "Retry-After": "0"}) if len(calls) % 3 == 0 else skipped(given)

    assert shell.run("new", "connector", "acme", "--url", f"{serve(limited)}/people").code == 0
    assert "paging: {kind: offset, size: 100, total: total}" in (shell.folder / "acme/apis/acme.yaml").read_text()


def test_no_record_gets_into_what_is_written(shell: Shell, serve) -> None:
    assert shell.run("new", "connector", "acme", "--url", f"{serve(skipped)}/people").code == 0
    text = "".join(path.read_text() for path in (shell.folder / "acme").rglob("*") if path.is_file())
    assert "Ana" not in text
    assert "example.org" not in text
    assert "updated_at seems to move with changes" in text


def filtered(given: Parameters) -> tuple[Any, dict[str, str]]:
    rows = [
        {"id": number, "subject": f"Order {number}", "created": "2026-01-01", "modified": f"2026-01-{number:02}"} for number in range(1, 9)
    ]
    return {"rows": [row for row in rows if str(row["modified"]) >= given.get("modified_after", "")]}, {}


def test_a_parameter_that_bounds_the_time_of_change_is_named(shell: Shell, serve) -> None:
    assert shell.run("new", "connector", "acme", "--url", f"{serve(filtered)}/people").code == 0
    written = (shell.folder / "acme/apis/acme.yaml").read_text()
    assert "# The API takes modified_after for a bound. If that is one of modified, only what changed need be read:" in written
    assert 'parameters: {modified_after: "{after}"}' in written
    assert 'cursor: {kind: window, by: modified, format: "%Y-%m-%d"}' in written


def test_records_with_a_subject_become_cases(shell: Shell, serve) -> None:
    assert shell.run("new", "connector", "acme", "--url", f"{serve(filtered)}/people").code == 0
    assert "target: case" in (shell.folder / "acme/mappings/rest/acme/people.yaml").read_text()
    (told,) = shell.run("--config", str(shell.folder / "acme/threadline.yaml"), "pull", "acme", "--json").json["pulled"]
    assert (told["new"], told["dead"]) == (8, 0)


def test_several_lists_are_streams_of_one_source(shell: Shell, serve) -> None:
    base = serve(linked)
    lists = ["--url", f"{base}/people", "--url", f"{base}/v2/staff/list.json?active=1"]
    ran = shell.run("new", "connector", "acme", "--auth", "query:api_key", *lists)
    assert ran.message == "--auth query: set THREADLINE_ACME_TOKEN, which the source will read too"
    shell.monkeypatch.setenv("THREADLINE_ACME_TOKEN", "k3y")
    assert shell.run("new", "connector", "acme", "--auth", "query:api_key", *lists).code == 0
    told = shell.run("--config", str(shell.folder / "acme/threadline.yaml"), "pull", "acme", "--json").json["pulled"]
    assert {each["stream"]: each["new"] for each in told} == {"people": len(PEOPLE), "v2_staff_list": len(PEOPLE)}
    ran = shell.run("new", "connector", "other", *lists, "--url", "https://elsewhere.example.com/people")
    assert ran.message == "--url: lists of several hosts are several sources, each with an API file of its own"
