"""Records so large that they are kept and not mapped: what one may cost is bounded, whoever sends it."""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
from msgspec.structs import astuple

from threadline.mapping.convert import Number
from threadline.sdk.records import has_more_values

MOST_BYTES = 36_000_000
MOST_VALUES = 500_000
"""What a mapped record has at most: about a second's work, and many times its bytes of memory. Fewer bytes hold no more values."""

_NULL = msgspec.Raw(b"null")
_value = msgspec.json.Decoder(float_hook=Number).decode


def too_large(raw: bytes) -> str | None:
    """Say why a record is too large to be mapped; None when it is not."""
    if len(raw) > MOST_BYTES:
        return f"the record has {len(raw):,} bytes; at most {MOST_BYTES:,} are mapped"
    if len(raw) > MOST_VALUES and has_more_values(raw, MOST_VALUES):
        return f"the record has more than {MOST_VALUES:,} values; at most so many are mapped"
    return None


def key_values(names: tuple[str, ...], raw: bytes) -> tuple[Any, ...]:
    """Read these fields of a large record; None stands for lists and mappings, which may be what it is large by."""
    return tuple(None if memoryview(value)[0] in b"[{" else _value(value) for value in astuple(_reader(names)(raw)))


@cache
def _reader(names: tuple[str, ...]) -> Callable[[bytes], msgspec.Struct]:
    fields = [(f"f{index}", msgspec.Raw, msgspec.field(name=name, default=_NULL)) for index, name in enumerate(names)]
    return msgspec.json.Decoder(msgspec.defstruct("Key", fields, gc=False)).decode


__all__ = ["MOST_BYTES", "MOST_VALUES", "key_values", "too_large"]
