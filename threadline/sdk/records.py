"""Records as bytes: cut out of a response undecoded, or written from what a library has decoded."""

import re
from functools import cache
from itertools import accumulate
from typing import Any, TypeVar, cast

import msgspec

from threadline.sdk.errors import RetryableError

T = TypeVar("T")
DELETED = "_deleted"
"""The field, `true`, of a record of which its source only tells that it is gone: beside the key nothing of it need be there."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec says of JSON that it cannot read, or not as a shape."""

encode_record = msgspec.json.Encoder().encode
"""Write a record that a library has already decoded as JSON bytes; datetimes become RFC 3339."""

# Possessive: what a string has swallowed is never given back, so that one of 200 MB costs neither memory nor a second look.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(rb"\s*+(%b|[\[\]{},:]|[^\s\"\[\]{},:]++)" % _STRING, re.DOTALL)
_TO_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:%b[^"\[\]{}]*+)*+([\[\]{}])' % _STRING, re.DOTALL)
_STRINGS = re.compile(_STRING, re.DOTALL)
_CLOSED = re.compile(rb'[^"]*+(?:%b[^"]*+)*+' % _STRING, re.DOTALL)
"""All that stands before a string without an end."""
_TO_VALUE = re.compile(rb'[^",\[{]*+(?:%b[^",\[{]*+)*+[,\[{]' % _STRING, re.DOTALL)
_BOM = b"\xef\xbb\xbf"
_STRETCH = 64_000
"""Bytes of a large record that are passed over at once, when it cannot end within them."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_PAIRS = tuple(b"[" * depth + b"]" * depth for depth in (8, 4, 2, 1, 1))
_STEPS = {ord("["): 1, ord("]"): -1}


@cache
def _decoder(path: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    shape: Any = list[msgspec.Raw]
    for name in reversed(path):
        shape = msgspec.defstruct("Body", [("value", shape, msgspec.field(name=name))])
    return msgspec.json.Decoder(shape)


def split_records(body: bytes, *path: str) -> list[bytes]:
    """Cut a JSON response into its records, undecoded; `path` leads to the array.

    RetryableError when the body is not JSON of that shape: it was cut off, or it is an error page.
    """
    try:
        value = _decoder(path).decode(body)
    except UNREADABLE as error:
        # One record with half a surrogate pair, or nested too deeply, must not hold up its page: it is refused later, alone.
        if (records := _Scan(body.removeprefix(_BOM)).records(path)) is not None:
            return records
        raise RetryableError(f"the response is not the expected JSON ({'.'.join(path) or 'an array'}): {error}") from None
    for _ in path:
        value = value.value
    return list(map(bytes, cast("list[msgspec.Raw]", value)))


def read_around(body: bytes, shape: type[T], *path: str) -> T:
    """Read a JSON response as a shape that is without its records, whatever is wrong with one of those; `path` leads to their array.

    One of UNREADABLE is raised when the rest is not JSON of that shape, either.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except UNREADABLE:
        return msgspec.json.decode(_Scan(body.removeprefix(_BOM)).emptied(path), type=shape)


def has_more_values(record: bytes, most: int) -> bool:
    """Whether a JSON value holds more values than these, at any depth, counted by commas and opening brackets outside of texts."""
    if sum(map(record.count, (b",", b"[", b"{"))) <= most:
        return False
    at = 0
    for _ in range(most + 1):
        value = _TO_VALUE.match(record, at)
        if value is None:
            return False
        at = value.end()
    return True


class _Scan:
    """Finds where values begin and end, at any depth, without a look at what is in them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def records(self, path: tuple[str, ...]) -> list[bytes] | None:
        """Return the elements of the array at `path`; None when the body ends early or has another shape."""
        try:
            self._open(path)
            found = self._elements()
            for _ in path:
                self._leave()
        except ValueError:
            return None
        return None if self._body[self._at :].strip() else found

    def emptied(self, path: tuple[str, ...]) -> bytes:
        """Return the body with an empty array at `path`; as it is when it has another shape."""
        try:
            self._open(path)
            start = self._at
            self._elements()
        except ValueError:
            return self._body
        return self._body[:start] + self._body[self._at - 1 :]

    def _open(self, path: tuple[str, ...]) -> None:
        for name in path:
            self._enter(msgspec.json.encode(name))
        self._expect(b"[")

    def _next(self) -> bytes:
        token = _TOKEN.match(self._body, self._at)
        if token is None:
            raise ValueError
        self._at = token.end()
        return token[1]

    def _expect(self, wanted: bytes) -> None:
        if self._next() != wanted:
            raise ValueError

    def _enter(self, name: bytes) -> None:
        self._expect(b"{")
        while True:
            key = self._next()
            self._expect(b":")
            if key == name:
                return
            self._value(self._next())
            self._expect(b",")

    def _value(self, first: bytes) -> bytes:
        """Pass over the value that begins with this token; return its bytes."""
        start = self._at - len(first)
        if first in (b"{", b"["):
            self._close()
        elif first in (b"}", b"]", b",", b":"):
            raise ValueError
        return self._body[start : self._at]

    def _close(self) -> None:
        """Go behind the bracket that closes the one just read."""
        depth = self._walk(1, self._at + _STRETCH)
        while depth:
            end, brackets = self._stretch()
            closing = brackets.count(b"]")
            if depth > closing or depth > -_lowest(brackets):
                depth += brackets.count(b"[") - closing
                self._at = end
            else:
                depth = self._walk(depth, end)

    def _walk(self, depth: int, end: int) -> int:
        """Go from bracket to bracket until the value ends, or the stretch does; return how deep that is."""
        while depth and self._at < end:
            bracket = _TO_BRACKET.match(self._body, self._at)
            if bracket is None:
                raise ValueError
            self._at = bracket.end()
            depth += 1 if bracket[1] in (b"{", b"[") else -1
        return depth

    def _stretch(self) -> tuple[int, bytes]:
        """Return where the next stretch ends, which is never within a string, and its brackets, all written as square ones."""
        body, limit = self._body, min(self._at + _STRETCH, len(self._body))
        if self._at == limit:
            raise ValueError
        plain, length = _without_strings(body[self._at : limit])
        end = self._at + length
        if end < limit:
            string = _STRINGS.match(body, end)
            if string is None:
                raise ValueError
            end = string.end()
        return end, plain.translate(_ALIKE, _NO_BRACKETS)

    def _elements(self) -> list[bytes]:
        first = self._next()
        if first == b"]":
            return []
        found = [self._value(first)]
        while (token := self._next()) == b",":
            found.append(self._value(self._next()))
        if token != b"]":
            raise ValueError
        return found

    def _leave(self) -> None:
        while (token := self._next()) == b",":
            self._next()
            self._expect(b":")
            self._value(self._next())
        if token != b"}":
            raise ValueError


def _without_strings(piece: bytes) -> tuple[bytes, int]:
    """Return what stands outside of strings, and how many bytes come before a string that has no end here."""
    if b"\\" in piece:
        closed = cast("re.Match[bytes]", _CLOSED.match(piece))[0]
        return _STRINGS.sub(b"", closed), len(closed)
    # Where no quote is escaped, every second part is a string; this way takes a third of the time.
    *parts, last = piece.split(b'"')
    if len(parts) % 2:
        return b"".join(parts[::2]), len(piece) - len(last) - 1
    return b"".join([*parts[::2], last]), len(piece)


def _lowest(brackets: bytes) -> int:
    """Return how far below its start a sequence of brackets goes at most: 0 or less."""
    for pair in _PAIRS:
        brackets = brackets.replace(pair, b"")
    return min(accumulate(map(_STEPS.__getitem__, brackets)), default=0)
