"""Who did something, and on which ticket: looked up a hundred at once, and remembered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

from connectors.zendesk.client import Client

AT_ONCE = 100
"""Ids that show_many takes in one call."""
REMEMBERED = 10_000
"""Users, and tickets, that are not asked for again."""


class Identified(Struct):
    """Anything of Zendesk's."""

    id: int


class User(Identified):
    """Who somebody is."""

    role: str | None = None
    name: str | None = None
    email: str | None = None


class Ticket(Identified):
    """Whose a ticket is, and what it is about."""

    requester_id: int | None = None
    subject: str | None = None


def id_of(value: object) -> int:
    """Return the id of a user; 0 for what is none."""
    return value if isinstance(value, int) else 0


T = TypeVar("T", bound=Identified)


class _Shown(Struct, Generic[T]):
    found: list[T]


class _Users(_Shown[User]):
    found: list[User] = field(name="users")


class _Tickets(_Shown[Ticket]):
    found: list[Ticket] = field(name="tickets")


class Directory:
    """Remembers the users and tickets that were asked for last, for as long as it lives, which is one pull."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._users: dict[int, User | None] = {}
        self._tickets: dict[int, Ticket | None] = {}

    def users(self, ids: Iterable[object]) -> Mapping[int, User | None]:
        """Return users, at least these; None for one that Zendesk does not know. What is no id of a user is left out."""
        people = {number for one in ids if (number := id_of(one)) > 0}
        return self._remember(self._users, people, lambda some: self._show_many("users", some, _Users))

    def tickets(self, ids: Iterable[int]) -> Mapping[int, Ticket | None]:
        """Return tickets, at least these; None for one that Zendesk does not show."""
        return self._remember(self._tickets, set(ids), lambda some: self._show_many("tickets", some, _Tickets))

    @staticmethod
    def _remember(known: dict[int, T | None], wanted: set[int], ask: Callable[[Sequence[int]], dict[int, T]]) -> dict[int, T | None]:
        while len(known) > REMEMBERED:
            del known[next(iter(known))]
        missing = sorted(wanted - known.keys())
        for start in range(0, len(missing), AT_ONCE):
            ids = missing[start : start + AT_ONCE]
            known |= {**dict.fromkeys(ids), **ask(ids)}
        return known

    def _show_many(self, kind: str, ids: Sequence[int], shape: type[_Shown[T]]) -> dict[int, T]:
        """Return those that Zendesk knows."""

        def ask() -> dict[int, T]:
            answer, _ = self._client.read(f"/api/v2/{kind}/show_many.json", shape, ids=",".join(map(str, ids)))
            return {one.id: one for one in answer.found}

        found = ask()
        # Who is not in the answer counts as gone: one about others may be a proxy's, to an earlier question.
        return found if found.keys() <= set(ids) else ask()
