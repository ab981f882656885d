"""Zendesk's records, with the keys that its servers send."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

Record = dict[str, Any]

ACCOUNT = "https://acme.zendesk.com"
SUPPORT = "support@acme.example"
ORDER_FIELD = 36000000
"""Id of the custom ticket field that holds the order number."""
SPACING = 128
"""Zendesk's ids grow in steps like this."""

GROUP, BRAND, FORM = 6130852536346, 6130830354842, 6130830344474
CUSTOM_STATUS = {"new": 6130830355738, "open": 6130830355866, "pending": 6130830355994, "hold": 6130830356122}


def stamp(at: datetime) -> str:
    """Write a time as Zendesk does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(written: str) -> int:
    """Read what `stamp` wrote, as seconds since 1970."""
    return int(datetime.fromisoformat(written).timestamp())


def user(identity: int, at: str, role: str, **known: Any) -> Record:
    """Make a user; `known` are fields to set, such as name and email."""
    agent = role != "end-user"
    return {
        "id": identity,
        "url": f"{ACCOUNT}/api/v2/users/{identity}.json",
        "name": "",
        "email": None,
        "created_at": at,
        "updated_at": at,
        "time_zone": "Europe/Berlin",
        "iana_time_zone": "Europe/Berlin",
        "phone": None,
        "shared_phone_number": None,
        "photo": None,
        "locale_id": 1,
        "locale": "en-US",
        "organization_id": None,
        "role": role,
        "verified": agent,
        "external_id": None,
        "tags": [],
        "alias": None,
        "active": True,
        "shared": False,
        "shared_agent": False,
        "last_login_at": at if agent else None,
        "two_factor_auth_enabled": None if agent else False,
        "signature": None,
        "details": None,
        "notes": None,
        "role_type": 4 if agent else None,
        "custom_role_id": 6130869137434 if agent else None,
        "moderator": agent,
        "ticket_restriction": None if agent else "requested",
        "only_private_comments": False,
        "restricted_agent": not agent,
        "suspended": False,
        "default_group_id": GROUP if agent else None,
        "report_csv": agent,
        "user_fields": {},
        **known,
    }


def via(channel: str, name: str | None = None, address: str | None = None) -> Record:
    """Say where a ticket or comment came from; e-mail names its sender."""
    if channel != "email":
        return {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}}
    source = {"from": {"address": address, "name": name}, "to": {"name": "Acme", "address": SUPPORT}, "rel": None}
    return {"channel": channel, "source": source}


def ticket(identity: int, at: str, requester_id: int | None, subject: str, text: str, channel: Record, order: str | None = None) -> Record:
    """Make a new ticket."""
    fields = [{"id": ORDER_FIELD, "value": order}]
    return {
        "url": f"{ACCOUNT}/api/v2/tickets/{identity}.json",
        "id": identity,
        "external_id": None,
        "via": channel,
        "created_at": at,
        "updated_at": at,
        "generated_timestamp": seconds(at),
        "type": None,
        "subject": subject,
        "raw_subject": subject,
        "description": text,
        "priority": None,
        "status": "new",
        "recipient": SUPPORT if channel["channel"] == "email" else None,
        "requester_id": requester_id,
        "submitter_id": requester_id,
        "assignee_id": None,
        "organization_id": None,
        "group_id": GROUP,
        "collaborator_ids": [],
        "follower_ids": [],
        "email_cc_ids": [],
        "forum_topic_id": None,
        "problem_id": None,
        "has_incidents": False,
        "is_public": True,
        "due_at": None,
        "tags": [],
        "custom_fields": fields,
        "satisfaction_rating": None,
        "sharing_agreement_ids": [],
        "custom_status_id": CUSTOM_STATUS["new"],
        "fields": fields,
        "followup_ids": [],
        "ticket_form_id": FORM,
        "brand_id": BRAND,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }


def identities(user: Record) -> list[Record]:
    """Say by what a user is known: the address, and a number that is theirs alone."""
    direct = user["phone"] if not user["shared_phone_number"] else None
    known = [("email", user["email"]), ("phone_number", direct)]
    return [_identity(user, number, kind, value) for number, (kind, value) in enumerate(known) if value]


def _identity(user: Record, number: int, kind: str, value: str) -> Record:
    identity = user["id"] * 10 + number
    return {
        "url": f"{ACCOUNT}/api/v2/users/{user['id']}/identities/{identity}.json",
        "id": identity,
        "user_id": user["id"],
        "type": kind,
        "value": value,
        "verified": user["verified"],
        "primary": True,
        "created_at": user["created_at"],
        "updated_at": user["updated_at"],
        **({"undeliverable_count": 0, "deliverable_state": "deliverable"} if kind == "email" else {}),
    }


def metric_set(ticket: Record) -> Record:
    """Say how long a ticket took, as far as it tells itself; the export shows it beside the ticket's own fields."""
    solved = ticket["updated_at"] if ticket["status"] in ("solved", "closed") else None
    return {
        "url": f"{ACCOUNT}/api/v2/ticket_metrics/{ticket['id']}.json",
        "id": ticket["id"],
        "ticket_id": ticket["id"],
        "created_at": ticket.get("created_at"),
        "updated_at": ticket["updated_at"],
        "group_stations": 1,
        "assignee_stations": 1 if ticket["assignee_id"] else 0,
        "reopens": 0,
        "replies": 0,
        "assignee_updated_at": None,
        "requester_updated_at": ticket.get("created_at"),
        "status_updated_at": ticket["updated_at"],
        "initially_assigned_at": None,
        "assigned_at": None,
        "solved_at": solved,
        "latest_comment_added_at": ticket["updated_at"],
    }


def said(author_id: int, text: str, public: bool) -> Record:
    """Make the event of a comment."""
    html = f'<div class="zd-comment" dir="auto"><p dir="auto">{escape(text)}</p></div>'
    fields: Record = {"author_id": author_id, "body": text, "html_body": html, "plain_body": text, "public": public, "attachments": []}
    return {"type": "Comment", **fields}


def change(field: str, value: Any, previous: Any = None) -> Record:
    """Make the event of a field that changes."""
    if previous is None:
        return {"type": "Create", "value": value, "field_name": field}
    return {"type": "Change", "value": value, "field_name": field, "previous_value": previous}


def audit(
    identity: int,
    ticket_id: int,
    at: str,
    author_id: int,
    events: Sequence[Record],
    *,
    channel: Record,
    custom: Mapping[str, Any] | None = None,
) -> Record:
    """Make the audit of one update of a ticket; `custom` is the metadata that came with the update."""
    numbered: list[Record] = []
    for index, event in enumerate(events, start=1):
        belongs = {"audit_id": identity} if event["type"] == "Comment" else {}
        numbered.append({"id": identity + index * SPACING, **event, **belongs})
    system = {
        "client": "Mozilla/5.0 (X11; Linux x86_64)",
        "ip_address": "192.0.2.7",
        "location": "Berlin, Germany",
        "latitude": 52.5,
        "longitude": 13.4,
    }
    return {
        "id": identity,
        "ticket_id": ticket_id,
        "created_at": at,
        "author_id": author_id,
        "metadata": {"system": system, "custom": dict(custom or {})},
        "events": numbered,
        "via": channel,
    }


def comments(audit: Record) -> list[Record]:
    """Return an audit's comments, as the list of a ticket's comments shows them."""
    shared = {"via": audit["via"], "created_at": audit["created_at"], "metadata": audit["metadata"]}
    return [{**event, **shared} for event in audit["events"] if event["type"] == "Comment"]


def ticket_event(audit: Record, comment_events: bool) -> Record:
    """Return an audit as the incremental export of ticket events shows it; the export writes `system` and `metadata` apart."""
    children: list[Record] = []
    for event in audit["events"]:
        shared = {"id": event["id"], "via": event.get("via", audit["via"]), "via_reference_id": None}
        if "field_name" in event:
            before = {"previous_value": event["previous_value"]} if "previous_value" in event else {}
            children.append({**shared, event["field_name"]: event["value"], "event_type": event["type"], **before})
        elif event["type"] != "Comment":
            children.append({**shared, **event, "event_type": event["type"]})
        elif comment_events:
            children.append({**shared, **event, "created_at": audit["created_at"], "event_type": "Comment"})
        else:
            children.append({**shared, "comment_present": True, "comment_public": event["public"], "event_type": "Comment"})
    return {
        "id": audit["id"],
        "ticket_id": audit["ticket_id"],
        "timestamp": audit["generated_timestamp"],
        "created_at": audit["created_at"],
        "updater_id": audit["author_id"],
        "via": audit["via"]["channel"].replace("_", " ").title(),
        "system": audit["metadata"]["system"],
        "metadata": audit["metadata"]["custom"],
        "event_type": "Audit",
        "child_events": children,
    }


def job(identity: str, total: int, **progress: Any) -> Record:
    """Make the status of a background job."""
    url = f"{ACCOUNT}/api/v2/job_statuses/{identity}.json"
    return {"id": identity, "url": url, "total": total, "progress": None, "status": "queued", "message": None, "results": None, **progress}
