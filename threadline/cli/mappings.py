"""`threadline map check`, `threadline map preview` and `threadline map schema`."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from threadline.cli.context import CONFIG
from threadline.cli.exits import CONFIGURATION, NEEDS_A_PERSON, about, leave, say
from threadline.cli.output import plain, print_facts, print_json, print_table
from threadline.mapping.codegen import Functions
from threadline.mapping.compiled import PullMapping, PushMapping, encode_json
from threadline.mapping.errors import MappingError
from threadline.mapping.json_schema import schema_text
from threadline.mapping.library import describe, find, is_push, pull_mapping, push_mapping, run_examples
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class
from threadline.sdk.yamlfile import is_mapping, parse_yaml
from threadline.store.database import open_database
from threadline.sync.archive import stored_records
from threadline.sync.config import Config


def check_mappings(names: list[str], *, json: bool) -> None:
    """Check mapping files and run their examples; exit code 3 when one is wrong."""
    folder, region = _surroundings()
    findings: list[dict[str, Any]] = []
    for name in names or _all(folder):
        try:
            mapping = _compile(name, folder, region)
            problems = run_examples(mapping)
            findings.append({"mapping": name, "examples": len(mapping.tree.examples), "problems": problems})
        except ConfigError as error:
            findings.append({"mapping": name, "examples": 0, "problems": [str(error)]})
    if json:
        print_json(findings)
    else:
        rows = [(item["mapping"], "FAILS" if item["problems"] else "ok", item["examples"]) for item in findings]
        print_table(["mapping", "", "examples"], rows, numbers=["examples"], prose=["mapping"], empty="no mappings")
    for item in findings:
        for problem in item["problems"]:
            say(about(item["mapping"], problem), CONFIGURATION)
    leave(CONFIGURATION if any(item["problems"] for item in findings) else 0)


def _surroundings() -> tuple[Path, str | None]:
    """Mappings can be checked without a settings file."""
    try:
        config = CONFIG.load(entries=False)
    except ConfigError:
        return Path(), None
    return config.folder, config.region


def _all(folder: Path) -> list[str]:
    shipped = [name for entry in entry_points(group="threadline.mappings") for name in _below(files(entry.value), "")]
    own = [str(path.relative_to(folder / "mappings").with_suffix("")) for path in sorted((folder / "mappings").rglob("*.yaml"))]
    return sorted({*shipped, *own} - {"identity"})  # those are rules, and checked with the settings


def _below(folder: Traversable, prefix: str) -> Iterator[str]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _below(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".yaml"):
            yield f"{prefix}{item.name.removesuffix('.yaml')}"


def _compile(name: str, folder: Path, region: str | None, source: str | None = None) -> PullMapping | PushMapping:
    shown, text = find(name, folder)
    document = parse_yaml(text, shown)
    keys: dict[str, Any] = document.value if is_mapping(document.value) else {}
    if is_push(document):
        return push_mapping(name, folder=folder, region=region, functions=_functions(str(keys.get("target", ""))))
    origin = str(keys.get("source", ""))
    return pull_mapping(name, source or origin.partition(".")[0], folder=folder, region=region, functions=_functions(origin))


def _functions(place: str) -> Functions:
    """Return the functions of the connector that a mapping is for; a mapping may be for one that is not installed."""
    try:
        return connector_class(place.partition(".")[0]).functions
    except ConfigError:
        return {}


def preview(name: str, source: str | None, record: Path | None, limit: int, *, json: bool) -> None:
    """Show what a mapping makes of records."""
    config = CONFIG.load() if record is None and (source or _configured()) else None
    folder, region = (config.folder, config.region) if config else _surroundings()
    chosen = config.source(source).name if config and source else _source_of(config, name) if config else source
    if config and chosen and chosen in config.sources:
        region = config.region_of(chosen)
    mapping = _compile(name, folder, region, chosen)
    results = [_outcome(mapping, key, raw) for key, raw in _records(mapping, config, chosen, record, limit)]
    if json:
        print_json(results)
    else:
        for result in results:
            _print_result(result)
    leave(NEEDS_A_PERSON if any("error" in result for result in results) else 0)


def print_schema() -> None:
    """Print the JSON Schema of mapping files."""
    print(schema_text(), end="")


def _configured() -> bool:
    try:
        CONFIG.load(entries=False)
    except ConfigError:
        return False
    return True


def _source_of(config: Config, name: str) -> str | None:
    return next((source.name for source in config.sources.values() if name in source.streams.values()), None)


def _records(
    mapping: PullMapping | PushMapping, config: Config | None, source: str | None, record: Path | None, limit: int
) -> list[tuple[str, bytes]]:
    if record is not None:
        try:
            raw = record.read_bytes()
            msgspec.json.decode(raw)
        except OSError as error:
            raise ConfigError(f"{record}: cannot be read: {error.strerror}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{record}: not valid JSON: {error}") from None
        return [(record.stem, raw)]
    if isinstance(mapping, PullMapping) and config and source and source in config.sources:
        stream = mapping.tree.source.partition(".")[2]
        with open_database(config.database, create=False) as database, database.read() as transaction:
            stored = stored_records(transaction, source, stream, limit)
        if stored:
            return stored
    return [(example.site, encode_json(example.given)) for example in mapping.tree.examples[:limit]]


def _outcome(mapping: PullMapping | PushMapping, key: str, raw: bytes) -> dict[str, Any]:
    try:
        made = describe(mapping, raw, key) if isinstance(mapping, PullMapping) else mapping(msgspec.json.decode(raw))
    except MappingError as error:
        return {"record": key, "error": str(error), "path": error.path, "site": error.site}
    except msgspec.DecodeError as error:
        return {"record": key, "error": f"not valid JSON: {error}", "path": "$", "site": ""}
    return {"record": key, "made": made}


def _print_result(result: dict[str, Any]) -> None:
    print(plain(f"record {result['record']}"))
    if "error" in result:
        print(plain(f"  {result['path']}: {result['error']} ({result['site']})"))
    elif result["made"] is None:
        print("  filtered: its `when` leaves it out")
    else:
        print_facts((f"  {name}", value) for name, value in result["made"].items())
    print()
