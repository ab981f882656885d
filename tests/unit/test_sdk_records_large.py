"""A page with one huge record and one that no decoder takes is cut in one pass, whatever the huge one is made of."""

import json
import resource
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from threadline.sdk import RetryableError, records, split_records
from threadline.sdk.records import has_more_values

SIZE = 400_000
LARGE = {
    "text": b'"%b"' % (b"x" * SIZE),
    "text of brackets": b'"%b"' % (b"]}[{" * (SIZE // 4)),
    "escaped quotes": b'"%b"' % (b'\\"' * (SIZE // 2)),
    "backslashes": b'"%b"' % (b"\\\\" * (SIZE // 2)),
    "escaped texts": b"[%b]" % b",".join([b'"%b"' % (b'\\"' * 30_000)] * (SIZE // 60_000)),
    "short texts": b"[%b]" % b",".join([b'"]",":"'] * (SIZE // 8)),
    "empty lists": b"[%b]" % b",".join([b"[]"] * (SIZE // 3)),
    "small mappings": b"[%b]" % b" , ".join([b'{"a": {"b": ["\\"]", {}]}}'] * (SIZE // 30)),
    "waves": b"[%b]" % b",".join([b"[" * 20 + b"]" * 20] * (SIZE // 41)),
    "branches": b"[%b]" % b",".join([b"[" * 20 + b"],[]" * 19 + b"]"] * (SIZE // 90)),
    "depth": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "deep mappings": b'{"a":' * (SIZE // 6) + b"1" + b"}" * (SIZE // 6),
    "numbers": b"[%b]" % b",".join([b"1"] * (SIZE // 2)),
    "digits": b"1" * SIZE,
    "space": b"[%b]" % (b" \n" * (SIZE // 2)),
    "bytes of no charset": b'{"\xff":"%b"}' % (b"\xff\xfe\x00\xc0" * (SIZE // 4)),
}


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("padding", [0, 1, records._STRETCH - 7], ids=["", "shifted", "at the edge"])
def test_the_neighbours_of_a_large_record_keep_their_bytes(large, padding):
    good, broken = b'{"id": "%b"}' % (b"g" * padding), b'{"id": NaN, "a": [%b]}' % large
    page = b'{"more": %b, "r": [%b]}' % (large, b" ,".join([good, large, broken, good]))
    assert split_records(page, "r") == [good, large, broken, good]


@pytest.mark.parametrize("large", LARGE.values(), ids=LARGE)
def test_a_large_record_that_was_cut_off_is_asked_for_again(large):
    page = b'[NaN,{"a":%b},1]' % large
    for end in (len(page) - 1, len(page) - 4, len(page) // 2, records._STRETCH + 7):
        with pytest.raises(RetryableError, match="the response is not the expected JSON"):
            split_records(page[:end])


def test_a_byte_order_mark_before_a_page_is_passed_over():
    # RFC 8259, 8.1: a parser may ignore it.
    assert split_records(b'\xef\xbb\xbf{"r": [{"id": 1}]}', "r") == [b'{"id": 1}']


VALUES = st.recursive(
    st.none() | st.floats() | st.integers() | st.text('\\"[]{},:\n\ud800é', max_size=12),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text('"]}\\a', max_size=3), inner, max_size=4),
    max_leaves=30,
)


def cut(page: bytes, stretch: int) -> list[bytes]:
    """Split a page as if records of so many bytes were large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_STRETCH", stretch)
        return split_records(page, "r")


@settings(max_examples=300, deadline=None)
@given(st.lists(VALUES, max_size=5), VALUES, st.booleans(), st.integers(1, 40))
@example([[[[[[]]], []]], {"a": [[[]]]}], None, True, 3)
def test_records_of_any_size_are_cut_where_they_end(values, other, escaped, stretch):
    page = json.dumps({"other": other, "r": [*values, float("nan")], "last": other}, ensure_ascii=escaped)
    found = cut(page.encode("utf-8", "surrogatepass"), stretch)
    assert [repr(json.loads(one.decode("utf-8", "surrogatepass"))) for one in found] == [*map(repr, values), "nan"]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:a1 \\', max_size=60).map(str.encode), st.integers(1, 20))
def test_how_large_a_record_counts_as_large_changes_nothing(body, stretch):
    found: list[list[bytes] | None] = []
    for size in (stretch, 1_000):
        try:
            found.append(cut(b'{"r":[NaN,[%b],{"id":1}]}' % body, size))
        except RetryableError:
            found.append(None)
    assert found[0] == found[1]


def values_in(value: object) -> int:
    """Count the values within one, and the lists and mappings that they are in."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else max(len(inner), 1) + sum(map(values_in, inner))


@settings(max_examples=300, deadline=None)
@given(VALUES, st.booleans(), st.integers(0, 12))
@example(["[,{", {'"': "\\"}], True, 4)
def test_values_are_counted_outside_of_texts(value, escaped, most):
    record = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert has_more_values(record, most) == (values_in(value) > most)


HUGE = """
import resource
from threadline.sdk import split_records
size = 200_000_000
{limit}
record = {record}
page = b'{{"r": [{{"id": 1}}, %b, {{"a": NaN}}]}}' % record
found = split_records(page, "r")
assert found[0] == b'{{"id": 1}}' and found[1] == record and found[2] == b'{{"a": NaN}}', [one[:20] for one in found]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "record",
    [
        "b'\"%b\"' % (b'\\\\\"' * (size // 2))",
        "b'[' * (size // 2) + b']' * (size // 2)",
        "b'[%b1]' % (b'{\"a\":\"b\"},' * (size // 10))",
    ],
    ids=["escapes", "depth", "mappings"],
)
def test_200_megabytes_take_seconds_and_the_memory_of_a_few_copies(record):
    # Two minutes of processor time are a hundred times what a pass takes, and far less than any detour would.
    limit = f"resource.setrlimit(resource.RLIMIT_AS, ({6 * 200_000_000},) * 2); resource.setrlimit(resource.RLIMIT_CPU, (120, 120))"
    ran = subprocess.run([sys.executable, "-c", HUGE.format(limit=limit, record=record)], capture_output=True, check=False, text=True)
    assert ran.returncode == 0, ran.stderr
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 6 * 200_000
