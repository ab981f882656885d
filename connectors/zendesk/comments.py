"""Comments, taken out of the ticket events and completed with who wrote them on whose ticket."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from msgspec import Raw, Struct

from connectors.zendesk.client import Client, RefusalError
from connectors.zendesk.directory import Directory, User, id_of
from connectors.zendesk.events import Event, fields_of, read_events
from threadline.sdk import Rejected, encode_record

COMMENTS = ("Comment", "VoiceComment")
"""Types of events that carry what somebody said."""
CHANGES = ("CommentPrivacyChange", "CommentRedactionEvent", "AttachmentRedactionEvent")
"""Types of events that say that a comment is no longer as it was; not all of them name it."""
SAID = ("id", "type", "via", "author_id", "body", "html_body", "public", "attachments", "audit_id", "created_at")
"""Fields of a comment that its event and the list of a ticket's comments have alike."""
NAMED_CHANNELS = {"Web form": "web", "Mail": "email", "Web service (API)": "api"}
AT_ONCE = 100
"""Comments on a page of a ticket's."""


class _Meta(Struct):
    has_more: bool = False
    after_cursor: str | None = None


class _Said(Struct):
    comments: list[dict[str, Any]]
    meta: _Meta


class CommentReader:
    """Makes records of comments."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._directory = Directory(client)
        self._changed: list[int] = []

    def read(self, events: Iterable[bytes]) -> tuple[list[bytes], list[Rejected]]:
        """Return a record for each comment in the events, and what could not be read.

        Where a comment was made private, or redacted, the ticket's comments follow as they are now.
        """
        self._changed.clear()
        comments, rejected = read_events(events, self._comment)
        comments += [comment for ticket_id in dict.fromkeys(self._changed) for comment in self._said_now(ticket_id)]
        tickets = self._directory.tickets(comment["ticket_id"] for comment in comments)
        requesters = {ticket.requester_id for comment in comments if (ticket := tickets[comment["ticket_id"]])}
        users = self._directory.users([*(comment["author_id"] for comment in comments), *requesters])
        made: list[bytes] = []
        for comment in comments:
            ticket = tickets[comment["ticket_id"]]
            author = users.get(id_of(comment["author_id"])) or _gone(comment)
            requester = users.get(ticket.requester_id or 0) if ticket else None
            recipient = requester if author.role != "end-user" else None
            subject = ticket.subject if ticket else None
            made.append(encode_record({**comment, "author": author, "recipient": recipient, "ticket_subject": subject}))
        return made, rejected

    def _comment(self, event: Event, kind: str | None, child: Raw) -> dict[str, Any] | None:
        if kind in CHANGES:
            self._changed.append(event.ticket_id)
        return _comment(fields_of(child), event) if kind in COMMENTS else None

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


def _gone(comment: Mapping[str, Any]) -> User:
    """Say what is certain of an author whom Zendesk no longer knows, or who is Zendesk itself."""
    author_id = id_of(comment["author_id"])
    if author_id <= 0:
        return User(id=author_id, role="system")
    # Only end users can be deleted for good (agents lose their role first), and only agents write notes.
    return User(id=author_id, role="end-user" if comment.get("public", True) else "agent")


def _comment(fields: Mapping[str, Any], event: Event) -> dict[str, Any]:
    return {
        **fields,
        "author_id": fields.get("author_id") or event.updater_id,
        "created_at": fields.get("created_at") or event.created_at,
        "via": _via(fields.get("via")),
        "ticket_id": event.ticket_id,
        "event_id": event.id,
        "timestamp": event.timestamp,
        "metadata": _metadata(fields, event),
    }


def _via(told: Any) -> Any:
    """Write a channel that is only named, as that of other events in the export is, like one that is told of in full."""
    return {"channel": NAMED_CHANNELS.get(told, told.lower())} if isinstance(told, str) else told


def _metadata(child: Mapping[str, Any], event: Event) -> dict[str, Any]:
    """Write the metadata as an audit does, {custom, system}; the export holds the two apart."""
    found = child.get("metadata") or event.metadata
    if not isinstance(found, dict):
        return {"custom": {}, "system": event.system}
    metadata = cast("dict[str, Any]", found)
    return metadata if metadata.keys() & {"custom", "system"} else {"custom": metadata, "system": event.system}
