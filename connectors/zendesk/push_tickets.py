"""Writing tickets: found by their external id and changed with care, or opened under an idempotency key.

Zendesk keeps keys for two hours (developer.zendesk.com, Idempotency); after that the external id finds what was opened.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from msgspec import Struct

from connectors.zendesk.client import Client, RefusalError
from connectors.zendesk.push import MARKER, REFERENCE
from threadline.sdk import Intent, Receipt, RecordError
from threadline.sdk.http import retrying

OPENING = ("comment", "requester", "requester_id", "metadata", "via_followup_source_id", "reference")
"""What only a new ticket takes from a payload: the rest is a state that each push brings about again."""
TRIES = 3
"""Looks at a ticket that others change at the same time, in one push."""


class _Ticket(Struct):
    id: int


class _Written(Struct):
    ticket: _Ticket


class _Found(Struct):
    tickets: list[dict[str, Any]]


def tickets(client: Client, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Open or change tickets, one by one: a job that opens many takes no idempotency keys."""
    for intent in intents:
        try:
            yield Receipt(intent.id, "done", remote_id=_write(client, intent))
        except RefusalError as refused:
            yield Receipt(intent.id, "retry" if refused.status == 409 else "dead", reason=str(refused))
        except RecordError as error:
            yield Receipt(intent.id, "dead", reason=str(error))


def _write(client: Client, intent: Intent) -> str:
    """Bring a ticket about; return its id. Where another write came in between, what is there now decides."""
    payload = _checked(intent.payload)
    for _ in range(TRIES - 1):
        try:
            return _upsert(client, intent.id, payload)
        except RefusalError as refused:
            # A key that was used with another body has opened a ticket, which is found by now.
            if refused.status != 409 and refused.error != "IdempotentRequestError":
                raise
    return _upsert(client, intent.id, payload)


def _upsert(client: Client, key: str, payload: Mapping[str, Any]) -> str:
    held = _find(client, payload["external_id"])
    return _create(client, key, payload) if held is None else _update(client, held, payload)


def _checked(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    hint = "correct the push mapping to zendesk.ticket"
    if not isinstance(payload.get("external_id"), str) or not payload["external_id"]:
        raise RecordError(f"external_id: expected a text; {hint}", path="$.external_id")
    if "id" in payload:
        raise RecordError(f"id: a ticket is found by its external_id; {hint}", path="$.id")
    return payload


def _find(client: Client, external_id: str) -> dict[str, Any] | None:
    """Return the ticket of an external id; RecordError where Zendesk, which does not keep them unique, has several."""
    answer, _ = client.read("/api/v2/tickets.json", _Found, about_one=True, external_id=external_id)
    # Zendesk compares external ids without regard to case.
    found = [ticket for ticket in answer.tickets if "id" in ticket and str(ticket.get("external_id")).lower() == external_id.lower()]
    if len(found) > 1:
        numbers = ", ".join(str(ticket["id"]) for ticket in found[:5])
        raise RecordError(f"{len(found)} tickets have this external_id ({numbers}): leave it to one of them", path="$.external_id")
    return found[0] if found else None


def _create(client: Client, key: str, payload: Mapping[str, Any]) -> str:
    requester = cast("Mapping[str, Any]", payload.get("requester") or {})
    if not payload.get("requester_id") and not requester.get("email"):
        raise RecordError("requester: expected an e-mail address, or requester_id; a ticket would be the integration user's own")
    # Read back, the opening comment must not be taken for news, nor be told once more as a comment.
    marks = {MARKER: key, **({REFERENCE: str(payload["reference"])} if payload.get("reference") else {})}
    given = {**payload, "metadata": {**cast("Mapping[str, Any]", payload.get("metadata") or {}), **marks}}
    given.pop("reference", None)
    if payload.get("requester_id"):
        given.pop("requester", None)
    elif not requester.get("name"):
        given["requester"] = {**requester, "name": str(requester["email"]).partition("@")[0]}
    path, headers = "/api/v2/tickets.json", {"Idempotency-Key": key}
    written = retrying(lambda: client.send("POST", path, {"ticket": given}, _Written, **headers))
    return str(written.ticket.id)


def _update(client: Client, held: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """Write what differs, unless the ticket has changed since it was read (409)."""
    changed = {name: value for name, value in payload.items() if name not in OPENING and not _holds(held.get(name), value)}
    if not changed:
        return str(held["id"])
    given = {**changed, "safe_update": True, "updated_stamp": held.get("updated_at")}
    path = f"/api/v2/tickets/{held['id']}.json"
    return str(retrying(lambda: client.send("PUT", path, {"ticket": given}, _Written)).ticket.id)


def _holds(held: Any, wanted: Any) -> bool:
    """Whether a ticket's field says what is wanted: of custom fields those that are named, of tags in any order."""
    if not isinstance(wanted, list) or not isinstance(held, list):
        return bool(held == wanted)
    theirs, ours = cast("list[Any]", held), cast("list[Any]", wanted)
    if any(isinstance(one, dict) for one in ours):
        return all(one in theirs for one in ours)
    return sorted(map(str, theirs)) == sorted(map(str, ours))
