"""The structure of a mail (RFC 2045, 2046), read in one pass over its bytes and within bounds.

The standard library's parser takes seconds for 900 nested parts and recurses for more, so the cutting into parts is done
here; header fields and transfer encodings are the standard library's.
"""

import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import cast

from connectors.email.text import clean, declared, guess
from threadline.sdk import RecordError

MAX_DEPTH = 50
MAX_PARTS = 1_000
MAX_SEARCHED = 400_000_000
"""Bytes, counted once for each boundary that may stand among them: a mail of 50 MB may be nested 8 deep."""
MAX_ENCODED_LINES = 2_000_000
"""Lines of uuencode that are decoded: the standard library takes a step for each, and they may be a few bytes long."""
MAX_HEADER = 500_000
"""Bytes of header fields, those of all parts together."""
MAX_FIELD = 64_000
MAX_STRAY_LINES = 20
"""How often lines without a field name may stand among header fields, as a mailer leaves them that forgets to fold."""
MAX_MIME_FIELD = 4_000
"""Characters of one field that are read; the standard library takes quadratic time for the parameters of Content-Type."""

Fields = Message
"""Header fields of a part; the values are text, also where the mail holds undeclared 8-bit bytes."""

_UUENCODE = ("x-uuencode", "uuencode", "uue", "x-uue")
_KNOWN_FIELD = (
    rb"(?i:from|to|cc|subject|date|sender|reply-to|in-reply-to|references|message-id|return-path|delivered-to|received|mime-version"
    rb"|content-[a-z-]+|x-[!-9;-~]+|[a-z]+-signature|list-[a-z]+|auto-submitted|precedence)[ \t]*:"
)
_NO_FIELD = re.compile(rb"^(?!From |[!-9;-~]*[ \t]*:|[ \t])", re.MULTILINE)
_STRAY_LINE = re.compile(rb"^(?!From |[!-9;-~]*:|[ \t\r\n])", re.MULTILINE)
_FIELD_FURTHER_ON = re.compile(rb"(?:(?!\r?\n|--)[^\n]*+\n){1,20}?(?=%b)" % _KNOWN_FIELD)
_FURTHER = 2_000
"""Bytes in which a field is looked for behind a line that is none, and begins none of the parts."""
_BEFORE_FIELDS = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t]*\r?\n){0,20}[ \t]*(?=%b)" % _KNOWN_FIELD)
_BLANK_BEFORE_COLON = re.compile(rb"^([!-9;-~]+)[ \t]+(?=:)", re.MULTILINE)
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_WORD = re.compile(r"[A-Za-z0-9-]+")
_TYPE = re.compile(r"\s*+([\w.+-]++)\s*+/\s*+([\w.+-]++)(?:\s*+\([^()]*+\))?+\s*+[;,:]?")
"""A media type and what parts it from its parameters, with the blanks, comments and other marks that some mailers put there."""
_BLANK_LINE = re.compile(rb"\r?\n")
_FOLD = re.compile(r"[\r\n]+")
_PARSER = BytesHeaderParser(policy=compat32)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others, with its body still in its transfer encoding; `choice` is a number that alternatives share."""

    fields: Fields
    body: bytes
    choice: int | None = None

    def content(self) -> bytes:
        """Undo the transfer encoding, as far as it is sound."""
        named = _WORD.search(self.fields.get("Content-Transfer-Encoding") or "")
        encoding = named[0].lower() if named else ""
        if encoding == "base64":
            return _of_base64(self.body)
        if encoding == "quoted-printable":
            return a2b_qp(self.body)
        if encoding in _UUENCODE and self.body.count(b"\n") <= MAX_ENCODED_LINES:
            return _of_uuencode(self.body)
        return self.body


def _of_uuencode(body: bytes) -> bytes:
    holder = Message()
    holder["Content-Transfer-Encoding"] = _UUENCODE[0]
    holder.set_payload(body.decode("ascii", "surrogateescape"))
    return cast("bytes", holder.get_payload(decode=True))


def _of_base64(body: bytes) -> bytes:
    for padding in (b"", b"=="):
        try:
            return a2b_base64(body + padding)
        except ValueError:
            continue
    return body


@dataclass(frozen=True, slots=True)
class Mail:
    """The fields of the whole mail, its parts in their order, and the likely charset of what none is named for."""

    fields: Fields
    parts: list[Part]
    charset: str | None = None


@dataclass(frozen=True, slots=True)
class _Delimiter:
    level: int
    start: int
    end: int
    closes: bool


class _Boundary:
    """The delimiter lines of one multipart; no stretch of the mail is searched for them twice."""

    def __init__(self, text: str, choice: int | None = None) -> None:
        self.text = text.encode("utf-8")
        self.choice = choice
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


def header_fields(block: bytes, charset: str | None = None) -> Fields:
    """Read a block of header fields, each as far as it is not too long; `charset` is the likely one of what none is named for.

    A line without a name goes on with the field above it, as if it were folded.
    """
    fields = Message()
    named = _BLANK_BEFORE_COLON.sub(rb"\1", _LONE_RETURN.sub(b" ", block))
    for name, value in _PARSER.parsebytes(_STRAY_LINE.sub(b" ", named)).raw_items():
        longest = MAX_MIME_FIELD if name.lower().startswith("content-") else MAX_FIELD
        readable = guess(str(value).encode("utf-8", "surrogateescape"), charset)
        written = clean(_FOLD.sub("", readable))[:longest].strip()
        kind = _TYPE.match(written) if name.lower() == "content-type" else None
        fields.set_raw(name, f"{kind[1]}/{kind[2]};{written[kind.end() :]}" if kind else written)
    return fields


def boundary_of(fields: Fields) -> str | None:
    """Return the boundary of a multipart; None for anything else."""
    if fields.get_content_maintype() != "multipart":
        return None
    # No boundary has a quotation mark, but one that is not followed by a semicolon is read with what comes behind it.
    return (_readable(fields.get_boundary) or "").removeprefix('"').partition('"')[0] or None


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
        self.charset = None if raw.isascii() else declared(raw)
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
                self._open(boundary, fields.get_content_subtype())
            following = _delimiter(self.raw, body, len(self.raw), self.boundaries)
            if boundary and following and following.level == len(self.boundaries) - 1:
                yield fields, None
            else:
                end = following.start if following else len(self.raw)
                content = _body(self.raw, body, end) if following else self.raw[body:end]
                yield fields, Part(fields, content, self.boundaries[-1].choice if self.boundaries else None)
            start = self._next(following)

    def _header(self, start: int) -> tuple[Fields, int]:
        """Read header fields up to the first line that is none, whether or not it is the empty one; return where the body starts."""
        end = self._end_of_fields(start)
        cut = _delimiter(self.raw, start, end, self.boundaries)
        if cut:
            end = cut.start
        self.header_bytes += end - start
        if self.header_bytes > MAX_HEADER:
            raise RecordError(f"its header fields take more than {MAX_HEADER} bytes")
        blank = None if cut else _BLANK_LINE.match(self.raw, end)
        return header_fields(self.raw[start:end], self.charset), blank.end() if blank else end

    def _end_of_fields(self, start: int) -> int:
        end = start
        for _ in range(MAX_STRAY_LINES):
            # A byte more than there may be, so that what has too many is seen to have them.
            last = min(start + MAX_HEADER + 1, len(self.raw))
            first = _NO_FIELD.search(self.raw, start, last)
            end = first.start() if first else last
            further = _FIELD_FURTHER_ON.match(self.raw, end, end + _FURTHER)
            if further is None:
                break
            start = further.end()
        return end

    def _open(self, boundary: str, subtype: str) -> None:
        if len(self.boundaries) >= MAX_DEPTH:
            raise RecordError(f"its parts are nested more than {MAX_DEPTH} deep")
        if (len(self.boundaries) + 1) * len(self.raw) > MAX_SEARCHED:
            raise RecordError(f"its parts are nested more than {len(self.boundaries)} deep, which is too much for {len(self.raw)} bytes")
        around = self.boundaries[-1].choice if self.boundaries else None
        self.boundaries.append(_Boundary(boundary, self.entities if around is None and subtype == "alternative" else around))

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
    before = _BEFORE_FIELDS.match(raw)
    splitter = _Splitter(raw.replace(b"\r", b"\n") if before and b"\n" not in raw else raw)
    for fields, part in splitter.entities_from(before.end() if before else 0):
        top = fields if top is None else top
        if part:
            parts.append(part)
    return Mail(top if top is not None else Message(), parts, splitter.charset)
