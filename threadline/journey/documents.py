"""The `interaction` document of push mappings: one interaction in the light of its thread (docs/mapping.md)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from threadline.identity.related import read_related
from threadline.identity.survivorship import USUAL, Survivorship
from threadline.journey.profile import Profile, load_profiles, profile_document
from threadline.model.ids import show_id
from threadline.store.database import Transaction, moment

_OPEN = frozenset({"acknowledged", "pending", "held", "in_progress"})
_INTERACTIONS = """
SELECT t.thread, i.id, i.source, i.external_id, i.channel, i.direction, i.visibility, i.interaction_date, i.conversation_ref,
       m.subject, m.content, m.sender, m.message_id, m."references"
FROM thread_members t JOIN interactions i ON i.id = t.entity LEFT JOIN messages m ON m.interaction = i.id WHERE t.thread {keys}
"""
_CASES = """
SELECT t.thread, c.source, c.external_id, c.name, c.status, c.creation_date
FROM thread_members t JOIN cases c ON c.id = t.entity WHERE t.thread {keys}
"""
_ORDERS = """
SELECT t.thread, o.source, o.external_id, o.number, o.order_date
FROM thread_members t JOIN orders o ON o.id = t.entity WHERE t.thread {keys}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One interaction of a thread."""

    id: bytes
    source: str
    external_id: str
    channel: str
    direction: str
    visibility: str
    at: datetime
    conversation_ref: str | None
    subject: str | None
    content: str | None
    sender: str | None
    message_id: str | None
    references: str | None


def interaction_documents(
    transaction: Transaction, threads: Iterable[bytes], here: str, rules: Survivorship = USUAL
) -> Iterator[dict[str, Any]]:
    """Yield a document for each interaction of the threads, oldest first; `here` is the target's source, `rules` choose values."""
    wanted = set(threads)
    said: dict[bytes, list[Said]] = {}
    for thread, identity, source, external_id, channel, direction, visibility, at, *rest in transaction.query_in(_INTERACTIONS, wanted):
        when = moment(at)
        assert when is not None  # noqa: S101 - the column is NOT NULL
        said.setdefault(thread, []).append(Said(identity, source, external_id, channel, direction, visibility, when, *rest))
    heads = {row[0]: row[1:] for row in transaction.query_in("SELECT id, title, profile, channels FROM threads WHERE id {keys}", wanted)}
    matters = _matters(transaction, wanted, here)
    profiles = load_profiles(transaction, {head[1] for head in heads.values() if head[1]}, rules)
    authors = _authors(transaction, [one.id for group in said.values() for one in group])
    for thread, group in said.items():
        title, profile, channels = heads[thread]
        shared = {"id": show_id(thread), "title": title, "channels": msgspec.json.decode(channels)}
        customer = profile_document(profiles[profile], here) if profile in profiles else None
        yield from _documents(sorted(group, key=lambda one: (one.at, one.id)), shared, matters.get(thread, {}), customer, authors, here)


def _documents(
    group: list[Said],
    thread: Mapping[str, Any],
    matters: Mapping[str, Any],
    customer: Mapping[str, Any] | None,
    authors: Mapping[bytes, str],
    here: str,
) -> Iterator[dict[str, Any]]:
    last_inbound: Said | None = None
    newest_here: Said | None = None
    for one in group:
        if one.direction == "inbound":
            last_inbound = one
            newest_here = one if one.source == here else newest_here
        elsewhere = one.source != here
        answers_here = one.direction == "outbound" and elsewhere and last_inbound is not None and last_inbound.source == here
        inside = dict(matters) | ({"last_inbound": _inbound(newest_here)} if newest_here else {})
        document: dict[str, Any] = {
            "id": show_id(one.id), "source": one.source, "external_id": one.external_id, "channel": one.channel, "direction": one.direction,
            "visibility": one.visibility, "interaction_date": one.at, "subject": one.subject, "content": one.content, "sender": one.sender,
            "author": authors.get(one.id) or one.sender, "elsewhere": elsewhere,
            "thread": {**thread, "answers_here": answers_here, "here": inside},
        }  # fmt: skip
        if customer:
            document["customer"] = customer
        yield document


def _inbound(one: Said) -> dict[str, Any]:
    references: list[str] = msgspec.json.decode(one.references) if one.references else []
    return {
        "external_id": one.external_id, "conversation_ref": one.conversation_ref, "message_id": one.message_id, "references": references,
        "subject": one.subject, "sender": one.sender, "visibility": one.visibility,
    }  # fmt: skip


def _matters(transaction: Transaction, threads: set[bytes], here: str) -> dict[bytes, dict[str, Any]]:
    """Return the newest case and order that each thread has in a source."""
    found: dict[bytes, dict[str, Any]] = {}
    cases = transaction.query_in(_CASES, threads)
    for thread, source, external_id, name, status, _ in sorted(cases, key=lambda row: (str(row[5]), row[2])):
        if source == here:
            found.setdefault(thread, {})["case"] = {"external_id": external_id, "name": name, "status": status, "open": status in _OPEN}
    orders = transaction.query_in(_ORDERS, threads)
    for thread, source, external_id, number, _ in sorted(orders, key=lambda row: (str(row[4]), row[2])):
        if source == here:
            found.setdefault(thread, {})["order"] = {"external_id": external_id, "number": number}
    return found


def _authors(transaction: Transaction, interactions: list[bytes]) -> dict[bytes, str]:
    """Return the name of who spoke: the customer of an inbound interaction, the agent of an outbound one."""
    rows = transaction.query_in("SELECT id, direction, related_parties FROM interactions WHERE id {keys}", interactions)
    spoke = {entity: read_related(related).get(_SPEAKER[direction], []) for entity, direction, related in rows}
    named = "SELECT id, formatted_name FROM parties WHERE formatted_name IS NOT NULL AND id {keys}"
    names: dict[bytes, str] = dict(transaction.query_in(named, {party for parties in spoke.values() for party in parties}))
    found = {entity: [names[party] for party in parties if party in names] for entity, parties in spoke.items()}
    return {entity: max(called) for entity, called in found.items() if called}


_SPEAKER = {"inbound": "customer", "outbound": "agent"}


__all__ = ["Profile", "interaction_documents"]
