"""Ticket events: one for each update of a ticket, with a child event for each thing that it did."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from connectors.zendesk.directory import Identified
from threadline.sdk import JSON, Rejected


class Event(Struct):
    """An update of a ticket."""

    ticket_id: int
    child_events: list[Raw]
    id: int | None = None
    updater_id: int | None = None
    created_at: str | None = None
    timestamp: int | None = None
    metadata: JSON = None
    system: JSON = None


class _Child(Struct):
    event_type: str | None = None
    type: str | None = None


Record: TypeAlias = dict[str, Any]


def read_events(
    raw_events: Iterable[bytes], made_of: Callable[[Event, str | None, Raw], Record | None]
) -> tuple[list[Record], list[Rejected]]:
    """Return what `made_of` makes of the child events, which it is given with their types, and the events that could not be read."""
    records: list[Record] = []
    rejected: list[Rejected] = []
    for raw in raw_events:
        try:
            event = msgspec.json.decode(raw, type=Event)
            made = [made_of(event, _kind(child), child) for child in event.child_events]
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            rejected.append(Rejected(_key_of(raw), raw, f"not a ticket event: {error}"))
        else:
            records += [record for record in made if record is not None]
    return records, rejected


def fields_of(child: Raw) -> Record:
    """Return the fields of a child event that becomes a record; DecodeError for one without an id."""
    msgspec.json.decode(child, type=Identified)
    return msgspec.json.decode(child)  # type: ignore[no-any-return]


def _kind(raw: Raw) -> str | None:
    child = msgspec.json.decode(raw, type=_Child)
    return child.event_type or child.type


def _key_of(raw: bytes) -> str:
    """Name an event that cannot be read; nothing that is read out of events has such a name."""
    try:
        return f"event-{msgspec.json.decode(raw, type=Identified).id}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"event-{sha256(raw).hexdigest()[:16]}"
