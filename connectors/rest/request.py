"""One call to an API, as an API file has it: its texts still have their placeholders."""

from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import Struct, field


class Declared(Protocol):
    """What an API file says of a call that reads."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def parameters(self) -> Mapping[str, Any]: ...  # noqa: D102


class Request(Struct, frozen=True):
    """A call that reads."""

    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    method: str = "GET"
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def request_of(declared: Declared) -> Request:
    """Return the call of a stream, or of anything else that is read."""
    return Request(
        declared.path,
        declared.parameters,
        getattr(declared, "method", "GET"),
        getattr(declared, "body", None),
        getattr(declared, "headers", {}),
    )


def texts_of(declared: Declared) -> list[Any]:
    """Return all in a call that may have placeholders."""
    call = request_of(declared)
    return [call.path, call.parameters, call.headers, call.body]
