"""Asking for single records again, to find those that are gone."""

from collections.abc import Iterator, Sequence
from typing import Any

from connectors.rest.additions import is_deleted
from connectors.rest.client import Client
from connectors.rest.declaration import Recheck, StreamFile
from connectors.rest.errors import RefusalError
from connectors.rest.paths import look_up
from connectors.rest.request import request_of
from connectors.rest.template import placeholders
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.yamlfile import is_list, is_mapping


class Asker:
    """Asks for the records of one stream."""

    def __init__(self, client: Client, stream: StreamFile, recheck: Recheck) -> None:
        self._client = client
        self._stream = stream
        self._recheck = recheck
        self._shown = f"{client.name}: {recheck.path}"

    def gone(self, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield, call by call, the keys whose records are there no more, or have the mark of deleted ones."""
        if "keys" not in placeholders(self._recheck.parameters):
            yield from ([key] for key in keys if self._is_gone(key))
            return
        for start in range(0, len(keys), self._recheck.size):
            asked = keys[start : start + self._recheck.size]
            there = self._there(asked)
            yield [key for key in asked if key not in there]

    def _is_gone(self, key: str) -> bool:
        try:
            record = self._client.ask(request_of(self._recheck), {"key": key})
        except RefusalError as refusal:
            return refusal.nothing
        if not is_mapping(record):
            raise RetryableError(f"{self._shown} answered with something else than a record")
        return is_deleted(record, self._stream)

    def _there(self, keys: Sequence[str]) -> set[str]:
        try:
            answer = self._client.ask(request_of(self._recheck), {"keys": ",".join(keys)})
        except RefusalError as refusal:
            raise ConfigError(f"{refusal}: the API file says that it concerns one record, and this call asks for many") from None
        records = look_up(answer, self._recheck.records) if self._recheck.records else answer
        if not is_list(records):
            raise RetryableError(f"{self._shown} answered with something else than an array of records")
        return {self._key(record) for record in records if not is_deleted(record, self._stream)}

    def _key(self, record: Any) -> str:
        return str(look_up(record, self._stream.keys[0]))
