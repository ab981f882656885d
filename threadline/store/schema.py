"""Every table, as plain data: the canonical entities derived from the model, and what the engine itself keeps.

SQL, migrations and the bulk writers are made from these; importing them costs no SQLAlchemy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from threadline.model import entities
from threadline.model.schema import fields_of

ColumnKind = Literal["id", "text", "integer", "real", "boolean", "time", "date", "json", "bytes", "serial"]

POSTGRES_TYPES: Mapping[ColumnKind, str] = {
    "id": "bytea", "text": "text", "integer": "int8", "real": "float8", "boolean": "bool", "time": "timestamptz",
    "date": "date", "json": "text", "bytes": "bytea",
}  # fmt: skip
"""What PostgreSQL calls the kinds of columns that rows bring values for."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    `id` is 16 bytes, an id or a digest (SHA-256: 32), `bytes` many that no compression makes fewer, `time` UTC with microseconds;
    `serial` counts up by itself.
    """

    name: str
    kind: ColumnKind
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its primary key and further indexes; `looked_up` columns are only ever compared with "=".

    What a source writes may be longer than PostgreSQL's ordered indexes take (2,704 bytes): it is looked up, or hashed into an id.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    looked_up: tuple[str, ...] = ()
    some: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    """Indexes of some rows alone: name, columns, condition."""
    clustered: bool = False
    """Whether SQLite keeps the rows in their key's index and nowhere else: for many small ones."""

    @property
    def names(self) -> list[str]:
        """The columns' names, in the order of rows."""
        return [column.name for column in self.columns]


RELATED = "related_parties"
"""The column that names who takes part in an interaction, case, order and the like (TMF683 relatedParty): {role: [ids in hexadecimal]}."""


def _columns(entity: type[msgspec.Struct]) -> Iterable[Column]:
    for field in fields_of(entity):
        if field.kind == "money":
            yield Column(f"{field.name}_amount", "integer", nullable=True)
            yield Column(f"{field.name}_currency", "text", nullable=True)
        else:
            yield Column(field.name, "json" if field.kind == "list" else field.kind, field.nullable)
    if getattr(entity, "has_parties", False):
        yield Column(RELATED, "json", nullable=True)


def _entity(
    entity: type[msgspec.Struct], *indexes: tuple[str, ...], key: tuple[str, ...] = ("id",), looked_up: tuple[str, ...] = (),
    some: tuple[tuple[str, tuple[str, ...], str], ...] = (),
) -> Table:  # fmt: skip
    return Table(entity.table, tuple(_columns(entity)), key, indexes, looked_up, some)  # type: ignore[attr-defined]  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportAttributeAccessIssue]


def _table(name: str, key: Sequence[str], *columns: Column, indexes: Sequence[tuple[str, ...]] = (), clustered: bool = False) -> Table:
    return Table(name, columns, tuple(key), tuple(indexes), clustered=clustered)


def _text(name: str, *, nullable: bool = False) -> Column:
    return Column(name, "text", nullable)


def _count(name: str) -> Column:
    return Column(name, "integer")


PARTIES = _entity(entities.Party)
PARTY_IDENTIFIERS = _entity(
    entities.PartyIdentifier, ("identifier", "party"), ("record_id",), key=("party", "identifier"),
    some=(("party_identifiers_of_others", ("identifier", "party"), "owner IS NOT NULL AND identifier <> party"),),
)  # fmt: skip
"""A party that has an id of its own is named after it. Ids of other parties are few, so that who holds one is told by few pages."""
CONTACT_POINTS = _entity(entities.ContactPoint, ("record_id",), key=("party", "type", "value"))
PREFERENCES = _entity(entities.Preference, ("party",), ("record_id",))
ADDRESSES = _entity(entities.Address, ("party",), ("record_id",))
INTERACTIONS = _entity(entities.Interaction, ("case",))
MESSAGES = _entity(entities.Message, ("interaction",), ("record_id",))
CASES = _entity(entities.Case)
STATUS_CHANGES = _entity(entities.StatusChange, ("case",))
ORDERS = _entity(entities.Order, looked_up=("number",))
ORDER_ITEMS = _entity(entities.OrderItem, ("order",), ("record_id",))
FEEDBACK = _entity(entities.Feedback, ("case",))
KNOWLEDGE_ARTICLES = _entity(entities.KnowledgeArticle)
THREADS = _entity(entities.Thread, ("profile",))
THREAD_MEMBERS = _entity(entities.ThreadMember, ("thread",), key=("entity",))

RELATED_CUSTOMERS = _table("related_customers", ["party", "entity"], Column("party", "id"), Column("entity", "id"))
"""What each customer takes part in, as their related parties say: the way from a party to them."""

THREAD_REFERENCES = _table(
    "thread_references", ["reference", "entity"],
    Column("reference", "id"), Column("entity", "id"), _text("kind"), _text("label"), indexes=[("entity",)],
)  # fmt: skip
"""What an entity shares with others of its thread: message ids, cases, conversations, order numbers, hashed."""

REDIRECTS = _table("redirects", ["id"], Column("id", "id"), Column("profile", "id"), indexes=[("profile",)])
"""The profiles that ended, and which one they lead to: those of which that does not follow from where the party of the same id is."""

MEMBERSHIPS = _table("memberships", ["party"], Column("party", "id"), Column("profile", "id"), indexes=[("profile",)], clustered=True)
"""The parties whose profile has another id than they have."""

PROFILE_EVENTS = _table(
    "profile_events", ["seq"],
    Column("seq", "serial"), Column("at", "time"), _text("kind"), Column("profile", "id"), Column("other", "id"),
    Column("parties", "bytes"), _text("cause"),
    indexes=[("profile",), ("other",)],
)  # fmt: skip
"""The history of profiles: which parties went from `profile` to the `other` because the two were merged, or the one was split."""

SHARED_IDENTIFIERS = _table(
    "shared_identifiers", ["id"], Column("id", "id"), _text("type"), _text("value"), _text("reason"), Column("changed_at", "time")
)
"""Values that join nobody, because too many `people` or `records` hold them."""

DECISIONS = _table(
    "decisions", ["one", "other"],
    Column("one", "id"), Column("other", "id"), _text("verdict"), _text("who"), _text("why"), Column("at", "time"),
    indexes=[("other",)],
)  # fmt: skip
"""What people decided of two parties, the smaller id first: `link` (they are one customer) or `never`."""

MATCHES = _table(
    "matches", ["one", "other"],
    Column("one", "id"), Column("other", "id"), Column("weight", "real"), _text("evidence"), _text("model"), _text("state"),
    Column("at", "time"),
    indexes=[("other",), ("state", "weight")],
)  # fmt: skip
"""Parties that are probably one, the smaller id first: `accepted`, or in `review` until somebody decides. `weight` is the base-2
logarithm of the odds that the evidence adds, `evidence` what each field adds."""

MATCH_MODELS = _table("match_models", ["version"], _text("version"), Column("model", "json"), Column("trained_at", "time"))
"""What matching learned last (`threadline.identity.matching.model`)."""

MATCH_PEOPLE = _table("match_people", ["party"], Column("party", "id"), Column("features", "bytes"))
"""What is compared of each customer that rules make, as MessagePack, by the smallest id of its parties."""

MATCH_KEYS = _table("match_keys", ["key", "party"], _count("key"), Column("party", "id"), clustered=True)
"""Who shares a blocking key, so as to be compared; a key that too many share has one row alone, with no party."""

RECORDS = _table(
    "records", ["id"],
    Column("id", "id"), _text("source"), _text("stream"), _text("key"), Column("digest", "id"),
    Column("canonical", "id", nullable=True), _text("state"), Column("page", "id"), _count("page_offset"), _count("page_length"),
    _count("version"), Column("first_seen", "time"), Column("changed_at", "time"),
    indexes=[("page",)],
)  # fmt: skip
"""What is known of each source record: the digest of its bytes (with the mapping's) and of what they were mapped to, and
where its bytes are. `state`: ok, filtered, dead, or gone (the source no longer has it)."""

RECORD_VERSIONS = _table(
    "record_versions", ["record_id", "version"],
    Column("record_id", "id"), _count("version"), Column("page", "id"), _count("page_offset"), _count("page_length"),
    Column("seen_at", "time"),
    indexes=[("page",)],
)  # fmt: skip
"""Where the earlier bytes of a record are; `seen_at` is when they came."""

RAW_PAGES = _table(
    "raw_pages", ["id"], Column("id", "id"), _text("source"), _text("stream"), Column("run_id", "id"), Column("fetched_at", "time"),
    Column("body", "bytes"), indexes=[("source", "stream", "fetched_at")],
)  # fmt: skip
"""Records as the source sent them, compressed with zstd, one after the other."""

ATTACHMENTS = _table(
    "attachments", ["digest"], Column("digest", "id"), _count("size"), Column("body", "bytes"), Column("first_seen", "time")
)
"""Files that records carry, each once, by the SHA-256 of its content; the body is compressed with zstd."""

RECORD_ATTACHMENTS = _table(
    "record_attachments", ["record_id", "version", "digest"], Column("record_id", "id"), _count("version"), Column("digest", "id"),
    indexes=[("digest",)],
)  # fmt: skip
"""Which versions of records carry which files: a file is kept for as long as one of them is."""

STREAMS = _table(
    "streams", ["source", "stream"],
    _text("source"), _text("stream"), _text("cursor", nullable=True), _count("token"), Column("changed_at", "time"),
    Column("lease_until", "time", nullable=True), _text("paused", nullable=True), Column("paused_mapping", "id", nullable=True),
    Column("mapping", "id", nullable=True),
)  # fmt: skip
"""Where each stream stands, the fencing token of the run that may move it and until when that run holds it, why it is
paused (and with which mapping), and the mapping that it was last pulled with."""

MAPPINGS = _table("mappings", ["fingerprint"], Column("fingerprint", "id"), _text("name"), _text("text"), Column("first_used", "time"))
"""Every mapping file that records were mapped with, so that a changed one can be compared with it."""

STREAM_FIELDS = _table(
    "stream_fields", ["source", "stream", "field", "type"],
    _text("source"), _text("stream"), _text("field"), _text("type"), _text("state"), Column("first_seen", "time"),
    Column("example", "id", nullable=True),
)  # fmt: skip
"""The fields that a stream's records were seen to have; `example` is a record that had it (or lacked it, of type "missing")."""

SWEPT = _table("swept", ["source", "stream", "record_id"], _text("source"), _text("stream"), Column("record_id", "id"))
"""The records that a sweep under way has met."""

RUNS = _table(
    "runs", ["id"],
    Column("id", "id"), _text("kind"), _text("source"), _text("stream"), _text("state"), Column("started", "time"),
    Column("ended", "time", nullable=True), _count("read"), _count("new"), _count("changed"), _count("unchanged"), _count("filtered"),
    _count("dead"), _text("error", nullable=True),
    indexes=[("source", "stream", "started"), ("started",)],
)  # fmt: skip

DEAD_LETTERS = _table(
    "dead_letters", ["id"],
    Column("id", "id"), _text("source"), _text("stream"), _text("key"), _text("reason"), _text("path"), _text("site"),
    Column("raw", "bytes"),
    Column("first_seen", "time"), Column("last_seen", "time"), _count("attempts"), _text("state"),
    indexes=[("state", "source", "stream")],
)  # fmt: skip
"""Records that could not be used, with their bytes; the id is the record's, so a record has at most one."""

CHANGES = _table(
    "changes", ["seq"], Column("seq", "serial"), _count("txid"), Column("at", "time"), _text("entity_type"), _text("kind"),
    Column("run_id", "id"), Column("entities", "bytes"), indexes=[("txid", "seq")],
)  # fmt: skip
"""What changed, in commit order once read behind the gate of `Transaction.commit_horizon`.

A row tells of all entities of one type that one batch made new, changed or gone: their ids, one after the other.
"""

CONSUMERS = _table("consumers", ["name"], _text("name"), _count("txid"), _count("seq"))
"""How far each reader of the change log has come."""

OUTBOX = _table(
    "outbox", ["id"],
    Column("id", "id"), _text("target"), _text("object"), Column("entity_id", "id"), _text("payload"), Column("digest", "id"),
    _text("state"), _count("attempts"), _text("remote_id", nullable=True), _text("reason", nullable=True),
    Column("created_at", "time"), Column("changed_at", "time"), _count("position"), Column("case", "id", nullable=True),
    indexes=[("entity_id", "target", "object"), ("target", "state", "position")],
)  # fmt: skip
"""What targets shall take: pending, inflight (committed before the send), done, unknown or dead; `case` is the one that it opened."""

BUDGETS = _table(
    "budgets", ["account", "name"],
    _text("account"), _text("name"), _text("kind"), _count("calls"), _count("kept"), _count("used"), Column("since", "time"),
    Column("until", "time"), Column("pace", "real"),
)  # fmt: skip
"""What is used of each allowance of an account in the window from `since` to `until`; `kept` is left to others."""

TOKENS = _table(
    "tokens", ["token"],
    Column("token", "id"), _text("holder"), _count("generation"), Column("secret", "bytes", nullable=True),
    Column("expires_at", "time", nullable=True), Column("asked_at", "time", nullable=True), Column("changed_at", "time"),
)  # fmt: skip
"""What a refresh token has become: the `token` of the settings, hashed, and what the vendor gave for it last, encrypted.
`asked_at` is set while a new one is asked for: after a crash it says that the answer may be lost."""

TABLES: tuple[Table, ...] = (
    PARTIES, PARTY_IDENTIFIERS, CONTACT_POINTS, PREFERENCES, ADDRESSES, INTERACTIONS, MESSAGES, CASES, STATUS_CHANGES, ORDERS,
    ORDER_ITEMS, FEEDBACK, KNOWLEDGE_ARTICLES, THREADS, THREAD_MEMBERS, RELATED_CUSTOMERS, THREAD_REFERENCES,
    REDIRECTS, MEMBERSHIPS, PROFILE_EVENTS, SHARED_IDENTIFIERS, DECISIONS, MATCHES, MATCH_MODELS,
    MATCH_PEOPLE, MATCH_KEYS,
    RECORDS, RECORD_VERSIONS, RAW_PAGES, ATTACHMENTS, RECORD_ATTACHMENTS, STREAMS, STREAM_FIELDS, MAPPINGS, SWEPT,
    RUNS, DEAD_LETTERS, CHANGES, CONSUMERS, OUTBOX, BUDGETS, TOKENS,
)  # fmt: skip
BY_NAME = {table.name: table for table in TABLES}

VIEWS = {
    "party_profiles": (
        "SELECT p.id AS party, coalesce(m.profile, p.id) AS profile FROM parties p LEFT JOIN memberships m ON m.party = p.id"
    )
}
"""By name; `party_profiles` names the profile of every party."""
