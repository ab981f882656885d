"""Writing to Zendesk: users (an upsert) and ticket comments (marked, so that a repetition finds the first)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct, field

from connectors.zendesk.client import Client, RefusalError
from threadline.sdk import Intent, Receipt, RecordError, RetryableError
from threadline.sdk.http import retrying

MARKER = "threadline_id"
"""Name under which the audit of a comment that we wrote holds the intent's id (metadata.custom)."""
REFERENCE = "threadline_reference"
"""Name under which it holds what the comment tells of: that is told once on a ticket, even when a name in it has changed since."""
JOB_PATIENCE = 120.0
"""Seconds to wait for a job; what it did is asked for again after that."""


class _Row(Struct):
    index: int | None = None
    error: Any = None
    success: bool = True


class _Job(Struct):
    status: str
    results: list[_Row] | dict[str, Any] | None = None


class _JobAnswer(Struct):
    job_status: _Job


class _Metadata(Struct):
    custom: dict[str, Any] = field(default_factory=dict[str, Any])


class _Audit(Struct):
    events: list[dict[str, Any]]
    metadata: _Metadata = field(default_factory=_Metadata)


class _Meta(Struct):
    has_more: bool = False
    after_cursor: str | None = None


class _Audits(Struct):
    audits: list[_Audit]
    meta: _Meta


def users(client: Client, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Create or update users. Those known by their Zendesk id are updated; others are found by external id or e-mail, or made.

    A job takes many in one call; what it leaves open is written one by one, which an upsert allows.
    """
    known = [intent for intent in intents if "id" in intent.payload and "name" in intent.payload]
    named = [intent for intent in intents if "id" not in intent.payload and "name" in intent.payload]
    done: set[str] = set()
    for together in (known, named):
        if len(together) > 1:
            for receipt in _users_by_job(client, together):
                done.add(receipt.intent)
                yield receipt
    for intent in intents:
        if intent.id not in done:
            yield _one_user(client, intent)


def _users_by_job(client: Client, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Yield a receipt for each user of whom a job says that all went well."""
    payloads = [intent.payload for intent in intents]
    try:
        job = retrying(lambda: client.write(lambda zenpy: _write_users(zenpy, payloads), "JobStatus"))
    except RefusalError:
        # 403: bulk imports are off, as they are in a new account. Anything else the single calls will say better.
        return
    rows = _results(client, str(job.id))
    failed = [row for row in rows if row.error or not row.success]
    if len(rows) != len(intents) or any(row.index is None for row in failed):
        return
    # Rows of users that went well have no index, so which id belongs to which intent is not known.
    left = {row.index for row in failed}
    yield from (Receipt(intent.id, "done") for index, intent in enumerate(intents) if index not in left)


def _results(client: Client, job: str) -> list[_Row]:
    """Wait for a job; return its rows, none when it failed as a whole."""
    until = time.monotonic() + JOB_PATIENCE
    pause = 0.1
    while True:
        answer, _ = client.read(f"/api/v2/job_statuses/{job}.json", _JobAnswer)
        status = answer.job_status
        if status.status not in ("queued", "working"):
            return status.results if isinstance(status.results, list) else []
        if time.monotonic() > until:
            raise RetryableError(f"Zendesk's job {job} is not done after {JOB_PATIENCE:.0f} s")
        time.sleep(pause)
        pause = min(pause * 2, 5.0)


def _one_user(client: Client, intent: Intent) -> Receipt:
    try:
        return Receipt(intent.id, "done", remote_id=_upsert(client, intent.payload))
    except RefusalError as refused:
        return _refused(intent, refused)


def _upsert(client: Client, payload: Mapping[str, Any]) -> str:
    try:
        return str(retrying(lambda: client.write(lambda zenpy: _write_user(zenpy, payload), "User")).id)
    except RefusalError as refused:
        if "name" in payload or "name" not in refused.fields:
            raise
    # Only a new user needs a name. Zendesk names unknown senders by their address, too.
    name = str(payload.get("email") or payload.get("phone") or "").partition("@")[0]
    return _upsert(client, {**payload, "name": name})


def _write_user(zenpy: Any, payload: Mapping[str, Any]) -> Any:
    from zenpy.lib.api_objects import User

    write = zenpy.users.update if "id" in payload else zenpy.users.create_or_update
    return write(User(**payload))


def _write_users(zenpy: Any, payloads: Sequence[Mapping[str, Any]]) -> Any:
    from zenpy.lib.api_objects import User

    write = zenpy.users.update if "id" in payloads[0] else zenpy.users.create_or_update
    return write([User(**payload) for payload in payloads])


def ticket_comments(client: Client, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Add comments to tickets, each once: what bears a mark that is already in the ticket's audits is not written again."""
    marks: dict[int, dict[str, str]] = {}
    for intent in intents:
        try:
            yield Receipt(intent.id, "done", remote_id=_comment(client, intent, marks))
        except RefusalError as refused:
            yield _refused(intent, refused)
        except RecordError as error:
            yield Receipt(intent.id, "dead", reason=str(error))


def _comment(client: Client, intent: Intent, marks: dict[int, dict[str, str]]) -> str:
    """Return the id of the comment, written now or before; `marks` are those of the tickets that this push has looked at."""
    ticket_id, comment = _comment_payload(intent.payload)
    if ticket_id not in marks:
        marks[ticket_id] = _marks(client, ticket_id)
    own = {MARKER: intent.id}
    if intent.payload.get("reference"):
        own[REFERENCE] = str(intent.payload["reference"])
    for mark in own.values():
        if mark in marks[ticket_id]:
            return marks[ticket_id][mark]
    written = client.write(lambda zenpy: _write_comment(zenpy, ticket_id, comment, own), "TicketAudit")
    identity = _comment_id(written.audit.to_dict()["events"])
    marks[ticket_id] |= dict.fromkeys(own.values(), identity)
    return identity


def _comment_payload(payload: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    ticket_id, comment = payload.get("ticket_id"), cast("Mapping[str, Any] | None", payload.get("comment"))
    if not str(ticket_id).isdecimal():
        raise RecordError("ticket_id: expected a ticket's number; correct the push mapping to zendesk.ticket_comment", path="$.ticket_id")
    if not comment or not comment.get("body"):
        raise RecordError("comment.body: expected a text; correct the push mapping to zendesk.ticket_comment", path="$.comment.body")
    parts = [str(comment[name]) for name in ("heading", "body") if comment.get(name)]
    return int(str(ticket_id)), {"body": "\n\n".join(parts), "public": bool(comment.get("public", False))}


def _write_comment(zenpy: Any, ticket_id: int, comment: Mapping[str, Any], custom: Mapping[str, str]) -> Any:
    from zenpy.lib.api_objects import Ticket

    return zenpy.tickets.update(Ticket(id=ticket_id, comment=comment, metadata=custom))


def _marks(client: Client, ticket_id: int) -> dict[str, str]:
    """Return the marks in a ticket's audits, each with the id of the comment that bears it."""
    marks: dict[str, str] = {}
    page: dict[str, Any] = {"page[size]": 100}
    while True:
        answer, _ = client.read(f"/api/v2/tickets/{ticket_id}/audits.json", _Audits, about_one=True, **page)
        for audit in answer.audits:
            found = [str(audit.metadata.custom[name]) for name in (MARKER, REFERENCE) if name in audit.metadata.custom]
            marks |= dict.fromkeys(found, _comment_id(audit.events))
        if not answer.meta.has_more or not answer.meta.after_cursor:
            return marks
        page["page[after]"] = answer.meta.after_cursor


def _comment_id(events: Sequence[Mapping[str, Any]]) -> str:
    return next((str(event["id"]) for event in events if event["type"] == "Comment"), "")


def _refused(intent: Intent, refused: RefusalError) -> Receipt:
    return Receipt(intent.id, "retry" if refused.status == 409 else "dead", reason=str(refused))
