"""Everything that a connector may import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadline.sdk.contract import (
        JSON,
        Attachment,
        Connector,
        Cursor,
        CursorKind,
        Intent,
        Listener,
        Lookup,
        Page,
        PushObject,
        Receipt,
        Rejected,
        Settings,
        Stream,
        Target,
        credential,
        file_setting,
    )
    from threadline.sdk.cursors import KeyOrder, NewestFirst, Offsets, Opaque, Uids, Window
    from threadline.sdk.errors import ConfigError, ConnectorError, RecordError, RetryableError
    from threadline.sdk.records import DELETED, encode_record, split_records

__all__ = [
    "DELETED",
    "JSON",
    "Attachment",
    "ConfigError",
    "Connector",
    "ConnectorError",
    "Cursor",
    "CursorKind",
    "Intent",
    "KeyOrder",
    "Listener",
    "Lookup",
    "NewestFirst",
    "Offsets",
    "Opaque",
    "Page",
    "PushObject",
    "Receipt",
    "RecordError",
    "Rejected",
    "RetryableError",
    "Settings",
    "Stream",
    "Target",
    "Uids",
    "Window",
    "credential",
    "encode_record",
    "file_setting",
    "split_records",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for (PEP 562): who wants an error's class need not wait for all else."""
    if name in __all__:
        for module in ("errors", "contract", "cursors", "records"):
            if (found := getattr(import_module(f"{__name__}.{module}"), name, None)) is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
