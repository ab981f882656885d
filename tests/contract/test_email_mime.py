"""Mails whose structure was made to cost time or memory are cut as their delimiters say, or refused."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.email import mime
from connectors.email.mime import MAX_ENCODED_LINES, MAX_PARTS, split
from threadline.sdk import RecordError

FROM = b"From: Ana <ana@mail.example>\r\n"
MIXED = FROM + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
SIZE = 5_000_000


def nested(depth: int, body: bytes = b"deep\r\n") -> bytes:
    opened = b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1) for level in range(depth - 1))
    return FROM + b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + opened + b"--b%d\r\n\r\n" % (depth - 1) + body


BODIES = {
    "dashes": b"--\r\n" * (SIZE // 4),
    "dashes alone": b"-" * SIZE,
    "nearly a boundary": b"--bx\r\n" * (SIZE // 6),
    "nearly a closing boundary": b"--b---\r\n" * (SIZE // 8),
    "boundary behind a space": b" --b\r\n" * (SIZE // 6),
    "boundary and much space": (b"--b" + b" " * 5_000 + b"x\r\n") * (SIZE // 5_005),
    "one line": b"x" * SIZE,
    "line breaks": b"\r\n" * (SIZE // 2),
    "returns": b"\r" * SIZE,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("end", [b"", b"\r\n--b--", b"\r\n--b-- \t\r\nepilogue --b\r\n"])
def test_a_body_of_what_looks_like_delimiters_is_one_part(body, end):
    (part,) = split(MIXED + b"--b\r\n\r\n" + body + end).parts
    assert part.body == body
    assert [one.body for one in split(FROM + b"\r\n" + body).parts] == [body]


def test_every_boundary_on_the_way_is_looked_for_once():
    (part,) = split(nested(49, BODIES["dashes"])).parts
    assert part.body == BODIES["dashes"]
    opening = b"--b\r\nContent-Type: multipart/mixed; boundary=never%d\r\n\r\n"
    parts = split(MIXED + b"".join(opening % number for number in range(MAX_PARTS - 1)) + BODIES["dashes"]).parts
    assert [part.body for part in parts] == [b""] * (MAX_PARTS - 2) + [BODIES["dashes"]]


@pytest.mark.parametrize(
    ("mail", "why"),
    [
        (nested(3_000), "nested more than 50 deep"),
        (FROM + b"X: y\r\n" * 100_000, "header fields take more than"),
        (FROM + b"X: y\r\n" + b" y\r\n" * 200_000, "header fields take more than"),
        (FROM + b"X: " + b"x" * SIZE, "header fields take more than"),
        (MIXED + b"--b\r\n\r\n" * 100_000, "more than 1000 parts"),
        (nested(30, b"x" * 45_000_000), "nested more than 8 deep, which is too much for 4"),
    ],
    ids=["depth", "fields", "folds", "long field", "parts", "depth of a large mail"],
)
def test_what_is_beyond_all_bounds_is_refused(mail, why):
    with pytest.raises(RecordError, match=why):
        split(mail)


def test_the_nesting_of_a_large_mail_is_bounded_exactly():
    body = b"x" * 40_000_000
    assert [part.body for part in split(nested(9, body)).parts] == [body]


@pytest.mark.parametrize("encoding", ["x-uuencode", "UUE"])
def test_uuencode_of_very_many_lines_stays_as_it_is(encoding):
    head = FROM + f"Content-Type: application/pdf\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    few, many = (b"begin 644 x\r\n" + b"#86)C\r\n" * number + b"`\r\nend\r\n" for number in (1_000, MAX_ENCODED_LINES))
    assert split(head + few).parts[0].content() == b"abc" * 1_000
    assert split(head + many).parts[0].content() == many


def by_line(raw: bytes, start: int, end: int, boundaries: list[mime._Boundary]) -> mime._Delimiter | None:
    """Find the first delimiter as RFC 2046, 5.1.1 describes it: line by line."""
    levels = {boundary.text: level for level, boundary in enumerate(boundaries)}
    for match in re.compile(rb"^--[^\r\n]*", re.MULTILINE).finditer(raw, start, end):
        line = match[0][2:].rstrip()
        for text, closes in ((line, False), (line.removesuffix(b"--"), True)):
            if text in levels and (text != line or not closes):
                return mime._Delimiter(levels[text], match.start(), match.end(), closes)
    return None


TEXTS = st.sampled_from(["a", "b", "a--", "b b", "--", "a-", "\u00e9"])
LINES = st.one_of(
    st.builds("--{}{}".format, TEXTS, st.sampled_from(["", "", "--", " ", "-- \t", "x", "-", "\v"])),
    st.builds('Content-Type: multipart/mixed; boundary="{}"'.format, TEXTS),
    st.sampled_from(["", "", "text", "X: y", "--", " ", "\r", "-", "\r--a"]),
)
MAILS = st.lists(st.tuples(LINES, st.sampled_from(["\r\n", "\n", "\r", ""])), max_size=14)


MIXED_A = ('Content-Type: multipart/mixed; boundary="a"', "\n"), ("", "\n"), ("--a", "\n")


@settings(max_examples=500, deadline=None)
@given(MAILS)
@example([*MIXED_A, *MIXED_A, ("", "\n"), ("text", "\n"), ("--a--", "\n")])
def test_a_mail_is_cut_as_when_read_line_by_line(lines):
    raw = "".join(line + end for line, end in lines).encode()
    found: list[object] = []
    for finder in (mime._delimiter, by_line):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mime, "_delimiter", finder)
            mail = split(raw)
        found.append((mail.fields.items(), [(part.fields.items(), part.body) for part in mail.parts]))
    assert found[0] == found[1]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_mail_or_refused(raw):
    for mail in (raw, MIXED + raw, MIXED + b"--b\r\n" + raw):
        try:
            assert all(part.body in mail for part in split(mail).parts)
        except RecordError:
            continue
