"""What the conformance kit asks of a connector's stand-in: to be filled, changed and hurt.

The kit (`threadline.testing.conformance`) proves a connector against any stand-in that has a rig; it knows no vendor.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from threadline.testing.sandbox import Sandbox


class WaivedError(Exception):
    """The vendor's system has no such thing; the reason stands in the kit's report."""


class Rig(ABC):
    """Works one running stand-in. Records of a stream, and intents of an object, are numbered from 1; times are the kit's.

    A method that the system has no answer to raises `WaivedError` with the vendor's reason.
    """

    all_streams: ClassVar[Mapping[str, Any]] = {}
    """Settings under which the connector offers every stream and object that it has."""
    small_pages: ClassVar[Mapping[str, Any]] = {}
    """Settings under which a page has few records, so that a handful of them fills several pages."""
    many: ClassVar[int] = 100_000
    """How many records shall pass without memory growing; fewer than these only where a stand-in has no room for them."""
    mappings: ClassVar[Path | None] = None
    """Folder in which `mappings/` stands, while the package that ships them is not installed."""
    tell_of_deletes: ClassVar[Collection[str]] = ()
    """Streams whose system tells who asks for changes that a record is gone; of others only a sweep finds that."""
    waivers: ClassVar[Mapping[str, str]] = {}
    """What else the vendor's system cannot pass: its reason, by "part" or "part: stream"."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self.sandbox = sandbox

    @property
    @abstractmethod
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """Where the stand-in listens, (host, port) by the protocol: http, or any other over TCP."""

    @abstractmethod
    def settings_at(self, ports: Mapping[int, int]) -> Mapping[str, Any]:
        """Return the connector's settings that reach the stand-in through other ports."""

    @abstractmethod
    def put(self, stream: str, number: int, at: datetime) -> str:
        """Make the stream's record of this number, last changed at `at`; return its key, as the engine writes keys."""

    def put_many(self, stream: str, numbers: Iterable[int], at: Callable[[int], datetime]) -> None:
        """Make the records of these numbers, each at its time; at once, where the stand-in takes long for each alone."""
        for number in numbers:
            self.put(stream, number, at(number))

    @abstractmethod
    def change(self, stream: str, number: int, at: datetime) -> None:
        """Change that record, in a field that its mapping reads."""

    @abstractmethod
    def delete(self, stream: str, number: int, at: datetime) -> None:
        """Delete that record, as the vendor's users do."""

    @abstractmethod
    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """Make a record that cannot be used; return its key. Odd numbers: not by the mapping; even ones: not even by the connector.

        Where the system holds nothing that a connector cannot read, all of them are of the first kind.
        """

    @abstractmethod
    def limit(self, seconds: int) -> None:
        """Answer the next request as the vendor does above its rate limit, asking for so many seconds of patience."""

    @abstractmethod
    def expire(self) -> None:
        """End every session and token that was granted so far; the credentials stay good."""

    def wrong(self, name: str) -> str:
        """Return a value that the system does not accept for a credential."""
        return f"wrong-{name}-5f3a9c"

    @abstractmethod
    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """Return what a push mapping could make for an object; what it refers to is there. The same number: the same thing."""

    @abstractmethod
    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """Return a payload that the system refuses for good; of an even number, if there is such, all that is in the same call as well."""

    @abstractmethod
    def written(self, object: str, number: int) -> int:  # noqa: A002
        """Return how many times the system now holds what `payload` of this number says."""


class HttpRig(Rig):
    """A rig of a stand-in that speaks HTTP at one address: `HttpSandbox`."""

    @property
    def addresses(self) -> Mapping[str, tuple[str, int]]:
        """See `Rig`."""
        return {"http": ("127.0.0.1", self._port)}

    @property
    def _port(self) -> int:
        return int(getattr(self.sandbox, "port"))  # noqa: B009 - every stand-in over HTTP has one

    def settings_at(self, ports: Mapping[int, int]) -> Mapping[str, Any]:
        """See `Rig`."""
        here = f"127.0.0.1:{self._port}"
        there = f"127.0.0.1:{ports.get(self._port, self._port)}"
        return {name: value.replace(here, there) if isinstance(value, str) else value for name, value in self.sandbox.settings.items()}
