"""A JSON Schema (draft 2020-12) of API files, for editors: it follows from the declaration. `threadline check` says more."""

import json
from typing import Any

import msgspec

from connectors.rest.declaration import ApiFile


def schema() -> dict[str, Any]:
    """Return the schema."""
    about = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "An API file of threadline's rest connector"}
    return {**about, **msgspec.json.schema(ApiFile)}


def schema_text() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
