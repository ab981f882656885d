"""Everything that a connector may import."""

from threadline.sdk.contract import (
    JSON,
    Connector,
    Cursor,
    Intent,
    Page,
    PushObject,
    Receipt,
    Rejected,
    Settings,
    Stream,
    Target,
    credential,
)
from threadline.sdk.errors import ConfigError, ConnectorError, RecordError, RetryableError
from threadline.sdk.records import encode_record, split_records

__all__ = [
    "JSON",
    "ConfigError",
    "Connector",
    "ConnectorError",
    "Cursor",
    "Intent",
    "Page",
    "PushObject",
    "Receipt",
    "RecordError",
    "Rejected",
    "RetryableError",
    "Settings",
    "Stream",
    "Target",
    "credential",
    "encode_record",
    "split_records",
]
