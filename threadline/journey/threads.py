"""Threads: interactions, cases, orders and feedback that refer to the same things, over all channels.

`rethread` recomputes the threads around what changed, in the caller's transaction: its cost follows what changed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from threadline.journey.references import Finder, Member, Reference, carried, customers, load_members
from threadline.model.groups import connected, name_groups
from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Row, Transaction


@dataclass(slots=True)
class Surroundings:
    """The touched entities and everything that shares a reference or a thread with them."""

    references: dict[bytes, list[Reference]] = field(default_factory=lambda: defaultdict[bytes, list[Reference]](list))
    """What each entity refers to."""
    threads: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """The thread that each entity is in now."""


def rethread(transaction: Transaction, touched: Iterable[bytes], finder: Finder) -> set[bytes]:
    """Put the touched entities and their neighbours into the right threads; return the threads that changed."""
    start = set(touched)
    if not start:
        return set()
    transaction.lock("threads")
    # What is said on a case takes its customer and its name from it.
    for table in ("interactions", "feedback"):
        start |= {row[0] for row in transaction.query_in(f'SELECT id FROM {table} WHERE "case" {{keys}}', start)}  # noqa: S608 - names above
    _refer(transaction, start, finder)
    around = _explore(transaction, start)
    members = load_members(transaction, around.references.keys() | around.threads.keys() | start)
    by_reference: dict[bytes, list[bytes]] = defaultdict(list)
    for entity, references in around.references.items():
        for reference in references:
            if entity in members:
                by_reference[reference.id].append(entity)
    groups = connected(members.keys(), by_reference.values())
    current = {entity: thread for entity, thread in around.threads.items() if entity in members}
    names, _ = name_groups(groups, current, lambda _: new_ulid())
    return _store(transaction, dict(zip(names, groups, strict=True)), members, around, start)


def _refer(transaction: Transaction, touched: set[bytes], finder: Finder) -> None:
    members = load_members(transaction, touched)
    profiles = customers(transaction, members)
    rows: dict[tuple[bytes, bytes], Row] = {}
    for member in members.values():
        for reference in finder.references(member, profiles.get(member.id)):
            rows.setdefault((reference.id, member.id), (reference.id, member.id, reference.kind, reference.label))
    for member, remote, case in transaction.query_in(
        'SELECT entity_id, remote_id, "case" FROM outbox WHERE remote_id IS NOT NULL AND entity_id {keys}', members
    ):
        if sent := carried(remote, case):
            rows[sent.id, member] = (sent.id, member, sent.kind, sent.label)
    transaction.execute_in("DELETE FROM thread_references WHERE entity {keys}", touched)
    transaction.insert(schema.THREAD_REFERENCES, list(rows.values()))


def _explore(transaction: Transaction, start: set[bytes]) -> Surroundings:
    around = Surroundings()
    seen: set[bytes] = set()
    seen_references: set[bytes] = set()
    seen_threads: set[bytes] = set()
    frontier = start
    while frontier:
        seen |= frontier
        for entity, *reference in transaction.query_in(
            "SELECT entity, reference, kind, label FROM thread_references WHERE entity {keys}", frontier
        ):
            around.references[entity].append(Reference(*reference))
        around.threads.update(transaction.query_in("SELECT entity, thread FROM thread_members WHERE entity {keys}", frontier))
        references = {one.id for entity in frontier for one in around.references.get(entity, [])} - seen_references
        threads = {around.threads[entity] for entity in frontier if entity in around.threads} - seen_threads
        seen_references |= references
        seen_threads |= threads
        found = transaction.query_in("SELECT entity FROM thread_references WHERE reference {keys}", references)
        found += transaction.query_in("SELECT entity FROM thread_members WHERE thread {keys}", threads)
        frontier = {row[0] for row in found} - seen
    return around


def _store(
    transaction: Transaction,
    threads: Mapping[bytes, set[bytes]],
    members: Mapping[bytes, Member],
    around: Surroundings,
    touched: set[bytes],
) -> set[bytes]:
    profiles = customers(transaction, members)
    before: dict[bytes, set[bytes]] = defaultdict(set)
    for entity, thread in around.threads.items():
        before[thread].add(entity)
    changed: set[bytes] = set()
    thread_rows: list[Row] = []
    member_rows: list[Row] = []
    for thread, group in threads.items():
        if not group & touched and group == before.get(thread):
            continue
        changed.add(thread)
        ordered = sorted((members[entity] for entity in group), key=lambda member: (member.at, member.id))
        thread_rows.append(_thread_row(thread, ordered, profiles))
        member_rows += _member_rows(thread, ordered, around.references)
    ended = set(around.threads.values()) - threads.keys()
    transaction.execute_in("DELETE FROM threads WHERE id {keys}", ended)
    transaction.execute_in("DELETE FROM thread_members WHERE entity {keys}", touched - members.keys())
    transaction.upsert(schema.THREADS, thread_rows)
    transaction.upsert(schema.THREAD_MEMBERS, member_rows)
    return changed | ended


def _thread_row(thread: bytes, ordered: list[Member], profiles: Mapping[bytes, bytes]) -> Row:
    root = ordered[0]
    known = Counter(profiles[member.id] for member in ordered if member.id in profiles)
    profile = max(sorted(known), key=known.__getitem__) if known else None
    channels = list(dict.fromkeys(member.channel for member in ordered if member.channel))
    return (thread, root.id, _title(ordered), profile, root.at, ordered[-1].at, msgspec.json.encode(channels).decode())


def _title(ordered: list[Member]) -> str | None:
    said = [member for member in ordered if member.type != "order"]
    titles = (member.title for member in [*said, *ordered] if member.title)
    return next(titles, None) or next((text[:80] for member in said for text in member.texts), None)


def _member_rows(thread: bytes, ordered: list[Member], references: Mapping[bytes, list[Reference]]) -> Iterable[Row]:
    """Each member is joined by the strongest reference that it shares with another one."""
    counts = Counter(reference.id for member in ordered for reference in references.get(member.id, []))
    for index, member in enumerate(ordered):
        shared = [reference for reference in references.get(member.id, []) if counts[reference.id] > 1]
        # That a case belongs to itself explains nothing, unless its own comments are all that it is joined by.
        shared = [reference for reference in shared if member.type != "case" or reference.kind != "case"] or shared
        if index == 0 or not shared:
            yield (thread, member.id, member.type, 1.0, None)
            continue
        best = min(shared, key=lambda reference: reference.rank)
        yield (thread, member.id, member.type, best.score, best.reason)
