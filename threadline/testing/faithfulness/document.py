"""A vendor's OpenAPI document, corrected by errata: which endpoint a call is of, and what is wrong with an exchange."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import is_list, is_mapping
from threadline.testing.faithfulness.correction import corrected, escaped, plain
from threadline.testing.faithfulness.dialect import SCHEMA_RULES, Direction, dialect
from threadline.testing.faithfulness.errata import Erratum
from threadline.testing.faithfulness.exchange import Exchange

_HERE = "urn:document"


@dataclass(frozen=True, slots=True)
class Call:
    """Which endpoint a request is of: the template of its path, and the values in it."""

    template: str
    values: Mapping[str, str]


class Paths:
    """Templated paths, matched as OpenAPI says: what is spelt out comes before what is in braces."""

    def __init__(self, templates: Sequence[str], *, json_suffix: bool = False) -> None:
        # A brace is the last of all characters, so the order of the texts is the one wanted.
        self._patterns = [(template, re.compile(_pattern(template, json_suffix))) for template in sorted(templates)]

    def find(self, path: str) -> Call | None:
        """Return the endpoint of a path, whether or not it ends with a slash; None where there is none."""
        path = path.rstrip("/")
        for template, pattern in self._patterns:
            if match := pattern.fullmatch(path):
                return Call(template, match.groupdict())
        return None


def _pattern(template: str, json_suffix: bool) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(f"(?P<{part}>[^/]+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return pattern + r"(\.json)?" if json_suffix else pattern


class OpenApi:
    """The document as it is with errata. Problems are texts: where, and what."""

    def __init__(self, published: Mapping[str, Any], errata: Sequence[Erratum] = ()) -> None:
        self.rules = frozenset(erratum.name for erratum in errata if erratum.general)
        self._said = corrected(published, errata)
        self._paths = Paths(list(self._said["paths"]), json_suffix="json suffix" in self.rules)
        self._validators: dict[tuple[str, Direction], Any] = {}

    def call(self, exchange: Exchange) -> Call | None:
        """Return the endpoint of an exchange; None where the document does not describe it."""
        call = self._paths.find(exchange.path)
        return call if call and exchange.method.lower() in self._said["paths"][call.template] else None

    def problems(self, exchange: Exchange) -> list[str]:
        """Return what is invalid in a request and its answer."""
        call = self.call(exchange)
        if call is None:
            return [f"{exchange.method} {exchange.path} is not described"]
        place = f"/paths/{escaped(call.template)}/{exchange.method.lower()}"
        # What a server refuses need not be valid: it only shows how refusals look.
        asked = () if 400 <= exchange.status < 500 else (*self._parameters(call, exchange), *self._request(place, exchange))
        return [*asked, *self._response(place, exchange)]

    def schema_of_answer(self, exchange: Exchange) -> str | None:
        """Return the pointer to the schema of an exchange's answer; None where no JSON is described for it."""
        if (call := self.call(exchange)) is None:
            return None
        found = self._answer(f"/paths/{escaped(call.template)}/{exchange.method.lower()}", exchange.status)
        return self._schema(found, exchange.received_type) if found else None

    def at(self, pointer: str) -> tuple[str, Any]:
        """Return what stands at a pointer, and where it really stands: references are followed."""
        value: Any = self._said
        for part in pointer.split("/")[1:]:
            value = value[int(part)] if is_list(value) else value[plain(part)]
        if is_mapping(value) and isinstance(reference := value.get("$ref"), str):
            return self.at(reference.removeprefix("#"))
        return pointer, value

    # Requests

    def _parameters(self, call: Call, exchange: Exchange) -> Iterator[str]:
        query = exchange.query
        described: set[str] = set()
        for pointer, parameter in self._described_parameters(call, exchange.method):
            name, place = str(parameter["name"]), parameter["in"]
            values: Sequence[str] = ()
            if place == "query":
                described.add(name)
                values = [value for key, value in query if key == name]
                if parameter.get("required") and not values and "optional query" not in self.rules:
                    yield f"query: {name} is required"
            elif place == "path" and name in call.values:
                values = [call.values[name]]
            if "schema" in parameter:
                for value in values:
                    yield from self._parameter(f"{pointer}/schema", f"{place}: {name}", value)
        if "undescribed query" not in self.rules:
            yield from (f"query: {name} is not described" for name in dict(query) if name not in described)

    def _described_parameters(self, call: Call, method: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        path = f"/paths/{escaped(call.template)}"
        for place in (path, f"{path}/{method.lower()}"):
            _, owner = self.at(place)
            for index in range(len(owner.get("parameters", ()))):
                yield self.at(f"{place}/parameters/{index}")

    def _parameter(self, pointer: str, where: str, text: str) -> Iterator[str]:
        pointer, schema = self.at(pointer)
        kind = schema.get("type")
        if kind == "array":
            for item in text.split(","):
                yield from self._parameter(f"{pointer}/items", where, item)
            return
        yield from self._validity(pointer, "request", _read(text, kind), where)

    def _request(self, place: str, exchange: Exchange) -> Iterator[str]:
        _, operation = self.at(place)
        if "requestBody" not in operation:
            return
        pointer, body = self.at(f"{place}/requestBody")
        if not exchange.sent:
            if body.get("required"):
                yield "request: a body is required"
            return
        media = self._media(body, exchange.sent_type)
        if media is None:
            yield f"request: {exchange.sent_type or 'a body of no type'} is not described"
        elif "json" in media and "schema" in body["content"][media]:
            yield from self._json(f"{pointer}/content/{escaped(media)}/schema", "request", exchange.sent)

    # Answers

    def _response(self, place: str, exchange: Exchange) -> Iterator[str]:
        answer = self._answer(place, exchange.status)
        if answer is None:
            if not 400 <= exchange.status < 500 or "undescribed refusals" not in self.rules:
                yield f"response: status {exchange.status} is not described"
            elif not isinstance(exchange.answer, dict):
                yield "response: a refusal is no JSON object"
            return
        schema = self._schema(answer, exchange.received_type)
        if schema:
            yield from self._json(schema, "response", exchange.received)
        elif exchange.received and (held := self.at(answer)[1]).get("content") and self._media(held, exchange.received_type) is None:
            yield f"response: {exchange.received_type or 'a body of no type'} is not described"

    def _answer(self, place: str, status: int) -> str | None:
        _, operation = self.at(place)
        wanted = [str(status), f"{status // 100}XX"]
        if 200 <= status < 300 and "another success" in self.rules:
            wanted += [name for name in operation["responses"] if name.startswith("2")]
        found = next((name for name in (*wanted, "default") if name in operation["responses"]), None)
        return self.at(f"{place}/responses/{found}")[0] if found else None

    def _schema(self, answer: str, media_type: str) -> str | None:
        held = self.at(answer)[1]
        media = self._media(held, media_type)
        if media is None and "mislabelled json" in self.rules:
            media = self._media(held, "application/json")
        if media is None or "json" not in media or "schema" not in held["content"][media]:
            return None
        return f"{answer}/content/{escaped(media)}/schema"

    @staticmethod
    def _media(body: Mapping[str, Any], given: str) -> str | None:
        plain = given.partition(";")[0].strip().lower()
        wanted = (plain, f"{plain.partition('/')[0]}/*", "*/*")
        return next((media for media in wanted if media in body.get("content", {})), None)

    # Schemas

    def _json(self, pointer: str, direction: Direction, body: bytes) -> Iterator[str]:
        try:
            value = json.loads(body)
        except ValueError:
            yield f"{direction}: the body is no JSON"
            return
        yield from self._validity(pointer, direction, value, f"{direction}: $")

    def _validity(self, pointer: str, direction: Direction, value: Any, where: str) -> Iterator[str]:
        for error in self._validator(pointer, direction).iter_errors(value):
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
            yield f"{where}{path} breaks {error.validator} of {'/'.join(str(part) for part in error.absolute_schema_path)}"

    def _validator(self, pointer: str, direction: Direction) -> Any:
        if (pointer, direction) not in self._validators:
            kind = dialect(direction, self.rules.intersection(SCHEMA_RULES))
            schema = {"$ref": f"{_HERE}#{quote(pointer)}"}
            self._validators[pointer, direction] = kind(schema, registry=self._registry, format_checker=kind.FORMAT_CHECKER)
        return self._validators[pointer, direction]

    @cached_property
    def _registry(self) -> Any:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        resource: Any = Resource.from_contents(self._said, default_specification=DRAFT4)
        empty = cast("Any", Registry)()
        return empty.with_resource(_HERE, resource)


def read_json(path: Path) -> Any:
    """Read a JSON file; ConfigError where it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON: {type(error).__name__}") from None


def read_document(path: Path) -> Mapping[str, Any]:
    """Read an OpenAPI document of version 3.0 in JSON; ConfigError for another file."""
    document = read_json(path)
    if not is_mapping(document) or not str(document.get("openapi", "")).startswith("3.0"):
        raise ConfigError(f"{path}: is no OpenAPI document of version 3.0")
    return document


def _read(text: str, kind: Any) -> Any:
    match kind:
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "number" if re.fullmatch(r"-?\d+(\.\d+)?", text):
            return float(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case _:
            return text
