"""Answers of other shapes than an array of objects, searches by POST, tokens, lists of deletes, sessions, forms."""

import itertools
import math
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rest.cutting import Body, Cut
from connectors.rest.declaration import Keyed, StreamFile, Table
from connectors.rest.pager import Answer
from connectors.rest.paging import make_pager
from connectors.rest.pagings import PageNumber
from connectors.rest.paths import look_up
from tests.contract.rest_lab import Server, connecting, numbered, read, serving, silent, stream
from threadline.sdk import ConfigError, Intent, RetryableError

running = pytest.fixture(scope="module")(serving)
server = pytest.fixture(silent)
connect = pytest.fixture(connecting)


def rows(rest, name: str = "things"):
    return [msgspec.json.decode(record) for page in rest.pull(name, None) for record in page.records]


# Shapes


@pytest.mark.parametrize(
    ("declared", "answer", "expected"),
    [
        ("records: people, shape: {kind: keyed}", {"people": {"7": {"n": 1}, "8": {"n": 2}}}, [{"id": "7", "n": 1}, {"id": "8", "n": 2}]),
        ("shape: {kind: keyed, name: code}", {"7": {"id": 1}}, [{"code": "7", "id": 1}]),
        ("records: people, shape: {kind: keyed}", {"people": []}, []),
        ("records: rows, shape: {kind: table, columns: columns}", {"columns": ["id", "n"], "rows": [[1, "a"]]}, [{"id": 1, "n": "a"}]),
        ("records: rows, shape: {kind: table, columns: c}", {"c": [{"name": "id"}], "rows": [[1], [2]]}, [{"id": 1}, {"id": 2}]),
        ("shape: {kind: table, columns: [id, n]}", [[1, {"b": 2}]], [{"id": 1, "n": {"b": 2}}]),
        ("records: values, shape: {kind: table}", {"values": [["id", "n"], ["1", "a"], ["2"]]}, [{"id": "1", "n": "a"}, {"id": "2"}]),
        ("records: values, shape: {kind: table}", {"values": []}, []),
        ("shape: {kind: lines}", b'{"id": 1}\n\n{"id": 2}\r\n', [{"id": 1}, {"id": 2}]),
        ("shape: {kind: one}", {"id": 1}, [{"id": 1}]),
        ("records: data.edges, each: node", {"data": {"edges": [{"node": {"id": 1}}, {"node": None}]}}, [{"id": 1}, None]),
        ("records: hits, each: _source.doc", {"hits": [{"_source": {"doc": {"id": 1}}}, {"x": 2}]}, [{"id": 1}]),
        ("records: '[1]'", [{"page": 1}, [{"id": 1}]], [{"id": 1}]),
        ("records: 'sets[name=a].rows'", {"sets": [{"name": "b"}, {"name": "a", "rows": [{"id": 1}]}]}, [{"id": 1}]),
        ("records: a.b", {"a.b": [{"id": 1}]}, [{"id": 1}]),
        ("records: rows, may_lack: true", {"more": False}, []),
        ("records: rows", {"rows": None}, []),
        ("add: {id: meta.uid, first: 'tags[0]'}", [{"meta": {"uid": "u"}, "tags": ["x"]}], [{"id": "u", "first": "x"}]),
    ],
)
def test_records_are_found_in_any_shape(server: Server, connect, declared: str, answer, expected) -> None:
    server.answer = lambda _: answer
    found = rows(connect(stream(declared)))
    if "add:" in declared:
        found = [{name: row[name] for name in ("id", "first")} for row in found]
    assert found == expected


@pytest.mark.parametrize(
    ("declared", "answer", "message"),
    [
        ("records: contacts", {"people": [], "meta": {"odd name": []}}, "nothing at `records: contacts`; arrays stand at people"),
        ("records: a.b", {"data": {"rows": [], "ana@example.org": []}}, "arrays stand at data.rows"),
        ("records: rows", [1], "the answer is an array itself: leave `records` out"),
        ("about: x", {"rows": [{"id": 1}]}, "its top, where an array should be, of the answer does not have the shape"),
        ("records: rows, shape: {kind: keyed}", {"rows": [1]}, "does not have the shape that the API file says"),
        ("records: rows, shape: {kind: table, columns: no}", {"rows": [[1]]}, "does not have the shape"),
    ],
)
def test_an_answer_of_another_shape_says_where_arrays_are(server: Server, connect, declared: str, answer, message: str) -> None:
    server.answer = lambda _: answer
    with pytest.raises(ConfigError, match="api: GET things: ") as caught:
        rows(connect(stream(declared)))
    assert message in str(caught.value)
    assert "@" not in str(caught.value)
    assert len(server.asked) == 1


def test_what_is_no_json_is_asked_for_again(server: Server, connect) -> None:
    server.answer = lambda _: b"<html>" if len(server.asked) == 1 else {"7": {}}
    assert rows(connect(stream("shape: {kind: keyed}"))) == [{"id": "7"}]


texts = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=4)


@given(st.dictionaries(texts, st.dictionaries(texts, st.integers() | st.text(max_size=3)), max_size=4))
def test_objects_keep_their_bytes(things) -> None:
    raw = msgspec.json.encode({"data": things, "total": 3})
    cut, around = Body(Cut("data", Keyed("\0")), ("total",)).read(raw)
    assert [msgspec.json.decode(each) for each in cut] == [{"\0": name, **thing} for name, thing in things.items()]
    assert around == {"total": 3}


@given(st.lists(st.lists(st.integers(), min_size=2, max_size=2), max_size=4))
def test_rows_become_objects(table) -> None:
    cut, _ = Body(Cut(None, Table(("a", "b")))).read(msgspec.json.encode(table))
    assert [msgspec.json.decode(each) for each in cut] == [dict(zip("ab", row, strict=True)) for row in table]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", 1), ("a.c", None), ("l[0].x", 1), ("l[-1].x", 2), ("l[5].x", None), ("l[x=2].y", "z"), ("l[x=3].y", None),
        ("l[on=true].x", 2), ("@odata.next", "u"), ("a[0]", None), ("l.x", None), ("m[1][0]", 4),
    ],
)  # fmt: skip
def test_paths_lead_into_arrays(path: str, expected) -> None:
    document = {"a": {"b": 1}, "l": [{"x": 1}, {"x": 2, "y": "z", "on": True}], "@odata.next": "u", "m": [[3], [4]]}
    assert look_up(document, path) == expected


# Reading


def test_a_search_has_a_body(server: Server, connect) -> None:
    def answer(asked):
        given = msgspec.json.decode(asked.body)
        page = given.get("after", 0)
        return {"results": numbered(page * 2, page * 2 + 2), "paging": {"next": {"after": page + 1}} if page < 2 else {}}

    server.answer = answer
    rest = connect(
        "variables: {kind: {default: person}}\n"
        + stream(
            "method: POST, body: {limit: '{size}', after: '{cursor}', filters: [{kind: '{kind}', since: '{after}'}]}, records: results, "
            "paging: {kind: cursor, at: paging.next.after, size: 2}, cursor: {kind: window, by: at, start: '2020-01-01T00:00:00Z'}"
        )
    )
    assert read(rest)[0] == list(range(6))
    first, second, _ = (msgspec.json.decode(asked.body) for asked in server.asked)
    assert first == {"limit": 2, "filters": [{"kind": "person", "since": "2020-01-01T00:00:00Z"}]}
    assert second["after"] == 1


def test_a_search_that_is_refused_stops_and_is_no_record(server: Server, connect) -> None:
    server.answer = lambda _: (422, {}, {})
    with pytest.raises(ConfigError, match="answered 422 to POST things"):
        rows(connect(stream("method: POST")))


@pytest.mark.parametrize("ends", ["more: next", "pages: pages", "first: 0"])
def test_pages_of_any_size_lose_nothing_that_slips(server: Server, connect, ends: str) -> None:
    """Records go while the list is read; the ones behind them move up over the edge of a page."""
    left = numbered(0, 40)
    first = 0 if "first" in ends else 1

    def answer(asked):
        page = int(asked.query["page"]) - first
        if page in (2, 4) and len(server.asked) < 20:
            del left[: page * 3]
        pages = math.ceil(len(left) / 7)
        return {"rows": left[page * 7 : page * 7 + 7], "next": "x" if page + 1 < pages else None, "pages": pages}

    server.answer = answer
    found, cursor = read(connect(stream(f"parameters: {{page: '{{page}}'}}, records: rows, paging: {{kind: page, {ends}}}")))
    assert {each["id"] for each in left} <= set(found)
    assert cursor == {}


@given(st.data(), st.integers(2, 5), st.integers(0, 30), st.booleans())
def test_pages_of_any_size_read_whatever_is_there_throughout(data: st.DataObject, size: int, count: int, newest_first: bool) -> None:
    """Records come, and in lists that begin with the oldest go, before each call; those that stay are read, also after a break."""
    left, stayed, fresh = list(range(count)), set(range(count)), itertools.count(1000)
    pager = make_pager("api", StreamFile("things", "id", parameters={"page": "{page}"}, paging=PageNumber()))

    def ask(values, url: str | None = None) -> Answer:
        del url
        for _ in range(data.draw(st.integers(0, 2)) if len(left) < 60 else 0):
            if left and not newest_first and data.draw(st.booleans()):
                stayed.discard(left.pop(data.draw(st.integers(0, len(left) - 1))))
            else:
                left.insert(0 if newest_first else len(left), next(fresh))
        start = (values["page"] - 1) * size
        return Answer([b'{"id":%d}' % number for number in left[start : start + size]])

    read, at, more, calls = set[int](), None, True, 0
    while more and calls < 200:
        if data.draw(st.booleans()):
            pager = make_pager("api", StreamFile("things", "id", parameters={"page": "{page}"}, paging=PageNumber()))
        found = pager.read(ask, at)
        read.update(msgspec.json.decode(record)["id"] for record in found.records)
        at, more, calls = found.at, found.more, calls + 1
    assert calls == 200 or stayed <= read


def test_an_api_that_repeats_its_last_page_ends(server: Server, connect) -> None:
    server.answer = lambda asked: numbered(0, 3) if asked.query["page"] == "1" else numbered(3, 5)
    assert sorted(set(read(connect(stream("parameters: {page: '{page}'}, paging: {kind: page}")))[0])) == list(range(5))


def test_pages_go_on_where_a_scan_broke_off(server: Server, connect) -> None:
    server.answer = lambda asked: numbered(3 * int(asked.query["page"]) - 3, min(8, 3 * int(asked.query["page"])))
    rest = connect(stream("parameters: {page: '{page}'}, paging: {kind: page}"))
    pages = rest.pull("things", None)
    cursor = next(pages).cursor
    server.asked.clear()
    assert read(rest, cursor)[0][:5] == [3, 4, 5, 6, 7]
    assert server.asked[0].query == {"page": "2"}


def test_offsets_end_where_the_answer_says_so(server: Server, connect) -> None:
    def answer(asked):
        start = int(asked.query["skip"])
        return {"rows": numbered(start, min(start + 4, 9)), "more": start + 4 < 9}

    server.answer = answer
    declared = "parameters: {skip: '{offset}', n: '{size}'}, records: rows, paging: {kind: offset, size: 4, more: more}"
    assert read(connect(stream(declared)))[0] == list(range(9))
    assert [asked.query["skip"] for asked in server.asked] == ["0", "3", "6"]


def test_links_stand_in_arrays_and_have_odd_names(server: Server, connect) -> None:
    def answer(asked):
        links = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "?p=2"}]
        return {"link": links[:1] if asked.query else links, "rows": [{"id": len(server.asked)}]}

    server.answer = answer
    assert read(connect(stream("records: rows, paging: {kind: next_url, at: 'link[relation=next].url'}")))[0] == [1, 2]
    server.asked.clear()
    server.answer = lambda asked: {"value": [{"id": len(server.asked)}], **({} if asked.query else {"@odata.nextLink": "?p=2"})}
    assert read(connect(stream("records: value, paging: {kind: next_url, at: '@odata.nextLink'}")))[0] == [1, 2]


# Tokens, deletes


def synced(asked):
    """Two pages, and then what changed since; the token comes with the last page."""
    if asked.query.get("since") == "old":
        return 410, {}, {}
    if asked.query.get("since"):
        return {"items": [{"id": 9}], "token": "t2"}
    return {"items": [{"id": 2}], "token": "t1"} if asked.query.get("page") else {"items": [{"id": 1}], "next": "p2"}


SYNCED = "parameters: {since: '{since}', page: '{cursor}'}, records: items, paging: {kind: cursor, at: next}"


def test_a_token_is_kept_for_the_next_read(server: Server, connect) -> None:
    server.answer = synced
    rest = connect(stream(f"{SYNCED}, cursor: {{kind: token, at: token}}"))
    assert read(rest) == ([1, 2], {"token": {"token": "t1"}})
    first = next(rest.pull("things", None)).cursor
    assert read(rest, first) == ([2], {"token": {"token": "t1"}})
    assert read(rest, {"token": {"token": "t1"}}) == ([9], {"token": {"token": "t2"}})
    assert server.asked[-1].query == {"since": "t1"}


def test_a_token_that_has_run_out_begins_the_list_anew(server: Server, connect) -> None:
    server.answer = synced
    rest = connect(stream(f"{SYNCED}, cursor: {{kind: token, at: token}}"))
    assert read(rest, {"token": {"token": "old"}}) == ([1, 2], {"token": {"token": "t1"}})


def test_a_token_of_the_first_page_counts_although_later_ones_are_newer(server: Server, connect) -> None:
    server.answer = lambda asked: (
        200,
        {"ETag": f'"{len(server.asked)}"', **({} if "p" in asked.query else {"Link": '<?p=2>; rel="next"'})},
        [],
    )
    rest = connect(stream("parameters: {_since: '{since}'}, paging: {kind: link}, cursor: {kind: token, header: ETag}"))
    assert read(rest)[1] == {"token": {"token": '"1"'}}


def test_a_token_may_be_an_address(server: Server, connect) -> None:
    server.answer = lambda asked: {"value": [{"id": len(server.asked)}], "@odata.deltaLink": f"/delta?d={len(server.asked)}"}
    declared = (
        "records: value, paging: {kind: next_url, at: '@odata.nextLink'}, cursor: {kind: token, at: '@odata.deltaLink', address: true}"
    )
    rest = connect(stream(declared))
    _, cursor = read(rest)
    assert read(rest, cursor)[0] == [2]
    assert (server.asked[1].path, server.asked[1].query) == ("/delta", {"d": "1"})


def test_an_answer_without_a_token_is_no_end(server: Server, connect) -> None:
    server.answer = lambda _: {"items": []}
    with pytest.raises(ConfigError, match=r"things answered without a token \(token\)"):
        read(connect(stream(f"{SYNCED}, cursor: {{kind: token, at: token}}")))


GONE = """
    deletes:
      path: deleted
      key: thing
      records: gone
      parameters: {since: "{after}"}
      cursor: {kind: window, by: at}
"""


def test_what_another_list_calls_deleted_is_marked_before_the_records_are_read(server: Server, connect) -> None:
    server.answer = lambda asked: {"gone": [{"thing": 7}, 8, {"other": 1}]} if asked.path == "/deleted" else [{"id": 1}]
    text = (
        "streams:\n  things:\n    path: things\n    key: id\n    parameters: {since: '{after}'}\n    cursor: {kind: window, by: at}" + GONE
    )
    rest = connect(text)
    pages = list(rest.pull("things", None))
    assert [msgspec.json.decode(record) for page in pages for record in page.records] == [
        {"id": 7, "_deleted": True}, {"id": 8, "_deleted": True}, {"id": 1},
    ]  # fmt: skip
    assert pages[-1].cursor is not None
    server.asked.clear()
    list(rest.pull("things", pages[-1].cursor))
    assert [(asked.path, "since" in asked.query) for asked in server.asked] == [("/deleted", True), ("/things", True)]
    server.asked.clear()
    # A cursor from before there was such a list.
    list(rest.pull("things", pages[-1].cursor["stream"]))
    assert [(asked.path, "since" in asked.query) for asked in server.asked] == [("/deleted", False), ("/things", True)]


def test_a_scan_that_broke_off_among_the_records_reads_the_deletes_from_where_they_ended(server: Server, connect) -> None:
    server.answer = lambda asked: (
        {"gone": []} if asked.path == "/deleted" else {"rows": [{"id": len(asked.query)}], "next": None if "c" in asked.query else 1}
    )
    text = "streams:\n  things:\n    path: things\n    key: id\n    records: rows\n    parameters: {c: '{cursor}'}"
    text += "\n    paging: {kind: cursor, at: next}"
    rest = connect(text + GONE)
    pages = rest.pull("things", None)
    while not (page := next(pages)).records:
        pass
    server.asked.clear()
    next(rest.pull("things", page.cursor))
    later = [(asked.path, "since" in asked.query) for asked in server.asked]
    assert later == [("/deleted", True)]


# Credentials, errors, writing


def test_a_key_in_the_address_is_sent_and_never_kept(server: Server, connect) -> None:
    server.answer = lambda asked: {"rows": [{"id": len(server.asked)}],
                                   "next": f"/things?page=2&key={asked.query['key']}" if "page" not in asked.query else None}  # fmt: skip
    rest = connect("auth: {kind: query, name: key}\n" + stream("records: rows, paging: {kind: next_url, at: next}"), token="s3cr&t")
    pages = list(rest.pull("things", None))
    assert [asked.query for asked in server.asked] == [{"key": "s3cr&t"}, {"page": "2", "key": "s3cr&t"}]
    assert "s3cr" not in str([page.cursor for page in pages])
    assert "page=2" in str(pages[0].cursor)
    server.answer = lambda _: (403, {}, {})
    with pytest.raises(ConfigError) as caught:
        rest.check()
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("how", ["token: data.token", "form: true"])
def test_a_session_is_logged_in_to_and_again_when_it_has_ended(server: Server, connect, how: str) -> None:
    logins: list[dict[str, str]] = []
    valid: list[str] = []

    def answer(asked):
        if asked.path == "/login":
            logins.append(dict(parse_qsl(asked.body.decode())) if "form" in how else msgspec.json.decode(asked.body))
            valid[:] = [f"t{len(logins)}"]
            return 200, {} if "token" in how else {"Set-Cookie": f"sid={valid[0]}; HttpOnly; Path=/"}, {"data": {"token": valid[0]}}
        sent = asked.headers.get("X-Session" if "token" in how else "Cookie")
        return [{"id": 1}] if sent == ("" if "token" in how else "sid=") + valid[0] else (401, {}, {})

    server.answer = answer
    header = ", name: X-Session, prefix: ''" if "token" in how else ""
    auth = f"auth: {{kind: login, path: login, body: {{mail: '{{user}}', pass: '{{password}}'}}, {how}{header}}}\n"
    rest = connect(auth + stream("about: x"), user="ana", password="s3cr3t")
    assert read(rest)[0] == [1]
    valid[:] = ["ended"]
    assert read(rest)[0] == [1]
    assert logins == [{"mail": "ana", "pass": "s3cr3t"}] * 2


@pytest.mark.parametrize(
    ("status", "message"), [(401, "api's login answered 401 .*credentials were refused"), (200, "login answered without a text at t")]
)
def test_a_login_that_is_refused_is_named(server: Server, connect, status: int, message: str) -> None:
    server.answer = lambda _: (status, {}, {"error": "s3cr3t"})
    rest = connect(
        "auth: {kind: login, path: login, body: {p: '{password}'}, token: t}\n" + stream("about: x"), user="ana", password="s3cr3t"
    )
    with pytest.raises(ConfigError, match=message) as caught:
        read(rest)
    assert "s3cr3t" not in str(caught.value)


def test_a_login_without_cookies_is_none(server: Server, connect) -> None:
    server.answer = lambda _: {}
    with pytest.raises(ConfigError, match="api's login answered without a cookie"):
        read(connect("auth: {kind: login, path: login, body: {p: '{password}'}}\n" + stream("about: x"), user="ana", password="p"))


def test_a_write_whose_login_fails_for_a_while_was_not_made_and_is_repeated(server: Server, connect) -> None:
    server.answer = lambda asked: (503, {}, {}) if len(server.asked) < 3 else {"t": "x"} if asked.path == "/login" else {"id": 1}
    text = "auth: {kind: login, path: login, body: {p: '{password}'}, token: t}\npush: {person: {update: {method: PUT, path: people}}}\n"
    (receipt,) = connect(text, user="ana", password="p").push("person", [Intent("01A", "person", {})])
    assert receipt.status == "done"
    assert [asked.path for asked in server.asked] == ["/login", "/login", "/login", "/people"]


def test_a_limit_that_the_question_for_the_time_meets_is_waited_for(server: Server, connect, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    server.answer = lambda asked: (429, {"Retry-After": "7"}, {}) if asked.method == "HEAD" and not waited else []
    read(connect(stream('parameters: {since: "{after}"}, cursor: {kind: window, by: at}')))
    assert waited == [7.0]


def test_codes_that_are_fine_are_no_errors(server: Server, connect) -> None:
    errors = "errors: {code: code, fine: [0, ok, true], then: {busy: retry}}\n"
    for fine in (0, "ok", True, None, [], ""):
        server.answer = lambda _, fine=fine: {"code": fine, "rows": [{"id": 1}]}
        assert read(connect(errors + stream("records: rows")))[0] == [1]
    server.answer = lambda _: {"code": "busy"} if len(server.asked) % 2 else {"code": 0, "rows": []}
    server.asked.clear()
    assert read(connect(errors + stream("records: rows")))[0] == []
    for wrong in (1, False, [{"message": "no"}]):
        server.answer = lambda _, wrong=wrong: {"code": wrong, "rows": []}
        with pytest.raises(ConfigError, match="answered 200"):
            read(connect(errors + stream("records: rows")))


def test_a_write_may_be_a_form_or_an_array(server: Server, connect) -> None:
    server.answer = lambda asked: {"id": 5} if asked.path == "/people" else [{"id": 6}, {"error": "no"}]
    rest = connect(
        "push:\n"
        "  person:\n"
        "    update: {method: POST, path: people, form: true, body: {name: '{name}', tag: '{tags}', x: '{x}'}}\n"
        "    id: id\n"
        "  many:\n"
        "    update: {method: PUT, path: bulk, batch: {size: 5, error: error}}\n"
        "    id: id\n"
    )
    (receipt,) = rest.push("person", [Intent("01A", "person", {"name": "Ana & Bo", "tags": ["a", "b"]})])
    assert (receipt.status, receipt.remote_id) == ("done", "5")
    assert parse_qsl(server.asked[0].body.decode()) == [("name", "Ana & Bo"), ("tag", "a"), ("tag", "b")]
    receipts = list(rest.push("many", [Intent("01B", "many", {"n": 1}), Intent("01C", "many", {"n": 2})]))
    assert [receipt.status for receipt in receipts] == ["done", "dead"]
    assert msgspec.json.decode(server.asked[1].body) == [{"n": 1}, {"n": 2}]


def test_a_record_may_be_found_by_a_search_with_a_body(server: Server, connect) -> None:
    server.answer = lambda asked: {"results": [{"id": 4, "mail": "ana@example.org"}]} if asked.method == "POST" else {"id": 4}
    rest = connect(
        "push:\n  person:\n    find: {method: POST, path: search, body: {q: '{email}'}, records: results, field: mail, equals: '{email}'}\n"
        "    create: {method: POST, path: people}\n    update: {method: PUT, path: 'people/{found.id}'}\n    id: id\n"
    )
    (receipt,) = rest.push("person", [Intent("01A", "person", {"email": "ana@example.org"})])
    assert (receipt.status, receipt.remote_id) == ("done", "4")
    assert [(asked.method, asked.path) for asked in server.asked] == [("POST", "/search"), ("PUT", "/people/4")]
    assert msgspec.json.decode(server.asked[0].body) == {"q": "ana@example.org"}


def test_a_search_that_finds_no_json_is_tried_again(server: Server, connect) -> None:
    server.answer = lambda _: b"busy"
    with pytest.raises(RetryableError, match="POST things: the response is not"):
        rows(connect(stream("method: POST, records: rows")))


def test_a_write_that_was_done_before_is_done(server: Server, connect) -> None:
    server.answer = lambda asked: (
        (409, {}, {"error": "conflict"}) if asked.method == "PUT" else [{"id": "b"}, {"id": "c", "error": "conflict"}]
    )
    rest = connect(
        "errors: {code: error, then: {conflict: done}}\n"
        "push:\n"
        "  person: {create: {method: PUT, path: 'people/{intent}'}}\n"
        "  many: {create: {method: POST, path: bulk, body: {id: '{intent}'}, batch: {size: 5, error: error}}, id: id}\n"
        "  all: {create: {method: PUT, path: bulk, body: {id: '{intent}'}, batch: {size: 5, error: error}}, id: id}\n"
    )
    (receipt,) = rest.push("person", [Intent("01A", "person", {})])
    assert (receipt.status, server.asked[0].path) == ("done", "/people/01A")
    for name, ids in (("many", ["b", "c"]), ("all", [None, None])):
        receipts = list(rest.push(name, [Intent("01B", name, {}), Intent("01C", name, {})]))
        assert [(receipt.status, receipt.remote_id) for receipt in receipts] == [("done", identity) for identity in ids]


def test_a_check_that_finds_nothing_is_no_success(server: Server, connect) -> None:
    server.answer = lambda _: (404, {}, {})
    with pytest.raises(ConfigError, match="404 to GET me: the call that `check` names must find something"):
        connect('errors: {then: {"404": skip}}\ncheck: {path: me}\n' + stream("about: x")).check()


def test_without_a_path_the_base_address_itself_is_called(server: Server, connect) -> None:
    server.answer = lambda _: [{"id": 1}]
    assert read(connect(stream("about: x", path="''"), base_url=f"{server.url}/api"))[0] == [1]
    assert server.asked[0].path == "/api"


@pytest.mark.parametrize(
    ("status", "hint"), [(406, "Accept"), (405, "method"), (404, "a / at its end"), (400, "how times are written"), (301, "a / at its end")]
)
def test_a_refusal_says_what_to_look_at(server: Server, connect, status: int, hint: str) -> None:
    server.answer = lambda _: (status, {"Location": "/elsewhere"}, {})
    with pytest.raises(ConfigError, match=f"api answered {status} to GET things: .*{hint}"):
        read(connect(stream("about: x")))


def test_a_login_that_passes_is_not_repeated_within_a_repetition(server: Server, connect) -> None:
    server.answer = lambda _: (503, {}, {})
    rest = connect("auth: {kind: login, path: login, body: {p: '{password}'}, token: t}\n" + stream("about: x"), user="ana", password="p")
    with pytest.raises(RetryableError, match="api's login answered 503"):
        read(rest)
    assert len(server.asked) == 5
