"""Cursors as they were saved: the shape that the stream's kind gives them, or none of its own."""

from typing import TypeVar, cast

import msgspec

from threadline.sdk.contract import Cursor, CursorKind
from threadline.sdk.errors import ConfigError

ShapeT = TypeVar("ShapeT", bound=msgspec.Struct)


def read_cursor(kind: CursorKind, saved: Cursor | None, shape: type[ShapeT]) -> ShapeT:
    """Return a saved cursor (None: an empty one); ConfigError when it has another shape."""
    try:
        return msgspec.convert(dict(saved or {}), shape)
    except msgspec.ValidationError:
        raise foreign_cursor(kind) from None


def write_cursor(place: msgspec.Struct) -> Cursor:
    """Return a place as the cursor to save."""
    return cast("Cursor", msgspec.to_builtins(place))


def foreign_cursor(kind: CursorKind) -> ConfigError:
    """Make the error for a saved cursor that another kind, or another connector, has written."""
    return ConfigError(
        f"the saved cursor is not one of a stream that is read {kind}: rewind the stream with "
        "`threadline pull SOURCE --stream STREAM --full`"
    )
