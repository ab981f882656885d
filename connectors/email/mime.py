"""The structure of a mail (RFC 2045, 2046), read in one pass over its bytes and within bounds.

The standard library's parser takes seconds for 900 nested parts and recurses for more, so the cutting into parts is done
here; header fields and transfer encodings are the standard library's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import cast

from connectors.email.text import clean, guess
from threadline.sdk import RecordError

MAX_DEPTH = 50
MAX_PARTS = 1_000
MAX_SEARCHED = 800_000_000
"""Bytes, counted once for each boundary that may stand among them: a mail of 50 MB may be nested 16 deep."""
MAX_ENCODED_LINES = 2_000_000
"""Lines of uuencode that are decoded: the standard library takes a step for each, and they may be a few bytes long."""
MAX_HEADER = 500_000
"""Bytes of header fields, those of all parts together."""
MAX_FIELD = 64_000
MAX_MIME_FIELD = 4_000
"""Characters of one field that are read; the standard library takes quadratic time for the parameters of Content-Type."""

Fields = Message
"""Header fields of a part; the values are text, also where the mail holds undeclared 8-bit bytes."""

_UUENCODE = ("x-uuencode", "uuencode", "uue", "x-uue")
_NO_FIELD = re.compile(rb"^(?!From |[!-9;-~]*:|[ \t])", re.MULTILINE)
_BLANK_LINE = re.compile(rb"\r?\n")
_FOLD = re.compile(r"[\r\n]+")
_PARSER = BytesHeaderParser(policy=compat32)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others, with its body still in its transfer encoding."""

    fields: Fields
    body: bytes

    def content(self) -> bytes:
        """Undo the transfer encoding, as far as it is sound."""
        holder = Message()
        encoding = (self.fields.get("Content-Transfer-Encoding") or "").strip()
        if encoding.lower() in _UUENCODE and self.body.count(b"\n") > MAX_ENCODED_LINES:
            return self.body
        if encoding:
            holder["Content-Transfer-Encoding"] = encoding
        # The standard library makes an object of each line of base64, and lines may be short.
        body = self.body.translate(None, b"\r\n") if encoding.lower() == "base64" else self.body
        holder.set_payload(body.decode("ascii", "surrogateescape"))
        return cast("bytes", holder.get_payload(decode=True))


@dataclass(frozen=True, slots=True)
class Mail:
    """The fields of the whole mail, and its parts in their order."""

    fields: Fields
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class _Delimiter:
    level: int
    start: int
    end: int
    closes: bool


class _Boundary:
    """The delimiter lines of one multipart; no stretch of the mail is searched for them twice."""

    def __init__(self, text: str) -> None:
        self.text = text.encode("utf-8")
        # What begins with a literal is searched for at the speed of memory, however many lines begin with dashes.
        self._search = re.compile(rb"\n--%b(--)?[ \t\v\f]*+(?=[\r\n]|\Z)" % re.escape(self.text)).search
        self._found: re.Match[bytes] | None = None
        self._searched = 0

    def first(self, raw: bytes, start: int, end: int) -> re.Match[bytes] | None:
        """Return the first delimiter line, with the line break before it, in a stretch of whole lines."""
        if self._found is None or self._found.start() + 1 < start:
            begin = max(start - 1, self._searched)
            self._found = self._search(raw, begin, end) if begin < end else None
            if self._found is None:
                self._searched = max(self._searched, end - 1)
        return self._found if self._found and self._found.end() <= end else None


def _delimiter(raw: bytes, start: int, end: int, boundaries: list[_Boundary]) -> _Delimiter | None:
    """Find the first line in a stretch that is a boundary of an open multipart; an inner one wins over an outer of the same text."""
    nearest: _Delimiter | None = None
    for level, boundary in enumerate(boundaries):
        found = boundary.first(raw, start, end)
        closes = found is not None and found[1] is not None
        if found and (nearest is None or (found.start() + 1, closes) <= (nearest.start, nearest.closes)):
            nearest = _Delimiter(level, found.start() + 1, found.end(), closes)
            end = _line_end(raw, found.end()) or end
    return nearest


def _line_end(raw: bytes, start: int) -> int:
    """Return where the next line starts; 0 when there is none."""
    return raw.find(b"\n", start) + 1


def header_fields(block: bytes) -> Fields:
    """Read a block of header fields, each as far as it is not too long."""
    fields = Message()
    for name, value in _PARSER.parsebytes(block).raw_items():
        longest = MAX_MIME_FIELD if name.lower().startswith("content-") else MAX_FIELD
        readable = guess(str(value).encode("utf-8", "surrogateescape"))
        fields.set_raw(name, clean(_FOLD.sub("", readable))[:longest].strip())
    return fields


def boundary_of(fields: Fields) -> str | None:
    """Return the boundary of a multipart; None for anything else."""
    if fields.get_content_maintype() != "multipart":
        return None
    return _readable(fields.get_boundary)


def filename_of(fields: Fields) -> str | None:
    """Return the file name that a part is given; None without a readable one."""
    return _readable(fields.get_filename)


def _readable(parameter: Callable[[], str | None]) -> str | None:
    try:
        return parameter() or None
    except (ValueError, LookupError):
        # RFC 2231 lets a parameter name its charset, and some charsets fail on most values.
        return None


def _body(raw: bytes, start: int, end: int) -> bytes:
    """The line break before a delimiter belongs to the delimiter (RFC 2046, 5.1.1)."""
    if raw[start:end].endswith(b"\r\n"):
        return raw[start : end - 2]
    return raw[start:end].removesuffix(b"\n")


class _Splitter:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.boundaries: list[_Boundary] = []
        self.entities = 0
        self.header_bytes = 0

    def entities_from(self, start: int | None) -> Iterator[tuple[Fields, Part | None]]:
        """Yield the fields of each entity; with the part that it is, unless it only holds others."""
        while start is not None:
            self.entities += 1
            if self.entities > MAX_PARTS:
                raise RecordError(f"it has more than {MAX_PARTS} parts")
            fields, body = self._header(start)
            boundary = boundary_of(fields)
            if boundary:
                self._open(boundary)
            following = _delimiter(self.raw, body, len(self.raw), self.boundaries)
            if boundary and following and following.level == len(self.boundaries) - 1:
                yield fields, None
            else:
                end = following.start if following else len(self.raw)
                yield fields, Part(fields, _body(self.raw, body, end) if following else self.raw[body:end])
            start = self._next(following)

    def _header(self, start: int) -> tuple[Fields, int]:
        """Read header fields up to the first line that is none, whether or not it is the empty one; return where the body starts."""
        first = _NO_FIELD.search(self.raw, start)
        end = first.start() if first else len(self.raw)
        cut = _delimiter(self.raw, start, end, self.boundaries)
        if cut:
            end = cut.start
        self.header_bytes += end - start
        if self.header_bytes > MAX_HEADER:
            raise RecordError(f"its header fields take more than {MAX_HEADER} bytes")
        blank = None if cut else _BLANK_LINE.match(self.raw, end)
        return header_fields(self.raw[start:end]), blank.end() if blank else end

    def _open(self, boundary: str) -> None:
        if len(self.boundaries) >= MAX_DEPTH:
            raise RecordError(f"its parts are nested more than {MAX_DEPTH} deep")
        if (len(self.boundaries) + 1) * len(self.raw) > MAX_SEARCHED:
            raise RecordError(f"its parts are nested more than {len(self.boundaries)} deep, which is too much for {len(self.raw)} bytes")
        self.boundaries.append(_Boundary(boundary))

    def _next(self, delimiter: _Delimiter | None) -> int | None:
        """Close what a delimiter ends; return where the next entity starts."""
        while delimiter:
            del self.boundaries[delimiter.level + (0 if delimiter.closes else 1) :]
            if not delimiter.closes:
                return _line_end(self.raw, delimiter.end) or None
            delimiter = _delimiter(self.raw, delimiter.end, len(self.raw), self.boundaries)
        return None


def split(raw: bytes) -> Mail:
    """Cut a mail into its parts; RecordError when it is nested too deep, has too many parts or endless header fields.

    Mails within mails (message/rfc822) stay whole: they are attachments.
    """
    top: Fields | None = None
    parts: list[Part] = []
    for fields, part in _Splitter(raw).entities_from(0):
        top = fields if top is None else top
        if part:
            parts.append(part)
    return Mail(top if top is not None else Message(), parts)
