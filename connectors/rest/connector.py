"""The connector: streams and objects come from the API file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.rest.apifile import load_api, short_name, smaller_pages
from connectors.rest.declaration import ApiFile
from connectors.rest.kinds import kind_of
from connectors.rest.settings import CREDENTIALS, RestSettings
from threadline.sdk import ConfigError, Connector, Cursor, Intent, Lookup, Page, PushObject, Receipt, RecordError, Stream, Target
from threadline.sdk.budget import Allowance

if TYPE_CHECKING:
    from connectors.rest.client import Client


def given_id(value: Any) -> Any:
    """Return an id; ValueError for 0, which stands for nobody in many systems."""
    if value in (0, "0"):
        raise ValueError("0 is nobody's id")
    return value


def dotted_time(value: Any) -> str:
    """Return Roundup's 2026-01-02.03:04:05, which is in UTC, as other systems write it."""
    day, dot, clock = str(value).partition(".")
    if not dot:
        raise ValueError("not a time such as 2026-01-02.03:04:05")
    return f"{day}T{clock}Z"


def milliseconds(value: Any) -> float:
    """Return milliseconds since 1970 as seconds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("not a whole number of milliseconds")
    return value / 1000


class Rest(Connector[RestSettings], Target, Lookup):
    """Any JSON API over HTTP, as a YAML file describes it."""

    name: ClassVar[str] = "rest"
    about: ClassVar[str] = "Any JSON API that a YAML file describes: WooCommerce, Roundup, Request Tracker, your own"
    objects: ClassVar[tuple[PushObject, ...]] = ()
    functions: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "dotted_time": dotted_time,
        "given_id": given_id,
        "milliseconds": milliseconds,
    }
    sandbox: ClassVar[str | None] = "connectors.rest.sandbox:RestSandbox"
    connection_type: ClassVar[str] = "http"

    @cached_property
    def _api(self) -> ApiFile:
        return smaller_pages(load_api(self.settings.api), self.settings.page_size)

    @cached_property
    def _client(self) -> "Client":
        # The HTTP library is not imported by those who only list streams.
        from connectors.rest.client import Client

        settings = self.settings
        needed = CREDENTIALS.get(type(self._api.auth), ())
        secrets = {name: getattr(settings, name) for name in needed}
        return Client(short_name(settings.api), self._api, settings.base_url, settings.variables, secrets, self.tokens, self.budget)

    def allowances(self) -> Sequence[Allowance]:
        """Return the API file's rate."""
        rate = self._api.rate
        return (Allowance("requests", rate.requests, rate.seconds),) if rate else ()

    def available_streams(self) -> Sequence[Stream]:
        """Return the streams that the API file declares."""
        folder = f"rest/{short_name(self.settings.api)}"
        return [
            Stream(name, each.keys, each.mapping or f"{folder}/{name}", each.about, kind_of(self._api.streams, name))
            for name, each in self._api.streams.items()
        ]

    def available_objects(self) -> Sequence[PushObject]:
        """Return the objects that the API file declares."""
        from connectors.rest.push import push_object

        return [push_object(name, each) for name, each in self._api.push.items()]

    def check(self) -> None:
        """Make the call that the API file names, or read the first stream's first page."""
        from connectors.rest.pull import Reader
        from connectors.rest.request import request_of

        if self._api.check:
            try:
                self._client.ask(request_of(self._api.check), {})
            except RecordError as error:
                raise ConfigError(f"{error}: the call that `check` names must find something") from None
        elif self._api.streams:
            Reader(self._client, self._api.streams, next(iter(self._api.streams))).first()
        else:
            raise ConfigError(f"{self._client.name}: the API file has no streams, and no `check` that could be called")

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the records that changed since, as the stream's `cursor` and `paging` say."""
        from connectors.rest.pull import Reader

        if stream not in self._api.streams:
            raise ConfigError(f"{self._client.name} has no stream {stream!r}; it has {', '.join(self._api.streams) or 'none'}")
        return Reader(self._client, self._api.streams, stream).pages(since)

    def looks_up(self, stream: str) -> bool:
        """Whether the API file says how."""
        return stream in self._api.streams and self._api.streams[stream].recheck is not None

    def gone(self, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """Ask for the records as the stream's `recheck` says; where there is none, nothing is known."""
        from connectors.rest.recheck import Asker

        declared = self._api.streams.get(stream)
        if declared is None or declared.recheck is None:
            return iter(())
        return Asker(self._client, declared, declared.recheck).gone(keys)

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the contract's word
        """Write records as the object's calls say."""
        from connectors.rest.push import Writer

        if object not in self._api.push:
            raise ConfigError(f"{self._client.name} takes no {object!r}; it takes {', '.join(self._api.push) or 'nothing'}")
        return Writer(self._client, self._api.push[object]).write(intents)

    def close(self) -> None:
        """Close the session."""
        if "_client" in self.__dict__:
            self._client.close()
