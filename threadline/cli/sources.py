"""`threadline connectors` and `threadline check`."""

from dataclasses import dataclass
from typing import Any

from threadline.cli.context import CONFIG
from threadline.cli.exits import CONFIGURATION, DONE, about, code_of, describe, leave, say, worst
from threadline.cli.output import plain, print_json, print_table, show, working
from threadline.sdk.contract import Lookup, Target
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.sdk.registry import connector_class, installed
from threadline.store.database import open_database
from threadline.sync.config import Config, Matching
from threadline.sync.connect import open_connector
from threadline.sync.run import judge_of, outgoing


def list_connectors(*, json: bool) -> None:
    """Print the installed connectors."""
    found: list[dict[str, Any]] = []
    for name in installed():
        try:
            kind = connector_class(name)
        except ConfigError as error:
            found.append({"name": name, "about": str(error), "streams": [], "objects": [], "sandbox": False})
            continue
        objects = [item.name for item in kind.objects] if issubclass(kind, Target) else []
        streams = [stream.name for stream in kind.streams]
        found.append({"name": name, "about": kind.about, "streams": streams, "objects": objects, "sandbox": kind.sandbox is not None})
    if json:
        print_json(found)
        return
    rows = [
        (item["name"], ", ".join(item["streams"]) or "as declared", ", ".join(item["objects"]) or "as declared", item["about"])
        for item in found
    ]
    columns = ["connector", "reads", "writes", "what it is"]
    print_table(columns, rows, prose=columns[1:], empty="no connectors are installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    name: str
    key: tuple[str, ...]
    mapping: str
    cursor: str | None
    lists_all: bool
    """Whether `threadline reconcile` finds what is gone."""
    about: str


def describe_connector(name: str, *, json: bool) -> None:
    """Print the streams of one connector: their keys, their mappings, and how they find what is new."""
    kind = connector_class(name)
    streams = [
        _Described(
            name=one.name, key=one.key, mapping=one.mapping, cursor=str(one.cursor) if one.cursor else None,
            lists_all=issubclass(kind, Lookup) or (one.cursor is not None and one.cursor.lists_all), about=one.about,
        )
        for one in kind.streams
    ]  # fmt: skip
    if json:
        print_json({"name": name, "about": kind.about, "streams": streams})
        return
    from rich.text import Text

    show(Text(plain(f"{name}: {kind.about}")))
    print()
    rows = [
        (one.name, ":".join(one.key), one.mapping, one.cursor or "as the connector sees fit", "found" if one.lists_all else "not found")
        for one in streams
    ]
    columns = ["stream", "key", "mapping", "is read", "what is gone"]
    print_table(columns, rows, prose=["mapping", "is read"], spare=["mapping"], empty="its streams are declared in the settings")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found."""

    entry: str
    ok: bool
    message: str
    code: int = DONE


def check_sources(name: str | None, *, json: bool) -> None:
    """Check one source, or everything that threadline.yaml says."""
    config = CONFIG.load()
    findings: list[Finding] = []
    names = [config.source(name).name] if name else list(config.sources)
    if not name:
        findings.append(_check_database(config))
        findings += [Finding(problem.entry, ok=False, message=problem.message, code=CONFIGURATION) for problem in config.problems]
    with working("checking", quiet=json) as report:
        for source in names:
            report(source)
            findings.append(_check_source(config, source))
        if not name:
            findings += [_check_target(config, target) for target in config.targets]
            findings += [_check_matching(config.matching)] if config.matching else []
    if json:
        print_json([{"entry": item.entry, "ok": item.ok, "message": item.message} for item in findings])
    else:
        rows = [(item.entry, "ok" if item.ok else "FAILS", item.message if item.ok else "") for item in findings]
        print_table(["entry", "", "what was found"], rows)
    for item in findings:
        if not item.ok:
            say(about(item.entry, item.message), item.code)
    leave(worst(item.code for item in findings))


def _check_database(config: Config) -> Finding:
    try:
        open_database(config.database, create=True).close()
    except ConnectorError as error:
        return _failed("database", error)
    return Finding("database", ok=True, message="can be used, and is up to date")


def _check_source(config: Config, name: str) -> Finding:
    source = config.sources[name]
    try:
        with open_connector(source, database=config.database) as connector:
            for stream in source.streams:
                judge_of(config, name, stream, connector)
            connector.check()
    except ConnectorError as error:
        return _failed(f"source {name}", error)
    return Finding(f"source {name}", ok=True, message=f"{source.connector} answers; streams: {', '.join(source.streams)}")


def _check_target(config: Config, name: str) -> Finding:
    try:
        outgoing(config, name)
    except ConnectorError as error:
        return _failed(f"target {name}", error)
    return Finding(
        f"target {name}", ok=True, message=f"pushes {', '.join(config.targets[name].objects)} through {config.targets[name].system}"
    )


def _check_matching(matching: Matching) -> Finding:
    from threadline.identity.matching.workbench import require_packages

    try:
        require_packages()
    except ConfigError as error:
        return _failed("matching", error)
    return Finding("matching", ok=True, message=f"everybody is matched on the schedule {matching.schedule}")


def _failed(entry: str, error: ConnectorError) -> Finding:
    return Finding(entry, ok=False, message=describe(error), code=code_of(error))
