"""Where mapping files are found: beside threadline.yaml, or shipped in a package (entry point `threadline.mappings`)."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from threadline.mapping.codegen import Functions
from threadline.mapping.compiled import PullMapping, PushMapping, encode_json, row_columns
from threadline.mapping.files import read_pull, read_push
from threadline.mapping.language import Example, Tree
from threadline.model.entities import Entity, Party
from threadline.model.identifiers import Identifier
from threadline.model.schema import ENGINE_FIELDS, fields_of
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import entries
from threadline.sdk.yamlfile import Document, is_list, is_mapping, parse_yaml

_NOBODY = bytes(16)


def find(name: str, folder: Path | None = None) -> tuple[str, str]:
    """Return (shown path, text) of a mapping: `system/stream`, or a path ending in .yaml relative to `folder`."""
    own = (folder or Path()) / (name if name.endswith(".yaml") else f"mappings/{name}.yaml")
    if own.is_file():
        return str(own), _text(own)
    if not name.endswith(".yaml"):
        for entry in entries("threadline.mappings"):
            shipped = files(entry.value).joinpath(*f"{name}.yaml".split("/"))
            if shipped.is_file():
                return f"{name}.yaml", shipped.read_text(encoding="utf-8")
    raise ConfigError(f"no mapping {name!r}: neither {own} nor a shipped one; `threadline map check` lists what there is")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def pull_mapping(name: str, source: str, *, folder: Path | None = None, region: str | None = None, functions: Functions) -> PullMapping:
    """Compile a pull mapping for a source."""
    shown, text = find(name, folder)
    return compile_pull(text, shown, source, region=region, functions=functions)


def compile_pull(text: str, shown: str, source: str, *, region: str | None, functions: Functions) -> PullMapping:
    """Compile the text of a pull mapping; `shown` is what errors call the file."""
    return PullMapping(read_pull(parse_yaml(text, shown)), source, text.encode(), region=region, functions=functions)


def push_mapping(name: str, *, folder: Path | None = None, region: str | None = None, functions: Functions) -> PushMapping:
    """Compile a push mapping."""
    shown, text = find(name, folder)
    return PushMapping(read_push(parse_yaml(text, shown)), text.encode(), region=region, functions=functions)


def is_push(document: Document) -> bool:
    """Whether a document is a push mapping: its source is a canonical document, not a connector's stream."""
    return is_mapping(document.value) and "." not in str(document.value.get("source", "."))


def describe(mapping: PullMapping, raw: bytes, key: str) -> dict[str, Any] | None:
    """Map one record and name what it becomes; None when the mapping leaves it out. For previews and examples."""
    mapped = mapping(raw, key, _NOBODY, _NOBODY)
    if mapped is None:
        return None
    result: dict[str, Any] = {}
    for mention in mapped.parties:
        identifiers = _by_kind(mention.identifiers)
        if mapping.entity is Party:
            sure = list(dict.fromkeys(identifier.kind for identifier in mention.identifiers if identifier.verified))
            result |= _named(Party, mention.row) | {"identifiers": identifiers} | ({"verified": sure} if sure else {})
        else:
            result[mention.role] = identifiers | _named(Party, mention.row, only=_spoken(mapping.tree))
    if mapped.row is not None:
        result = _named(mapping.entity, mapped.row) | result
    for (name, blocks), (_, rows) in zip(mapping.tree.children.items(), mapped.children, strict=True):
        entries = [_named(mapping.entity.children[name], row) for row in rows]
        several = len(blocks) > 1 or any(block.each for block in blocks)
        result[name] = entries if several else (entries[0] if entries else None)
    return result


def _by_kind(identifiers: Sequence[Identifier]) -> dict[str, str | list[str]]:
    """Return the values of each kind; a list where they are several."""
    held: dict[str, dict[str, None]] = {}
    for one in identifiers:
        held.setdefault(one.kind, {})[one.normalized] = None
    return {kind: list(values) if len(values) > 1 else next(iter(values)) for kind, values in held.items()}


_HIDDEN = ENGINE_FIELDS - {"extensions"}


def _spoken(tree: Tree) -> set[str]:
    return {name for block in tree.parties for name in block.fields}


def _named(entity: type[Entity], row: tuple[Any, ...], only: set[str] | None = None) -> dict[str, Any]:
    pairs = zip(row_columns(entity), row, strict=True)
    written = {field.name for field in fields_of(entity) if field.kind in ("list", "json")}
    return {
        name: msgspec.json.decode(value) if name in written else value
        for name, value in pairs
        # References are hashes: nobody can read them.
        if name not in _HIDDEN and value is not None and not isinstance(value, bytes) and (only is None or name in only)
    }


def run_examples(mapping: PullMapping | PushMapping) -> list[str]:
    """Run the file's examples; return one message for each that gives something else."""
    problems: list[str] = []
    for example in mapping.tree.examples:
        try:
            made = describe_example(mapping, example)
        except Exception as error:
            problems.append(f"{example.site}: the example fails: {error}")
            continue
        problems += [f"{example.site}: {message}" for message in differences(example.gives, made)]
    return problems


def describe_example(mapping: PullMapping | PushMapping, example: Example) -> Mapping[str, Any] | None:
    """Return what an example becomes."""
    if isinstance(mapping, PushMapping):
        return mapping(example.given)
    return describe(mapping, encode_json(example.given), "example")


def differences(wanted: Any, made: Any, path: str = "") -> list[str]:
    """Compare what an example says with what was made; names that it does not mention are not compared."""
    if is_mapping(wanted) and is_mapping(made):
        found: list[str] = []
        for name, value in wanted.items():
            found += differences(value, made.get(name), f"{path}.{name}" if path else name)
        return found
    if is_list(wanted) and is_list(made) and len(wanted) == len(made):
        pairs = enumerate(zip(wanted, made, strict=True))
        return [message for index, (left, right) in pairs for message in differences(left, right, f"{path}[{index}]")]
    if wanted == made or (made is not None and str(wanted) == _plain(made)):
        return []
    what = (
        "the record is left out"
        if made is None and not path
        else f"{path or 'it'} is {_plain(made)!r}"
        if made is not None
        else f"{path} is missing"
    )
    return [f"{what}, the example says {wanted!r}"]


def _plain(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")  # type: ignore[no-any-return]
    return str(value)


__all__ = ["describe", "find", "is_push", "pull_mapping", "push_mapping", "run_examples"]
