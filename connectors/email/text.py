"""From the bytes of a mail to text that JSON and PostgreSQL can hold, whatever the bytes are."""

import base64
import binascii
import codecs
import re

# Mail that says the left means the right: senders name the standard and use the vendor's larger set (as in the WHATWG Encoding Standard).
_SUPERSETS = {
    "iso8859-1": "cp1252", "iso8859-9": "cp1254", "shift_jis": "cp932", "euc_kr": "cp949",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
}  # fmt: skip
_ALIASES = {"unicode-1-1-utf-7": "utf-7", "utf8mb4": "utf-8", "windows-31j": "cp932"}
_LABEL = re.compile(r"(?:x-)?(?:(?:windows|win|dos|ibm|ms|cp)-?(?P<page>\d{3,5})|(?P<name>.+?)(?:-[ei])?)")
"""Labels with what the standard library does not know of: an x in front, code pages by their vendor, the direction of Hebrew and Arabic."""
# Codecs that take quadratic time, or that read escapes rather than text.
_REFUSED = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}

_UNSAFE = re.compile("[\0\ud800-\udfff]")
_WORD = re.compile(r"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?([^?]*(?:(?<!=)\?(?!=)[^?]*){0,8})\?=")
"""An encoded word; within it, a question mark that should have been encoded."""
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t]+(?==\?)")
_DECLARED = re.compile(rb"""charset\s*=\s*["']?([\w.:-]{2,40})""", re.IGNORECASE)
_DECLARED_WITHIN = 100_000
"""Bytes in which a charset's declaration is looked for."""
_ESCAPES = re.compile(rb"\x1b(\([BJI]|\$[@B])")
"""The character sets of ISO-2022-JP (RFC 1468), and the half-width katakana that Japanese mailers add."""
_MOST_ESCAPES = 200_000
_UPPER_HALF = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_TO_UPPER_HALF = (b"(I", b"$@", b"$B")


def clean(text: str) -> str:
    """Replace what JSON or PostgreSQL cannot hold: lone surrogates and NUL."""
    return _UNSAFE.sub("�", text)


def guess(data: bytes, charset: str | None = None) -> str:
    """Read bytes of an unnamed charset: UTF-8 if they are nearly that, else the likely one, else Windows-1252, as in most mail."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
    if len(text) - len(text.encode("ascii", "ignore")) > 2 * text.count("\ufffd"):
        return text
    return _known(data, charset) or data.decode("cp1252", "replace")


def decode(data: bytes, charset: str | None, likely: str | None = None) -> str:
    """Read bytes as a mail's charset label says; a label that nobody knows, or that is wrong about UTF-8, is guessed."""
    return _known(data, charset) or guess(data, likely)


def declared(data: bytes) -> str | None:
    """Return the first charset that is declared anywhere in a mail or in HTML, and says more than ASCII or UTF-8."""
    names = (found[1].decode("ascii", "replace") for found in _DECLARED.finditer(data[:_DECLARED_WITHIN]))
    return next((name for name in names if _codec(name)), None)


def _codec(charset: str | None) -> str | None:
    """Return the codec of a charset; None where it has to be guessed."""
    label = _LABEL.fullmatch((charset or "ascii").lower().strip())
    plain = (label["name"] or f"cp{label['page']}") if label else ""
    try:
        name = codecs.lookup(_ALIASES.get(plain, plain)).name
    except (LookupError, ValueError):
        return None
    return None if name in _REFUSED or name in ("ascii", "utf-8") else _SUPERSETS.get(name, name)


def _known(data: bytes, charset: str | None) -> str | None:
    name = _codec(charset)
    if name == "iso2022_jp":
        return _iso2022_jp(data)
    try:
        return data.decode(name, "replace") if name else None
    except (LookupError, ValueError):
        # Some codecs make bytes of bytes, and some know no way to replace what they cannot read.
        return None


def _iso2022_jp(data: bytes) -> str:
    """Read ISO-2022-JP with circled digits and others that the codec of that name lacks, as EUC, which has them."""
    first, *rest = _ESCAPES.split(data, _MOST_ESCAPES)
    pieces = [first]
    for escape, piece in zip(rest[::2], rest[1::2], strict=True):
        upper = piece.translate(_UPPER_HALF)
        if escape == b"(I":
            upper = upper.decode("cp932", "replace").encode("euc_jis_2004", "replace")
        pieces.append(upper if escape in _TO_UPPER_HALF else piece)
    return b"".join(pieces).decode("euc_jis_2004", "replace")


def _encoded(encoding: str, text: str) -> bytes | None:
    raw = text.encode("utf-8", "replace")
    try:
        return binascii.a2b_qp(raw, header=True) if encoding in "qQ" else base64.b64decode(raw + b"=" * (-len(raw) % 4))
    except binascii.Error:
        return None


def decode_words(value: str) -> str:
    """Decode a header's encoded words (RFC 2047); a broken word stays as it was written.

    Neighbours of one charset are joined before they are decoded, because many senders cut words within a character.
    """
    out: list[str] = []
    pending, charset = b"", ""
    position = 0
    joined = _BETWEEN_WORDS.sub("", value)
    for word in _WORD.finditer(joined):
        data = _encoded(word[2], word[3])
        if pending and (word.start() > position or data is None or word[1].lower() != charset):
            out.append(decode(pending, charset))
            pending = b""
        out.append(joined[position : word.start()])
        position = word.end()
        if data is None:
            out.append(word[0])
        else:
            pending, charset = pending + data, word[1].lower()
    return clean("".join([*out, decode(pending, charset) if pending else "", joined[position:]]))


def unflow(text: str) -> str:
    """Join the soft line breaks of format=flowed (RFC 3676) outside of quotes."""
    out: list[str] = []
    soft = False
    for line in text.splitlines():
        body = line.removeprefix(" ")
        quoted = body.startswith(">")
        if out and not (soft and not quoted):
            out.append("\n")
        out.append(body)
        soft = body.endswith(" ") and body != "-- " and not quoted
    return "".join(out)
