"""The fifteen columns that every peer makes of a ticket, as its user would write it in Python."""

from hashlib import md5
from typing import Any

CHANNELS = {
    "web": "web", "email": "email", "api": "api", "mobile": "mobile_app", "chat": "chat", "voice": "voice", "twitter": "social",
    "facebook": "social",
}  # fmt: skip
STATUSES = {
    "new": "acknowledged", "open": "in_progress", "pending": "pending", "hold": "held", "solved": "resolved", "closed": "closed",
}  # fmt: skip
ORDER, LANGUAGE = 36_000_000, 36_000_001


def columns(ticket: dict[str, Any]) -> dict[str, Any]:
    """Return a ticket's row; KeyError for a ticket that is none."""
    custom = {field["id"]: field["value"] for field in ticket["custom_fields"]}
    return {
        "case_id": md5(f"zendesk:{ticket['id']}".encode(), usedforsecurity=False).hexdigest(),
        "source_id": ticket["id"],
        "name": ticket["subject"] or ticket["raw_subject"],
        "description": ticket["description"],
        "channel": CHANNELS.get(ticket["via"]["channel"], "other"),
        "priority": ticket["priority"] or "normal",
        "status": STATUSES[ticket["status"]],
        "creation_date": ticket["created_at"],
        "last_update": ticket["updated_at"],
        "customer": f"zendesk_user:{ticket['requester_id']}",
        "agent": ticket["assignee_id"],
        "order_ref": custom.get(ORDER),
        "language": custom.get(LANGUAGE),
        "satisfaction": ticket["satisfaction_rating"]["score"],
        "tags": ",".join(ticket["tags"]),
    }
