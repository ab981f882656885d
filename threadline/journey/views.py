"""What is shown of a customer: the shapes that the command line, the API and the pages share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from threadline.model.entities import Channel, Role
from threadline.model.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One knot of a thread: something said, a case opened or moved on, an order placed, a rating given."""

    at: datetime
    kind: Literal["message", "case", "status", "order", "feedback"]
    id: str
    source: str
    external_id: str
    """The source's own id; of a status the number of its case."""
    channel: Channel | None
    direction: Literal["inbound", "outbound"] | None = None
    visibility: Literal["public", "private", "internal"] | None = None
    author: str | None = None
    role: Role | None = None
    title: str | None = None
    """Subject of a message, name of a case, number of an order."""
    text: str | None = None
    """Plain text as the source gave it: to be escaped wherever it is shown."""
    state: str | None = None
    """What a case is now, or from then on; where an order stands; what a rating says."""
    total: Money | None = None
    score: float = 1.0
    reason: str | None = None
    """Why it is in this thread; None for the oldest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadView:
    """One conversation over all channels, oldest entry first."""

    id: str
    title: str | None
    started: datetime
    last: datetime
    channels: tuple[str, ...]
    entries: tuple[Entry, ...]


Label: TypeAlias = Literal["Name", "E-mail", "Phone", "Handle", "Address", "Language", "Birth date", "Status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One value of the profile, and who says so."""

    label: Label
    value: str
    sources: tuple[str, ...]
    records: tuple[str, ...] = ()
    """The records that say so, as SOURCE:ID, the weightiest first."""
    chosen_by: str | None = None
    """Why this value comes before the others (docs/identity.md); None where there are none, and for those others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """One source record of the customer, and what joins it to the others."""

    source: str
    kind: str
    """email, handle, zendesk_user, ..."""
    external_id: str
    joined_by: str | None
    """In words, such as "same e-mail as crm 003..." or "like crm 003...: birth date"; None for the record that the others join to."""
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """A case, beside the thread."""

    source: str
    external_id: str
    name: str | None
    status: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order, beside the thread."""

    source: str
    number: str
    state: str | None
    placed: datetime
    items: int
    total: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceView:
    """How the customer wants to be reached, and who said so."""

    source: str
    channel: str | None
    purpose: str | None
    language: str | None
    quiet_hours: str | None
    set_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """One customer: profile, threads (the one with the newest entry first), and what stands beside them."""

    id: str
    name: str
    facts: tuple[Fact, ...]
    threads: tuple[ThreadView, ...]
    records: tuple[RecordView, ...]
    cases: tuple[CaseView, ...]
    orders: tuple[OrderView, ...]
    preferences: tuple[PreferenceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHit:
    """One answer to a search for customers."""

    id: str
    name: str
    matched: str
    """What was found, such as "e-mail ana@example.org"."""
    sources: tuple[str, ...]
