"""One request and its answer, as they were recorded or as they are made."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import is_list, is_mapping


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; bodies are plain bytes, whatever their encoding on the wire was. `source` is the recording's file name."""

    method: str
    url: str
    sent_type: str
    sent: bytes
    status: int
    received_type: str
    received: bytes
    source: str = ""

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's names and values, in order."""
        return parse_qsl(urlsplit(self.url).query, keep_blank_values=True)

    @property
    def answer(self) -> Any:
        """The answer's JSON value; None where it is something else."""
        try:
            return json.loads(self.received)
        except ValueError:
            return None


def read_recording(file: Path) -> Iterator[Exchange]:
    """Yield the exchanges of a betamax cassette (JSON) or a VCR cassette (YAML, also one exchange alone); ConfigError for another file."""
    try:
        cassette = json.loads(file.read_bytes()) if file.suffix == ".json" else _yaml(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as a recording: {type(error).__name__}") from None
    found = _interactions(cassette)
    if found is None:
        raise ConfigError(f"{file}: is no recording: it has neither 'http_interactions' (betamax) nor 'interactions' (VCR)")
    # An item without a request includes another file, which is read for itself.
    return (_exchange(item, file.name) for item in found if "request" in item)


def _interactions(cassette: Any) -> list[dict[str, Any]] | None:
    if not is_mapping(cassette):
        return None
    return [cassette] if "request" in cassette else cassette.get("http_interactions", cassette.get("interactions"))


def _yaml(file: Path) -> Any:
    from ruamel.yaml import YAML

    reader: Any = YAML(typ="safe")
    # Cassettes edited by hand repeat keys; the one that counts for their library is the last.
    reader.allow_duplicate_keys = True
    return reader.load(file)


def _exchange(item: Mapping[str, Any], source: str) -> Exchange:
    request, response = item["request"], item["response"]
    sent, received = _headers(request), _headers(response)
    return Exchange(
        method=request["method"].upper(),
        url=request["uri"],
        sent_type=sent.get("content-type", ""),
        sent=_body(request.get("body")),
        status=response["status"]["code"],
        received_type=received.get("content-type", ""),
        received=_body(response.get("body")),
        source=source,
    )


def _headers(message: Mapping[str, Any]) -> dict[str, str]:
    headers: Mapping[str, Any] = message.get("headers") or {}
    return {name.lower(): str(value[0] if is_list(value) else value) for name, value in headers.items()}


def _body(body: Any) -> bytes:
    if is_mapping(body):
        body = base64.b64decode(body["base64_string"]) if body.get("base64_string") else body.get("string")
    content = body if isinstance(body, bytes) else str(body or "").encode()
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
