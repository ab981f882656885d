"""Keeps what YAML files said from one run to the next, so that a command parses only what has changed.

What is kept is plain values in MessagePack, readable by this user alone. A shelf that is broken or cannot be written is none.
"""

import os
from pathlib import Path
from threading import get_ident
from typing import Any, TypeAlias

import msgspec
from xxhash import xxh3_64_hexdigest, xxh3_128_digest

_Lines: TypeAlias = dict[tuple[str | int, ...], int]
_GENERATION = b"1"
"""Part of every digest: raise it when newer code would read the same text differently."""
_DIGEST = 16


class _Kept(msgspec.Struct, array_like=True):
    value: Any
    lines: list[tuple[tuple[str | int, ...], int]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Shelf:
    """One place for each file, by its path; what is there counts only for the very text that it was made of."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        """Where things are kept; None: nowhere."""

    def get(self, name: str, text: str) -> tuple[Any, _Lines] | None:
        """Return the value that a file's text stands for, and its lines; None when they are not here."""
        if self.folder is None:
            return None
        try:
            whole = _place(self.folder, name).read_bytes()
            if whole[:_DIGEST] != _digest(text, whole[_DIGEST:]):
                return None
            kept = _decode(whole[_DIGEST:])
        except (OSError, ValueError, RecursionError):
            return None
        return kept.value, dict(kept.lines)

    def put(self, name: str, text: str, value: Any, lines: _Lines) -> None:
        """Keep what a text stands for, where that is possible."""
        if self.folder is None:
            return
        place = _place(self.folder, name)
        new = place.with_suffix(f".{os.getpid()}-{get_ident()}")
        try:
            made = _encode(_Kept(value, list(lines.items())))
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.touch(mode=0o600)
            new.write_bytes(_digest(text, made) + made)
            new.replace(place)
        except (OSError, ValueError, OverflowError, RecursionError):
            return
        finally:
            _remove(new)


def cache_folder() -> Path | None:
    """Return this user's folder for what can be made again (XDG Base Directory Specification); None where there is none."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    except RuntimeError:  # a user without a home
        return None
    return base / "threadline" if base.is_absolute() else None


def _place(folder: Path, name: str) -> Path:
    return folder / f"{xxh3_64_hexdigest(os.fsencode(Path(name).absolute()))}.msgpack"


def _digest(text: str, made: bytes) -> bytes:
    return xxh3_128_digest(_GENERATION + text.encode("utf-8", "surrogatepass") + b"\0" + made)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


SHELF = Shelf()
"""The one that all files are read through; whoever runs the process says where it stands."""
