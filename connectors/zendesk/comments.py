"""Comments, taken out of the ticket events and completed with who wrote them on whose ticket."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from connectors.zendesk.client import Client
from threadline.sdk import JSON, Rejected, encode_record

COMMENTS = ("Comment", "VoiceComment")
"""Types of events that carry what somebody said."""
AT_ONCE = 100
"""Ids that show_many takes in one call."""


class _Event(Struct):
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


class _Identified(Struct):
    id: int


class _User(Struct):
    id: int
    role: str | None = None
    name: str | None = None
    email: str | None = None


class _Users(Struct):
    users: list[_User]


class _Ticket(Struct):
    id: int
    requester_id: int | None = None
    subject: str | None = None


class _Tickets(Struct):
    tickets: list[_Ticket]


class CommentReader:
    """Makes records of comments; remembers users and tickets for as long as it lives, which is one pull."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._users: dict[int, _User | None] = {}
        self._tickets: dict[int, _Ticket | None] = {}

    def read(self, events: Iterable[bytes]) -> tuple[list[bytes], list[Rejected]]:
        """Return a record for each comment in the events, and what could not be read."""
        comments: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        for raw in events:
            try:
                comments += _comments_of(msgspec.json.decode(raw, type=_Event))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                rejected.append(Rejected(_key_of(raw), raw, f"not a ticket event: {error}"))
        self._look_up(comments)
        return [encode_record(self._complete(comment)) for comment in comments], rejected

    def _look_up(self, comments: Sequence[Mapping[str, Any]]) -> None:
        self._look_up_tickets({comment["ticket_id"] for comment in comments})
        people = {comment["author_id"] for comment in comments}
        people |= {ticket.requester_id for comment in comments if (ticket := self._tickets[comment["ticket_id"]])}
        self._look_up_users({person for person in people if isinstance(person, int) and person > 0})

    def _look_up_tickets(self, wanted: set[int]) -> None:
        missing = wanted - self._tickets.keys()
        for ids in _hundreds(missing):
            answer, _ = self._client.read("/api/v2/tickets/show_many.json", _Tickets, ids=ids)
            self._tickets |= {ticket.id: ticket for ticket in answer.tickets}
        self._tickets |= dict.fromkeys(missing - self._tickets.keys())

    def _look_up_users(self, wanted: set[int]) -> None:
        missing = wanted - self._users.keys()
        for ids in _hundreds(missing):
            answer, _ = self._client.read("/api/v2/users/show_many.json", _Users, ids=ids)
            self._users |= {user.id: user for user in answer.users}
        self._users |= dict.fromkeys(missing - self._users.keys())

    def _complete(self, comment: dict[str, Any]) -> dict[str, Any]:
        ticket = self._tickets[comment["ticket_id"]]
        author = self._users.get(comment["author_id"]) or _gone(comment)
        requester = self._users.get(ticket.requester_id or 0) if ticket else None
        recipient = requester if author.role != "end-user" else None
        return {**comment, "author": author, "recipient": recipient, "ticket_subject": ticket.subject if ticket else None}


def _gone(comment: Mapping[str, Any]) -> _User:
    """Say what is certain of an author whom Zendesk no longer knows, or who is Zendesk itself."""
    author_id = comment["author_id"]
    if not isinstance(author_id, int) or author_id <= 0:
        return _User(id=author_id or 0, role="system")
    # Only end users can be deleted for good (agents lose their role first), and only agents write notes.
    return _User(id=author_id, role="end-user" if comment.get("public", True) else "agent")


def _comments_of(event: _Event) -> list[dict[str, Any]]:
    comments: list[dict[str, Any]] = []
    for raw in event.child_events:
        child = msgspec.json.decode(raw, type=_Child)
        if (child.event_type or child.type) not in COMMENTS:
            continue
        msgspec.json.decode(raw, type=_Identified)
        fields: dict[str, Any] = msgspec.json.decode(raw)
        comments.append(
            {
                **fields,
                "author_id": fields.get("author_id") or event.updater_id,
                "created_at": fields.get("created_at") or event.created_at,
                "ticket_id": event.ticket_id,
                "event_id": event.id,
                "timestamp": event.timestamp,
                "metadata": _metadata(fields, event),
            }
        )
    return comments


def _metadata(child: Mapping[str, Any], event: _Event) -> dict[str, Any]:
    """Write the metadata as an audit does, {custom, system}; the export holds the two apart."""
    found = child.get("metadata") or event.metadata
    if not isinstance(found, dict):
        return {"custom": {}, "system": event.system}
    metadata = cast("dict[str, Any]", found)
    return metadata if metadata.keys() & {"custom", "system"} else {"custom": metadata, "system": event.system}


def _hundreds(ids: Iterable[int]) -> Iterable[str]:
    ordered = sorted(ids)
    for index in range(0, len(ordered), AT_ONCE):
        yield ",".join(map(str, ordered[index : index + AT_ONCE]))


def _key_of(raw: bytes) -> str:
    """Name an event that cannot be read; no comment has such a name."""
    try:
        return f"event-{msgspec.json.decode(raw, type=_Identified).id}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"event-{sha256(raw).hexdigest()[:16]}"
