"""What all kinds of paging are: they read the page at a position, which is JSON, so that a scan that broke off can go on there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import urljoin

from msgspec import Struct, field

from connectors.rest.auth import without_parameter
from threadline.sdk import JSON

At: TypeAlias = Mapping[str, JSON]
"""Where a page begins."""
DeclaredT = TypeVar("DeclaredT")


class Answer(Struct, frozen=True):
    """One response: its records, what was asked for of the body around them, and headers by their names in small letters.

    `hidden` is the parameter that has a secret in it, in this address and those that lead on.
    """

    records: Sequence[bytes]
    around: Mapping[str, Any] = field(default_factory=dict[str, Any])
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: str | None = None

    def address(self, found: Any) -> str:
        """Return the address that is meant by one in the answer, without the secret."""
        url = urljoin(self.url, str(found))
        return without_parameter(url, self.hidden) if self.hidden else url


class Found(Struct, frozen=True):
    """One page: `at` is where the next one begins (None: nowhere), `more` says whether there is one by now."""

    records: Sequence[bytes]
    at: At | None
    more: bool
    answer: Answer


class Ask(Protocol):
    """Makes one call: the stream's own with these placeholders, or to the address that the last answer led to."""

    def __call__(self, values: Mapping[str, Any], url: str | None = None) -> Answer: ...  # noqa: D102


class Pager(ABC, Generic[DeclaredT]):
    """One kind of paging. `around` are the paths of a body that it has to see, `keys` what a position consists of."""

    around: tuple[str, ...] = ()
    keys: AbstractSet[str] = frozenset()

    def __init__(self, name: str, declared: DeclaredT) -> None:
        self.name = name
        self.declared = declared

    @abstractmethod
    def read(self, ask: Ask, at: At | None) -> Found:
        """Read the page at a position, None: the first one."""
