"""Asks again for what an export has no longer: of what is deleted for good Zendesk tells by its silence alone.

What was merely deleted is still there: users and organizations among the others, tickets in a list of their own for 30 days
(developer.zendesk.com, Deleted Tickets), from which they can be restored.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from connectors.zendesk.client import Client, RefusalError

LOOKED_UP = ("users", "tickets", "organizations", "status_changes", "articles")
AT_ONCE = 100
"""Ids that show_many takes, and tickets on a page of the deleted ones."""


class _Identified(Struct):
    id: int


class _Shown(Struct):
    users: list[_Identified] = []
    tickets: list[_Identified] = []
    organizations: list[_Identified] = []


class _Meta(Struct):
    has_more: bool = False
    after_cursor: str | None = None


class _Deleted(Struct):
    deleted_tickets: list[_Identified]
    meta: _Meta


def gone(client: Client, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield, hundred by hundred, those of the keys whose records Zendesk has no longer."""
    if stream == "articles":
        # Articles have no show_many.
        return ([key] for key in keys if _is_id(key) and _is_unknown(client, "help_center/articles", key))
    if stream == "status_changes":
        return _gone_with_their_tickets(client, keys)
    return _gone(client, stream, keys)


def _gone_with_their_tickets(client: Client, keys: Sequence[str]) -> Iterator[Sequence[str]]:
    of_ticket: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        of_ticket[key.partition(":")[0]].append(key)
    for tickets in _gone(client, "tickets", list(of_ticket)):
        yield [key for ticket in tickets for key in of_ticket[ticket]]


def _gone(client: Client, stream: str, keys: Sequence[str]) -> Iterator[Sequence[str]]:
    ids = [key for key in keys if _is_id(key)]
    restorable: set[str] | None = None
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        answer, _ = client.read(f"/api/v2/{stream}/show_many.json", _Shown, ids=",".join(some))
        shown = {str(one.id) for one in getattr(answer, stream)}
        missing = [identity for identity in some if identity not in shown]
        if missing and stream == "tickets" and restorable is None:
            restorable = set(_deleted_tickets(client))
        yield [one for one in missing if one not in (restorable or ()) and _is_unknown(client, stream, one)]


def _is_id(key: str) -> bool:
    return key.isascii() and key.isdigit()


def _is_unknown(client: Client, stream: str, identity: str) -> bool:
    # A list may leave out what it need not show; only this answer is about the record itself.
    try:
        client.read(f"/api/v2/{stream}/{identity}.json", dict[str, Any], about_one=True)
    except RefusalError as refused:
        if refused.status != 404:
            raise
        return True
    return False


def _deleted_tickets(client: Client) -> Iterator[str]:
    page: dict[str, Any] = {"page[size]": AT_ONCE}
    while True:
        answer, _ = client.read("/api/v2/deleted_tickets.json", _Deleted, **page)
        yield from (str(ticket.id) for ticket in answer.deleted_tickets)
        if not answer.meta.has_more or not answer.meta.after_cursor:
            return
        page["page[after]"] = answer.meta.after_cursor
