"""Lets Airflow's triggerer stay connected to the sources that say by themselves when something has changed.

It stands in this folder because the triggerer finds it here: dags/ is no place from which that process imports.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import closing, suppress
from typing import Any

from airflow.sdk import Asset, AssetWatcher, BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from airflow.triggers.base import BaseEventTrigger, TriggerEvent


class SourceTrigger(BaseEventTrigger):
    """Fires whenever a source may have something new, and once when it begins.

    Its arguments are stored in Airflow's database: the source's name, and nothing else.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """See `BaseTrigger`."""
        return "threadline_watch.SourceTrigger", {"source": self.source}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Listen without end: a trigger of an asset that ends is not begun again."""
        from threadline.sync.listen import LONGEST_WAIT

        while True:
            ear = _Ear(self.source, await self._credentials(), self.log)
            try:
                while await ear.heard():
                    yield TriggerEvent({"source": self.source})
            finally:
                ear.stop()
            await asyncio.sleep(LONGEST_WAIT)

    async def _credentials(self) -> Mapping[str, str]:
        from threadline.sdk import ConfigError
        from threadline.sync.config import load_config
        from threadline.sync.connect import from_connection

        try:
            connection = await BaseHook.aget_connection(self.source)
            # In a thread: the first time, connectors are imported.
            config = await asyncio.to_thread(load_config, only=self.source)
            found = from_connection(config.source(self.source), connection)
        except (AirflowNotFoundException, ConfigError):
            # The environment may have them; what else is wrong is said by whoever uses them.
            return {}
        for value in found.values():
            mask_secret(value)
        return found


class _Ear:
    """A thread that listens; the triggerer's own serves all triggers, and must not wait."""

    def __init__(self, source: str, credentials: Mapping[str, str], log: Any) -> None:
        self._source = source
        self._credentials = credentials
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._stopped = threading.Event()
        self._ended = False
        threading.Thread(target=self._listen, name=f"listen to {source}", daemon=True).start()

    async def heard(self) -> bool:
        """Wait for news; however many came, they are one. False when a person must change something first."""
        await self._news.wait()
        self._news.clear()
        return not self._ended

    def stop(self) -> None:
        """Let the thread end by itself."""
        self._stopped.set()

    def _listen(self) -> None:
        from threadline.sdk import ConfigError

        try:
            self._hear()
        except ConfigError as error:
            self._log.error("%s", error)
        except Exception as error:
            # Its text may quote what a server has sent.
            self._log.error("unforeseen %s: please report it", type(error).__name__)
        self._ended = True
        self._tell()

    def _hear(self) -> None:
        from threadline.sync.config import load_config
        from threadline.sync.listen import notices

        with closing(notices(load_config(), self._source, credentials=self._credentials, report=self._report)) as listening:
            for streams in listening:
                if self._stopped.is_set():
                    return
                if streams:
                    self._tell()

    def _report(self, error: Exception, pause: float) -> None:
        self._log.warning("%s; the next try is in %.0f s", error, pause)

    def _tell(self) -> None:
        # A triggerer that stops closes its loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._news.set)


def news_of(source: str) -> Asset:
    """Return the asset that says "this source may have something new", watched by the triggerer."""
    watcher = AssetWatcher(name=f"threadline_listen_{source}", trigger=SourceTrigger(source))
    return Asset(name=f"threadline_news_{source}", uri=f"threadline://news/{source}", watchers=[watcher])
