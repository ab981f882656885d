"""`threadline pull`, `push` and `sync`."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from threadline.cli.context import CONFIG
from threadline.cli.exits import leave_with
from threadline.cli.output import print_json, print_table, working
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.sdk.yamlfile import nearest
from threadline.store.database import open_database
from threadline.sync.breaker import BreakerError
from threadline.sync.config import Config
from threadline.sync.connect import open_connector
from threadline.sync.lease import BusyError
from threadline.sync.pull import Progress
from threadline.sync.run import pull_stream, push_target, resolve
from threadline.sync.views import Ledger

if TYPE_CHECKING:
    from threadline.sync.push import PushCounts

_LEDGER = ["read", "new", "changed", "unchanged", "filtered", "dead"]


class Outcome:
    """Collects what was done and what failed, so that one failing stream does not keep the others back."""

    def __init__(self, verb: str = "pulled") -> None:
        self._verb = verb
        self.pulled: list[tuple[str, str, Ledger]] = []
        self.pushed: list[tuple[str, PushCounts]] = []
        self.errors: list[tuple[str, ConnectorError]] = []
        self.unusable: set[str] = set()
        """Sources that did not let us in, or did not answer."""

    def failed(self, what: str, error: ConnectorError) -> None:
        """Note a failure."""
        self.errors.append((what, error))

    def show(self, *, json: bool) -> None:
        """Print everything, and end with the code."""
        if json:
            print_json(self._document())
        else:
            self._tables()
        leave_with(self.errors)

    def _document(self) -> dict[str, Any]:
        return {
            self._verb: [{"source": source, "stream": stream, **_counts(ledger)} for source, stream, ledger in self.pulled],
            "pushed": [
                {"target": target, "sent": counts.sent, "failed": counts.failed, "waiting": counts.waiting}
                for target, counts in self.pushed
            ],
            "errors": [{"what": what, "message": str(error)} for what, error in self.errors],
        }

    def _tables(self) -> None:
        if self.pulled:
            rows = [(f"{source}.{stream}", *_counts(ledger).values()) for source, stream, ledger in self.pulled]
            print_table(["stream", *_LEDGER], rows, numbers=_LEDGER, prose=["stream"])
        if self.pulled and self.pushed:
            print()
        if self.pushed:
            counts = ["sent", "failed", "waiting"]
            print_table(
                ["target", *counts],
                [(target, one.sent, one.failed, one.waiting) for target, one in self.pushed],
                numbers=counts,
                prose=["target"],
            )


def _counts(ledger: Ledger) -> dict[str, int]:
    return {name: getattr(ledger, name) for name in _LEDGER}


def pull_source(source: str, streams: Iterable[str] | None, *, full: bool, resume: bool, json: bool) -> None:
    """Pull one source's streams, and print their ledgers."""
    config = CONFIG.load(only=source)
    chosen = chosen_streams(config, source, streams)
    outcome = Outcome()
    _pull(config, source, chosen, outcome, full=full, resume=resume, json=json)
    outcome.show(json=json)


def chosen_streams(config: Config, source: str, streams: Iterable[str] | None) -> list[str]:
    """Return the streams named, or all of the source; ConfigError when it has none of such a name."""
    entry = config.source(source)
    chosen = list(streams or entry.streams)
    for stream in chosen:
        if stream not in entry.streams:
            raise ConfigError(f"source {source} has no stream {stream!r}{nearest(stream, entry.streams)}")
    return chosen


def _prepare(config: Config) -> None:
    """Find out at once when the database cannot be used: that is no source's fault."""
    open_database(config.database, create=True).close()


def _pull(
    config: Config, source: str, streams: list[str], outcome: Outcome, *, full: bool = False, resume: bool = False, json: bool
) -> None:
    for stream in streams:
        with working(f"pulling {source}.{stream}", quiet=json) as report:
            try:
                ledger = pull_stream(config, source, stream, full=full, resume=resume, progress=reading(report))
            except (BusyError, BreakerError) as error:
                outcome.failed(f"{source}.{stream}", error)
            except ConnectorError as error:
                if not outcome.pulled:
                    _prepare(config)
                if (common := _trouble(config, source)) is not None:
                    # The other streams would fail of the same.
                    outcome.failed(f"source {source}", common)
                    outcome.unusable.add(source)
                    return
                outcome.failed(f"{source}.{stream}", error)
            else:
                outcome.pulled.append((source, stream, ledger))


def reading(report: Callable[[str], None]) -> Progress:
    """Report how many records were read."""
    return lambda ledger: report(f"{ledger.read:,} read")


def _trouble(config: Config, source: str) -> ConnectorError | None:
    """Say what keeps the whole source from working: its address or credentials."""
    try:
        with open_connector(config.sources[source], database=config.database) as connector:
            connector.check()
    except ConnectorError as error:
        return error
    return None


def push_one(target: str, *, json: bool) -> None:
    """Join what was pulled, and push to one target."""
    config = CONFIG.load()
    config.target(target)
    outcome = Outcome()
    with working("joining customers and threads", quiet=json):
        resolve(config)
    _push(config, target, outcome, json=json)
    outcome.show(json=json)


def _push(config: Config, target: str, outcome: Outcome, *, json: bool) -> None:
    with working(f"pushing to {target}", quiet=json) as report:
        try:
            counts = push_target(config, target, progress=lambda now: report(f"{now.sent:,} sent"))
        except ConnectorError as error:
            outcome.failed(f"target {target}", error)
        else:
            outcome.pushed.append((target, counts))


def sync_all(*, json: bool) -> None:
    """Pull every source, join, and push to every target."""
    config = CONFIG.load()
    outcome = Outcome()
    _prepare(config)
    for problem in config.problems:
        outcome.failed(problem.entry, ConfigError(problem.message))
    for source, entry in config.sources.items():
        _pull(config, source, list(entry.streams), outcome, json=json)
    with working("joining customers and threads", quiet=json):
        resolve(config)
    for target, receiver in config.targets.items():
        # Where a source cannot be used, a push through it would only say so again.
        if receiver.system not in outcome.unusable:
            _push(config, target, outcome, json=json)
    if not (json or config.sources or config.problems):
        print(f"{config.path} has no sources")
    outcome.show(json=json)
