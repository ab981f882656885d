"""Zendesk-shaped tickets of about 1.9 kB, the same for the same seed."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

PAGE = 1_000
_WORDS = [
    "order",
    "parcel",
    "jacket",
    "refund",
    "label",
    "courier",
    "invoice",
    "size",
    "return",
    "address",
    "number",
    "morning",
    "warehouse",
    "photo",
    "exchange",
    "delivery",
]
_STATUS = ("new", "open", "pending", "hold", "solved", "closed")
_CHANNELS = ("web", "email", "api", "chat", "voice")


def tickets(count: int, version: int = 1, changed_every: int = 100) -> Iterator[bytes]:
    """Yield tickets as JSON; in version 2 every hundredth has changed."""
    for number in range(count):
        yield msgspec.json.encode(_ticket(number, version if number % changed_every == 0 else 1))


def pages(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Cut records into pages."""
    page: list[bytes] = []
    for record in records:
        page.append(record)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _ticket(number: int, version: int) -> dict[str, Any]:
    rng = random.Random(number)
    text = " ".join(rng.choices(_WORDS, k=120))
    minute = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    return {
        "id": number + 1, "external_id": None, "url": f"https://acme.example/api/v2/tickets/{number + 1}.json",
        "created_at": f"2026-01-{number % 28 + 1:02}T{minute}Z", "updated_at": f"2026-02-{version:02}T{minute}Z",
        "type": "incident", "subject": text[:40], "raw_subject": text[:40], "description": text, "priority": "normal",
        "status": _STATUS[(number + version) % len(_STATUS)], "recipient": None, "requester_id": 10_000 + number % 9_000,
        "submitter_id": 10_000 + number % 9_000, "assignee_id": 500 + number % 40, "organization_id": None, "group_id": 7,
        "collaborator_ids": [], "follower_ids": [], "email_cc_ids": [], "forum_topic_id": None, "problem_id": None, "has_incidents": False,
        "is_public": True, "due_at": None, "tags": rng.sample(_WORDS, 3), "sharing_agreement_ids": [], "brand_id": 360_000,
        "via": {"channel": _CHANNELS[number % len(_CHANNELS)], "source": {"from": {}, "to": {}, "rel": None}},
        "custom_fields": [{"id": 36_000_000 + index, "value": f"NL-{number:05}" if index == 0 else None} for index in range(6)],
        "satisfaction_rating": {"score": "unoffered"}, "allow_channelback": False, "generated_timestamp": 1_770_000_000 + number,
    }  # fmt: skip
