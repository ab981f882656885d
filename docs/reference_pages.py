"""Reference pages, one for each connector and one for the commands: what they say stands in the declarations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from inspect import cleandoc
from itertools import chain
from pathlib import Path
from typing import Any, cast

import typer
from typer.cli import get_docs_for_click

from threadline.cli.commands import app
from threadline.sdk.budget import Allowance
from threadline.sdk.contract import Connector, Listener, Lookup, Stream, Target
from threadline.sdk.registry import connector_class, installed
from threadline.sdk.yamlfile import Document, is_mapping, parse_yaml

Schema = Mapping[str, Any]
Rows = Sequence[Sequence[str]]

_REPEATS = {
    "key": "an idempotency key, which the system knows again",
    "upsert": "it ends at the same state however often it is written",
    "marker": "a marker in what is written, which is looked for before it is written again",
    "never": "nothing: it is written once, and a person decides where it is not known whether it arrived",
}
_MADE = (
    "Made from its declaration by `docs/generate.py`; what it is like to use stands in [its README](../../connectors/{name}/README.md).\n"
)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    for name in installed():
        yield f"{name}.md", connector(name)
    yield "commands.md", commands()


def schema_page(title: str, schema: Schema) -> str:
    """Return what a JSON Schema describes, as a page."""
    whole, *parts = _structs(schema)
    described = ([f"\n## {name}\n\n{cleandoc(one.get('description', ''))}\n", *_properties(one, "key")] for name, one in parts)
    body = chain(_properties(whole[1], "key"), *described)
    return "\n".join([f"# {title}\n", "Made from its declaration by `docs/generate.py`. **Bold** keys must be given.\n", *body]) + "\n"


def _structs(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the described structs, the whole one first, then as they are met; what is told apart by its `kind` after one another."""
    defined = cast("dict[str, Schema]", schema["$defs"])
    waiting, seen = [str(schema["$ref"]).rpartition("/")[2]], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name, defined[name]
            waiting += re.findall(r"'#/\$defs/(\w+)'", str(defined[name].get("properties", {})))


def connector(name: str) -> str:
    """Return what a connector declares, as a page."""
    kind = connector_class(name)
    extra = f" Needs `pip install 'threadline[{kind.extra}]'`." if kind.extra else ""
    parts: list[Iterator[str]] = [
        iter((f"# {name}\n", f"{kind.about}.{extra}\n", _MADE.format(name=name))),
        _settings(kind),
        _streams(kind),
        _objects(kind),
        _budget(kind),
        _mappings(name),
        _functions(kind),
    ]
    return "\n".join(chain.from_iterable(parts)) + "\n"


# Settings


def _settings(kind: type[Connector[Any]]) -> Iterator[str]:
    schema = kind.settings_type().model_json_schema()
    yield "## Settings\n"
    yield (
        "Under `settings` of a source in threadline.yaml, but for credentials: those come from the environment or from the Airflow "
        f"connection named like the source (type `{kind.connection_type}`). **Bold** ones must be given.\n"
    )
    yield from _properties(schema)
    for name, nested in schema.get("$defs", {}).items():
        if "properties" in nested:
            yield f"\n### {name}\n\n{cleandoc(nested.get('description', ''))}\n"
            yield from _properties(nested)
    yield ""


def _properties(schema: Schema, called: str = "setting") -> Iterator[str]:
    needed = schema.get("required", [])
    rows = [
        (f"**`{name}`**" if name in needed else f"`{name}`", _type(each), _default(each), _origin(name, each), _about(each))
        for name, each in schema["properties"].items()
    ]
    yield from _table((called, "type", "default", "credential from", "meaning"), rows)


def _about(schema: Schema) -> str:
    return str(schema.get("description", ""))


def _type(schema: Schema) -> str:
    """Name a JSON Schema's type as people do."""
    if "anyOf" in schema:
        kinds = list(dict.fromkeys(_type(each) for each in schema["anyOf"] if each.get("type") != "null"))
        return "a plain value" if set(kinds) == _PLAIN else " or ".join(kinds)
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{choice}`" for choice in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema.get('items', {}))}"
        case "object":
            inner = schema.get("additionalProperties")
            return f"name: {_type(inner)}" if is_mapping(inner) else "mapping"
        case "string":
            return {"date-time": "time", "password": "secret"}.get(schema.get("format", ""), "text")
        case kind:
            return f"{_KINDS.get(str(kind), 'any value')}{_range(schema)}"


_PLAIN = {"text", "whole number", "number", "true or false"}
_KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false"}


def _range(schema: Schema) -> str:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    if least is None and most is None:
        return ""
    return f", {least} to {most}" if None not in (least, most) else f", at least {least}" if most is None else f", at most {most}"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    if default in (None, {}, [], (), "") or schema.get("format") == "password":
        return ""
    if isinstance(default, list):
        return ", ".join(f"`{each}`" for each in cast("list[Any]", default))
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _origin(name: str, schema: Schema) -> str:
    if not schema.get("credential"):
        return ""
    return f"`THREADLINE_<SOURCE>_{name.upper()}`, or `{schema['connection']}` of the connection"


# Streams, objects, budget


def _streams(kind: type[Connector[Any]]) -> Iterator[str]:
    yield "## Streams\n"
    if not kind.streams:
        yield "The settings declare them.\n"
        return
    columns = ("stream", "key", "is read", "what is gone is found by", "mapping", "what it has")
    yield from _table(columns, [_stream(kind, one) for one in kind.streams])
    if any(one.optional for one in kind.streams):
        yield "\nOptional ones are read only where threadline.yaml names them."
    if issubclass(kind, Listener):
        yield "\nIts changes can be listened for: `listen: true` of the source, or `threadline listen`."
    yield ""


def _stream(kind: type[Connector[Any]], one: Stream) -> Sequence[str]:
    name = f"`{one.name}`{' (optional)' if one.optional else ''}"
    key = ", ".join(f"`{field}`" for field in one.key)
    return name, key, str(one.cursor or "as the connector sees fit"), _gone(kind, one), f"`{one.mapping}`", one.about


def _gone(kind: type[Connector[Any]], stream: Stream) -> str:
    if stream.cursor is not None and stream.cursor.lists_all:
        return "a sweep of the list"
    return "asking for each" if issubclass(kind, Lookup) else "what the source tells"


def _objects(kind: type[Connector[Any]]) -> Iterator[str]:
    if not issubclass(kind, Target):
        return
    yield "## What is pushed\n"
    if not kind.objects:
        yield "The settings declare it.\n"
        return
    rows = [(f"`{one.name}`", str(one.batch), _REPEATS[one.repeat], one.about) for one in kind.objects]
    yield from _table(("object", "at once", "what makes a repetition harmless", "what it is"), rows)
    yield ""


def _budget(kind: type[Connector[Any]]) -> Iterator[str]:
    if kind.allowances is Connector.allowances:
        return
    yield "## Budget\n"
    if not kind.streams:
        yield "The settings declare it.\n"
        return
    allowed = kind(kind.settings_type().model_construct()).allowances()
    yield from _table(("name", "calls", "in seconds"), [_allowance(each) for each in allowed])
    yield "\n`budget: {name: calls}` of the source gives it less, where others call the same account.\n"


def _allowance(allowance: Allowance) -> Sequence[str]:
    return f"`{allowance.name}`", str(allowance.calls or "as the system says"), f"{allowance.seconds:g}"


# Mappings, functions


def _mappings(name: str) -> Iterator[str]:
    folder = Path(str(files("mappings"))) / name
    found = sorted(folder.rglob("*.yaml"), key=lambda path: ("push" in path.parts, path))
    if not found:
        return
    yield "## Mappings that are shipped\n"
    rows = [_mapping(path.relative_to(folder.parent).as_posix(), path.read_text(encoding="utf-8")) for path in found]
    yield from _table(("file", "from", "to", "what it says"), rows)
    yield ""


def _mapping(name: str, text: str) -> Sequence[str]:
    document: Document = parse_yaml(text, name)
    about = " ".join(line.removeprefix("#").strip() for line in _comment(text))
    link = f"[`{name.removesuffix('.yaml')}`](../../mappings/{name})"
    return link, f"`{document.value['source']}`", f"`{document.value['target']}`", about


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        if "yaml-language-server" not in line:
            yield line


def _functions(kind: type[Connector[Any]]) -> Iterator[str]:
    if not kind.functions:
        return
    yield "## Functions that mappings may call\n"
    rows = [(f"`{name}`", (function.__doc__ or "").partition("\n")[0]) for name, function in sorted(kind.functions.items())]
    yield from _table(("function", "what it does"), rows)
    yield ""


# Commands


def commands() -> str:
    """Return what each command says of itself, as a page."""
    command = typer.main.get_command(app)
    made = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="threadline"), name="threadline", title="Commands")
    lines = [line for line in made.splitlines() if not line.startswith("* `--help`")]
    text = "\n".join(_without_lists(lines))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _without_lists(lines: Sequence[str]) -> Iterator[str]:
    """Leave lists of commands out, which are cut short, and headings of lists that have nothing left in them."""
    skipping = False
    for number, line in enumerate(lines):
        skipping = (skipping or line == "**Commands**:") and not line.startswith("#")
        following = next((each for each in lines[number + 1 :] if each), "")
        if not skipping and (line != "**Options**:" or following.startswith("* ")):
            yield line


def _table(head: Sequence[str], rows: Rows) -> Iterator[str]:
    # A column that says nothing is left out.
    kept = [number for number, _ in enumerate(head) if any(row[number] for row in rows)]
    yield f"| {' | '.join(head[number] for number in kept)} |\n|{' --- |' * len(kept)}"
    for row in rows:
        yield f"| {' | '.join(row[number].replace('|', chr(92) + '|').replace(chr(10), ' ') for number in kept)} |"
