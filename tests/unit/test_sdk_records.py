"""Responses are cut into records undecoded, at any depth and whatever one record holds."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.sdk import RetryableError, encode_record, split_records
from threadline.sdk.records import UNREADABLE, read_around

DEEP = b"[" * 3_000 + b"]" * 3_000
BROKEN = [b"NaN", b'{"a": "\\ud800"}', b'{"a": %b}' % DEEP, b'{"a": Infinity}', b'"\\ud800]},["']


@pytest.mark.parametrize(
    ("body", "path", "records"),
    [
        (b"[]", (), []),
        (b'[{"a": 1.10}, 5 ,null,"x"]', (), [b'{"a": 1.10}', b"5", b"null", b'"x"']),
        (b'{"tickets": [{"id":1}], "end": true}', ("tickets",), [b'{"id":1}']),
        (b'{"a": {"x": [1], "b": [ {"c": [2]} ]}, "d": {}}', ("a", "b"), [b'{"c": [2]}']),
        (b'{"a.b": [1]}', ("a.b",), [b"1"]),
    ],
)
def test_records_keep_their_bytes(body, path, records):
    assert split_records(body, *path) == records


@pytest.mark.parametrize("broken", BROKEN, ids=["nan", "half", "deep", "infinity", "brackets"])
@pytest.mark.parametrize("before", [b"", b'"n": {"a": ["]", {}]}, '], ids=["first", "later"])
def test_one_record_that_no_decoder_takes_does_not_hold_up_its_page(broken, before):
    good = [b'{"id": 1, "price": 12345678901234567890.10}', b'{"id":"a\\"]}"}']
    listed = b" , ".join([good[0], broken, good[1]])
    assert split_records(b"[" + listed + b"]") == [good[0], broken, good[1]]
    body = b'{ %b"data" : {"list":[%b]  , "next": "\\ud800"}, "z" : [1,{"a":2}]}' % (before, listed)
    assert split_records(body, "data", "list") == [good[0], broken, good[1]]


@pytest.mark.parametrize("broken", [b"1", *BROKEN], ids=["good", "nan", "half", "deep", "infinity", "brackets"])
def test_what_was_cut_off_is_asked_for_again(broken):
    body = b'{"n": {"a": [1]}, "data": {"list": [{"id": 1}, %b], "next": "x"}, "z": 1}' % broken
    assert split_records(body, "data", "list") == [b'{"id": 1}', broken]
    # Each byte near an end, and some in the middle of the deep one.
    for end in {*range(60), len(body) // 2, *range(len(body) - 45, len(body))} & set(range(len(body))):
        with pytest.raises(RetryableError, match=r"the response is not the expected JSON \(data\.list\)"):
            split_records(body[:end], "data", "list")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>503</html>", b"null", b"5", b'"x"', b"{}", b'{"a": null}', b'{"a": {}}', b'{"a": 5}',
        b'{"a": {"b": [1]}}', b'{"b": [1]}',
        b'[{"a": [1]}]',
        b'{"error": "InvalidEndpoint"}', b'{"a": [1 2]}', b'{"a": [,]}', b'{"a": [1,]}', b'{"a": [1]', b'{"a": [1]}x',
        b'{"a": [NaN]} 1', b'{"a": [NaN]]', b'{"a": [NaN],}',
        b'{"a": [NaN], "b"}', b'{"a": [NaN], "b":}', b'{"a": [NaN:]}', b'{"a" [NaN]}', b'{"a": NaN}',
        b'{"a": [NaN}', b'{"a": [}]}', b'{"z" 1, "a": [NaN]}', b"{NaN",
    ],
)  # fmt: skip
def test_another_shape_is_asked_for_again(body):
    with pytest.raises(RetryableError, match="the response is not the expected JSON"):
        split_records(body, "a")
    with pytest.raises(RetryableError, match=r"the response is not the expected JSON \(an array\)"):
        split_records(b"{" + body, *())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(JSON, max_size=5), JSON, st.booleans(), st.sampled_from([None, 1]))
def test_what_is_split_is_what_was_joined(records, other, escaped, indent):
    # NaN and half characters make the strict decoder give up; what comes out is the same.
    text = json.dumps({"other": other, "data": {"records": records, "more": other}}, ensure_ascii=escaped, indent=indent)
    found = split_records(text.encode("utf-8", "surrogatepass"), "data", "records")
    assert [repr(json.loads(one.decode("utf-8", "surrogatepass"))) for one in found] == [repr(one) for one in records]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40) | st.text('{}[]",:a1 \\', max_size=30).map(str.encode))
def test_any_body_is_split_or_refused(body):
    for path in ((), ("a",)):
        try:
            assert all(isinstance(one, bytes) for one in split_records(body, *path))
        except RetryableError:
            continue


def test_a_decoded_record_is_written_as_json():
    from datetime import UTC, datetime

    assert encode_record({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "ä": None}) == '{"at":"2026-01-02T03:04:05Z","ä":null}'.encode()


@pytest.mark.parametrize("broken", [b"1", *BROKEN])
def test_what_stands_around_records_is_read_whatever_they_are(broken):
    body = b'\xef\xbb\xbf{"next": 7, "data": {"rows": [{"a": "]"}, %b] }, "more": [1]}' % broken
    assert read_around(body, dict[str, object], "data", "rows") == {"next": 7, "data": {"rows": []}, "more": [1]}


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b'{"rows": [1', b'{"rows": 1}', b'{"next": "\\ud800", "rows": []}', b'{"rows": [NaN], "next": 7} x']
)
def test_around_records_only_what_has_the_shape_is_read(body):
    with pytest.raises(UNREADABLE):
        read_around(body, dict[str, list[int]], "rows")
