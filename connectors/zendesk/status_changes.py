"""Status changes, taken out of the ticket events and completed with who made them."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from connectors.zendesk.client import Client
from connectors.zendesk.directory import Directory, Identified, User
from connectors.zendesk.events import Event, Record, read_events
from threadline.sdk import JSON, Rejected, encode_record

SETTING = ("Create", "Change")
"""Types of events that give a field a value."""


class _Set(Identified):
    """The export names the field itself; audits have a key for its name."""

    status: JSON = None
    field_name: JSON = None
    value: JSON = None
    previous_value: JSON = None
    via: JSON = None


class StatusReader:
    """Makes records of what set a ticket's status, also when it was opened."""

    def __init__(self, client: Client) -> None:
        self._directory = Directory(client)

    def read(self, events: Iterable[bytes]) -> tuple[list[bytes], list[Rejected]]:
        """Return a record for each status that the events set, and what could not be read."""
        changes, rejected = read_events(events, _change)
        users = self._directory.users(change["author_id"] for change in changes)
        for change in changes:
            who = change["author_id"] or 0
            # Of somebody who is gone nobody knows the role; below 1 it was Zendesk itself.
            change["author"] = users.get(who) or User(id=who, role=None if who > 0 else "system")
        return [encode_record(change) for change in changes], rejected


def _change(event: Event, kind: str | None, child: Raw) -> Record | None:
    if kind not in SETTING:
        return None
    found = msgspec.json.decode(child, type=_Set)
    status = found.value if found.field_name == "status" else found.status
    if status is None:
        return None
    return {
        "ticket_id": event.ticket_id,
        "id": found.id,
        "status": status,
        "previous_value": found.previous_value,
        "created_at": event.created_at,
        "author_id": event.updater_id,
        "event_id": event.id,
        "via": _via(found.via),
    }


def _via(said: Any) -> Any:
    """Write where it came from as an object, which the export does only beside comments."""
    return {"channel": said} if isinstance(said, str) else said
