"""Why a record cannot be mapped."""

from typing import Any

from threadline.sdk.errors import RecordError

_SHOWN = 80


class MappingError(RecordError):
    """One record does not fit its mapping: `path` is where in the record, `site` the line of the mapping file."""

    def __init__(self, message: str, *, path: str, site: str) -> None:
        super().__init__(message, path=path)
        self.site = site


def shown(value: Any) -> str:
    """Write a value for a message, cut to a readable length."""
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
