"""What ties interactions, cases, orders and feedback together, whichever channel they came through."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from threadline.identity.membership import profiles_of
from threadline.identity.related import related_parties
from threadline.model.identifiers import order_numbers
from threadline.model.ids import entity_id, show_id
from threadline.store.database import Transaction, moment

EntityType: TypeAlias = Literal["interaction", "case", "order", "feedback"]
_TABLES = ("interactions", "cases", "orders", "feedback")


class Reference(NamedTuple):
    """A thing that an entity names; entities that name the same one belong to one thread."""

    id: bytes
    kind: str
    label: str

    @property
    def score(self) -> float:
        """How surely it joins: a protocol's own reference is certain, an order number is nearly so."""
        return _STRENGTH[self.kind][0]

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands among the reasons of a member: the strongest first, and of equals always the same one."""
        return list(_STRENGTH).index(self.kind), self.label

    @property
    def reason(self) -> str:
        """Why it joins, in words."""
        return _STRENGTH[self.kind][1].format(self.label)


_STRENGTH: Mapping[str, tuple[float, str]] = {
    "message": (1.0, "same e-mail conversation"),
    "case": (1.0, "belongs to case {}"),
    "conversation": (1.0, "same conversation"),
    "order": (0.95, "is about order {}"),
    "mention": (0.9, "mentions order {}"),
}
"""Kinds from the strongest to the weakest."""


@dataclass(frozen=True, slots=True)
class Member:
    """Something that may be in a thread, as far as threads need it."""

    id: bytes
    type: EntityType
    at: datetime
    source: str
    external_id: str
    channel: str | None
    title: str | None
    texts: tuple[str, ...] = ()
    order_ref: str | None = None
    case: bytes | None = None
    case_label: str | None = None
    conversation: str | None = None
    messages: tuple[str, ...] = ()


_INTERACTIONS = """
SELECT i.id, i.interaction_date, i.source, i.external_id, i.channel, m.subject, m.content, i.order_ref, i."case", c.external_id,
       i.conversation_ref, m.message_id, m.in_reply_to, m."references"
FROM interactions i LEFT JOIN messages m ON m.interaction = i.id LEFT JOIN cases c ON c.id = i."case" WHERE i.id {keys}
"""
_CASES = "SELECT id, creation_date, source, external_id, channel, name, description, order_ref FROM cases WHERE id {keys}"
_FEEDBACK = """
SELECT f.id, f.feedback_date, f.source, f.external_id, f.channel, f.comments, f.order_ref, f."case", c.external_id, f.conversation_ref
FROM feedback f LEFT JOIN cases c ON c.id = f."case" WHERE f.id {keys}
"""
_ORDERS = "SELECT id, order_date, source, external_id, channel, number FROM orders WHERE id {keys}"


def load_members(transaction: Transaction, ids: Iterable[bytes]) -> dict[bytes, Member]:
    """Read the interactions, cases, orders and feedback among the ids."""
    wanted = list(ids)
    found = [_interaction(*row) for row in transaction.query_in(_INTERACTIONS, wanted)]
    for identity, at, source, external_id, channel, name, description, order_ref in transaction.query_in(_CASES, wanted):
        when = _time(at)
        texts = _texts(name, description)
        found.append(Member(identity, "case", when, source, external_id, channel, name, texts, order_ref, identity, external_id))
    for identity, at, source, external_id, channel, comments, order_ref, *about in transaction.query_in(_FEEDBACK, wanted):
        found.append(Member(identity, "feedback", _time(at), source, external_id, channel, None, _texts(comments), order_ref, *about))
    for identity, at, source, external_id, channel, number in transaction.query_in(_ORDERS, wanted):
        found.append(Member(identity, "order", _time(at), source, external_id, channel, f"Order {number}", (), number))
    return {member.id: member for member in found}


def _interaction(
    identity: bytes, at: Any, source: str, external_id: str, channel: str, subject: str | None, content: str | None,
    order_ref: str | None, case: bytes | None, case_label: str | None, conversation: str | None,
    message_id: str | None, in_reply_to: str | None, references: str | None,
) -> Member:  # fmt: skip
    messages = ([message_id] if message_id else []) + _list(in_reply_to) + _list(references)
    return Member(
        identity, "interaction", _time(at), source, external_id, channel, subject, _texts(subject, content), order_ref, case, case_label,
        conversation, tuple(messages),
    )  # fmt: skip


def _time(value: Any) -> datetime:
    when = moment(value)
    assert when is not None  # noqa: S101 - the columns are NOT NULL
    return when


def _texts(*texts: str | None) -> tuple[str, ...]:
    return tuple(text for text in texts if text)


def _list(value: str | None) -> list[str]:
    return msgspec.json.decode(value, type=list[str]) if value else []


def carried(remote_id: str, case: bytes | None) -> Reference | None:
    """Return the reference to what a push made: the case that it opened, or a mail by its Message-ID (RFC 5322)."""
    if case:
        return _case(case, f"#{remote_id}")
    # Any other id counts only within its system: note 17 of one shop is not note 17 of another.
    if "@" not in remote_id:
        return None
    return Reference(entity_id("", "message", remote_id), "message", remote_id)


def _case(case: bytes, label: str) -> Reference:
    return Reference(entity_id("", "case", case.hex()), "case", label)


class Finder:
    """Finds what members refer to; `order_pattern` is how order numbers look in text (threadline.yaml, `references.order`)."""

    def __init__(self, order_pattern: str | None) -> None:
        self._order = order_numbers(order_pattern) if order_pattern else None

    def references(self, member: Member, profile: bytes | None) -> Iterator[Reference]:
        """Yield what a member refers to. Order numbers count only within one customer: somebody else's may be a slip of the pen."""
        for message in member.messages:
            yield Reference(entity_id("", "message", message), "message", message)
        if member.case:
            label = f"#{member.case_label}" if member.case_label else "that is not read yet"
            yield _case(member.case, label)
        if member.conversation:
            yield Reference(entity_id(member.source, "conversation", member.conversation), "conversation", member.conversation)
        if profile is None:
            return
        if member.order_ref:
            yield self._named(member.order_ref, profile, "order")
        for number in self.mentioned(member):
            yield self._named(number, profile, "mention")

    def _named(self, number: str, profile: bytes, kind: str) -> Reference:
        return Reference(entity_id(show_id(profile), "order", number.strip().upper()), kind, number)

    def mentioned(self, member: Member) -> list[str]:
        """Return the order numbers in a member's texts, besides the one that it is declared to be about."""
        found = dict.fromkeys(number for text in member.texts for number in self.finds(text))
        return [number for number in found if number != member.order_ref]

    def finds(self, text: str) -> list[str]:
        """Return the order numbers in a text."""
        return [match.group(0) for match in self._order.finditer(text)] if self._order else []


def customers(transaction: Transaction, members: Mapping[bytes, Member]) -> dict[bytes, bytes]:
    """Return the customer's profile of each member that has one; an interaction, or feedback, without a customer takes its case's."""
    cases = {member.case for member in members.values() if member.case}
    related = related_parties(transaction, {*members, *cases}, _TABLES)
    parties = {entity: roles["customer"] for entity, roles in related.items() if "customer" in roles}
    homes = profiles_of(transaction, {party for customers in parties.values() for party in customers})
    found = {entity: min(homes[party] for party in customers) for entity, customers in parties.items()}
    for member in members.values():
        if member.id not in found and member.case in found:
            found[member.id] = found[member.case]
    return {identity: profile for identity, profile in found.items() if identity in members}
