"""Tickets as Zendesk's API returns them, about 1.9 kB each: the same ones on every machine.

A ticket is a function of its number and its edition, so that what one edition changed is known without comparing.
https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/
"""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import msgspec

PAGE = 1_000
FIRST = "first"
"""Every ticket, as it was at first."""
CHANGED = "changed"
"""Every ticket; one in a hundred was reopened since."""
VOLATILE = "volatile"
"""Every ticket as in `CHANGED`, with a field that no mapping reads different on each."""
REOPENED_EVERY = 100

_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
_REOPENED = "2026-11-01T09:00:00Z"
_TEXT = (
    "parcel jacket courier warehouse exchange coupon basket checkout receipt zip button size medium colour navy label barcode photo scan "
    "Paket Rückgabe Größe Straße Lieferung kaputt bitte dringend colis échange reçu déçu où près paquete envío año señora talla "
    "zwrot paczka źle dziękuję посылка возврат размер спасибо δέμα επιστροφή 返品 サイズ 荷物 届かない 包裹 退款 谢谢 배송 환불 "
    '👟 🙏 😕 “asap” "now" 50% c/o <b> A&B it\'s\n\n tomorrow yesterday Tuesday waiting third time nobody answered invoice paid twice card'
)
_WORDS = _TEXT.split(" ")
_CHANNELS = ("web", "email", "api", "mobile", "chat", "voice", "twitter", "facebook")
_STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
_TYPES = (None, "incident", "question", "problem", "task")
_PRIORITIES = (None, "low", "normal", "high", "urgent")
_LANGUAGES = ("en", "de", "fr", "es", "pl", "ja", None)
_TIERS = ("gold", "silver", "bronze", None)
_TAGS = ("vip", "b2b", "refund", "shipping", "return", "size", "billing", "app", "store", "gift", "press", "eu")
_SATISFACTION = ({"score": "unoffered"}, {"score": "good", "comment": "merci 👍"}, {"score": "bad", "comment": "zu langsam"})

_encode = msgspec.json.Encoder().encode


def tickets(edition: str, numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield the tickets of these numbers as JSON."""
    for number in numbers:
        yield _encode(ticket(number, edition))


def spread(total: int, size: int) -> range:
    """Return `size` ticket numbers, evenly spread over `total`."""
    return range(0, total, max(1, total // size))[:size]


def pages(records: Iterable[bytes], size: int = PAGE) -> Iterator[bytes]:
    """Join records into JSON arrays of `size`."""
    rest = iter(records)
    while page := list(islice(rest, size)):
        yield b"[" + b",".join(page) + b"]"


def ticket(number: int, edition: str = FIRST) -> dict[str, Any]:
    """Return a ticket; in any edition other than the three above it was changed, differently in each."""
    made = _first(number)
    if edition in (CHANGED, VOLATILE):
        if number % REOPENED_EVERY == 0:
            _reopen(made, CHANGED)
    elif edition != FIRST:
        _reopen(made, edition)
    if edition == VOLATILE:
        made["generated_timestamp"] += 86_400
    return made


def _reopen(made: dict[str, Any], edition: str) -> None:
    made["status"] = "open" if made["status"] != "open" else "pending"
    made["updated_at"] = _REOPENED
    made["tags"] = [*made["tags"], f"reopened_{edition}"]


def _first(number: int) -> dict[str, Any]:
    rng = random.Random(number)
    created = _BEGIN + timedelta(seconds=number * 31 + rng.randrange(30))
    updated = created + timedelta(seconds=rng.randrange(900_000))
    words = rng.choices(_WORDS, k=rng.randrange(50, 105))
    subject = " ".join(words[:7])
    requester = 900_000 + rng.randrange(40_000)
    channel = rng.choice(_CHANNELS)
    identity = number + 1
    return {
        "url": f"https://acme.zendesk.com/api/v2/tickets/{identity}.json", "id": identity,
        "external_id": f"shop-{identity:08}" if rng.random() < 0.3 else None, "via": _via(channel, requester),
        "created_at": _time(created), "updated_at": _time(updated), "type": rng.choice(_TYPES),
        "subject": subject, "raw_subject": subject, "description": " ".join(words),
        "priority": rng.choice(_PRIORITIES), "status": rng.choice(_STATUSES),
        "recipient": "help@acme.example" if channel == "email" else None,
        "requester_id": requester, "submitter_id": requester, "assignee_id": 1_000 + rng.randrange(50) if rng.random() < 0.85 else None,
        "organization_id": 5_000 + rng.randrange(800) if rng.random() < 0.6 else None, "group_id": 200 + rng.randrange(12),
        "collaborator_ids": [900_000 + rng.randrange(40_000) for _ in range(rng.randrange(3))],
        "follower_ids": [], "email_cc_ids": [], "forum_topic_id": None, "problem_id": None, "has_incidents": False, "is_public": True,
        "due_at": None, "tags": rng.sample(_TAGS, rng.randrange(5)), "custom_fields": _custom_fields(rng),
        "satisfaction_rating": rng.choice(_SATISFACTION), "sharing_agreement_ids": [], "custom_status_id": 11, "fields": [],
        "followup_ids": [], "ticket_form_id": 360_000, "brand_id": 360_001 + rng.randrange(3), "allow_channelback": False,
        "allow_attachments": True, "from_messaging_channel": False, "generated_timestamp": int(updated.timestamp()),
    }  # fmt: skip


def _via(channel: str, requester: int) -> dict[str, Any]:
    source: dict[str, Any] = {"from": {}, "to": {}, "rel": None}
    if channel == "email":
        source["from"] = {"address": f"c{requester}@mail.example", "name": f"Zoë {requester}"}
        source["to"] = {"address": "help@acme.example", "name": "Acme"}
    elif channel == "twitter":
        source["from"] = {"username": f"c{requester}", "profile_url": f"https://x.com/c{requester}"}
    return {"channel": channel, "source": source}


def _custom_fields(rng: random.Random) -> list[dict[str, Any]]:
    order = f"NL-{rng.randrange(10**5):05}" if rng.random() < 0.5 else None
    values = (
        order, rng.choice(_LANGUAGES), rng.random() < 0.1, None, str(rng.randrange(1, 10)),
        rng.choice(_TIERS), None, f"{rng.random() * 500:.2f}", None, None,
    )  # fmt: skip
    return [{"id": 36_000_000 + index, "value": value} for index, value in enumerate(values)]


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
