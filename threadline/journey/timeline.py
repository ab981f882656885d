"""Finds customers, and shows one with all that happened, over all channels."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from threadline.identity.membership import profiles_of
from threadline.identity.related import entities_of, read_related, related_parties
from threadline.journey.profile import Profile, follow, load_profiles
from threadline.journey.views import CaseView, CustomerHit, CustomerView, Entry, Fact, OrderView, PreferenceView, RecordView, ThreadView
from threadline.model.entities import Role
from threadline.model.identifiers import SHARED_KINDS, identify, normalize_email, normalize_handle, normalize_phone
from threadline.model.ids import parse_id, show_id
from threadline.model.money import Money
from threadline.store.database import Row, Transaction, moment

_HITS = 50
_LABELS = {
    "formatted_name": "Name", "email": "E-mail", "phone": "Phone", "handle": "Handle", "language": "Language", "birth_date": "Birth date",
    "status": "Status",
}  # fmt: skip
_KINDS = {"email": "e-mail", "phone": "phone", "handle": "handle", "threadline": "profile id"}


def find_customers(transaction: Transaction, query: str, region: str | None = None) -> list[CustomerHit]:
    """Find customers by e-mail, phone, handle, `source:id`, order number, profile id, or a part of the name."""
    text = query.strip()
    if not text:
        return []
    matched: dict[bytes, str] = {}
    for profile, what in _matches(transaction, text, region):
        matched.setdefault(profile, what)
    if not matched:
        pattern = "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        matched = {profile: f"name {text}" for (profile,) in transaction.query(_BY_NAME, [pattern, _HITS])}
    profiles = load_profiles(transaction, matched)
    return [_hit(profiles[profile], what) for profile, what in matched.items() if profile in profiles][:_HITS]


def _matches(transaction: Transaction, text: str, region: str | None) -> Iterator[tuple[bytes, str]]:
    """Yield the profiles that a text names exactly, with what it is of them."""
    identity = parse_id(text)
    if identity and (profile := follow(transaction, identity)):
        yield profile, f"profile id {text.upper()}"
    for kind, value in _readings(text, region):
        for _, profile in transaction.query(_HOLDERS, [identify(kind, value, value, "").id]):
            yield profile, f"{_KINDS[kind]} {value}"
    for profile, what in _in_source(transaction, text, region).values():
        yield profile, what
    customers = {party for (related,) in transaction.query(_BY_ORDER, [text]) for party in read_related(related).get("customer", [])}
    for profile in profiles_of(transaction, customers).values():
        yield profile, f"order {text}"


def find_parties(transaction: Transaction, query: str, region: str | None = None) -> dict[bytes, bytes]:
    """Return the parties that an e-mail address, phone number, handle or `source:id` names, each with its profile."""
    text = query.strip()
    found = {party: profile for party, (profile, _) in _in_source(transaction, text, region).items()}
    for kind, value in _readings(text, region):
        found.update(transaction.query(_HOLDERS, [identify(kind, value, value, "").id]))
    return found


def _in_source(transaction: Transaction, text: str, region: str | None) -> dict[bytes, tuple[bytes, str]]:
    """Return the parties that `source:id` or `source:address` names, each with its profile and what the text is of it."""
    source, _, value = (part.strip() for part in text.partition(":"))
    if not value:
        return {}
    found = {
        party: (profile, f"{source} {kind} {value}") for party, profile, kind in transaction.query(_HOLDERS_OF_ID, [source, value, value])
    }
    for kind, address in _readings(value, region):
        for party, profile in transaction.query(_HOLDERS_IN_SOURCE, [identify(kind, address, address, "").id, source]):
            found[party] = profile, f"{source} {_KINDS[kind]} {address}"
    return found


_HOLDERS = "SELECT m.party, m.profile FROM party_identifiers i JOIN party_profiles m ON m.party = i.party WHERE i.identifier = ?"
_HOLDERS_IN_SOURCE = (
    "SELECT m.party, m.profile FROM party_identifiers i JOIN party_profiles m ON m.party = i.party JOIN parties p ON p.id = i.party "
    "WHERE i.identifier = ? AND p.source = ?"
)
_HOLDERS_OF_ID = (
    "SELECT m.party, m.profile, i.type FROM party_identifiers i JOIN party_profiles m ON m.party = i.party "
    "WHERE i.owner = ? AND (i.value = ? OR i.value_normalized = ?)"
)
_BY_ORDER = 'SELECT related_parties FROM orders WHERE "number" = ?'
_BY_NAME = (
    "SELECT DISTINCT m.profile FROM parties p JOIN party_profiles m ON m.party = p.id "
    "WHERE p.role = 'customer' AND lower(p.formatted_name) LIKE ? ESCAPE '\\' ORDER BY m.profile LIMIT ?"
)


def _readings(text: str, region: str | None) -> Iterable[tuple[str, str]]:
    """Yield what a search may mean, as identifiers are compared."""
    handle = f"x:{text}" if text.startswith("@") else text
    for kind, normalize in (("email", normalize_email), ("handle", normalize_handle)):
        try:
            yield kind, normalize(handle if kind == "handle" else text)
        except ValueError:
            continue
    if sum(char.isdigit() for char in text) >= 5:
        try:
            yield "phone", normalize_phone(text, region)
        except ValueError:
            return


def _hit(profile: Profile, what: str) -> CustomerHit:
    sources = {source for held in profile.values.values() for names in held.values() for source in names}
    return CustomerHit(id=show_id(profile.id), name=profile.name, matched=what, sources=tuple(sorted(sources)))


def customer(transaction: Transaction, profile_id: bytes) -> CustomerView | str | None:
    """Show a customer; the id that it was merged into when it was, None when there is none."""
    current = follow(transaction, profile_id)
    if current is None:
        return None
    if current != profile_id:
        return show_id(current)
    profile = load_profiles(transaction, [current]).get(current)
    if profile is None:
        return None
    entities = entities_of(transaction, profile.parties)
    threads = {row[0] for row in transaction.query_in("SELECT thread FROM thread_members WHERE entity {keys}", entities)}
    threads |= {row[0] for row in transaction.query("SELECT id FROM threads WHERE profile = ?", [current])}
    views = _threads(transaction, threads)
    return CustomerView(
        id=show_id(current),
        name=profile.name,
        facts=tuple(_facts(profile)),
        threads=tuple(sorted(views, key=lambda view: (view.last, view.id), reverse=True)),
        records=tuple(_records(transaction, profile)),
        cases=tuple(_cases(transaction, entities)),
        orders=tuple(_orders(transaction, entities)),
        preferences=tuple(_preferences(transaction, profile)),
    )


def _facts(profile: Profile) -> Iterable[Fact]:
    for name, label in _LABELS.items():
        for value in profile.ranked(name):
            yield Fact(label=label, value=value, sources=tuple(sorted(profile.values[name][value])))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            if name in ("formatted_name", "language", "birth_date", "status"):
                break


def _time(value: Any) -> datetime:
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


def _threads(transaction: Transaction, threads: set[bytes]) -> list[ThreadView]:
    entries: dict[bytes, list[Entry]] = {thread: [] for thread in threads}
    said, opened, ordered, rated = (transaction.query_in(sql, threads) for sql in (_SAID, _OPENED, _ORDERED, _RATED))
    moved = _steps(transaction.query_in(_MOVED, threads))
    names = _people(transaction, [*(row[3] for row in [*said, *opened, *ordered, *rated]), *(row[1] for row in moved)])
    for row in said:
        entries[row[0]].append(_said(row, names))
    for thread, score, reason, identity, source, external_id, channel, at, name, text, state in opened:
        author, role = names.get(identity, {}).get("customer"), "customer"
        entries[thread].append(Entry(
            at=_time(at), kind="case", id=show_id(identity), source=source, external_id=external_id, channel=channel, title=name, text=text,
            state=state, author=author, role=role if author else None, score=score, reason=reason,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        ))  # fmt: skip
    items = _items(transaction, [row[3] for row in ordered])
    for thread, score, reason, identity, source, external_id, channel, at, number, state, amount, currency in ordered:
        total = Money(amount, currency) if amount is not None else None
        entries[thread].append(Entry(
            at=_time(at), kind="order", id=show_id(identity), source=source, external_id=external_id, channel=channel, title=number,
            text=items.get(identity), state=state, total=total, author=names.get(identity, {}).get("customer"), score=score, reason=reason,
        ))  # fmt: skip
    for row in moved:
        entries[row[0]].append(_step(row, names))
    for row in rated:
        entries[row[0]].append(_rated(row, names))
    heads = transaction.query_in("SELECT id, title, started, last, channels FROM threads WHERE id {keys}", threads)
    return [_thread(row, entries[row[0]]) for row in heads]


def _said(row: Row, names: Mapping[bytes, Mapping[str, str]]) -> Entry:
    _, score, reason, identity, source, external_id, channel, direction, visibility, at, subject, content, sender = row
    role: Role = "customer" if direction == "inbound" else "agent"
    return Entry(
        at=_time(at), kind="message", id=show_id(identity), source=source, external_id=external_id, channel=channel, direction=direction,
        visibility=visibility, author=names.get(identity, {}).get(role) or sender, role=role, title=subject, text=content,
        score=score, reason=reason,
    )  # fmt: skip


def _steps(rows: Iterable[Row]) -> list[Row]:
    """Return what moved cases on: not how they were opened, and nothing that changes nothing (two streams may tell of one step)."""
    steps: list[Row] = []
    now: dict[bytes, str] = {}
    for row in sorted(rows, key=lambda row: (_time(row[3]), row[1])):
        _, _, _, at, status, _, case, _, opened = row
        if now.get(case) != status and _time(at) > _time(opened):
            steps.append(row)
        now[case] = status
    return steps


def _step(row: Row, names: Mapping[bytes, Mapping[str, str]]) -> Entry:
    _, identity, source, at, status, why, _, number, _ = row
    role, author = next(iter(names.get(identity, {}).items()), (None, None))
    return Entry(
        at=_time(at), kind="status", id=show_id(identity), source=source, external_id=number, channel=None, state=status, text=why,
        author=author, role=role,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


def _rated(row: Row, names: Mapping[bytes, Mapping[str, str]]) -> Entry:
    _, score, reason, identity, source, external_id, channel, at, comments, why, rating, lowest, highest = row
    scale = f" on a scale from {lowest:g} to {highest:g}" if lowest is not None and highest is not None else ""
    return Entry(
        at=_time(at), kind="feedback", id=show_id(identity), source=source, external_id=external_id, channel=channel, direction="inbound",
        author=names.get(identity, {}).get("customer"), role="customer", text=comments or why,
        state=None if rating is None else f"{rating:g}{scale}", score=score, reason=reason,
    )  # fmt: skip


def _thread(row: Row, entries: list[Entry]) -> ThreadView:
    identity, title, started, last, channels = row
    return ThreadView(
        id=show_id(identity), title=title, started=_time(started), last=_time(last), channels=tuple(msgspec.json.decode(channels)),
        entries=tuple(sorted(entries, key=_order)),
    )  # fmt: skip


def _order(entry: Entry) -> tuple[datetime, int, str]:
    # At the same moment a case stands before the words that opened it, and words before the step that they brought about.
    return entry.at, ("order", "case", "message", "feedback", "status").index(entry.kind), entry.id


def _people(transaction: Transaction, entities: list[bytes]) -> dict[bytes, dict[str, str]]:
    """Return entity -> role -> name, for parties whose name is known in any source of their profile."""
    related = related_parties(transaction, entities)
    rows = [(entity, role, party) for entity, roles in related.items() for role, parties in roles.items() for party in parties]
    homes = profiles_of(transaction, {row[2] for row in rows})
    profiles = load_profiles(transaction, homes.values())
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


def _records(transaction: Transaction, profile: Profile) -> Iterable[RecordView]:
    """Yield the customer's records, the oldest first: each is joined by what it shares with an earlier one."""
    identifiers = transaction.query_in(
        "SELECT i.party, i.identifier, i.type, i.value_normalized, i.owner FROM party_identifiers i WHERE i.party {keys}", profile.parties
    )
    parties = transaction.query_in(
        "SELECT p.id, p.source, p.external_id, r.first_seen FROM parties p LEFT JOIN records r ON r.id = p.record_id WHERE p.id {keys}",
        profile.parties,
    )
    by_party: dict[bytes, list[Row]] = {}
    for row in identifiers:
        by_party.setdefault(row[0], []).append(row)
    holder: dict[bytes, str] = {}
    for party, source, external_id, since in sorted(parties, key=lambda row: (str(row[3] or ""), row[1], row[2])):
        held = sorted(by_party.get(party, []), key=lambda row: (row[2] not in SHARED_KINDS, row[2]))
        kind = next((row[2] for row in held if row[4] is not None), held[0][2] if held else "record")
        reasons = [f"same {_KINDS.get(row[2], row[2])} as {holder[row[1]]}" for row in held if row[1] in holder]
        for row in held:
            holder.setdefault(row[1], f"{source} {external_id}")
        yield RecordView(source=source, kind=kind, external_id=external_id, joined_by="; ".join(reasons) or None, since=_time(since))


def _cases(transaction: Transaction, entities: set[bytes]) -> list[CaseView]:
    rows = transaction.query_in("SELECT source, external_id, name, status, creation_date FROM cases WHERE id {keys}", entities)
    views = [CaseView(source=row[0], external_id=row[1], name=row[2], status=row[3], created=_time(row[4])) for row in rows]
    return sorted(views, key=lambda view: view.created, reverse=True)


def _orders(transaction: Transaction, entities: set[bytes]) -> list[OrderView]:
    rows = transaction.query_in(
        'SELECT o.source, o."number", o.state, o.order_date, o.total_amount, o.total_currency, '
        '(SELECT count(*) FROM order_items i WHERE i."order" = o.id) FROM orders o WHERE o.id {keys}',
        entities,
    )
    views = [
        OrderView(
            source=row[0],
            number=row[1],
            state=row[2],
            placed=_time(row[3]),
            total=Money(row[4], row[5]) if row[4] is not None else None,
            items=row[6],
        )
        for row in rows
    ]
    return sorted(views, key=lambda view: view.placed, reverse=True)


def _preferences(transaction: Transaction, profile: Profile) -> list[PreferenceView]:
    rows = transaction.query_in(
        "SELECT source, channel, purpose, language, quiet_from, quiet_to, set_at FROM preferences WHERE party {keys}", profile.parties
    )
    return [
        PreferenceView(
            source=source,
            channel=channel,
            purpose=purpose,
            language=language,
            quiet_hours=f"{start} to {end}" if start and end else None,
            set_at=moment(at),
        )
        for source, channel, purpose, language, start, end, at in sorted(rows, key=str)
    ]
