"""Records as bytes: cut out of a response undecoded, or written from what a library has decoded."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import msgspec

from threadline.sdk.errors import RetryableError

encode_record = msgspec.json.Encoder().encode
"""Write a record that a library has already decoded as JSON bytes; datetimes become RFC 3339."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)


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
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # One record with half a surrogate pair, or nested too deeply, must not hold up its page: it is refused later, alone.
        if (records := _Scan(body).records(path)) is not None:
            return records
        raise RetryableError(f"the response is not the expected JSON ({'.'.join(path) or 'an array'}): {error}") from None
    for _ in path:
        value = value.value
    return [bytes(raw) for raw in cast("list[msgspec.Raw]", value)]


class _Scan:
    """Finds where values begin and end, at any depth, without a look at what is in them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._tokens: Iterator[re.Match[bytes]] = _TOKEN.finditer(body)

    def records(self, path: tuple[str, ...]) -> list[bytes] | None:
        """Return the elements of the array at `path`; None when the body ends early or has another shape."""
        try:
            for name in path:
                self._enter(msgspec.json.encode(name))
            self._expect(b"[")
            found = self._elements()
            for _ in path:
                self._leave()
        except ValueError:
            return None
        return found if next(self._tokens, None) is None else None

    def _next(self) -> re.Match[bytes]:
        token = next(self._tokens, None)
        if token is None:
            raise ValueError
        return token

    def _expect(self, wanted: bytes) -> None:
        if self._next()[0] != wanted:
            raise ValueError

    def _enter(self, name: bytes) -> None:
        self._expect(b"{")
        while True:
            key = self._next()[0]
            self._expect(b":")
            if key == name:
                return
            self._value(self._next())
            self._expect(b",")

    def _value(self, first: re.Match[bytes]) -> bytes:
        depth, last = 0, first
        while True:
            depth += (last[0] in b"{[") - (last[0] in b"]}")
            if depth <= 0:
                break
            last = self._next()
        if first[0] in b"]},:":
            raise ValueError
        return self._body[first.start() : last.end()]

    def _elements(self) -> list[bytes]:
        first = self._next()
        if first[0] == b"]":
            return []
        found = [self._value(first)]
        while (token := self._next()[0]) == b",":
            found.append(self._value(self._next()))
        if token != b"]":
            raise ValueError
        return found

    def _leave(self) -> None:
        while (token := self._next()[0]) == b",":
            self._next()
            self._expect(b":")
            self._value(self._next())
        if token != b"}":
            raise ValueError
