"""How lists are read: every kind of paging and cursor, errors, rates and credentials, against a server that says what it is told to."""

import gzip
from base64 import b64encode
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.rest.apifile import read_api
from connectors.rest.cutting import Body, Cut
from connectors.rest.documents import with_fields
from connectors.rest.template import fill_path
from tests.contract.rest_lab import Server, connecting, numbered, read, serving, silent, stream
from threadline.sdk import ConfigError, Intent, RecordError, RetryableError, split_records
from threadline.sdk.budget import Budget
from threadline.sdk.yamlfile import parse_yaml

BENCH = Path(__file__).parents[2] / "../shared/bench/gen_data.py"


running = pytest.fixture(scope="module")(serving)
server = pytest.fixture(silent)
connect = pytest.fixture(connecting)


# Paging


def test_pages_of_the_benchmark_are_read_over_one_connection(server: Server, connect) -> None:
    def answer(asked):
        number = int(asked.query.get("page[after]", 0))
        following = f"{server.url}/v1/tickets.json?page[after]={number + 1}" if number < 4 else None
        around = {"meta": {"has_more": following is not None, "after_cursor": str(number + 1)}, "links": {"next": following}}
        return {"tickets": numbered(number * 100, number * 100 + 100), **around}

    server.answer = answer
    rest = connect("streams: {things: {path: /v1/tickets.json, records: tickets, key: id, paging: {kind: next_url, at: links.next}}}")
    assert read(rest)[0] == list(range(500))
    assert (len(server.asked), server.connections) == (5, 1)


@pytest.mark.skipif(not BENCH.exists(), reason="the benchmark's material is not there")
def test_the_benchmarks_own_pages_have_the_shape_that_is_tested_here() -> None:
    text = BENCH.read_text(encoding="utf-8")
    assert all(f'"{name}"' in text for name in ("tickets", "meta", "has_more", "after_cursor", "links", "next"))


def test_link_headers_are_followed_also_when_they_are_relative(server: Server, connect) -> None:
    def answer(asked):
        number = int(asked.query.get("p", 1))
        link = f'<things?p=0>; rel="first", <things?p={number + 1}&q=a,b>; rel="next last"'
        return 200, {"Link": link} if number < 3 else {}, [{"id": number}]

    server.answer = answer
    assert read(connect(stream("paging: {kind: link}", "v2/things")))[0] == [1, 2, 3]
    assert [asked.path for asked in server.asked] == ["/v2/things"] * 3


@pytest.mark.parametrize("ends", ["more: meta.more", "done: meta.done", ""])
def test_a_cursor_goes_back_as_a_parameter(server: Server, connect, ends: str) -> None:
    def answer(asked):
        number = int(asked.query.get("after", "c0")[1:])
        last = number == 2
        cursor = f"c{number + 1}" if not last or ends else None
        return {"rows": [{"id": number}], "meta": {"after": cursor, "more": not last, "done": last}}

    server.answer = answer
    rest = connect(stream(f'records: rows, parameters: {{after: "{{cursor}}"}}, paging: {{kind: cursor, at: meta.after, {ends}}}'))
    assert read(rest)[0] == [0, 1, 2]
    assert "after" not in server.asked[0].query


@pytest.mark.parametrize("total", ["total: count", "total_header: X-Total", ""])
@pytest.mark.parametrize(("kind", "parameters"), [("page", 'p: "{page}", n: "{size}"'), ("offset", 'o: "{offset}", n: "{size}"')])
@pytest.mark.parametrize("count", [0, 1, 30, 31, 100])
def test_pages_that_are_counted_overlap(server: Server, connect, kind: str, parameters: str, total: str, count: int) -> None:
    def answer(asked):
        size = int(asked.query["n"])
        offset = int(asked.query.get("o", 0)) + size * (int(asked.query.get("p", 1)) - 1)
        return 200, {"X-Total": str(count)}, {"rows": numbered(0, count)[offset : offset + size], "count": count}

    server.answer = answer
    rest = connect(stream(f"records: rows, parameters: {{{parameters}}}, paging: {{kind: {kind}, size: 30, {total}}}"))
    assert sorted(set(read(rest)[0])) == list(range(count))
    assert len(server.asked) < 4 + count // 10


def test_an_api_that_caps_its_pages_loses_nothing(server: Server, connect) -> None:
    def answer(asked):
        offset = int(asked.query.get("o", 0)) or int(asked.query["n"]) * (int(asked.query.get("p", 1)) - 1)
        return numbered(0, 70)[offset : offset + min(20, int(asked.query["n"]))]

    server.answer = answer
    by_offset = connect(stream('parameters: {o: "{offset}", n: "{size}"}, paging: {kind: offset, size: 50}'))
    assert sorted(set(read(by_offset)[0])) == list(range(70))
    by_page = connect(stream('parameters: {p: "{page}", n: "{size}"}, paging: {kind: page, size: 50}'))
    with pytest.raises(ConfigError, match=r"of 50 records on a page 20 came, and there are more: lower paging.size"):
        read(by_page)


def test_a_keyset_of_unique_ids_is_kept_for_the_next_read(server: Server, connect) -> None:
    held = list(range(1, 8))
    server.answer = lambda asked: [{"id": one} for one in held if one > int(asked.query.get("since_id", 0))][:3]
    rest = connect(stream('parameters: {since_id: "{last}"}, paging: {kind: keyset, field: id, size: 3}, cursor: {kind: position}'))
    ids, cursor = read(rest)
    assert ids == held
    assert read(rest, cursor)[0] == []
    held.append(8)
    assert read(rest, cursor)[0] == [8]


def test_a_keyset_by_time_begins_where_the_window_does_and_meets_ties(server: Server, connect) -> None:
    rows = [{"id": n, "at": f"2026-01-01T00:00:{n // 2:02}Z"} for n in range(20)]
    server.answer = lambda asked: [row for row in rows if row["at"] >= asked.query.get("from", "")][:5]
    text = 'parameters: {from: "{last}"}, paging: {kind: keyset, field: at, size: 5}, cursor: {kind: window, by: at}'
    ids, cursor = read(connect(stream(text)))
    assert sorted(set(ids)) == list(range(20))
    server.asked.clear()
    read(connect(stream(text)), cursor)
    assert server.asked[0].query["from"] > "2026-06"
    rows[:] = [{"id": n, "at": "2026-01-01T00:00:00Z"} for n in range(20)]
    with pytest.raises(ConfigError, match="more than a page of records have the same at"):
        read(connect(stream(text)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 2}, {"id": 1}], "not in ascending order of id; add the parameter that sorts them"),
        ([{"id": 1}, {"no": 1}], "paging.field 'id' is missing in a record"),
        ([{"id": "a"}, {"id": 1}], "not of one kind in all"),
    ],
)
def test_a_keyset_that_is_none_is_refused(server: Server, connect, rows, message: str) -> None:
    server.answer = lambda _: rows
    with pytest.raises(ConfigError, match=message):
        list(connect(stream('parameters: {s: "{last}"}, paging: {kind: keyset, field: id, size: 2}')).pull("things", None))


def test_a_tie_that_is_missing_in_a_record_is_no_gap(server: Server, connect) -> None:
    server.answer = lambda _: [{"id": 1, "at": 5}, {"at": 5}]
    rest = connect(stream("parameters: {from: '{last}', beyond: '{tie}'}, paging: {kind: keyset, field: at, tie: id, size: 2}"))
    with pytest.raises(ConfigError, match=r"paging.tie 'id' is missing in a record"):
        read(rest)


def test_ids_of_digits_are_in_the_order_of_numbers(server: Server, connect) -> None:
    server.answer = lambda asked: [{"id": str(n)} for n in range(8, 12) if n > int(asked.query.get("s", 0))]
    assert read(connect(stream('parameters: {s: "{last}"}, paging: {kind: keyset, field: id, size: 4}')))[0] == ["8", "9", "10", "11"]


def test_a_link_that_leads_nowhere_new_is_no_end(server: Server, connect) -> None:
    server.answer = lambda _: {"rows": [{"id": 1}], "next": "?same"}
    with pytest.raises(RetryableError, match="leads to the same page again"):
        read(connect(stream("records: rows, paging: {kind: next_url, at: next}")))
    server.answer = lambda _: {"rows": [{"id": 1}], "more": True}
    with pytest.raises(RetryableError, match=r"says that there is more, but not where \(next is missing\)"):
        read(connect(stream("records: rows, paging: {kind: next_url, at: next, more: more}")))
    server.answer = lambda _: {"rows": [{"id": 1}], "next": {"no": "text"}}
    with pytest.raises(ConfigError, match="next of the answer is no url"):
        read(connect(stream("records: rows, paging: {kind: next_url, at: next}")))


@pytest.mark.parametrize("other", ["http://127.0.0.1:1/x", "http://evil.example/x", "//evil.example/x", "http://127.0.0.1@evil.example/"])
def test_a_link_to_another_host_is_not_followed(server: Server, connect, other: str) -> None:
    server.answer = lambda _: {"rows": [{"id": 1}], "next": other}
    rest = connect("auth: {kind: bearer}\n" + stream("records: rows, paging: {kind: next_url, at: next}"), token="s3cret")
    with pytest.raises(ConfigError, match=r"linked to another host, .*(evil\.example|127\.0\.0\.1:1)"):
        read(rest)
    assert len(server.asked) == 1


# Cursors


def test_a_position_that_the_api_gave_is_kept_and_one_that_it_forgot_is_not(server: Server, connect) -> None:
    forgotten: set[str] = set()
    held = [1, 2, 3]

    def answer(asked):
        since = asked.query.get("since", "0")
        if since in forgotten:
            forgotten.remove(since)
            return 410, {}, {}
        rows = [{"id": one} for one in held if one > int(since)][:2]
        return {"rows": rows, "next": str(rows[-1]["id"] if rows else since)}

    server.answer = answer
    rest = connect(stream('records: rows, parameters: {since: "{cursor}"}, paging: {kind: cursor, at: next}, cursor: {kind: position}'))
    ids, cursor = read(rest)
    assert (ids, cursor) == ([1, 2, 3], {"position": {"cursor": "3"}})
    held.append(4)
    ids, cursor = read(rest, cursor)
    assert ids == [4]
    forgotten.add("4")
    rest = connect(stream('records: rows, parameters: {since: "{cursor}"}, paging: {kind: cursor, at: next}, cursor: {kind: position}'))
    assert read(rest, cursor)[0] == [1, 2, 3, 4]


def test_a_position_that_never_runs_out_ends_with_an_empty_page(server: Server, connect) -> None:
    numbers = iter(range(100))
    server.answer = lambda asked: {"rows": [{"id": 1}] if not asked.query else [], "next": f"t{next(numbers)}"}
    rest = connect(stream('records: rows, parameters: {since: "{cursor}"}, paging: {kind: cursor, at: next}, cursor: {kind: position}'))
    assert read(rest) == ([1], {"position": {"cursor": "t1"}})
    assert len(server.asked) == 2


def test_a_position_of_another_kind_begins_anew(server: Server, connect) -> None:
    server.answer = lambda asked: [] if asked.query else [{"id": 1}]
    rest = connect(stream('parameters: {since: "{last}"}, paging: {kind: keyset, field: id, size: 9}, cursor: {kind: position}'))
    assert read(rest, {"last id": {"cursor": "c9"}}) == ([1], {"last id": {"last": 1}})


def test_a_cursor_that_another_paging_has_left_begins_the_list_again(server: Server, connect) -> None:
    server.answer = lambda asked: [{"id": 1}] if asked.path == "/things" else []
    rest = connect(stream("paging: {kind: link}"))
    assert read(rest, {"part": "all", "at": [{"cursor": "c9"}]})[0] == [1, 1]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("rfc3339", "2026-01-02T03:03:05Z"), ("unix", "1767322985"), ("unix_ms", "1767322985000"), ('"%d.%m.%Y %H:%M"', "02.01.2026 03:03")],
)
def test_a_window_is_written_as_the_api_takes_it(server: Server, connect, written: str, expected: str) -> None:
    rest = connect(stream(f'parameters: {{since: "{{after}}", q: "at < {{before}}"}}, cursor: {{kind: window, by: at, format: {written}}}'))
    server.answer = lambda _: []
    read(rest, {"until": "2026-01-02T03:04:05Z"})
    assert server.asked[0].query["since"] == expected
    assert server.asked[0].query["q"].startswith("at < ")


def test_a_window_without_a_beginning_leaves_its_parameter_out_or_starts_where_told(server: Server, connect) -> None:
    server.answer = lambda _: []
    text = 'parameters: {since: "{after}"}, cursor: {kind: window, by: at%s}'
    read(connect(stream(text % "")))
    read(connect(stream(text % ', start: "2020-01-01T00:00:00Z"')))
    assert [asked.query for asked in server.asked] == [{}, {"since": "2020-01-01T00:00:00Z"}]


def test_the_bound_of_a_window_is_of_the_apis_clock(server: Server, connect, monkeypatch: pytest.MonkeyPatch) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: date)
    server.answer = lambda _: []
    _, cursor = read(connect(stream('parameters: {since: "{after}", until: "{before}"}, cursor: {kind: window, by: at}')))
    assert cursor is not None
    assert server.asked[0].query == {"until": "2026-01-01T00:00:01Z"}
    assert cursor["until"].startswith("2026-01-01T00:00:00")


# Children, marks


def test_records_below_a_parent_carry_what_they_are_told_to(server: Server, connect) -> None:
    def answer(asked):
        if asked.path == "/tickets":
            return [{"id": 1, "ref": {"no": "A/1"}}, {"id": 2, "ref": {"no": ".."}}, {"id": 3}, {"id": 4, "ref": {"no": "gone"}}]
        if asked.path == "/tickets/gone/comments":
            return 404, {}, {}
        page = int(asked.query.get("c", 0))
        return {"rows": [{"id": 10 * page}] if page else [{}], "next": page + 1 if page < 2 else None}

    server.answer = answer
    rest = connect(
        'errors: {then: {"404": skip}}\nstreams:\n  tickets: {path: tickets, key: id}\n'
        '  things: {path: "tickets/{parent.ref.no}/comments", records: rows, key: id, parameters: {c: "{cursor}"}, '
        "paging: {kind: cursor, at: next}, parent: {stream: tickets, add: {ticket: ref.no}}}\n"
    )
    pages = list(rest.pull("things", None))
    assert [msgspec.json.decode(record) for page in pages for record in page.records] == [
        {"ticket": "A/1"}, {"ticket": "A/1", "id": 10}, {"ticket": "A/1", "id": 20},
    ]  # fmt: skip
    assert [entry.raw for page in pages for entry in page.rejected] == [b'{"id":2,"ref":{"no":".."}}', b'{"id":3}']
    assert pages[-1].cursor is not None
    assert all(page.cursor is None for page in pages[:-1])


@pytest.mark.parametrize(
    ("declared", "record", "deleted"),
    [
        ("{state: gone}", {"state": "gone"}, True), ("{state: [gone, lost]}", {"state": "lost"}, True), ("{state: gone}", {}, False),
        ("{removed_at: '*'}", {"removed_at": "2026"}, True), ("{removed_at: '*'}", {"removed_at": None}, False),
        ("{hidden: true}", {"hidden": True}, True), ("{hidden: true}", {"hidden": 1}, False), ("{a.b: 1}", {"a": {"b": 1}}, True),
        ("{a.b: 1}", {"a": []}, False),
    ],
)  # fmt: skip
def test_a_deleted_record_is_marked(server: Server, connect, declared: str, record, deleted: bool) -> None:
    server.answer = lambda _: [{"id": 1, **record}]
    (page,) = [page for page in connect(stream(f"deleted: {declared}")).pull("things", None) if page.records]
    assert msgspec.json.decode(page.records[0]) == ({"_deleted": True} if deleted else {}) | {"id": 1, **record}


# What goes wrong


def test_one_record_that_is_not_readable_does_not_hold_up_its_page(server: Server, connect) -> None:
    odd = b'{"id": 2, "text": "\\ud800"}'
    server.answer = lambda asked: (
        b'{"rows": [{"id": 3}], "next": []}' if asked.query else b'{"rows": [{"id": 1}, ' + odd + b'], "next": "?p=2"}'
    )
    pages = list(connect(stream("records: rows, paging: {kind: next_url, at: next}")).pull("things", None))
    assert [page.records for page in pages] == [[b'{"id": 1}', odd], [b'{"id": 3}']]


def test_a_page_that_breaks_off_is_asked_for_again(server: Server, connect) -> None:
    whole = msgspec.json.encode(numbered(0, 50))
    answers = [(200, {}, whole[:99]), (200, {}, b"<html>"), (200, {}, whole)]
    server.answer = lambda _: answers.pop(0)
    assert read(connect(stream("about: x")))[0] == list(range(50))


def test_a_page_may_be_compressed(server: Server, connect) -> None:
    server.answer = lambda _: (200, {"Content-Encoding": "gzip"}, gzip.compress(b'[{"id": 1}]'))
    assert read(connect(stream("about: x")))[0] == [1]


def test_an_answer_shorter_than_announced_is_asked_for_again(server: Server, connect) -> None:
    answers = [(200, {"Content-Length": "999", "Connection": "close"}, b'[{"id": 1}'), (200, {}, b'[{"id": 1}]')]
    server.answer = lambda _: answers.pop(0)
    assert read(connect(stream("about: x")))[0] == [1]


LAG = {"error": {"code": "maxlag"}}
ERRORS = 'errors: {code: error.code, then: {maxlag: retry, "418": retry, blocked: stop, "409": stop}}\n'


@pytest.mark.parametrize(
    "first", [(200, {}, {"error": {"code": "maxlag"}}), (418, {}, {}), (400, {}, {"error": {"code": "maxlag"}}), (503, {}, {})]
)
def test_what_passes_is_tried_again(server: Server, connect, first) -> None:
    answers = [first, (200, {}, [{"id": 1}])]
    server.answer = lambda _: answers.pop(0)
    assert read(connect(ERRORS + stream("about: x")))[0] == [1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}, {"error": {"code": "blocked"}}), r"answered 200 \(blocked\) to GET things"),
        ((200, {}, {"error": {"code": "unheard-of"}, "rows": []}), r"\(unheard-of\)"),
        ((200, {}, {"error": {"code": "Ana Lima, Main Street"}}), r"answered 200 to GET things: check"),
        ((409, {}, {}), "answered 409"), ((404, {}, {}), "check base_url"),
        ((302, {"Location": "http://evil.example"}, {}), "set base_url to that"),
    ],
)  # fmt: skip
def test_what_does_not_pass_stops(server: Server, connect, answer, message: str) -> None:
    server.answer = lambda _: answer
    with pytest.raises(ConfigError, match=message) as caught:
        read(connect(ERRORS + stream("records: rows")))
    assert "Lima" not in str(caught.value)
    assert len(server.asked) == 1


def test_a_list_that_is_not_there_is_not_taken_for_an_empty_one(server: Server, connect) -> None:
    server.answer = lambda _: (404, {}, {})
    with pytest.raises(ConfigError, match="answered 404"):
        read(connect('errors: {then: {"404": skip}}\n' + stream("about: x")))


class Counted(Budget):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def spend(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) > 3:
            raise RetryableError("all calls are used up", retry_after=4000)

    def heard(self, call: str, headers: object) -> None:
        pass


def test_calls_are_taken_from_the_account_of_all_processes(server: Server, connect) -> None:
    def answer(asked: SimpleNamespace) -> object:
        number = int(asked.query.get("c", 0))
        return {"rows": [{"id": number}], "next": number + 1 if number < 8 else None}

    server.answer = answer
    rest = connect(
        "rate: {requests: 3, seconds: 20}\n" + stream('records: rows, parameters: {c: "{cursor}"}, paging: {kind: cursor, at: next}')
    )
    assert [(one.name, one.calls, one.seconds) for one in rest.allowances()] == [("requests", 3, 20)]
    rest.budget = counted = Counted()
    with pytest.raises(RetryableError, match="all calls are used up") as caught:
        read(rest)
    assert (caught.value.retry_after, len(server.asked)) == (4000, 3)
    assert counted.calls[:2] == ["GET /things", "GET /things?c=1"]
    assert connect(stream("about: x")).allowances() == ()


# Records that are asked for again

ALONE = 'errors: {then: {"410": skip, "423": record}}\n' + stream('deleted: {state: gone}, recheck: {path: "things/{key}"}')
MANY = stream('deleted: {state: gone}, recheck: {path: things, parameters: {ids: "{keys}"}, records: rows, size: 3}')


def test_a_record_is_gone_when_the_api_says_so_and_not_when_it_refuses(server: Server, connect) -> None:
    answers = {"1": {"id": 1}, "2": (410, {}, {}), "3": (423, {}, {}), "4": {"id": 4, "state": "gone"}}
    server.answer = lambda asked: answers[asked.path.rpartition("/")[2]]
    rest = connect(ALONE)
    assert rest.looks_up("things")
    assert [key for keys in rest.gone("things", ["1", "2", "3", "4"]) for key in keys] == ["2", "4"]


def test_many_are_asked_for_at_once(server: Server, connect) -> None:
    server.answer = lambda asked: {
        "rows": [{"id": int(one), "state": "gone" if one == "5" else "open"} for one in asked.query["ids"].split(",") if one != "2"]
    }
    assert list(connect(MANY).gone("things", ["1", "2", "3", "4", "5"])) == [["2"], ["5"]]
    assert [asked.query["ids"] for asked in server.asked] == ["1,2,3", "4,5"]


def test_an_answer_that_is_none_says_nothing_of_records(server: Server, connect) -> None:
    server.answer = lambda _: (200, {}, b"<html>Back soon</html>")
    with pytest.raises(RetryableError, match="something else than a record"):
        list(connect(ALONE).gone("things", ["1"]))
    with pytest.raises(RetryableError, match="something else than an array of records"):
        list(connect(MANY).gone("things", ["1"]))
    server.answer = lambda _: (404, {}, {})
    with pytest.raises(ConfigError, match="it concerns one record, and this call asks for many"):
        list(connect('errors: {then: {"404": skip}}\n' + MANY).gone("things", ["1"]))
    silent = connect(stream("about: x"))
    assert (silent.looks_up("things"), list(silent.gone("things", ["1"]))) == (False, [])


# Credentials


@pytest.mark.parametrize(
    ("auth", "secrets", "name", "value"),
    [
        ("{kind: basic}", {"user": "ü", "password": "p:w"}, "Authorization", f"Basic {b64encode('ü:p:w'.encode()).decode()}"),
        ("{kind: bearer}", {"token": "t0k"}, "Authorization", "Bearer t0k"),
        ("{kind: header, name: X-Key}", {"token": "t0k"}, "X-Key", "t0k"),
        ("{kind: header, name: Authorization, prefix: 'token '}", {"token": "t0k"}, "Authorization", "token t0k"),
    ],
)
def test_credentials_are_sent_as_declared(server: Server, connect, auth: str, secrets, name: str, value: str) -> None:
    server.answer = lambda _: []
    read(connect(f"auth: {auth}\nheaders: {{X-Team: desk}}\n" + stream("headers: {X-More: '1'}"), **secrets))
    sent = server.asked[0].headers
    assert (sent[name], sent["X-Team"], sent["X-More"]) == (value, "desk", "1")


@pytest.mark.parametrize("how", ["basic", "body"])
@pytest.mark.parametrize("kind", ["client_credentials", "refresh_token"])
def test_tokens_are_fetched_and_renewed(server: Server, connect, kind: str, how: str) -> None:
    forms: list[dict[str, str]] = []
    valid: list[str] = []

    def answer(asked):
        if asked.path == "/token":
            forms.append(dict(parse_qsl(asked.body.decode())) | {"basic": asked.headers.get("Authorization", "")})
            valid[:] = [f"t{len(forms)}"]
            return {"access_token": valid[0], "token_type": "Bearer", "expires_in": 3600, "refresh_token": f"r{len(forms)}"}
        return [{"id": 1}] if asked.headers.get("Authorization") == f"Bearer {valid[0]}" else (401, {}, {})

    server.answer = answer
    secrets = {"client_id": "me", "client_secret": "s3", **({"refresh_token": "r0"} if kind == "refresh_token" else {})}
    rest = connect(f"auth: {{kind: {kind}, token_url: token, scope: a b, client: {how}}}\n" + stream("about: x"), **secrets)
    assert read(rest)[0] == [1]
    valid[:] = ["revoked"]
    assert read(rest)[0] == [1]
    first, second = forms
    assert first["grant_type"] == kind
    assert first["scope"] == "a b"
    assert first.get("refresh_token") == ("r0" if kind == "refresh_token" else None)
    assert second.get("refresh_token") == ("r1" if kind == "refresh_token" else None)
    assert first["basic"] == (f"Basic {b64encode(b'me:s3').decode()}" if how == "basic" else "")
    assert (first.get("client_secret") == "s3") == (how == "body")


def test_a_token_endpoint_that_refuses_is_named(server: Server, connect) -> None:
    server.answer = lambda _: (401, {}, {"error": "invalid_client"})
    rest = connect("auth: {kind: client_credentials, token_url: token}\n" + stream("about: x"), client_id="me", client_secret="s3cr3t")
    with pytest.raises(ConfigError, match="api's token endpoint answered 401") as caught:
        read(rest)
    assert "s3cr3t" not in str(caught.value)


def test_a_token_that_stays_refused_ends_it(server: Server, connect) -> None:
    server.answer = lambda asked: {"access_token": "t"} if asked.path == "/token" else (401, {}, {})
    rest = connect("auth: {kind: client_credentials, token_url: token}\n" + stream("about: x"), client_id="me", client_secret="s")
    with pytest.raises(ConfigError, match="credentials were refused"):
        read(rest)
    assert [asked.path for asked in server.asked] == ["/token", "/things", "/token", "/things"]


# Writing


UPSERT = """
push:
  person:
    find: {path: people, parameters: {q: "{email}"}, records: found, field: contact.email, equals: "{email}"}
    create: {method: POST, path: people, body: {name: "{name}", contact: {email: "{email}", fax: "{fax}"}}}
    update: {method: PUT, path: "people/{found.id}", headers: {If-Match: "{found.version}"}}
    id: id
  event:
    create: {method: POST, path: "events", headers: {Idempotency-Key: "{intent}"}}
"""


def test_an_upsert_looks_first(server: Server, connect) -> None:
    people: dict[str, dict[str, object]] = {}

    def answer(asked):
        if asked.method == "GET":
            return {"found": [each for each in people.values() if asked.query["q"].lower() in each["contact"]["email"].lower()]}
        body = msgspec.json.decode(asked.body)
        if asked.method == "POST":
            people["1"] = {"id": 1, "version": "v1", **body}
            return 201, {}, {"id": 1}
        people[asked.path.rpartition("/")[2]]["name"] = body["name"]
        return 204, {}, b""

    server.answer = answer
    rest = connect(UPSERT)
    (made,) = rest.push("person", [Intent("01A", "person", {"name": "Ana", "email": "ana@example.org"})])
    (changed,) = rest.push("person", [Intent("01B", "person", {"name": "Ana Lima", "email": "ANA@example.org"})])
    assert (made.status, made.remote_id, changed.status, changed.remote_id) == ("done", "1", "done", "1")
    assert people == {"1": {"id": 1, "version": "v1", "name": "Ana Lima", "contact": {"email": "ana@example.org"}}}
    assert server.asked[-1].headers["If-Match"] == "v1"
    (nameless,) = rest.push("person", [Intent("01C", "person", {"name": "Bo"})])
    assert (nameless.status, nameless.reason) == ("dead", "the record has nothing that it could be found by")


def test_a_create_carries_its_key_each_time(server: Server, connect) -> None:
    answers = [(500, {}, {}), (201, {}, {})]
    server.answer = lambda _: answers.pop(0)
    rest = connect(UPSERT)
    assert {item.name: item.repeat for item in rest.available_objects()} == {"person": "upsert", "event": "key"}
    with pytest.raises(RetryableError, match="answered 500 to POST events"):
        list(rest.push("event", [Intent("01A", "event", {"x": 1})]))
    (again,) = rest.push("event", [Intent("01A", "event", {"x": 1}, attempt=2)])
    assert again.status == "done"
    assert [asked.headers["Idempotency-Key"] for asked in server.asked] == ["01A", "01A"]


def test_a_write_that_fails_with_a_good_status_has_failed(server: Server, connect) -> None:
    answers = [{"error": {"code": "invalid"}}, {"error": {"code": "maxlag"}}, {"ok": True}]
    server.answer = lambda _: answers.pop(0)
    rest = connect(ERRORS + UPSERT)
    (refused,) = rest.push("event", [Intent("01A", "event", {"x": 1})])
    assert (refused.status, refused.reason) == ("dead", "api answered 200 (invalid) to POST events")
    (taken,) = rest.push("event", [Intent("01B", "event", {"x": 1})])
    assert taken.status == "done"


def test_a_write_that_a_gateway_answers_is_left_open(server: Server, connect) -> None:
    server.answer = lambda _: (200, {"Content-Type": "text/html"}, b"<html>We are back soon</html>")
    with pytest.raises(RetryableError, match="api answered POST events with something else than JSON"):
        list(connect(UPSERT).push("event", [Intent("01A", "event", {"x": 1})]))


def test_smaller_pages_may_be_asked_for(server: Server, connect) -> None:
    server.answer = lambda asked: numbered(int(asked.query["o"]), int(asked.query["o"]) + int(asked.query["n"]))[
        : 7 - int(asked.query["o"])
    ]
    offsets = stream("parameters: {o: '{offset}', n: '{size}'}, paging: {kind: offset, size: 50}")
    assert read(connect(offsets, page_size=3))[0] == list(range(7))
    assert {asked.query["n"] for asked in server.asked} == {"3"}
    assert read(connect(offsets, page_size=80))[0] == list(range(7))
    assert server.asked[-1].query["n"] == "50"
    with pytest.raises(ValueError, match="things cannot be read in pages of 1; take 2 or more"):
        connect(offsets, page_size=1)


def test_an_upsert_that_finds_many_takes_only_the_one_that_fits(server: Server, connect) -> None:
    server.answer = lambda asked: (
        {"found": [{"id": 1, "contact": {"email": "x.ana@example.org"}}, {"id": 2}, {"id": 3, "contact": {"email": "ana@example.org"}}]}
        if asked.method == "GET"
        else {}
    )
    list(connect(UPSERT).push("person", [Intent("01A", "person", {"name": "Ana", "email": "ana@example.org"})]))
    assert server.asked[-1].path == "/people/3"


# Invariants

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)


@given(st.lists(documents, max_size=5), st.dictionaries(st.sampled_from(["next", "meta", "links", "x.y"]), documents))
def test_records_are_cut_as_they_stand(records, around) -> None:
    raw = msgspec.json.encode({**around, "data": {"rows": records, "more": 1}})
    cut, values = Body(Cut("data.rows"), ("next", "meta.after.deep", "data.more", "links")).read(raw)
    assert cut == split_records(raw, "data", "rows") == [msgspec.json.encode(record) for record in records]
    assert values["next"] == around.get("next")
    assert values["links"] == around.get("links")
    assert values["data.more"] == 1


@given(st.dictionaries(st.text(max_size=5), documents, max_size=3), st.dictionaries(st.text(max_size=5), documents, max_size=2))
def test_fields_are_put_before_those_of_the_record(record, added) -> None:
    assert msgspec.json.decode(with_fields(msgspec.json.encode(record), added)) == {**added, **record}


@given(st.text(min_size=1, max_size=20))
def test_no_value_leaves_its_place_in_a_path(value: str) -> None:
    try:
        path = fill_path("a/{x}/b", {"x": value})
    except (RecordError, UnicodeEncodeError):
        return
    assert urlsplit(f"http://h/{path}").path.split("/")[1:] == ["a", path.split("/")[1], "b"]
    assert not set("?#/\\ ") & set(path.split("/")[1])
    assert path.split("/")[1] not in (".", "..")


@settings(deadline=None)
@given(documents)
def test_no_document_breaks_the_reader_of_api_files(document) -> None:
    try:
        read_api(parse_yaml(msgspec.json.encode(document).decode(), "x.yaml"))
    except ConfigError as error:
        assert str(error).startswith("x.yaml")  # noqa: PT017 - any document may be right
