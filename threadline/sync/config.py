"""threadline.yaml: which systems there are, when they are synchronised, and what is pushed where.

An entry that cannot be used becomes a `Problem`; the others work. Credentials never stand in the file: they come from
the environment (`THREADLINE_<SOURCE>_<FIELD>`) or, under Airflow, from the connection named like the source.
"""

import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from threadline.model.identifiers import order_numbers
from threadline.sdk.contract import Connector, Listener, Target
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class
from threadline.sdk.yamlfile import Document, Location, is_list, is_mapping, nearest, read_yaml
from threadline.sync.offered import check_settings, found_files, offered_objects, offered_streams
from threadline.sync.policy import DRIFT_POLICIES, USUAL, DriftPolicy, Policy, read_policy
from threadline.sync.views import Problem

DEFAULT_FILE = "threadline.yaml"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_TOP = ("database", "region", "references", "limits", "archive", "matching", "sources", "targets")
_SOURCE = ("connector", "schedule", "listen", "settings", "streams", "budget", "region")
_TARGET = ("system", "push", "schedule")
_PRESETS = ("@once", "@continuous", "@quarterly")
"""What Airflow takes besides cron expressions and the usual names for them."""


class Source(Struct, frozen=True):
    """One system of threadline.yaml: `streams` maps the names of its streams to their mapping files."""

    name: str
    connector: str
    schedule: str | None
    settings: Mapping[str, Any]
    streams: Mapping[str, str]
    drift: Mapping[str, DriftPolicy]
    """The drift policy of each stream that names one."""
    at: str
    """"file:line" of the entry."""
    budget: Mapping[str, int] = {}
    """How many calls of each allowance the source may make, where that is not what the vendor allows."""
    region: str | None = None
    """Where its phone numbers without a country code belong, where that is not where those of the others do."""
    listen: bool = False
    """Whether Airflow stays connected to it, and pulls as soon as it says that something has changed."""


class TargetEntry(Struct, frozen=True):
    """One receiver: pushes go through the connector of source `system`, as its push mappings say."""

    name: str
    system: str
    mappings: tuple[str, ...]
    schedule: str | None
    at: str

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects that it takes, as the mapping files are named."""
        return tuple(name.removesuffix(".yaml").rsplit("/", 1)[-1] for name in self.mappings)


class Matching(Struct, frozen=True):
    """When everybody is matched: customers who share no value, by how much they are alike."""

    schedule: str
    at: str


class Config(Struct, frozen=True):
    """Everything that threadline.yaml says."""

    path: Path
    database: str
    region: str | None
    references: Mapping[str, str]
    sources: Mapping[str, Source]
    targets: Mapping[str, TargetEntry]
    problems: tuple[Problem, ...] = ()
    policy: Policy = USUAL
    """How every stream is pulled, where it does not say otherwise itself."""
    matching: Matching | None = None

    def policy_of(self, source: str, stream: str) -> Policy:
        """Return how a stream is pulled."""
        return replace(self.policy, drift=self.source(source).drift.get(stream, self.policy.drift))

    def region_of(self, source: str) -> str | None:
        """Return where a source's phone numbers without a country code belong."""
        return self.source(source).region or self.region

    @property
    def folder(self) -> Path:
        """The folder of the file: relative paths in it begin there."""
        return self.path.parent

    def source(self, name: str) -> Source:
        """Return a source; ConfigError when there is none, or its entry has a problem."""
        return cast("Source", self._entry(name, "source", self.sources))

    def target(self, name: str) -> TargetEntry:
        """Return a target; ConfigError when there is none, or its entry has a problem."""
        return cast("TargetEntry", self._entry(name, "target", self.targets))

    def _entry(self, name: str, what: str, entries: Mapping[str, Source | TargetEntry]) -> Source | TargetEntry:
        if name in entries:
            return entries[name]
        for problem in self.problems:
            if problem.entry == f"{what} {name}":
                raise ConfigError(problem.message)
        raise ConfigError(f"{self.path} has no {what} named {name!r}{nearest(name, entries)}")


def config_path(path: Path | None = None) -> Path:
    """Return where threadline.yaml is: as given, THREADLINE_CONFIG, or in the working folder."""
    return path or Path(os.environ.get("THREADLINE_CONFIG") or DEFAULT_FILE)


def load_config(path: Path | None = None, *, entries: bool = True, only: str | None = None) -> Config:
    """Read threadline.yaml; ConfigError when it is not there, not YAML, or its top level is wrong.

    Without `entries` no source and target is looked at, and no connector imported: enough to read the store.
    `only` names a source: where there is one, neither the others nor targets are looked at.
    """
    chosen = config_path(path)
    if not chosen.is_file():
        raise ConfigError(
            f"no settings file at {chosen}: give one with --config or THREADLINE_CONFIG, or make {DEFAULT_FILE} (docs/configuration.md)"
        )
    document = read_yaml(chosen)
    top = document.check_keys((), document.value or {}, _TOP, "threadline.yaml")
    named: Mapping[str, Any] = _entries(document, top, "sources") if entries else {}
    receivers: Mapping[str, Any] = _entries(document, top, "targets") if entries else {}
    if only is not None and only in named:
        named, receivers = {only: named[only]}, {}
    problems: list[Problem] = []
    sources: dict[str, Source] = {}
    for name, entry in named.items():
        with _noted(problems, f"source {name}"):
            _check_name(document, "sources", name)
            sources[name] = _source(document, name, entry)
    targets: dict[str, TargetEntry] = {}
    for name, entry in receivers.items():
        with _noted(problems, f"target {name}"):
            _check_name(document, "targets", name)
            targets[name] = _target(document, name, entry, sources, top.get("sources"))
    matching: Matching | None = None
    if entries and only not in named:
        with _noted(problems, "matching"):
            matching = _matching(document, top)
    return Config(
        path=chosen.absolute(),
        database=_database(chosen, _text(document, top, "database")),
        region=_region(document, top),
        references=_references(document, top),
        sources=sources,
        targets=targets,
        problems=tuple(problems),
        policy=read_policy(document, top),
        matching=matching,
    )


@contextmanager
def _noted(problems: list[Problem], entry: str) -> Generator[None, Any, None]:
    """Make a problem of what is wrong with an entry."""
    try:
        yield
    except ConfigError as error:
        problems.append(Problem(entry=entry, message=str(error)))


def _entries(document: Document, top: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    value = top.get(block)
    if value is None:
        return {}
    if not is_mapping(value):
        raise document.error((block,), f"`{block}` is a mapping of names to entries")
    return value


def _check_name(document: Document, block: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise document.error((block, name), f"{name!r} is no usable name: small letters, digits and _, beginning with a letter")


def _text(document: Document, keys: Mapping[str, Any], name: str, at: Location = ()) -> str | None:
    value = keys.get(name)
    if value is not None and not isinstance(value, str):
        raise document.error((*at, name), f"`{name}` must be a text")
    return value


def _database(path: Path, value: str | None) -> str:
    url = os.environ.get("THREADLINE_DATABASE_URL") or value or "sqlite:///.threadline/threadline.db"
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(f"{prefix}/"):
        return f"{prefix}{(path.parent / url.removeprefix(prefix)).absolute()}"
    return url


def _references(document: Document, top: Mapping[str, Any]) -> Mapping[str, str]:
    place: Location = ("references",)
    given = document.check_keys(place, top.get("references") or {}, ("order",), "`references`")
    found = {name: pattern for name in given if (pattern := _text(document, given, name, place))}
    for name, pattern in found.items():
        try:
            empty = order_numbers(pattern).search("")
        except re.error as error:
            raise document.error((*place, name), f"not a regular expression: {error}") from None
        if empty:
            raise document.error(
                (*place, name), f"{pattern!r} also fits where nothing stands: it would join everything that a customer says"
            )
    return found


def _source(document: Document, name: str, entry: Any) -> Source:
    at: Location = ("sources", name)
    keys = document.check_keys(at, entry, _SOURCE, f"source {name}")
    connector = _text(document, keys, "connector", at)
    if not connector:
        raise document.error(at, f"source {name} needs `connector`")
    try:
        kind = connector_class(connector)
    except ConfigError as error:
        raise document.error((*at, "connector"), str(error)) from None
    given: Mapping[str, Any] = keys.get("settings") or {}
    settings = document.check_keys((*at, "settings"), given, kind.settings_type().model_fields, f"source {name} ({connector})")
    settings = found_files(document, kind, settings)
    check_settings(document, at, name, kind, settings)
    streams, drift = _streams(document, at, keys.get("streams"), kind, settings)
    return Source(
        name, connector, _schedule(document, keys, at), settings, streams, drift, document.at(at), _budget(document, keys, at),
        _region(document, keys, at), _listen(document, keys, at, kind),
    )  # fmt: skip


def _region(document: Document, keys: Mapping[str, Any], at: Location = ()) -> str | None:
    region = _text(document, keys, "region", at)
    if region is not None and not _COUNTRY.fullmatch(region):
        raise document.error((*at, "region"), f"{region!r} is no country's code of ISO 3166: two capital letters, such as DE or GB")
    return region


def _listen(document: Document, keys: Mapping[str, Any], at: Location, kind: type[Connector[Any]]) -> bool:
    listen: Any = keys.get("listen", False)
    if not isinstance(listen, bool):
        raise document.error((*at, "listen"), f"expected true or false, not {listen!r}")
    if listen and not issubclass(kind, Listener):
        raise document.error((*at, "listen"), f"{kind.name} does not say by itself when something has changed: give it a schedule")
    if listen and keys.get("schedule") in _PRESETS:
        raise document.error((*at, "schedule"), f"{keys['schedule']} does not go with `listen`: give a cron expression, or no schedule")
    return listen


def _budget(document: Document, keys: Mapping[str, Any], at: Location) -> Mapping[str, int]:
    given: Any = keys.get("budget") or {}
    if not is_mapping(given):
        raise document.error((*at, "budget"), "expected names of allowances, each with a number of calls")
    for name, calls in given.items():
        if type(calls) is not int or calls < 1:
            raise document.error((*at, "budget", name), f"expected a number of calls, 1 or more, not {calls!r}")
    return given


def _matching(document: Document, top: Mapping[str, Any]) -> Matching | None:
    at: Location = ("matching",)
    if "matching" not in top:
        return None
    keys = document.check_keys(at, top["matching"] or {}, ("schedule",), "`matching`")
    schedule = _schedule(document, keys, at)
    if schedule is None:
        raise document.error(at, "`matching` needs `schedule`: when everybody is matched, such as 0 3 * * *")
    return Matching(schedule, document.at(at))


def _schedule(document: Document, keys: Mapping[str, Any], at: Location) -> str | None:
    schedule = _text(document, keys, "schedule", at)
    if schedule is not None and schedule not in _PRESETS and not is_cron(schedule):
        raise document.error((*at, "schedule"), f"{schedule!r} is no cron expression: five fields, such as */5 * * * *, or @hourly")
    return schedule


def is_cron(schedule: str) -> bool:
    """Say whether a schedule is a cron expression, or one of the names for one."""
    from croniter import croniter

    return (schedule.startswith("@") or len(schedule.split()) == 5) and bool(croniter.is_valid(schedule))


def _streams(
    document: Document, at: Location, value: Any, kind: type[Connector[Any]], settings: Mapping[str, Any]
) -> tuple[Mapping[str, str], Mapping[str, DriftPolicy]]:
    """Return each stream's mapping, and the drift policies."""
    streams = offered_streams(kind, settings)
    if value is None:
        return {stream.name: stream.mapping for stream in streams if not stream.optional}, {}
    offered = {stream.name: stream.mapping for stream in streams}
    place = (*at, "streams")
    chosen = document.check_keys(place, value, offered, f"`streams` of a {kind.name} source")
    mappings: dict[str, str] = {}
    drift: dict[str, DriftPolicy] = {}
    for name, entry in chosen.items():
        keys = document.check_keys((*place, name), entry or {}, ("mapping", "drift"), f"stream {name}")
        mappings[name] = _text(document, keys, "mapping", (*place, name)) or offered[name]
        policy = _text(document, keys, "drift", (*place, name))
        if policy is not None and policy not in DRIFT_POLICIES:
            raise document.error((*place, name, "drift"), f"{policy!r} is no drift policy: {', '.join(DRIFT_POLICIES)}")
        if policy:
            drift[name] = policy
    return mappings, drift


def _target(document: Document, name: str, entry: Any, sources: Mapping[str, Source], named: Any) -> TargetEntry:
    at: Location = ("targets", name)
    keys = document.check_keys(at, entry, _TARGET, f"target {name}")
    system = _text(document, keys, "system", at)
    if not system:
        raise document.error(at, f"target {name} needs `system`: the source whose connector and credentials it uses")
    if system not in sources:
        broken = is_mapping(named) and system in named
        hint = "has a problem of its own" if broken else f"is not there{nearest(system, sources)}"
        raise document.error((*at, "system"), f"target {name}: source {system!r} {hint}")
    kind = connector_class(sources[system].connector)
    if not issubclass(kind, Target):
        raise document.error((*at, "system"), f"target {name}: the connector {kind.name} takes no pushes")
    known = [item.name for item in offered_objects(kind, sources[system].settings)]
    mappings = keys.get("push")
    if not is_list(mappings) or not mappings or not all(isinstance(item, str) for item in mappings):
        raise document.error(
            at, f"target {name} needs `push`: a list of push mappings, such as {kind.name}/push/{known[0] if known else 'note'}"
        )
    target = TargetEntry(name, system, tuple(mappings), _schedule(document, keys, at), document.at(at))
    for item in target.objects:
        if item not in known:
            raise document.error((*at, "push"), f"target {name}: {kind.name} takes no {item!r}{nearest(item, known)}")
    return target
