"""Whatever bytes a record has, it is mapped or refused, and quickly."""

import pytest

from tests.unit.mapping_bench import case, made, party, refused

WHOLE = case("name: {from: a, optional: true}", more="extensions: {all: $, a: {from: a, optional: true}, b: {from: b.c, optional: true}}")
PART = case("name: {from: a, optional: true}\ndescription: {from: b.c, optional: true}")
DEEP = 100_000


@pytest.mark.parametrize("mapping", [WHOLE, PART], ids=["whole", "part"])
@pytest.mark.parametrize(
    "raw",
    [
        b"", b" ", b"{", b"[", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1}}', b'{"a":1} x', b"{'a': 1}", b"nul", b'{"a": nan}', b'{"a": NaN}',
        b'{"z": NaN}', b'{"a": Infinity}', b'{"a": -}', b'{"a": 01}', b'{"a": 1.}', b'{"a": .5}', b'{"a": 0x10}', b'{"a": "\x01"}',
        b'{"a": "\\x41"}', b'{"a": "\\ud800"}', b'{"z": "\\ud800"}', b'{"a": "\\udc00\\ud800"}', b'{"a": "\xff"}', b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\xc0\x80"}', b"\xef\xbb\xbf{}", b'\xff\xfe{\x00"\x00', b"[]", b"5", b"null", b'"text"', b"true", b'[{"a": 1}]',
        b"<html></html>", b"\x00" * 10, b'{"a": 1,}', b'{"a": [1,]}', b"{,}", b'{"a" 1}', b"// {}",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(mapping, raw):
    error = refused(mapping, raw)
    assert str(error).startswith(("not valid JSON: ", "expected a mapping, found ", "Invalid", "'utf-8'"))
    assert error.site.startswith("shop/things.yaml:")
    assert error.path in ("$", "$.a")


@pytest.mark.parametrize("mapping", [WHOLE, PART], ids=["whole", "part"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["lists", "mappings"])
@pytest.mark.parametrize("name", [b"a", b"b", b"z"])
@pytest.mark.parametrize("closed", [True, False])
def test_what_is_nested_too_deeply_is_refused(mapping, opening, name, closed):
    closing = (b"]" if opening == b"[" else b"}") * DEEP if closed else b""
    error = refused(mapping, b'{"%b": %b1%b}' % (name, opening * DEEP, closing))
    assert (str(error), error.path) in [("nested too deeply", "$"), ("expected a mapping, found a list", "$.b")]


def test_broken_utf8_in_what_is_not_read_costs_nothing():
    assert made(PART, b'{"a": "x", "z": "\xff"}')["name"] == "x"
    error = refused(WHOLE, b'{"a": "x", "z": "\xff"}')
    assert error.path == "$"


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b'{"a": 1, "a": 2}', "2"),
        (b'{"a": "\\u0000\\u0001"}', "\0\1"),
        (b'{"a": "\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"\\u0061": "x"}', "x"),
        (b' {\n"a"\t:\r"x" } ', "x"),
        (b'{"a": "\xf0\x9f\x98\x80"}', "\U0001f600"),
        (b'{"a": 123456789012345678901234567890}', "123456789012345678901234567890"),
        (b'{"a": 1e400}', "1e400"),
        (b'{"a": -0.0}', "-0.0"),
        (b'{"a": 1.0000000000000000000000000000001}', "1.0000000000000000000000000000001"),
        (b'{"a": "' + b"x" * 5_000_000 + b'"}', "x" * 5_000_000),
        (b'{"z": "' + b"\\u00e4" * 1_000_000 + b'", "a": "x"}', "x"),
        (b'{"a": 0.' + b"1" * 1_000_000 + b"}", "0." + "1" * 1_000_000),
        (b"{" + b",".join(b'"k%d": %d' % (n, n) for n in range(200_000)) + b', "a": "x"}', "x"),
    ],
    ids=range(14),
)
def test_what_is_odd_is_read_as_it_is(raw, wanted):
    assert made(PART, raw)["name"] == wanted


def test_a_number_of_thousands_of_digits_is_refused():
    error = refused(PART, b'{"a": ' + b"9" * 100_000 + b"}")
    assert (str(error), error.path, error.site) == ("Integer value out of range", "$.a", "shop/things.yaml:6")


def test_what_is_large_is_cut_in_the_message():
    for value in (b'"' + b"x" * 5_000_000 + b'"', b"[" + b"1," * 1_000_000 + b"1]"):
        message = str(refused(case("last_update: a"), b'{"a": %b}' % value))
        assert message.startswith("expected a time")
        assert len(message) < 200


@pytest.mark.parametrize("sign", ["\x1b[2J", "\x9b2J", "\n", "\r", "\u202e", "\u2028", "\0"])
def test_a_message_holds_nothing_that_a_terminal_obeys(sign):
    message = str(refused(case("status: a"), {"a": f"x{sign}y"}))
    assert message.isprintable()
    assert message.startswith('"x\\')
    assert str(refused(case("last_update: a"), {"a": {sign: 1}})).isprintable()


def test_hostile_text_for_each_kind_is_refused_at_once():
    long = "9" * 2_000_000
    for field, value in [("last_update", long), ("escalated", long), ("status", long)]:
        assert len(str(refused(case(f"{field}: a"), {"a": value}))) < 300
    for kind in ("email", "phone", "handle", "threadline"):
        assert made(party(names=f"{kind}: {{from: a, optional: true}}"), {"id": 1, "a": long})["identifiers"] == {"shop_person": "1"}
    for convert in ("email", "phone", "url", "language"):
        assert refused(case(f"name: {{from: a, as: {convert}}}"), {"a": long}).path == "$.a"
