"""One check's surroundings: a stand-in that runs, connectors to it, a store, and no waiting."""

import json
import tempfile
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from threadline.mapping.library import pull_mapping
from threadline.sdk import Connector, Cursor, Page, Stream, Target
from threadline.sdk.registry import load_object
from threadline.store.database import Database, open_database
from threadline.sync.batch import Judge
from threadline.sync.policy import Policy
from threadline.sync.pull import pull
from threadline.sync.views import Ledger
from threadline.testing.conformance.hearing import Heard, listening, overheard
from threadline.testing.rig import Rig

ONE_THREAD = Policy(ahead=0, breaker_percent=100)
_SOURCE = "trial"


class NonconformityError(AssertionError):
    """A connector breaks the contract; the message says how."""


def require(kept: bool, broken: str) -> None:
    """Hold a promise of the contract."""
    if not kept:
        raise NonconformityError(broken)


class Trial:
    """A connector and its stand-in, for one check."""

    def __init__(self, kind: type[Connector[Any]], rig: Rig, stack: ExitStack, waits: list[float], heard: Heard) -> None:
        self.path = f"{kind.__module__}:{kind.__name__}"
        self.kind = overheard(kind, heard)
        self.rig = rig
        self.waits = waits
        """What the connector would have slept, in seconds."""
        self.heard = heard
        """What got out meanwhile."""
        self.start = _in_a_second(datetime.now(UTC)) - timedelta(hours=1)
        self._stack = stack
        self._ports: Mapping[int, int] = {}

    def at(self, number: int) -> datetime:
        """Return the kit's time of a record: a second each, beginning an hour ago."""
        return self.start + timedelta(seconds=number)

    def just_now(self, before: int = 0) -> datetime:
        """Return the time of what happens now: of a second that has passed, or of one of those before it."""
        return _in_a_second(datetime.now(UTC)) - timedelta(seconds=1 + before)

    @contextmanager
    def through(self, ports: Mapping[int, int]) -> Generator[None]:
        """Let connectors made in this block go through other ports, such as a proxy's."""
        self._ports = ports
        try:
            yield
        finally:
            self._ports = {}

    def settings(self) -> dict[str, Any]:
        """Return settings that reach the stand-in, as threadline.yaml and the environment give them."""
        return {**self.rig.sandbox.secrets, **self.rig.settings_at(self._ports), **self.rig.all_streams}

    def connect(self, other: Mapping[str, Any] | None = None, *, small: bool = False) -> Connector[Any]:
        """Make a connector, with `other` settings where given; it is closed when the check is over."""
        settings = {**self.settings(), **(self.rig.small_pages if small else {}), **(other or {})}
        connector = self.kind(self.kind.settings_type().model_validate(settings))
        self.heard.know(connector.settings)
        self._stack.callback(connector.close)
        return connector

    def target(self) -> Target:
        """Make a connector that takes pushes."""
        connector = self.connect()
        if not isinstance(connector, Target):
            raise TypeError(f"{self.kind.__name__} takes no pushes")
        return connector

    def scan(self, stream: Stream, since: Cursor | None = None, *, small: bool = True, at_most: int = 10_000) -> list[Page]:
        """Read a stream to its end with a new connector; the cursor passes through JSON, as it does in a store."""
        given = None if since is None else json.loads(json.dumps(since))
        pages: list[Page] = []
        for page in self.connect(small=small).pull(stream.name, given):
            pages.append(page)
            require(len(pages) <= at_most, f"the scan has not come to an end after {at_most:,} pages")
        return pages

    def store(self) -> Database:
        """Open an empty store."""
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="threadline-trial-"))
        return self._stack.enter_context(open_database(f"sqlite:///{Path(folder)}/store.db", create=True))

    def judge(self, connector: Connector[Any], stream: Stream) -> Judge:
        """Compile the mapping that is shipped for a stream."""
        folder = self.rig.mappings or Path(self.rig.sandbox.folder or ".")
        mapping = pull_mapping(stream.mapping, _SOURCE, folder=folder, region="DE", functions=connector.functions)
        return Judge(_SOURCE, stream.name, stream.key, mapping)

    def require_discretion(self) -> None:
        """Hold that no secret, and nothing of a record, is in what was logged and raised so far."""
        own = [str(value) for value in {**self.rig.sandbox.settings, **self.rig.sandbox.secrets}.values()]
        require(not (told := list(self.heard.indiscretions(own))), f"{told[0] if told else ''}: that is not for everybody who reads logs")

    def pull(self, store: Database, stream: Stream, *, small: bool = True) -> Ledger:
        """Pull a stream into a store, as a scheduled run does."""
        connector = self.connect(small=small)
        return pull(store, connector, self.judge(connector, stream), policy=ONE_THREAD)


def _in_a_second(moment: datetime) -> datetime:
    """Return a time of the same second that no whole second, or millisecond, says exactly."""
    return moment.replace(microsecond=123_456)


def keys_of(stream: Stream, pages: Sequence[Page]) -> list[str]:
    """Return the keys of all records, as the engine writes them; a record without its key breaks the contract."""
    return [_key(stream, raw) for page in pages for raw in page.records]


def _key(stream: Stream, raw: bytes) -> str:
    try:
        record = json.loads(raw)
    except ValueError:
        raise NonconformityError(f"a record of {stream.name} is no JSON: {raw[:80]!r}") from None
    require(isinstance(record, dict), f"a record of {stream.name} is no JSON object: {raw[:80]!r}")
    values = [record.get(name) for name in stream.key]
    absent = [name for name, value in zip(stream.key, values, strict=True) if value in (None, "") or isinstance(value, dict | list)]
    require(not absent, f"a record of {stream.name} has no {' and no '.join(absent)}, which identify it: {raw[:80]!r}")
    return ":".join(str(value) for value in values)


def contents(store: Database, stream: Stream) -> dict[str, tuple[str, bytes | None]]:
    """Return what a store holds of a stream: state, and digest of the canonical rows, by the record's key."""
    with store.read() as view:
        rows = view.query("SELECT key, state, canonical FROM records WHERE source = ? AND stream = ?", [_SOURCE, stream.name])
    return {key: (state, canonical) for key, state, canonical in rows}


@contextmanager
def trial(kind: type[Connector[Any]]) -> Generator[Trial]:
    """Start a connector's stand-in, empty, for one check."""
    if kind.sandbox is None:
        raise NonconformityError(f"{kind.__name__} names no stand-in (`sandbox`), so nothing can be proven of it")
    with ExitStack() as stack:
        sandbox = stack.enter_context(load_object(kind.sandbox)())
        waits, heard = stack.enter_context(no_waiting()), stack.enter_context(listening())
        yield Trial(kind, sandbox.rig(), stack, waits, heard)


@contextmanager
def no_waiting() -> Generator[list[float]]:
    """Let `time.sleep` of this thread only note how long it would have taken; other threads are stand-ins, and do sleep."""
    waits: list[float] = []
    slept, here = time.sleep, threading.get_ident()

    def sleep(seconds: float, /) -> None:
        if threading.get_ident() == here:
            waits.append(seconds)
        else:
            slept(seconds)

    time.sleep = sleep  # type: ignore[assignment]  # the stub takes whatever has __index__ too
    try:
        yield waits
    finally:
        time.sleep = slept


def a_moment() -> None:
    """Really wait, for as long as a fault that passes with time may last."""
    threading.Event().wait(0.03)
