"""`threadline map diff`."""

from dataclasses import fields
from typing import Any

from threadline.cli.context import CONFIG
from threadline.cli.exits import leave_with
from threadline.cli.output import print_facts, print_json, print_table, working
from threadline.mapping.library import find, is_push
from threadline.model.ids import show_id
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.sdk.yamlfile import is_mapping, parse_yaml
from threadline.sync.config import Config
from threadline.sync.diff import Difference
from threadline.sync.run import mapping_difference


def show_difference(name: str, source: str | None, stream: str | None, *, json: bool) -> None:
    """Print what a mapping file would change in each stream that it is for."""
    config = CONFIG.load()
    shown, text = find(name, config.folder)
    found: list[Difference] = []
    errors: list[tuple[str, ConnectorError]] = []
    for place in _streams(config, shown, text, source, stream):
        what = ".".join(place)
        with working(f"mapping {what} both ways", quiet=json):
            try:
                found.append(mapping_difference(config, *place, text, shown))
            except ConnectorError as error:
                errors.append((what, error))
    if json:
        print_json([_document(one) for one in found])
    else:
        for number, one in enumerate(found):
            if number:
                print()
            _print(one)
    leave_with(errors)


def _streams(config: Config, shown: str, text: str, source: str | None, stream: str | None) -> list[tuple[str, str]]:
    """Return the streams that a mapping file is for: those that it names, of every source with that connector."""
    document = parse_yaml(text, shown)
    if is_push(document):
        raise ConfigError(f"{shown} is a push mapping: what it would push, `threadline map preview` shows")
    origin = str(document.value.get("source", "")) if is_mapping(document.value) else ""
    connector, _, named = origin.partition(".")
    if source:
        config.source(source)
    wanted = stream or named
    entries = [entry for entry in config.sources.values() if entry.connector == connector and source in (None, entry.name)]
    places = [(entry.name, wanted) for entry in entries if wanted in entry.streams]
    if not places:
        nobody = f"source {source} has no" if source else f"no source of {config.path} has a"
        raise ConfigError(f"{shown} is for {origin or 'no stream'}, and {nobody} stream {connector}.{wanted}")
    return places


def _document(one: Difference) -> dict[str, Any]:
    values = {item.name: getattr(one, item.name) for item in fields(one)}
    examples = [
        {"key": item.key, "table": item.table, "field": item.field, "before": _value(item.before), "after": _value(item.after)}
        for item in one.examples
    ]
    return values | {"examples": examples}


def _value(value: Any) -> Any:
    return show_id(value) if isinstance(value, bytes) else value


def _print(one: Difference) -> None:
    dead = f"{one.dead_before:,} before, {one.dead_after:,} after"
    facts = [
        ("stream", f"{one.source}.{one.stream}"), ("records", one.records), ("changed", one.changed), ("dead", dead),
        ("customers", len(one.profiles)), ("threads", one.threads),
        ("pushes", ", ".join(f"{target}: {count:,}" for target, count in sorted(one.pushes.items())) or "none"),
    ]  # fmt: skip
    print_facts(facts)
    if one.fields:
        print()
        print_table(["field", "records"], one.fields.most_common(), numbers=["records"], prose=["field"])
        print()
        columns = ["record", "field", "before", "after"]
        rows = [(item.key, f"{item.table}.{item.field}", _value(item.before), _value(item.after)) for item in one.examples]
        print_table(columns, rows, prose=columns)
