"""What the tests of the engine work with: a connector whose source is in memory, its mappings, and a look at the store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import msgspec
import zstandard

from threadline.journey.references import Finder
from threadline.mapping.compiled import PullMapping, PushMapping
from threadline.mapping.files import read_pull, read_push
from threadline.model.ids import entity_id
from threadline.sdk import Connector, Cursor, Intent, Page, PushObject, Receipt, Rejected, Settings, Stream, Target
from threadline.sdk.yamlfile import parse_yaml
from threadline.store.database import Database, Transaction
from threadline.store.schema import TABLES
from threadline.sync.batch import Judge
from threadline.sync.policy import USUAL, Policy
from threadline.sync.pull import pull
from threadline.sync.push import Outgoing, PushCounts, push
from threadline.sync.replay import replay
from threadline.sync.resolve import resolve
from threadline.sync.views import Ledger

ORDER_PATTERN = r"A-\d+"

MAPPINGS = {
    "people": """
source: list.people
target: party
version: 1
when: {hidden: null}
fields:
  formatted_name: {from: name, optional: true}
  role: {from: role, default: customer}
  birth_date: {from: born, optional: true}
  last_update: {from: changed, optional: true}
identifiers:
  list_person: id
  email: {from: email, verified: sure, optional: true}
  phone: {from: phone, optional: true}
  handle: {from: handle, optional: true}
  threadline: {from: profile, optional: true}
preferences:
  when: wish
  fields: {channel: wish, set_at: {from: wished, optional: true}}
""",
    "tickets": """
source: list.tickets
target: case
version: 1
fields: {name: subject, status: {from: status, default: in_progress}, creation_date: at, order_ref: {from: order, optional: true}}
parties: [{role: customer, identifiers: {list_person: {from: person, optional: true}}}]
""",
    "talks": """
source: list.talks
target: interaction
version: 1
fields:
  direction: {from: direction, default: inbound}
  channel: {from: channel, default: email}
  interaction_date: at
  case: {from: ticket, optional: true}
  order_ref: {from: order, optional: true}
  conversation_ref: {from: conversation, optional: true}
parties: [{role: customer, identifiers: {list_person: {from: person, optional: true}}}]
message:
  fields:
    subject: {from: subject, optional: true}
    content: {from: text, optional: true}
    message_id: {from: message_id, optional: true}
    in_reply_to: {from: reply_to, optional: true}
    references: {from: references, optional: true}
""",
    "orders": """
source: list.orders
target: order
version: 1
fields: {number: number, order_date: at, total: {from: total, as: money, currency: currency, optional: true}}
parties: [{role: customer, identifiers: {list_person: {from: person, optional: true}}}]
items:
  each: lines
  key: sku
  fields: {sku: sku, description: {from: what, optional: true}, quantity: {from: quantity, optional: true}}
""",
}

PUSHES = {
    "user": """
source: profile
target: list.user
version: 1
when: {role: customer}
address: {known: {from: here.list_person, optional: true}}
fields: {id: id, name: formatted_name, email: {from: email, optional: true}, wish: {from: preference.channel, optional: true}}
""",
    "note": """
source: interaction
target: list.note
version: 1
when: {direction: inbound}
fields: {about: id, text: {from: content, optional: true}, thread: thread.id}
""",
}


class ListSettings(Settings):
    """Nothing can be set."""


Answer = Callable[[Intent], Receipt]


class ListConnector(Connector[ListSettings], Target):
    """A source whose pages are lists in memory, and a receiver that remembers what it was handed."""

    name = "list"
    about = "Lists in memory."
    streams = tuple(Stream(name, ("id",), f"list/{name}") for name in MAPPINGS)
    objects = (PushObject("user", 3, "upsert"), PushObject("note", 3, "marker"))

    def __init__(self) -> None:
        super().__init__(ListSettings())
        self.pages: dict[str, list[Page]] = {}
        self.failing: dict[str, tuple[int, BaseException]] = {}
        """Stream -> the number of the page that cannot be read, and what is raised then."""
        self.received: list[tuple[str, Intent]] = []
        self.answer: Answer = lambda intent: Receipt(intent.id, "done", f"remote-{len(self.received)}")

    def add(self, stream: str, *pages: Iterable[Any], rejected: Sequence[Rejected] = ()) -> None:
        """Append pages; a record is a dict, or the bytes themselves."""
        held = self.pages.setdefault(stream, [])
        for records in pages:
            raw = [record if isinstance(record, bytes) else msgspec.json.encode(record) for record in records]
            held.append(Page(raw, {"page": len(held) + 1}, rejected))

    def check(self) -> None:
        """Nothing can be wrong."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        held = self.pages.get(stream, [])
        for number in range(since["page"] if since else 0, len(held)):
            if stream in self.failing and self.failing[stream][0] == number:
                raise self.failing[stream][1]
            yield held[number]

    def push(self, object: str, intents: Sequence[Intent]) -> Iterator[Receipt]:  # noqa: A002
        for intent in intents:
            self.received.append((object, intent))
            yield self.answer(intent)

    def taken(self, object_name: str) -> list[dict[str, Any]]:
        """Return the payloads received of one object."""
        return [dict(intent.payload) for name, intent in self.received if name == object_name]


@cache
def pull_mapping(stream: str, source: str, text: str) -> PullMapping:
    """Compile the text of a pull mapping."""
    return PullMapping(read_pull(parse_yaml(text, f"list/{stream}.yaml")), source, text.encode(), region="DE", functions={})


@cache
def push_mapping(name: str, text: str) -> PushMapping:
    """Compile the text of a push mapping."""
    return PushMapping(read_push(parse_yaml(text, f"list/push/{name}.yaml")), text.encode(), region="DE", functions={})


@dataclass
class Lab:
    """A store, a connector, and the mappings between them."""

    database: Database
    connector: ListConnector = field(default_factory=ListConnector)

    policy: Policy = field(default_factory=Policy)

    def judge(self, stream: str, source: str = "desk", mapping: str | None = None) -> Judge:
        """Compile a stream's mapping; a text given instead replaces it."""
        return Judge(source, stream, ("id",), pull_mapping(stream, source, mapping or MAPPINGS[stream]), self.policy.drift)

    def pull(self, stream: str, *, source: str = "desk", full: bool = False, resume: bool = False, mapping: str | None = None) -> Ledger:
        """Pull what the connector has to offer."""
        return pull(self.database, self.connector, self.judge(stream, source, mapping), full=full, resume=resume, policy=self.policy)

    def replay(self, stream: str, mapping: str | None = None) -> Ledger:
        """Map again what the archive holds."""
        return replay(self.database, self.judge(stream, "desk", mapping), policy=self.policy)

    def read(self, stream: str, *records: Any, source: str = "desk") -> Ledger:
        """Pull these records, as a source of its own that is gone afterwards."""
        return read(self.database, self.judge(stream, source), *records, policy=self.policy)

    def resolve(self) -> int:
        """Join threads."""
        return resolve(self.database, Finder(ORDER_PATTERN))

    def outgoing(self, *objects: str, target: str = "desk", mapping: str | None = None) -> list[Outgoing]:
        """Compile push mappings."""
        found: list[Outgoing] = []
        for name in objects:
            item = next(item for item in ListConnector.objects if item.name == name)
            found.append(Outgoing(target, target, item, push_mapping(name, mapping or PUSHES[name]), self.policy.survivorship))
        return found

    def push(self, *objects: str, mapping: str | None = None) -> PushCounts:
        """Push what is due."""
        return push(self.database, self.connector, self.outgoing(*(objects or ("user",)), mapping=mapping))

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask the store."""
        with self.database.read() as transaction:
            return transaction.query(sql, parameters)


def read(database: Database, judge: Judge, *records: Any, policy: Policy = USUAL) -> Ledger:
    """Pull records through a connector that has nothing else."""
    connector = ListConnector()
    connector.add(judge.stream, records)
    return pull(database, connector, judge, full=True, policy=policy)


def party(number: Any, source: str = "desk") -> bytes:
    """Return the id of a person of a list."""
    return entity_id(source, "list_person", str(number))


def talk(number: Any, source: str = "desk") -> bytes:
    """Return the id of something said."""
    return entity_id(source, "interaction", str(number))


def ticket(number: Any, source: str = "desk") -> bytes:
    """Return the id of a ticket."""
    return entity_id(source, "case", str(number))


def order(number: Any, source: str = "desk") -> bytes:
    """Return the id of an order."""
    return entity_id(source, "order", str(number))


def wipe(database: Database) -> None:
    """Empty all tables."""
    with database.write() as transaction:
        for table in TABLES:
            transaction.execute(f'DELETE FROM "{table.name}"')


Partition = frozenset[frozenset[Any]]


def partition(rows: Iterable[tuple[Any, Any]]) -> Partition:
    """Return (member, group) rows as a set of sets."""
    groups: dict[Any, set[Any]] = {}
    for member, group in rows:
        groups.setdefault(group, set()).add(member)
    return frozenset(frozenset(group) for group in groups.values())


def profiles(transaction: Transaction) -> Partition:
    """Return which parties are one customer."""
    return partition(transaction.query("SELECT party, profile FROM party_profiles"))


def threads(transaction: Transaction) -> Partition:
    """Return which entities are one thread."""
    return partition(transaction.query("SELECT entity, thread FROM thread_members"))


_LOOKED_AT = {
    "parties": "id, source, external_id, record_id, kind, role, formatted_name, last_update",
    "party_identifiers": "party, identifier, owner, type, value, value_normalized, record_id, verified",
    "contact_points": "party, type, value, record_id",
    "preferences": "id, party, channel, record_id",
    "addresses": "id, party, contexts, street, post_code, city, country, record_id",
    "cases": "id, related_parties, name, status, creation_date, order_ref, record_id",
    "interactions": 'id, related_parties, direction, channel, interaction_date, "case", order_ref, conversation_ref, record_id',
    "messages": 'id, interaction, subject, content, message_id, in_reply_to, "references", record_id',
    "orders": 'id, related_parties, "number", order_date, total_amount, total_currency, record_id',
    "order_items": 'id, "order", sku, description, quantity, record_id',
    "related_customers": "party, entity",
    "thread_references": "entity, kind, label",
    "dead_letters": "id, source, stream, key, reason, path, site, raw, state",
    "streams": "source, stream, cursor",
    "thread_members": "entity, entity_type, score, reason",
    "threads": "root, title, started, last, channels",
}


def contents(database: Database) -> dict[str, Any]:
    """Return all that a store holds, without what two runs never share: their ids, ULIDs and clocks."""
    with database.read() as transaction:
        found: dict[str, Any] = {
            name: sorted(transaction.query(f"SELECT {columns} FROM {name}"), key=repr) for name, columns in _LOOKED_AT.items()
        }
        found["profiles"] = profiles(transaction)
        found["thread partition"] = threads(transaction)
        found["records"] = sorted(_records(transaction))
    return found


def _records(transaction: Transaction) -> Iterator[tuple[Any, ...]]:
    pages = dict(transaction.query("SELECT id, body FROM raw_pages"))
    rows = transaction.query("SELECT source, stream, key, digest, state, page, page_offset, page_length FROM records")
    for source, stream, key, digest, state, page, offset, length in rows:
        body = zstandard.ZstdDecompressor().decompress(pages[page])[offset : offset + length] if state != "dead" else b""
        yield source, stream, key, digest, state, body
