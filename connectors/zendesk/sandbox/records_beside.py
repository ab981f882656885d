"""Zendesk's records beside users, tickets and what happens to those, with the keys that its servers send."""

from typing import Any

from connectors.zendesk.sandbox.records import ACCOUNT, Record

_SECTION, _PERMISSIONS, _SEGMENT = 33152317085843, 33152086795411, 33152086785683


def organization(identity: int, at: str, name: str, **known: Any) -> Record:
    """Make an organization."""
    return {
        "url": f"{ACCOUNT}/api/v2/organizations/{identity}.json",
        "id": identity,
        "name": name,
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": None,
        "created_at": at,
        "updated_at": at,
        "domain_names": [],
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": [],
        "organization_fields": {},
        "deleted_at": None,
        **known,
    }


def rating(identity: int, at: str, ticket: Record, score: str, comment: str | None) -> Record:
    """Make a satisfaction rating of a ticket."""
    return {
        "url": f"{ACCOUNT}/api/v2/satisfaction_ratings/{identity}.json",
        "id": identity,
        "assignee_id": ticket["assignee_id"],
        "group_id": ticket["group_id"],
        "requester_id": ticket["requester_id"],
        "ticket_id": ticket["id"],
        "score": score,
        "created_at": at,
        "updated_at": at,
        "comment": comment,
        "reason": "No reason provided",
        "reason_id": 0,
    }


def deleted_ticket(ticket: Record, actor: Record, previous_state: str) -> Record:
    """Make the row of a deleted ticket, as the list of those shows it."""
    return {
        "id": ticket["id"],
        "subject": ticket["subject"],
        "actor": {"id": actor["id"], "name": actor["name"]},
        "deleted_at": ticket["updated_at"],
        "previous_state": previous_state,
    }


def article(identity: int, at: str, author_id: int, title: str, body: str) -> Record:
    """Make an article of the Help Center."""
    page = f"{identity}-{title.replace(' ', '-')}"
    return {
        "id": identity,
        "url": f"{ACCOUNT}/api/v2/help_center/en-us/articles/{page}.json",
        "html_url": f"{ACCOUNT}/hc/en-us/articles/{page}",
        "author_id": author_id,
        "comments_disabled": False,
        "content_tag_ids": [],
        "label_names": [],
        "draft": False,
        "promoted": False,
        "position": 0,
        "vote_sum": 0,
        "vote_count": 0,
        "section_id": _SECTION,
        "created_at": at,
        "updated_at": at,
        "edited_at": at,
        "name": title,
        "title": title,
        "body": body,
        "source_locale": "en-us",
        "locale": "en-us",
        "outdated": False,
        "outdated_locales": [],
        "permission_group_id": _PERMISSIONS,
        "user_segment_id": _SEGMENT,
        "user_segment_ids": [_SEGMENT],
    }
