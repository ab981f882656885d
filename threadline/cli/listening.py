"""`threadline listen`."""

import threading
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec

from threadline.cli.context import CONFIG
from threadline.cli.exits import code_of, describe, leave, until_told, worst
from threadline.cli.output import plain
from threadline.sdk.contract import Listener
from threadline.sdk.errors import ConfigError, ConnectorError
from threadline.sdk.registry import connector_class
from threadline.store.database import open_database
from threadline.sync.config import Config
from threadline.sync.listen import Followed, Follower

_TICK = 0.2
_GRACE = 10.0
"""Seconds in which a pull that is under way may come to the end of its batch; what it has stored stays in any case."""


class _Thread(threading.Thread):
    """Follows one source."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(daemon=True)
        self.follower = follower
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.follower.run()
        except Exception as error:
            self.error = error
            if isinstance(error, ConnectorError):
                self.follower.tell(Followed(at=datetime.now(UTC), source=self.follower.source, error=describe(error)))


def listen_to(sources: Sequence[str], *, every: float | None, json: bool) -> None:
    """Follow sources until Ctrl-C, or until none can be followed any more."""
    config = CONFIG.load()
    tell = _print_json if json else _print
    threads = [_Thread(Follower(config, source, tell, every=every)) for source in _chosen(config, sources)]
    # Whether the database can be used is no source's fault, and not to be found out by all of them at once.
    open_database(config.database, create=True).close()
    with until_told() as told:
        for thread in threads:
            thread.start()
        while not told.wait(_TICK) and any(thread.is_alive() for thread in threads):
            continue
    for thread in threads:
        thread.follower.stop()
    for thread in threads:
        thread.join(_GRACE)
    leave(worst(_code(thread.error) for thread in threads if thread.error))


def _chosen(config: Config, sources: Sequence[str]) -> list[str]:
    if sources:
        return [config.source(source).name for source in dict.fromkeys(sources)]
    found = [name for name, one in config.sources.items() if issubclass(connector_class(one.connector), Listener)]
    if not found:
        raise ConfigError(f"{config.path} has no source that says by itself when something has changed")
    return found


def _code(error: Exception) -> int:
    if isinstance(error, ConnectorError):
        return code_of(error)
    raise error


def _print_json(what: Followed) -> None:
    print(msgspec.json.encode(what).decode(), flush=True)


def _print(what: Followed) -> None:
    subject = f"{what.source}.{what.stream}" if what.stream else what.source
    if what.pulled:
        said = ", ".join(f"{count:,} {name}" for name, count in asdict(what.pulled).items() if count or name == "read")
    else:
        said = f"{what.error}; again in {what.again_in} s" if what.again_in is not None else str(what.error)
    print(f"{what.at.astimezone():%H:%M:%S} {subject}: {plain(said)}", flush=True)
