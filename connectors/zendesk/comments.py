"""Comments, taken out of the ticket events and completed with who wrote them on whose ticket."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import Raw, Struct, field

from connectors.zendesk.client import Client, RefusalError
from threadline.sdk import JSON, Rejected, encode_record

COMMENTS = ("Comment", "VoiceComment")
"""Types of events that carry what somebody said."""
CHANGES = ("CommentPrivacyChange", "CommentRedactionEvent", "AttachmentRedactionEvent")
"""Types of events that say that a comment is no longer as it was; not all of them name it."""
SAID = ("id", "type", "via", "author_id", "body", "html_body", "public", "attachments", "audit_id", "created_at")
"""Fields of a comment that its event and the list of a ticket's comments have alike."""
AT_ONCE = 100
"""Ids that show_many takes in one call."""
REMEMBERED = 10_000
"""Users, and tickets, that are not asked for again."""


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


T = TypeVar("T", bound=_Identified)


class _Shown(Struct, Generic[T]):
    found: list[T]


class _User(_Identified):
    role: str | None = None
    name: str | None = None
    email: str | None = None


class _Users(_Shown[_User]):
    found: list[_User] = field(name="users")


class _Ticket(_Identified):
    requester_id: int | None = None
    subject: str | None = None


class _Tickets(_Shown[_Ticket]):
    found: list[_Ticket] = field(name="tickets")


class _Meta(Struct):
    has_more: bool = False
    after_cursor: str | None = None


class _Said(Struct):
    comments: list[dict[str, Any]]
    meta: _Meta


class CommentReader:
    """Makes records of comments; remembers the users and tickets that it met last for as long as it lives, which is one pull."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._users: dict[int, _User | None] = {}
        self._tickets: dict[int, _Ticket | None] = {}

    def read(self, events: Iterable[bytes]) -> tuple[list[bytes], list[Rejected]]:
        """Return a record for each comment in the events, and what could not be read.

        Where a comment was made private, or redacted, the ticket's comments follow as they are now.
        """
        comments: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        changed: list[int] = []
        for raw in events:
            try:
                event = msgspec.json.decode(raw, type=_Event)
                children = [(_kind(child), child) for child in event.child_events]
                comments += [_comment(child, event) for kind, child in children if kind in COMMENTS]
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                rejected.append(Rejected(_key_of(raw), raw, f"not a ticket event: {error}"))
            else:
                changed += [event.ticket_id for kind, _ in children if kind in CHANGES]
        comments += [comment for ticket_id in dict.fromkeys(changed) for comment in self._said_now(ticket_id)]
        self._look_up(comments)
        return [encode_record(self._complete(comment)) for comment in comments], rejected

    def _said_now(self, ticket_id: int) -> Iterator[dict[str, Any]]:
        """Yield the comments of a ticket; none of one that is deleted."""
        page: dict[str, Any] = {"page[size]": AT_ONCE}
        while True:
            try:
                answer, _ = self._client.read(f"/api/v2/tickets/{ticket_id}/comments.json", _Said, about_one=True, **page)
            except RefusalError as refused:
                if refused.status != 404:
                    raise
                return
            for comment in answer.comments:
                said: dict[str, Any] = {"author_id": None, **{name: comment[name] for name in SAID if name in comment}}
                yield {**said, "ticket_id": ticket_id, "event_id": comment.get("audit_id"), "metadata": comment.get("metadata")}
            if not answer.meta.has_more or not answer.meta.after_cursor:
                return
            page["page[after]"] = answer.meta.after_cursor

    def _look_up(self, comments: Sequence[Mapping[str, Any]]) -> None:
        tickets = {comment["ticket_id"] for comment in comments}
        self._remember(self._tickets, tickets, lambda ids: self._show_many("tickets", ids, _Tickets))
        people = {comment["author_id"] for comment in comments}
        people |= {ticket.requester_id for comment in comments if (ticket := self._tickets[comment["ticket_id"]])}
        users = {person for person in people if isinstance(person, int) and person > 0}
        self._remember(self._users, users, lambda ids: self._show_many("users", ids, _Users))

    def _remember(self, known: dict[int, T | None], wanted: set[int], ask: Callable[[Sequence[int]], dict[int, T]]) -> None:
        while len(known) > REMEMBERED:
            del known[next(iter(known))]
        for ids in _hundreds(wanted - known.keys()):
            known |= {**dict.fromkeys(ids), **ask(ids)}

    def _show_many(self, kind: str, ids: Sequence[int], shape: type[_Shown[T]]) -> dict[int, T]:
        """Return those that Zendesk knows."""

        def ask() -> dict[int, T]:
            answer, _ = self._client.read(f"/api/v2/{kind}/show_many.json", shape, ids=",".join(map(str, ids)))
            return {one.id: one for one in answer.found}

        found = ask()
        # Who is not in the answer counts as gone: one about others may be a proxy's, to an earlier question.
        return found if found.keys() <= set(ids) else ask()

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


def _kind(raw: Raw) -> str | None:
    child = msgspec.json.decode(raw, type=_Child)
    return child.event_type or child.type


def _comment(raw: Raw, event: _Event) -> dict[str, Any]:
    msgspec.json.decode(raw, type=_Identified)
    fields: dict[str, Any] = msgspec.json.decode(raw)
    return {
        **fields,
        "author_id": fields.get("author_id") or event.updater_id,
        "created_at": fields.get("created_at") or event.created_at,
        "ticket_id": event.ticket_id,
        "event_id": event.id,
        "timestamp": event.timestamp,
        "metadata": _metadata(fields, event),
    }


def _metadata(child: Mapping[str, Any], event: _Event) -> dict[str, Any]:
    """Write the metadata as an audit does, {custom, system}; the export holds the two apart."""
    found = child.get("metadata") or event.metadata
    if not isinstance(found, dict):
        return {"custom": {}, "system": event.system}
    metadata = cast("dict[str, Any]", found)
    return metadata if metadata.keys() & {"custom", "system"} else {"custom": metadata, "system": event.system}


def _hundreds(ids: Iterable[int]) -> Iterable[Sequence[int]]:
    ordered = sorted(ids)
    return (ordered[index : index + AT_ONCE] for index in range(0, len(ordered), AT_ONCE))


def _key_of(raw: bytes) -> str:
    """Name an event that cannot be read; no comment has such a name."""
    try:
        return f"event-{msgspec.json.decode(raw, type=_Identified).id}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"event-{sha256(raw).hexdigest()[:16]}"
