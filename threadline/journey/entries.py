"""The entries of threads: what was said, opened, moved on, ordered and rated, in the order in which it happened."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec

from threadline.identity.membership import profiles_of
from threadline.identity.related import related_parties
from threadline.identity.survivorship import USUAL, Survivorship
from threadline.journey.profile import load_profiles
from threadline.journey.views import Entry, ThreadView
from threadline.model.entities import Role
from threadline.model.ids import show_id
from threadline.model.money import Money
from threadline.store.database import Row, Transaction, moment

_Names: TypeAlias = Mapping[bytes, Mapping[str, str]]
"""Who took part in each entity: names by role."""


def time_of(value: Any) -> datetime:
    """Read a time of the store; a missing one is older than all others."""
    return moment(value) or datetime.min.replace(tzinfo=UTC)


_SAID = """
SELECT t.thread, t.score, t.reason, i.id, i.source, i.external_id, i.channel, i.direction, i.visibility, i.interaction_date,
       m.subject, m.content, m.sender
FROM thread_members t JOIN interactions i ON i.id = t.entity LEFT JOIN messages m ON m.interaction = i.id WHERE t.thread {keys}
"""
_OPENED = """
SELECT t.thread, t.score, t.reason, c.id, c.source, c.external_id, c.channel, c.creation_date, c.name, c.description, c.status
FROM thread_members t JOIN cases c ON c.id = t.entity WHERE t.thread {keys}
"""
_ORDERED = """
SELECT t.thread, t.score, t.reason, o.id, o.source, o.external_id, o.channel, o.order_date, o."number", o.state,
       o.total_amount, o.total_currency
FROM thread_members t JOIN orders o ON o.id = t.entity WHERE t.thread {keys}
"""
_MOVED = """
SELECT t.thread, s.id, s.source, s.change_date, s.status, s.change_reason, c.id, c.external_id, c.creation_date
FROM thread_members t JOIN cases c ON c.id = t.entity JOIN status_changes s ON s."case" = c.id WHERE t.thread {keys}
"""
_RATED = """
SELECT t.thread, t.score, t.reason, f.id, f.source, f.external_id, f.channel, f.feedback_date, f.comments, f.reason,
       f.rating, f.min_rating, f.max_rating
FROM thread_members t JOIN feedback f ON f.id = t.entity WHERE t.thread {keys}
"""


def threads_with_entries(transaction: Transaction, threads: set[bytes], rules: Survivorship = USUAL) -> list[ThreadView]:
    """Return threads, each with its entries, oldest first; `rules` choose the names of those who take part."""
    entries: dict[bytes, list[Entry]] = {thread: [] for thread in threads}
    said, opened, ordered, rated = (transaction.query_in(sql, threads) for sql in (_SAID, _OPENED, _ORDERED, _RATED))
    moved = _steps(transaction.query_in(_MOVED, threads))
    names = _people(transaction, [*(row[3] for row in [*said, *opened, *ordered, *rated]), *(row[1] for row in moved)], rules)
    items = _items(transaction, [row[3] for row in ordered])
    for rows, entry in ((said, _said), (opened, _opened), (moved, _moved), (rated, _rated)):
        for row in rows:
            entries[row[0]].append(entry(row, names))
    for row in ordered:
        entries[row[0]].append(_ordered(row, names, items))
    heads = transaction.query_in("SELECT id, title, started, last, channels FROM threads WHERE id {keys}", threads)
    return [_thread(row, entries[row[0]]) for row in heads]


def _said(row: Row, names: _Names) -> Entry:
    _, score, reason, identity, source, external_id, channel, direction, visibility, at, subject, content, sender = row
    role: Role = "customer" if direction == "inbound" else "agent"
    return Entry(
        at=time_of(at), kind="message", id=show_id(identity), source=source, external_id=external_id, channel=channel, direction=direction,
        visibility=visibility, author=names.get(identity, {}).get(role) or sender, role=role, title=subject, text=content,
        score=score, reason=reason,
    )  # fmt: skip


def _opened(row: Row, names: _Names) -> Entry:
    _, score, reason, identity, source, external_id, channel, at, name, text, state = row
    author = names.get(identity, {}).get("customer")
    return Entry(
        at=time_of(at), kind="case", id=show_id(identity), source=source, external_id=external_id, channel=channel, title=name, text=text,
        state=state, author=author, role="customer" if author else None, score=score, reason=reason,
    )  # fmt: skip


def _ordered(row: Row, names: _Names, items: Mapping[bytes, str]) -> Entry:
    _, score, reason, identity, source, external_id, channel, at, number, state, amount, currency = row
    return Entry(
        at=time_of(at), kind="order", id=show_id(identity), source=source, external_id=external_id, channel=channel, title=number,
        text=items.get(identity), state=state, total=Money(amount, currency) if amount is not None else None,
        author=names.get(identity, {}).get("customer"), score=score, reason=reason,
    )  # fmt: skip


def _steps(rows: Iterable[Row]) -> list[Row]:
    """Return what moved cases on: not how they were opened, and nothing that changes nothing (two streams may tell of one step)."""
    steps: list[Row] = []
    now: dict[bytes, str] = {}
    for row in sorted(rows, key=lambda row: (time_of(row[3]), row[1])):
        _, _, _, at, status, _, case, _, opened = row
        if now.get(case) != status and time_of(at) > time_of(opened):
            steps.append(row)
        now[case] = status
    return steps


def _moved(row: Row, names: _Names) -> Entry:
    _, identity, source, at, status, why, _, number, _ = row
    role, author = next(iter(names.get(identity, {}).items()), (None, None))
    return Entry(
        at=time_of(at), kind="status", id=show_id(identity), source=source, external_id=number, channel=None, state=status, text=why,
        author=author, role=role,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def _rated(row: Row, names: _Names) -> Entry:
    _, score, reason, identity, source, external_id, channel, at, comments, why, rating, lowest, highest = row
    scale = f" on a scale from {lowest:g} to {highest:g}" if lowest is not None and highest is not None else ""
    return Entry(
        at=time_of(at), kind="feedback", id=show_id(identity), source=source, external_id=external_id, channel=channel, direction="inbound",
        author=names.get(identity, {}).get("customer"), role="customer", text=comments or why,
        state=None if rating is None else f"{rating:g}{scale}", score=score, reason=reason,
    )  # fmt: skip


def _thread(row: Row, entries: list[Entry]) -> ThreadView:
    identity, title, started, last, channels = row
    return ThreadView(
        id=show_id(identity), title=title, started=time_of(started), last=time_of(last), channels=tuple(msgspec.json.decode(channels)),
        entries=tuple(sorted(entries, key=_order)),
    )  # fmt: skip


def _order(entry: Entry) -> tuple[datetime, int, str]:
    # At the same moment a case stands before the words that opened it, and words before the step that they brought about.
    return entry.at, ("order", "case", "message", "feedback", "status").index(entry.kind), entry.id


def _people(transaction: Transaction, entities: list[bytes], rules: Survivorship) -> dict[bytes, dict[str, str]]:
    """Return entity -> role -> name, for parties whose name is known in any source of their profile."""
    related = related_parties(transaction, entities)
    rows = [(entity, role, party) for entity, roles in related.items() for role, parties in roles.items() for party in parties]
    homes = profiles_of(transaction, {row[2] for row in rows})
    profiles = load_profiles(transaction, homes.values(), rules)
    found: dict[bytes, dict[str, str]] = {}
    for entity, role, party in sorted(rows):
        if (profile := profiles.get(homes[party])) and (name := profile.best("formatted_name")):
            found.setdefault(entity, {})[role] = name
    return found


def _items(transaction: Transaction, orders: list[bytes]) -> dict[bytes, str]:
    rows = transaction.query_in('SELECT "order", position, description, sku, quantity FROM order_items WHERE "order" {keys}', orders)
    lines: dict[bytes, list[str]] = {}
    for order, _, description, sku, quantity in sorted(rows, key=lambda row: (row[0], row[1] or 0)):
        what = description or sku or "item"
        lines.setdefault(order, []).append(f"{quantity} × {what}" if quantity and quantity > 1 else what)
    return {order: ", ".join(found) for order, found in lines.items()}
