"""Decides what each record of a batch is: unchanged, new, changed, filtered or dead. Writes nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple, replace
from xxhash import xxh3_128_digest

from threadline.mapping.compiled import Keyed, MappedRecord, PullMapping, row_columns
from threadline.mapping.convert import Number
from threadline.mapping.errors import MappingError
from threadline.model.ids import entity_id
from threadline.sdk.contract import Rejected
from threadline.store.database import Transaction, storable
from threadline.sync import large
from threadline.sync.archive import Place, Stored
from threadline.sync.drift import Deviation, Fields, kept
from threadline.sync.policy import DriftPolicy
from threadline.sync.retarget import earlier_targets
from threadline.sync.views import Ledger

State = Literal["ok", "filtered", "dead", "gone"]

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
    """Where the archive has its bytes already."""
    mapped: MappedRecord | UnsetType | None = UNSET
    """What it was mapped to when its key was read."""
    attachments: Sequence[bytes] = ()
    """What the files contain that it carries, where that is kept."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that cannot be used."""

    record: Incoming
    reason: str
    path: str
    site: str


class Mapped(msgspec.Struct, frozen=True, gc=False):
    """A record that makes rows."""

    record: Incoming
    result: MappedRecord


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


_PLAIN = frozenset({str, int, Number, bool})


@cache
def _key_reader(names: tuple[str, ...]) -> Callable[[bytes], msgspec.Struct]:
    fields = [(f"f{index}", Any, msgspec.field(name=name, default=None)) for index, name in enumerate(names)]
    # A number too long for a float is still a key of its own.
    return msgspec.json.Decoder(msgspec.defstruct("Key", fields, gc=False), float_hook=Number).decode


def _key_of(values: Sequence[Any]) -> str | None:
    for value in values:
        if type(value) not in _PLAIN or value == "":
            return None
    return ":".join([str(value) for value in values])


def _seed(fingerprint: bytes) -> int:
    return int.from_bytes(fingerprint[:8], "big")


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
        self._keyed = mapping.keyed(key)
        # A changed mapping makes every digest new, so that records are mapped again.
        self._seed = _seed(mapping.fingerprint)
        self._earlier_seeds: list[int] = []
        self.earlier_targets: list[str] = []
        """Other entities that the stream's records were mapped to before."""

    def load(self, view: Transaction) -> None:
        """Read what is known of the stream's fields, and which mappings its records may have been stored with."""
        self.fields.load(view)
        rows = view.query("SELECT fingerprint FROM mappings WHERE fingerprint <> ? ORDER BY first_used DESC", [self.mapping.fingerprint])
        self._earlier_seeds = [_seed(fingerprint) for (fingerprint,) in rows]
        self.earlier_targets = earlier_targets(view, self.mapping)

    def incoming(self, records: Sequence[bytes], rejected: Sequence[Rejected], *, map_for: bytes | None = None) -> list[Incoming]:
        """Name and digest what was read. What is expected to be new is best mapped at once, for the run `map_for`."""
        if map_for and self._keyed:
            found = [self._at_once(self._keyed, raw, map_for) for raw in records]
        else:
            found = [self._incoming(raw) for raw in records]
        return found + [self.named(storable(entry.key), entry.raw, storable(entry.reason)) for entry in rejected]

    def _at_once(self, keyed: Keyed, raw: bytes, run_id: bytes) -> Incoming:
        if len(raw) > large.MOST_VALUES and large.too_large(raw):
            return self._incoming(raw)
        try:
            record, values = keyed.read(raw)
            key = _key_of(values)
            if key is None or len(key) > _LONGEST_KEY:
                return self._incoming(raw)
            identity = entity_id(self.source, self.stream, key)
            mapped = keyed.apply(record, raw, key, identity, run_id)
        except (MappingError, ValueError, RecursionError):
            # What is wrong is found out, and said, step by step.
            return self._incoming(raw)
        return Incoming(identity, key, raw, xxh3_128_digest(raw, seed=self._seed), mapped=mapped)

    def _incoming(self, raw: bytes) -> Incoming:
        # What is too large to be read whole has its key nevertheless: a smaller version of the record resolves its letter.
        too_large = large.too_large(raw) if len(raw) > large.MOST_VALUES else None
        try:
            values = large.key_values(self.key, raw) if too_large else astuple(self._read_key(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return self._nameless(raw, f"the record is not readable JSON: {error}")
        key = _key_of(values)
        if key is None:
            name = next(name for name, value in zip(self.key, values, strict=True) if _key_of([value]) is None)
            return self._nameless(raw, f"the record has no key: {name!r} is missing or no plain value")
        if len(key) > _LONGEST_KEY:
            return self._nameless(raw, f"the record's key has {len(key):,} characters; at most {_LONGEST_KEY:,} make a key")
        return self.named(key, raw, too_large)

    def named(self, key: str, raw: bytes, reason: str | None = None) -> Incoming:
        """Name and digest a record whose key is known; with a reason it is dead already."""
        return Incoming(entity_id(self.source, self.stream, key), key, raw, xxh3_128_digest(raw, seed=self._seed), reason)

    def again(self, stored: Stored) -> Incoming:
        """Name and digest a record of the archive. Its key is read from it again: a database may not hold it as it is."""
        refused = stored.refused
        record = self._incoming(stored.raw) if refused is None else self.named(stored.key, stored.raw, refused)
        return replace(record, id=stored.id, place=stored.place)

    def _nameless(self, raw: bytes, reason: str) -> Incoming:
        return self.named(f"?{xxh3_128_digest(raw).hex()}", raw, reason)

    def judge(self, view: Transaction | None, incoming: Sequence[Incoming], run_id: bytes) -> Verdict:
        """Compare with the store, and map what is new or differs. Of a key that occurs twice the last one counts.

        Without a view of the store every record is taken for new.
        """
        latest = {record.id: record for record in incoming}
        unlike = look_up(view, latest) if view else dict.fromkeys(latest)
        verdict = Verdict(known={identity: known for identity, known in unlike.items() if known})
        for identity, known in verdict.known.items():
            if self._is_kept(latest[identity], known):
                latest[identity] = replace(latest[identity], place=known.place)
        counts = Counter(self._judge(latest[identity], verdict, run_id) for identity in unlike)
        # A record superseded within its own batch changes nothing by itself.
        counts["unchanged"] += len(incoming) - len(unlike)
        verdict.ledger = Ledger(read=len(incoming), **counts)
        return verdict

    def _is_kept(self, record: Incoming, known: Known) -> bool:
        """Whether the archive holds a record's bytes as its newest version, whichever mapping they were stored with."""
        if record.place or known.place.length != len(record.raw) or known.state == "gone":
            return False
        return known.digest == record.digest or any(known.digest == xxh3_128_digest(record.raw, seed=seed) for seed in self._earlier_seeds)

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
            mapped = self.mapping(record.raw, record.key, record.id, run_id) if record.mapped is UNSET else record.mapped
        except MappingError as error:
            verdict.letters.append(Letter(record, str(error), error.path, error.site))
            return "dead"
        if mapped is None:
            verdict.filtered.append(record)
            return "filtered"
        if deviation and deviation.unknown and self.fields.policy == "evolve":
            mapped = self._evolved(mapped, deviation)
        if known and known.state == "ok" and known.canonical == mapped.canonical:
            verdict.same.append(record)
            return "unchanged"
        verdict.mapped.append(Mapped(record, mapped))
        return "changed" if known and known.state == "ok" else "new"

    def _evolved(self, mapped: MappedRecord, deviation: Deviation) -> MappedRecord:
        """Keep unknown fields in the extensions of the record's own row."""
        own = mapped.row if mapped.row is not None else mapped.parties[-1].row
        row = list(own)
        row[self._extensions] = extensions = kept(row[self._extensions], deviation.unknown)
        canonical = xxh3_128_digest(mapped.canonical + extensions.encode())
        if mapped.row is not None:
            return replace(mapped, row=tuple(row), canonical=canonical)
        parties = [*mapped.parties[:-1], replace(mapped.parties[-1], row=tuple(row))]
        return replace(mapped, parties=parties, canonical=canonical)


_KNOWN = "digest, canonical, state, page, page_offset, page_length, version, first_seen, changed_at"


def look_up(transaction: Transaction, records: Mapping[bytes, Incoming]) -> dict[bytes, Known | None]:
    """Return what the store knows of those records that it does not hold as they are; None where that is nothing."""
    return {
        identity: None if digest is None else Known(digest, canonical, state, Place(page, offset, length), *rest)
        for identity, digest, canonical, state, page, offset, length, *rest in transaction.unlike(
            {identity: record.digest for identity, record in records.items()}, _KNOWN
        )
    }
