"""Everything that a connector may import."""

from threadline.sdk.contract import (
    JSON,
    Connector,
    Cursor,
    CursorKind,
    Intent,
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
from threadline.sdk.records import encode_record, split_records

__all__ = [
    "JSON",
    "ConfigError",
    "Connector",
    "ConnectorError",
    "Cursor",
    "CursorKind",
    "Intent",
    "KeyOrder",
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
