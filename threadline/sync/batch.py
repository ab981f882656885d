"""Decides what each record of a batch is: unchanged, new, changed, filtered or dead. Writes nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
from xxhash import xxh3_128_digest

from threadline.mapping.compiled import MappedRecord, PullMapping, row_columns
from threadline.mapping.errors import MappingError
from threadline.model.ids import entity_id
from threadline.sdk.contract import Rejected
from threadline.store.database import Transaction, storable
from threadline.sync.archive import Place, Stored
from threadline.sync.drift import Deviation, Fields, kept
from threadline.sync.policy import DriftPolicy
from threadline.sync.views import Ledger

_pack = msgspec.msgpack.Encoder().encode
State = Literal["ok", "filtered", "dead", "gone"]

MOST_BYTES = 64_000_000
"""Bytes of a record that is mapped: what is read takes many times its bytes of memory. A larger one is a dead letter."""
_LONGEST_KEY = 10_000


class Known(NamedTuple):
    """What the store knows of a record."""

    digest: bytes
    canonical: bytes | None
    state: State
    place: Place
    version: int
    first_seen: Any
    changed_at: Any


class Incoming(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read."""

    id: bytes
    key: str
    raw: bytes
    digest: bytes
    reason: str | None = None
    """Why the connector, or the lack of a key, makes it dead already."""
    place: Place | None = None
    """Where its bytes are, when they come from the archive."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that cannot be used."""

    record: Incoming
    reason: str
    path: str
    site: str


class Mapped(NamedTuple):
    """A record that makes rows; `canonical` is the digest of what it was mapped to."""

    record: Incoming
    result: MappedRecord
    canonical: bytes


@dataclass(slots=True)
class Verdict:
    """What a batch amounts to."""

    mapped: list[Mapped] = field(default_factory=list[Mapped])
    same: list[Incoming] = field(default_factory=list[Incoming])
    """Other bytes, of which the mapping makes what is stored already."""
    filtered: list[Incoming] = field(default_factory=list[Incoming])
    letters: list[Letter] = field(default_factory=list[Letter])
    known: dict[bytes, Known] = field(default_factory=dict[bytes, Known])
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def changed_ids(self) -> list[bytes]:
        """Records among the mapped whose earlier version may have made rows."""
        return [mapped.record.id for mapped in self.mapped if mapped.record.id in self.known]

    def is_dead_already(self, record: Incoming) -> bool:
        """Whether these very bytes are in a dead letter."""
        known = self.known.get(record.id)
        return known is not None and known.state == "dead" and known.digest == record.digest

    @property
    def left(self) -> list[Incoming]:
        """Records that the mapping now leaves out, and whose earlier version may have made rows."""
        return [record for record in self.filtered if record.id in self.known and self.known[record.id].state not in ("filtered", "gone")]


_PLAIN = frozenset({str, int, float, bool})


@cache
def _key_reader(names: tuple[str, ...]) -> Callable[[bytes], tuple[Any, ...]]:
    fields = [(f"f{index}", Any, msgspec.field(name=name, default=None)) for index, name in enumerate(names)]
    # A number too long for a float is still a key of its own.
    decode = msgspec.json.Decoder(msgspec.defstruct("Key", fields, gc=False), float_hook=str).decode
    return lambda raw: msgspec.structs.astuple(decode(raw))


class Judge:
    """Reads keys and digests of one stream's records, compares them with the store, and maps what differs."""

    def __init__(self, source: str, stream: str, key: tuple[str, ...], mapping: PullMapping, drift: DriftPolicy = "evolve") -> None:
        self.source = source
        self.stream = stream
        self.mapping = mapping
        self.fields = Fields(source, stream, drift)
        self._extensions = row_columns(mapping.entity).index("extensions")
        self.key = key
        self._read_key = _key_reader(key)
        # A changed mapping makes every digest new, so that records are mapped again.
        self._seed = int.from_bytes(mapping.fingerprint[:8], "big")

    def incoming(self, records: Sequence[bytes], rejected: Sequence[Rejected]) -> list[Incoming]:
        """Name and digest what was read."""
        found = [self._incoming(raw) for raw in records]
        return found + [self.named(storable(entry.key), entry.raw, storable(entry.reason)) for entry in rejected]

    def _incoming(self, raw: bytes) -> Incoming:
        try:
            values = self._read_key(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._nameless(raw, f"the record is not readable JSON: {error}")
        for value in values:
            if type(value) not in _PLAIN or value == "":
                name = self.key[values.index(value)]
                return self._nameless(raw, f"the record has no key: {name!r} is missing or no plain value")
        key = ":".join(map(str, values))
        if len(key) > _LONGEST_KEY:
            return self._nameless(raw, f"the record's key has {len(key):,} characters; at most {_LONGEST_KEY:,} make a key")
        # What is too large to be read whole has its key nevertheless: a smaller version of the record resolves its letter.
        too_large = len(raw) > MOST_BYTES
        return self.named(key, raw, f"the record has {len(raw):,} bytes; at most {MOST_BYTES:,} are mapped" if too_large else None)

    def named(self, key: str, raw: bytes, reason: str | None = None) -> Incoming:
        """Name and digest a record whose key is known; with a reason it is dead already."""
        return Incoming(entity_id(self.source, self.stream, key), key, raw, xxh3_128_digest(raw, seed=self._seed), reason)

    def again(self, stored: Stored) -> Incoming:
        """Name and digest a record of the archive. Its key is read from it again: a database may not hold it as it is."""
        refused = stored.refused
        record = self._incoming(stored.raw) if refused is None else self.named(stored.key, stored.raw, refused)
        return msgspec.structs.replace(record, id=stored.id, place=stored.place)

    def _nameless(self, raw: bytes, reason: str) -> Incoming:
        return self.named(f"?{xxh3_128_digest(raw).hex()}", raw, reason)

    def judge(self, view: Transaction | None, incoming: Sequence[Incoming], run_id: bytes) -> Verdict:
        """Compare with the store, and map what is new or differs. Of a key that occurs twice the last one counts.

        Without a view of the store every record is taken for new.
        """
        latest = {record.id: record for record in incoming}
        unlike = look_up(view, latest) if view else dict.fromkeys(latest)
        verdict = Verdict(known={identity: known for identity, known in unlike.items() if known})
        counts = Counter(self._judge(latest[identity], verdict, run_id) for identity in unlike)
        # A record superseded within its own batch changes nothing by itself.
        counts["unchanged"] += len(incoming) - len(unlike)
        verdict.ledger = Ledger(read=len(incoming), **counts)
        return verdict

    def _judge(self, record: Incoming, verdict: Verdict, run_id: bytes) -> str:
        known = verdict.known.get(record.id)
        if known and known.digest == record.digest and known.state == "filtered":
            return "filtered"
        if record.reason is not None:
            verdict.letters.append(Letter(record, record.reason, "$", ""))
            return "dead"
        deviation = self.fields.look(record.id, record.raw)
        if deviation and self.fields.policy == "freeze":
            sight = deviation.sights[0]
            advice = f"accept it with `threadline drift {self.source} --accept`, or let the stream's drift policy be evolve or ignore"
            verdict.letters.append(Letter(record, f"{sight}, and the stream is frozen; {advice}", f"$.{sight.field}", "drift"))
            return "dead"
        try:
            mapped = self.mapping(record.raw, record.key, record.id, run_id)
        except MappingError as error:
            verdict.letters.append(Letter(record, str(error), error.path, error.site))
            return "dead"
        if mapped is None:
            verdict.filtered.append(record)
            return "filtered"
        if deviation and deviation.unknown and self.fields.policy == "evolve":
            mapped = self._evolved(mapped, deviation)
        canonical = xxh3_128_digest(_pack(mapped).replace(run_id, b""))
        if known and known.state == "ok" and known.canonical == canonical:
            verdict.same.append(record)
            return "unchanged"
        verdict.mapped.append(Mapped(record, mapped, canonical))
        return "changed" if known and known.state == "ok" else "new"

    def _evolved(self, mapped: MappedRecord, deviation: Deviation) -> MappedRecord:
        """Keep unknown fields in the extensions of the record's own row."""
        own = mapped.row if mapped.row is not None else mapped.parties[-1].row
        row = list(own)
        row[self._extensions] = kept(row[self._extensions], deviation.unknown)
        if mapped.row is not None:
            return mapped._replace(row=tuple(row))
        return mapped._replace(parties=[*mapped.parties[:-1], mapped.parties[-1]._replace(row=tuple(row))])


_KNOWN = "digest, canonical, state, page, page_offset, page_length, version, first_seen, changed_at"


def look_up(transaction: Transaction, records: Mapping[bytes, Incoming]) -> dict[bytes, Known | None]:
    """Return what the store knows of those records that it does not hold as they are; None where that is nothing."""
    return {
        identity: None if digest is None else Known(digest, canonical, state, Place(page, offset, length), *rest)
        for identity, digest, canonical, state, page, offset, length, *rest in transaction.unlike(
            {identity: record.digest for identity, record in records.items()}, _KNOWN
        )
    }
