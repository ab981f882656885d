"""What the customer page says: facts by label, and a thread with its lanes and knots."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from threadline.api.words import count, moment, state
from threadline.journey.views import CustomerView, Entry, Fact, ThreadView
from threadline.model.entities import Channel

Lane: TypeAlias = Literal["email", "social", "chat", "ticket", "voice", "order"]

LANES: dict[Lane, str] = {"email": "E-mail", "social": "Social", "chat": "Chat", "ticket": "Tickets", "voice": "Phone", "order": "Orders"}
"""Each lane's name, in the order in which they stand from left to right."""

# Channels without a lane of their own (web forms, apps, surveys, letters) are worked on as tickets.
_LANE_OF: dict[Channel, Lane] = {
    "email": "email", "social": "social", "forum": "social", "chat": "chat", "sms": "chat",
    "voice": "voice", "ivr": "voice", "click_to_call": "voice", "remote_assist": "voice",
}  # fmt: skip

_DID: dict[Channel, str] = {
    "email": "wrote an e-mail", "social": "wrote a direct message", "forum": "posted in the forum", "chat": "wrote in a chat",
    "sms": "sent a text message", "voice": "called", "ivr": "used the phone menu", "click_to_call": "called from the web",
    "remote_assist": "used remote assistance", "web": "wrote on the web", "mobile_app": "wrote in the app", "in_person": "spoke in person",
    "letter": "wrote a letter", "survey": "answered a survey", "api": "wrote through an API", "other": "wrote",
}  # fmt: skip

_CLOSED = ("resolved", "closed", "cancelled", "rejected")
_LEAD_CHARACTERS, _LEAD_LINES = 700, 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Knot:
    """One entry where it stands in the line. `came_from` is the lane of the entry before."""

    entry: Entry
    lane: Lane
    came_from: Lane
    who: str | None
    did: str
    lead: str
    rest: str
    aside: str
    certainty: str


@dataclass(frozen=True, slots=True)
class OtherThread:
    """A thread that is not shown, and the names of its lanes."""

    thread: ThreadView
    lanes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage:
    """One thread, laid out, and the sentence that sums the customer up."""

    lede: str
    facts: dict[str, list[Fact]]
    thread: ThreadView | None
    others: tuple[OtherThread, ...]
    lanes: tuple[Lane, ...]
    knots: tuple[Knot, ...]
    lane_names: dict[Lane, str]
    closed: tuple[str, ...]
    """Statuses of cases that nobody works on any more."""


def customer_page(customer: CustomerView, thread_id: str | None) -> CustomerPage | None:
    """Lay out the thread asked for, or the newest; None when the customer has no thread of that id."""
    shown = next((thread for thread in customer.threads if thread_id in (None, thread.id)), None)
    if shown is None and thread_id is not None:
        return None
    entries = shown.entries if shown else ()
    return CustomerPage(
        lede=_lede(customer),
        facts=_by_label(customer.facts),
        thread=shown,
        others=tuple(
            OtherThread(thread, tuple(LANES[lane] for lane in lanes_of(thread.entries)))
            for thread in customer.threads
            if thread is not shown
        ),
        lanes=lanes_of(entries),
        knots=tuple(_knot(entry, before) for before, entry in pairwise((*entries[:1], *entries))),
        lane_names=LANES,
        closed=_CLOSED,
    )


def lane_of(entry: Entry) -> Lane:
    """Return the lane of an entry: cases and orders have their own, what somebody said has that of its channel."""
    if entry.kind in ("case", "status"):
        return "ticket"
    if entry.kind == "order":
        return "order"
    return _LANE_OF.get(entry.channel or "other", "ticket")


def lanes_of(entries: Iterable[Entry]) -> tuple[Lane, ...]:
    """Return the lanes that these entries use, from left to right."""
    used = {lane_of(entry) for entry in entries}
    return tuple(lane for lane in LANES if lane in used)


def _by_label(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    grouped: dict[str, list[Fact]] = {}
    for fact in facts:
        grouped.setdefault(fact.label, []).append(fact)
    return grouped


def _lede(customer: CustomerView) -> str:
    channels = {name for thread in customer.threads for name in thread.channels}
    systems = {record.source for record in customer.records}
    cases = sum(case.status not in _CLOSED for case in customer.cases)
    threads = "one thread" if len(customer.threads) == 1 else count(len(customer.threads), "thread")
    known = [count(len(channels), "channel"), count(len(systems), "system"), count(cases, "open case")]
    return f"One customer, {threads}: {', '.join(known)}.{_last_word(customer)}"


def _last_word(customer: CustomerView) -> str:
    messages = [
        entry for thread in customer.threads for entry in thread.entries if entry.kind == "message" and entry.visibility != "internal"
    ]
    if not messages:
        return ""
    last = max(messages, key=lambda entry: entry.at)
    side = "the customer" if last.direction == "inbound" else "the company"
    return f" Last word: {side}, {moment(last.at)}."


def _knot(entry: Entry, before: Entry) -> Knot:
    lead, rest = _cut(entry.text or "")
    return Knot(
        entry=entry,
        lane=lane_of(entry),
        came_from=lane_of(before),
        who=_who(entry),
        did=_did(entry),
        lead=lead,
        rest=rest,
        aside=_aside(entry),
        certainty="certain" if entry.score >= 0.995 else f"{entry.score:.2f}",
    )


def _who(entry: Entry) -> str | None:
    if entry.kind in ("case", "order"):
        return None
    if entry.author or entry.kind == "status":
        return entry.author
    return {"inbound": "The customer", "outbound": "The company"}.get(entry.direction or "", "Somebody")


def _did(entry: Entry) -> str:
    if entry.kind == "case":
        return f"Case {entry.external_id} opened"
    if entry.kind == "order":
        return f"Order {entry.title or entry.external_id} placed"
    if entry.kind == "status":
        moved = f"to {state(entry.state or '').lower()}"
        return f"moved case {entry.external_id} {moved}" if entry.author else f"Case {entry.external_id} moved {moved}"
    if entry.kind == "feedback":
        return "rated the service"
    if entry.visibility == "internal":
        return "left an internal note"
    if entry.channel == "social" and entry.visibility == "public":
        return "posted in public"
    if entry.channel == "web" and entry.direction == "outbound":
        return "answered in the ticket"
    return _DID[entry.channel or "other"]


def _aside(entry: Entry) -> str:
    said = None if entry.kind == "status" or not entry.state else state(entry.state)
    parts = (str(entry.total) if entry.total else None, said, entry.source)
    return " · ".join(part for part in parts if part)


def _cut(text: str) -> tuple[str, str]:
    """Return what is shown at once and what only on demand, so that one long e-mail does not hide the thread."""
    text = text.strip()
    lead = "\n".join(text.split("\n", _LEAD_LINES)[:_LEAD_LINES])
    if len(lead) > _LEAD_CHARACTERS:
        head = lead[:_LEAD_CHARACTERS]
        lead = head[: max(head.rfind(" "), head.rfind("\n"), _LEAD_CHARACTERS // 2)]
    return lead, text[len(lead) :].strip()
