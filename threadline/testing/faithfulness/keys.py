"""Which keys of an answer a document has a word for."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from threadline.sdk.yamlfile import is_list, is_mapping
from threadline.testing.faithfulness.correction import escaped
from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.exchange import Exchange


class Vocabulary:
    """A document's words for keys."""

    def __init__(self, document: OpenApi) -> None:
        self._document = document
        # Many rows of an answer have the same schemas.
        self._schemas = cache(self._made_of)

    def keys(self, exchange: Exchange) -> Iterator[tuple[str, bool]]:
        """Yield the path of each key in an answer, and whether the document has a word for it; nothing where keys are free."""
        if schema := self._document.schema_of_answer(exchange):
            yield from self._keys((schema,), exchange.answer, "$")

    def _keys(self, pointers: tuple[str, ...], value: Any, path: str) -> Iterator[tuple[str, bool]]:
        if is_list(value):
            items = tuple(f"{place}/items" for place, schema in self._schemas(pointers) if "items" in schema)
            for inner in value if items else ():
                yield from self._keys(items, inner, f"{path}[]")
        elif is_mapping(value):
            objects = [(place, schema) for place, schema in self._schemas(pointers) if "properties" in schema]
            is_free = not objects or any(schema.get("additionalProperties") for _, schema in objects)
            for key, inner in value.items():
                words = tuple(f"{place}/properties/{escaped(key)}" for place, schema in objects if key in schema["properties"])
                if words or not is_free:
                    yield f"{path}.{key}", bool(words)
                if words:
                    yield from self._keys(words, inner, f"{path}.{key}")

    def _made_of(self, pointers: tuple[str, ...]) -> list[tuple[str, Mapping[str, Any]]]:
        found: list[tuple[str, Mapping[str, Any]]] = []
        for pointer in pointers:
            place, schema = self._document.at(pointer)
            found.append((place, schema))
            for word in ("allOf", "anyOf", "oneOf"):
                found += self._schemas(tuple(f"{place}/{word}/{index}" for index in range(len(schema.get(word, ())))))
        return found
