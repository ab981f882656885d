"""Stays connected to a source that says by itself when something has changed."""

import random
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from threading import Event

from msgspec import Struct

from threadline.sdk.contract import Listener
from threadline.sdk.errors import ConfigError, ConnectorError, RetryableError
from threadline.sync.config import Config, is_cron
from threadline.sync.connect import open_connector
from threadline.sync.lease import BusyError
from threadline.sync.run import pull_stream
from threadline.sync.views import Ledger

FIRST_WAIT = 1.0
LONGEST_WAIT = 300.0
"""Seconds before a connection is made again: they double while it does not last."""
_LASTING = 60.0
USUAL_PAUSE = 300.0
"""Seconds after which a source without a schedule is pulled although it said nothing."""
PATIENCE = 1.0
"""Seconds after which it is seen that there is something to do besides listening."""
_PULL_AGAIN = 10.0
"""Seconds after which a pull is tried again that could not be made, such as while another run is under way."""

Report = Callable[[ConnectorError, float], None]
"""Told why a connection ended, and in how many seconds it is made again."""


def notices(config: Config, source: str, *, credentials: Mapping[str, str] | None = None, report: Report) -> Generator[Collection[str]]:
    """Yield which streams of a source may have changed, without end and whatever becomes of the connection.

    None are yielded after each second without news. All are yielded first, and again whenever a connection was made anew.
    ConfigError when a person must change something; any other error is reported, and passes.
    """
    wait = FIRST_WAIT
    while True:
        began = time.monotonic()
        try:
            yield from _connected(config, source, credentials)
        except ConfigError:
            raise
        except ConnectorError as error:
            wait = FIRST_WAIT if time.monotonic() - began > _LASTING else min(wait * 2, LONGEST_WAIT)
            asked = error.retry_after if isinstance(error, RetryableError) else None
            pause = max(asked or 0.0, wait * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all connect at once
            report(error, pause)
            yield from _quiet(pause)


def _connected(config: Config, source: str, credentials: Mapping[str, str] | None) -> Iterator[Collection[str]]:
    entry = config.source(source)
    with open_connector(entry, credentials, database=config.database) as connector:
        if not isinstance(connector, Listener):
            raise ConfigError(f"source {source}: {entry.connector} does not say by itself when something has changed: give it a schedule")
        for streams in connector.listen(PATIENCE):
            yield [stream for stream in streams if stream in entry.streams]


def _quiet(seconds: float) -> Iterator[Collection[str]]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, PATIENCE))
        yield ()


class Followed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened to a source that is followed: a pull's ledger, or an error and in how many seconds there is another try."""

    at: datetime
    source: str
    stream: str | None = None
    pulled: Ledger | None = None
    error: str | None = None
    again_in: int | None = None


class Follower:
    """Pulls a source's streams as soon as they may have changed, and by its schedule, or `every` so many seconds, in any case.

    A scheduled run of the same stream does no harm: one of the two is refused, and tries again. What happens is told to `tell`; a pull
    that found nothing only the first time, and an error not again while it stays the same.
    """

    def __init__(self, config: Config, source: str, tell: Callable[[Followed], None], *, every: float | None = None) -> None:
        self.source = source
        self.tell = tell
        self._config = config
        self._source = config.source(source)
        self._every = every
        self._due = dict.fromkeys(self._source.streams, 0.0)
        self._said: dict[str | None, str | None] = {}
        self._stopped = Event()

    def stop(self) -> None:
        """Let `run` return; a pull that is under way ends behind the batch that it is at."""
        self._stopped.set()

    def run(self) -> None:
        """Follow the source until it is told to stop; ConfigError when a person must change something before it can be followed."""
        with suppress(KeyboardInterrupt):
            for streams in notices(self._config, self.source, report=lambda error, pause: self._failed(None, error, pause)):
                self._go_on()
                now = time.monotonic()
                if streams:
                    self._said[None] = None
                self._due.update(dict.fromkeys(streams, now))
                for stream in [stream for stream, due in self._due.items() if due <= now]:
                    self._pull(stream)

    def _go_on(self, _ledger: Ledger | None = None) -> None:
        if self._stopped.is_set():
            # What a run that is ended by hand ends with.
            raise KeyboardInterrupt

    def _pull(self, stream: str) -> None:
        pause = self.pause()
        try:
            ledger = pull_stream(self._config, self.source, stream, progress=self._go_on)
        except ConnectorError as error:
            if isinstance(error, BusyError):
                # It ends long before it would have to.
                pause = min(pause, _PULL_AGAIN)
            elif isinstance(error, RetryableError):
                pause = min(pause, max(error.retry_after or 0.0, _PULL_AGAIN))
            self._failed(stream, error, pause)
        else:
            if ledger.read or self._said.get(stream, "") is not None:
                self.tell(Followed(at=datetime.now(UTC), source=self.source, stream=stream, pulled=ledger))
            self._said[stream] = None
        self._due[stream] = time.monotonic() + pause

    def pause(self) -> float:
        """Return in how many seconds a stream is pulled although nothing has said that it changed."""
        if self._every is not None or self._source.schedule is None or not is_cron(self._source.schedule):
            return self._every or USUAL_PAUSE
        from croniter import croniter

        now = time.time()
        return float(croniter(self._source.schedule, now).get_next(float)) - now

    def _failed(self, stream: str | None, error: ConnectorError, pause: float) -> None:
        if self._said.get(stream) != str(error):
            self._said[stream] = str(error)
            self.tell(Followed(at=datetime.now(UTC), source=self.source, stream=stream, error=str(error), again_in=round(pause)))
