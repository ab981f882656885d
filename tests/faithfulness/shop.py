"""A small vendor: its document, recordings of it, and an errata file."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from threadline.testing.faithfulness import Exchange

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "paths": {
        "/orders": {
            "get": {
                "parameters": [
                    {"name": "since", "in": "query", "required": True, "schema": {"type": "integer"}},
                    {
                        "name": "fields",
                        "in": "query",
                        "schema": {"type": "array", "items": {"type": "string", "enum": ["id", "post_count"]}},
                    },
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Orders"}}}}},
            },
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}},
            },
        },
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "schema": {"type": "integer"}}],
            "get": {"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}}}},
        },
        "/orders/count": {"get": {"responses": {"default": {"content": {"application/json": {"schema": {"type": "string"}}}}, "204": {}}}},
    },
    "components": {
        "schemas": {
            "Paging": {"type": "object", "properties": {"next": {"type": "string"}}},
            "Orders": {"type": "object", "properties": {"orders": {"type": "array", "items": {"$ref": "#/components/schemas/Order"}}}},
            "Order": {
                "type": "object",
                "required": ["id", "note"],
                "properties": {
                    "id": {"type": "integer", "readOnly": True},
                    "note": {"type": "string"},
                    "post_count": {"type": "integer"},
                    "made": {"type": "string", "format": "date-time"},
                    "state": {"type": "string", "enum": ["open", "done"], "nullable": True},
                    "total": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
                },
            },
        },
    },
}


def exchange(call: str, answer: Any = None, status: int = 200, sent: Any = None, kind: str = "application/json") -> Exchange:
    method, path = call.split()
    received = b"" if answer is None else json.dumps(answer).encode()
    given = b"" if sent is None else json.dumps(sent).encode()
    return Exchange(
        method, f"https://shop.example{path}", "application/json" if given else "", given, status, kind if received else "", received
    )


def cassette(*exchanges: Exchange) -> dict[str, Any]:
    """Write exchanges as betamax does, answers packed."""
    return {"http_interactions": [_interaction(one) for one in exchanges]}


def _interaction(one: Exchange) -> dict[str, Any]:
    packed = base64.b64encode(gzip.compress(one.received)).decode()
    return {
        "request": {
            "method": one.method,
            "uri": one.url,
            "headers": {"Content-Type": [one.sent_type]},
            "body": {"string": one.sent.decode()},
        },
        "response": {"status": {"code": one.status}, "headers": {"Content-Type": [one.received_type]}, "body": {"base64_string": packed}},
    }


def contracts(folder: Path, errata: str, *recorded: Exchange) -> Path:
    """Make a folder of contracts; return the errata file."""
    (folder / "shop.json").write_text(json.dumps(DOCUMENT))
    (folder / "recorded").mkdir()
    for number, one in enumerate(recorded):
        (folder / f"recorded/{number}.json").write_text(json.dumps(cassette(one)))
    file = folder / "errata.yaml"
    file.write_text(f"document: shop.json\nrecorded: [recorded/*.json]\n{errata}")
    return file
