"""From the bytes of a mail to text that JSON and PostgreSQL can hold, whatever the bytes are."""

import base64
import binascii
import codecs
import re

# Mail that says the left means the right: senders name the standard and use the vendor's larger set (as in the WHATWG Encoding Standard).
_SUPERSETS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "shift_jis": "cp932", "euc_kr": "cp949",
    "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso2022_jp": "iso2022_jp_ext",
}  # fmt: skip
_ALIASES = {"x-sjis": "cp932", "iso-8859-8-i": "iso8859-8", "unicode-1-1-utf-7": "utf-7", "utf8mb4": "utf-8", "x-gbk": "gb18030"}
# Codecs that take quadratic time, or that read escapes rather than text.
_REFUSED = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}

_UNSAFE = re.compile("[\0\ud800-\udfff]")
_WORD = re.compile(r"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?([^?]*)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t]+(?==\?)")


def clean(text: str) -> str:
    """Replace what JSON or PostgreSQL cannot hold: lone surrogates and NUL."""
    return _UNSAFE.sub("�", text)


def guess(data: bytes) -> str:
    """Read bytes of an unnamed charset: UTF-8 if they are that, else Windows-1252, in which nearly all other unlabelled mail is."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def decode(data: bytes, charset: str | None) -> str:
    """Read bytes as a mail's charset label says; a label that nobody knows, or that is wrong about UTF-8, is guessed."""
    try:
        name = codecs.lookup(_ALIASES.get((charset or "").lower(), charset or "ascii")).name
        if name in _REFUSED or name in ("ascii", "utf-8"):
            return guess(data)
        return data.decode(_SUPERSETS.get(name, name), "replace")
    except (LookupError, ValueError):
        return guess(data)


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
