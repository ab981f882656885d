"""The connector contract: what a connector declares, and the three things that it does.

Lifecycle, as the engine promises it: a connector is constructed from validated settings (and touches no network),
then `check`, `pull` or `push` are called, each from one thread at a time, then `close`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar, get_args

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from threadline.sdk.budget import UNLIMITED, Allowance, Budget
from threadline.sdk.oauth import Tokens

JSON: TypeAlias = Any
Cursor: TypeAlias = Mapping[str, JSON]
"""A position in a stream. The engine stores it as JSON and gives it back; only its connector reads it."""


class Settings(BaseModel):
    """Base of a connector's settings: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def credential(about: str, *, connection: str, default: Any = ...) -> Any:
    """Declare a settings field that never stands in threadline.yaml.

    Its value comes from the environment (`THREADLINE_<SOURCE>_<FIELD>`) or from the Airflow connection named like
    the source. `connection` says which part of that: login, password, host, or extra.<key>. Secrets are typed `SecretStr`.
    """
    return Field(default, description=about, json_schema_extra={"credential": True, "connection": connection})


def file_setting(about: str) -> Any:
    """Declare a settings field that names a file: a path, one that is relative begins beside threadline.yaml, or the name of a shipped one.

    A value that ends in .yaml is a path.
    """
    return Field(description=about, json_schema_extra={"file": True})


class CursorKind(ABC):
    """How a stream finds what is new in its source: declared with the stream, and what runs its scans (threadline.sdk.cursors)."""

    __slots__ = ()
    lists_all: ClassVar[bool] = False
    """Whether a scan without a saved cursor comes past every record that the source has: what it does not meet is gone."""

    @abstractmethod
    def __str__(self) -> str:
        """How the stream is read, in a line for people."""


class Stream(Struct, frozen=True):
    """One kind of record that a source offers.

    `key` names the top-level fields of the JSON record that identify it within the stream.
    `mapping` names the shipped mapping file, `<system>/<stream>`; threadline.yaml may choose another.
    `cursor` says which completeness its pulls promise; None: the connector answers for that alone.
    An `optional` one, which not every account has or needs, is read only where threadline.yaml names it.
    """

    name: str
    key: tuple[str, ...]
    mapping: str
    about: str = ""
    cursor: CursorKind | None = None
    optional: bool = False


class PushObject(Struct, frozen=True):
    """One kind of record that a target takes.

    `batch` is the most intents in one `push` call. `repeat` says what makes a repeated push harmless
    (docs: guarantees, G5): an idempotency `key`, an `upsert` by a unique external id, a searchable `marker`, or `never`.
    `opens_case` says that it comes back as a case whose external id is the receipt's remote id.
    """

    name: str
    batch: int
    repeat: Literal["key", "upsert", "marker", "never"]
    about: str = ""
    opens_case: bool = False


class Rejected(Struct, frozen=True):
    """A record that the connector could not turn into JSON: the engine keeps its bytes in a dead letter.

    `key` is the record's key as the engine writes it: the values of the stream's key fields joined by ":".
    """

    key: str
    raw: bytes
    reason: str


class Attachment(Struct, frozen=True):
    """A file that a record speaks of by its SHA-256: the engine keeps its content once, however many records carry it.

    `record` is the record's key as the engine writes it.
    """

    record: str
    content: bytes


class Page(Struct, frozen=True):
    """Some records, and the cursor that follows them.

    Each record is one JSON object in UTF-8. The engine stores records, their attachments and cursor in one transaction.
    `cursor` None means that nothing may be skipped yet: the saved cursor stays as it is.
    """

    records: Sequence[bytes]
    cursor: Cursor | None = None
    rejected: Sequence[Rejected] = ()
    attachments: Sequence[Attachment] = ()

    @property
    def size(self) -> int:
        """Bytes of its records and attachments."""
        return sum(map(len, self.records)) + sum(len(one.content) for one in self.attachments)


class Intent(Struct, frozen=True):
    """One change that a target shall take.

    `id` is the same for every attempt: use it as the idempotency key or marker. With `attempt` above 1 an earlier try
    may have reached the remote, so a connector whose object is not repeatable looks before it writes again.
    """

    id: str
    object: str
    payload: Mapping[str, JSON]
    attempt: int = 1


class Receipt(Struct, frozen=True):
    """What became of one intent: `done`, `retry` (not taken, may be later), `unknown` (may have been taken) or `dead`."""

    intent: str
    status: Literal["done", "retry", "unknown", "dead"]
    remote_id: str | None = None
    reason: str | None = None


SettingsT = TypeVar("SettingsT", bound=Settings)


class Connector(ABC, Generic[SettingsT]):
    """A system that records are pulled from. Subclasses declare `name`, `about` and `streams`.

    `extra` names the pip extra that brings the vendor's library; the library is imported only when it is used, so that
    a connector can be listed and documented without it. `functions` are what its mapping files may `call`: one value
    in, one value out, ValueError for a value that has no answer. `sandbox` is "module:Class" of its stand-in server.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    extra: ClassVar[str | None] = None
    streams: ClassVar[tuple[Stream, ...]] = ()
    functions: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    sandbox: ClassVar[str | None] = None
    connection_type: ClassVar[str] = "generic"
    budget: Budget = UNLIMITED
    """What calls are taken from (`threadline.sdk.budget.metered`); the engine sets it to one that all processes share."""

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings
        self.tokens = Tokens()
        """What refresh tokens have become; the engine sets it to what all processes share."""

    def account(self) -> str | None:
        """Name the account whose calls are counted: sources with the same name share them. None: each source has its own."""
        return None

    def allowances(self) -> Sequence[Allowance]:
        """Return how many calls the vendor allows the account."""
        return ()

    @classmethod
    def settings_type(cls) -> type[Settings]:
        """Return the settings class given in `Connector[...]`."""
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Settings):
                    return argument
        raise TypeError(f"{cls.__name__} must be declared as Connector[ItsSettings]")

    def available_streams(self) -> Sequence[Stream]:
        """Return the streams of this source; a connector whose streams come from the settings overrides it."""
        return self.streams

    @abstractmethod
    def check(self) -> None:
        """Make the cheapest call that proves address and credentials; raise ConfigError or RetryableError."""

    @abstractmethod
    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield the records that changed after `since` (None: all), in pages whose cursors never pass a record unread."""

    def close(self) -> None:
        """Release connections; called once, also after an error."""


class Lookup(ABC):
    """What a connector also is when its source can be asked for single records: so a sweep finds deletes that no listing tells of."""

    def looks_up(self, stream: str) -> bool:
        """Whether this stream's records can be asked for; a connector whose streams come from the settings overrides it."""
        return True

    @abstractmethod
    def gone(self, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield, request by request, those of the keys whose records the source says it has no longer; of others it says nothing."""


class Listener(ABC):
    """What a connector also is when its source says by itself that something has changed, so that nobody need ask all the time."""

    @abstractmethod
    def listen(self, patience: float) -> Iterator[Collection[str]]:
        """Yield the streams that may have changed, without end: all of them once changes are being told, then some whenever they are.

        None of them are yielded after each `patience` seconds without news, so that whoever listens may stop. Errors are those of `pull`.
        """


class Target(ABC):
    """What a connector also is when its system takes pushes. Subclasses declare `objects`."""

    objects: ClassVar[tuple[PushObject, ...]]

    def available_objects(self) -> Sequence[PushObject]:
        """Return what this target takes; a connector whose objects come from the settings overrides it."""
        return self.objects

    @abstractmethod
    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002 - the vendors' word
        """Write the intents, all of one object; yield one receipt for each, never all-or-nothing.

        A ConfigError or RetryableError raised half-way is an answer for every intent without a receipt yet: the engine
        marks those `unknown` and hands them in again later with a higher `attempt`.
        """
