"""What the kinds of cursors here are made of: structs, since a dataclass takes half a millisecond of every start to make."""

from abc import ABCMeta

from msgspec import Struct, StructMeta

from threadline.sdk.contract import CursorKind


class _AbstractStructMeta(StructMeta, ABCMeta):
    """Makes structs that may have abstract methods."""


class Kind(Struct, CursorKind, metaclass=_AbstractStructMeta, frozen=True):
    """A kind that is a value: its fields say how it is declared."""
