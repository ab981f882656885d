"""What a scheduler, the command line and the tests call: one stream pulled, threads resolved, one target pushed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from threadline.mapping.library import compile_pull, pull_mapping, push_mapping
from threadline.sdk.errors import ConfigError
from threadline.sdk.registry import connector_class
from threadline.store.database import Transaction, open_database
from threadline.sync import offered as declared
from threadline.sync import pull as pulling
from threadline.sync.batch import Judge
from threadline.sync.config import Config
from threadline.sync.connect import open_connector
from threadline.sync.views import Ledger

if TYPE_CHECKING:
    from threadline.sync import push as pushing
    from threadline.sync.diff import Difference
    from threadline.sync.push import Outgoing, PushCounts
    from threadline.sync.reconcile import Reconciled

# What only one of these needs is imported there: a pull of a few records costs little more than its imports.


def judge_of(config: Config, source: str, stream: str, connector: Any) -> Judge:
    """Compile a stream's mapping; ConfigError when source, stream or mapping is not there or not right."""
    entry = config.source(source)
    if stream not in entry.streams:
        raise ConfigError(f"source {source} has no stream {stream!r}; it has: {', '.join(entry.streams)}")
    offered = pulling.stream_of(connector, stream)
    region = config.region_of(source)
    mapping = pull_mapping(entry.streams[stream], source, folder=config.folder, region=region, functions=connector.functions)
    return Judge(source, stream, offered.key, mapping, config.policy_of(source, stream).drift)


def pull_stream(
    config: Config,
    source: str,
    stream: str,
    *,
    credentials: Mapping[str, str] | None = None,
    full: bool = False,
    resume: bool = False,
    progress: pulling.Progress | None = None,
) -> Ledger:
    """Pull what changed in one stream."""
    with open_connector(config.source(source), credentials, database=config.database) as connector:
        judge = judge_of(config, source, stream, connector)
        with open_database(config.database, create=True) as database:
            return pulling.pull(
                database, connector, judge, full=full, resume=resume, progress=progress, policy=config.policy_of(source, stream)
            )


def replay_stream(config: Config, source: str, stream: str, *, progress: pulling.Progress | None = None) -> Ledger:
    """Map one stream's records again from the archive."""
    from threadline.sync.replay import replay

    with open_connector(config.source(source)) as connector:
        judge = judge_of(config, source, stream, connector)
        with open_database(config.database, create=False) as database:
            return replay(database, judge, progress=progress, policy=config.policy_of(source, stream))


def reconcile_stream(
    config: Config,
    source: str,
    stream: str,
    *,
    credentials: Mapping[str, str] | None = None,
    remove: bool = False,
    progress: pulling.Progress | None = None,
) -> "Reconciled":
    """Sweep one stream, and repair what incremental pulls missed."""
    from threadline.sync.reconcile import reconcile

    with open_connector(config.source(source), credentials, database=config.database) as connector:
        judge = judge_of(config, source, stream, connector)
        offered = pulling.stream_of(connector, stream)
        with open_database(config.database, create=True) as database:
            return reconcile(database, connector, judge, offered, remove=remove, progress=progress, policy=config.policy_of(source, stream))


def mapping_difference(config: Config, source: str, stream: str, text: str, name: str) -> "Difference":
    """Say what another text of a stream's mapping file would change."""
    from threadline.journey.references import Finder
    from threadline.sync.diff import difference

    with open_connector(config.source(source)) as connector, open_database(config.database, create=False) as database:
        judge = judge_of(config, source, stream, connector)
        with database.read() as view:
            rows = view.query(_IN_FORCE, [source, stream])
        if not rows:
            raise ConfigError(f"{source}.{stream} was not pulled yet: there is nothing to compare with")
        old, new = (
            compile_pull(one, name, source, region=config.region_of(source), functions=connector.functions) for one in (rows[0][0], text)
        )
        pushes = [one for target in config.targets for one in outgoing(config, target)]
        changed = Judge(source, stream, judge.key, new, judge.fields.policy)
        return difference(database, changed, old, Finder(config.references.get("order")), pushes, config.policy_of(source, stream))


_IN_FORCE = "SELECT m.text FROM streams s JOIN mappings m ON m.fingerprint = s.mapping WHERE s.source = ? AND s.stream = ?"


def resolve(config: Config) -> int:
    """Thread what changed; return how many threads and profiles did. Where the rules of identity changed, profiles are made anew before."""
    from threadline.journey.references import Finder
    from threadline.sync.identity import follow_rules
    from threadline.sync.matching import match_changes
    from threadline.sync.resolve import resolve as resolve_changes

    with open_database(config.database, create=True) as database:
        follow_rules(database, config.policy.identity)
        match_changes(database, config.policy.identity)
        return resolve_changes(database, Finder(config.references.get("order")))


def push_target(
    config: Config, target: str, *, credentials: Mapping[str, str] | None = None, progress: "pushing.Progress | None" = None
) -> "PushCounts":
    """Push what is due at one target."""
    from threadline.sync import push as pushing

    entry = config.target(target)
    with (
        open_connector(config.source(entry.system), credentials, database=config.database) as connector,
        open_database(config.database, create=True) as database,
    ):
        return pushing.push(database, connector, outgoing(config, target), progress)


def outgoing(config: Config, target: str) -> list["Outgoing"]:
    """Compile a target's push mappings."""
    from threadline.sync.push import Outgoing

    entry = config.target(target)
    source = config.source(entry.system)
    kind = connector_class(source.connector)
    offered = {item.name: item for item in declared.offered_objects(kind, source.settings)}
    found: list[Outgoing] = []
    for name, object_name in zip(entry.mappings, entry.objects, strict=True):
        mapping = push_mapping(name, folder=config.folder, region=config.region_of(entry.system), functions=kind.functions)
        found.append(Outgoing(target, entry.system, offered[object_name], mapping, config.policy.survivorship))
    return found


def credential_fields(config: Config, source: str) -> Mapping[str, str]:
    """Return a source's credentials: settings field -> part of an Airflow connection."""
    return declared.credential_fields(connector_class(config.source(source).connector))


def backlog(config: Config, transaction: Transaction) -> int:
    """Return how much is left to do with what was pulled: changes not yet joined or planned, and pushes that wait."""
    from threadline.sync.push import waiting
    from threadline.sync.resolve import READ, unread

    count = unread(transaction, "resolve", READ)
    for target in config.targets:
        count += waiting(transaction, target)
        count += sum(unread(transaction, one.consumer, one.reads) for one in outgoing(config, target))
    return count
