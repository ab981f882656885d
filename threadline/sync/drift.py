"""Drift: fields that come, go or change their type are noticed, and treated as the stream's policy says.

The first run of a stream learns which top-level fields its records have; of a long one not every record is looked at. Later
the names of all fields of each record that is new or differs are, and their types until a run is long. `freeze` looks at all.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec

from threadline.mapping.convert import Number, encode_json
from threadline.model.ids import show_id
from threadline.sdk.errors import ConfigError
from threadline.sdk.records import DELETED
from threadline.store.database import Row, Transaction, moment, storable
from threadline.sync.policy import DriftPolicy

State = Literal["known", "new", "missing", "retyped"]

_ALL_OF_FIRST = 1_000
_SAMPLE = 32
"""Of how many records one is looked at closely, once a run is long."""
_ABSENT = "absent"
_MOST = 2_000
"""Fields of a record that are looked at, and of a stream that are remembered: keys made of data are ever new."""
_LONGEST = 500
"""Characters of a name that is remembered: PostgreSQL's index takes 2,704 bytes."""
_LARGEST = 100_000
"""Bytes of a new field's value that is kept in a row: an attachment stays in the archive."""
_TYPES = {ord('"'): "string", ord("{"): "object", ord("["): "array", ord("t"): "boolean", ord("f"): "boolean", ord("n"): "null"}
_TRUE = msgspec.Raw(b"true")
_NOTHING: Mapping[str, State] = {}
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_value = msgspec.json.Decoder(float_hook=Number).decode


class Sight(NamedTuple):
    """A field that was seen as it was not before: a type that it has, or that it is absent."""

    field: str
    type: str
    state: State

    def __str__(self) -> str:
        if self.state == "new":
            return f"field {self.field!r} ({self.type}) is new"
        return f"field {self.field!r} is missing" if self.state == "missing" else f"field {self.field!r} is of another type: {self.type}"


class Deviation(NamedTuple):
    """How a record differs from what its stream is known to be, and its fields that nobody knows yet."""

    sights: Sequence[Sight]
    unknown: Mapping[str, msgspec.Raw]


class Fields:
    """The fields of one stream: those known when a run began, and what its records show beyond them."""

    def __init__(self, source: str, stream: str, policy: DriftPolicy) -> None:
        self.policy: DriftPolicy = policy
        self._place = (source, stream)
        self._known: dict[str, dict[str, State]] = defaultdict(dict)
        self._unsaved: dict[tuple[str, str], tuple[State, bytes]] = {}
        self._learning = True
        self._usual: AbstractSet[str] = frozenset()
        """The names that a record without any deviation had."""
        self._offered = self._looked = 0

    def load(self, view: Transaction) -> None:
        """Read what is known of the stream; where nothing is, this run learns it."""
        rows = view.query("SELECT field, type, state FROM stream_fields WHERE source = ? AND stream = ?", self._place)
        for field, kind, state in rows:
            self._known[field][kind] = state
        self._learning = not rows

    def rows(self, now: datetime) -> list[Row]:
        """Return the rows of stream_fields that are to be stored."""
        return [(*self._place, storable(field), kind, state, now, example) for (field, kind), (state, example) in self._unsaved.items()]

    def stored(self) -> None:
        """Note that the rows are stored."""
        self._unsaved.clear()

    def look(self, record_id: bytes, raw: bytes) -> Deviation | None:
        """Compare a record with the stream's fields; None when nothing differs, or it was not looked at."""
        self._offered += 1
        closely = self.policy == "freeze" or self._offered <= _ALL_OF_FIRST or not self._offered % _SAMPLE
        if self._learning and not closely:
            return None
        try:
            fields = _fields(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if not closely and fields.keys() == self._usual:
            return None
        if fields.get(DELETED) == _TRUE:
            return None  # what is left of a record says nothing of its stream's
        self._looked += 1
        known = self._known
        shown = [(field, _TYPES.get(memoryview(value)[0], "number")) for field, value in islice(fields.items(), _MOST)]
        shown += [(field, _ABSENT) for field in known.keys() - fields.keys()]
        odd = [(field, kind) for field, kind in shown if known.get(field, _NOTHING).get(kind) != "known"]
        sights = [Sight(field, kind, state) for field, kind in odd if (state := self._state(field, kind, record_id)) != "known"]
        if not sights:
            self._usual = fields.keys()
            return None
        return Deviation(sights, {sight.field: fields[sight.field] for sight in sights if sight.state == "new"})

    def _state(self, field: str, kind: str, record_id: bytes) -> State:
        types = self._known.get(field)
        if types and (state := types.get(kind)):
            return state
        state = "known" if self._learning else _judged(types, kind)
        if types is None and (len(self._known) >= _MOST or len(field) > _LONGEST or "\0" in field):
            return state
        if types is None and (self._looked > 1 or not self._learning):
            self._note(field, _ABSENT, "known", record_id)
        self._note(field, kind, state, record_id)
        return state

    def _note(self, field: str, kind: str, state: State, record_id: bytes) -> None:
        self._known[field][kind] = state
        self._unsaved[field, kind] = (state, record_id)


def _judged(types: Mapping[str, State] | None, kind: str) -> State:
    """Say what it is that a field known with these types now has another one, or is absent."""
    if types is None or "new" in types.values():
        return "new"
    if kind == _ABSENT:
        return "missing"
    # A field that may be null, or always was, has not changed its type.
    return "retyped" if kind != "null" and types.keys() - {"null", _ABSENT} else "known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A field that a stream's records were not known to have, to lack, or to have so."""

    source: str
    stream: str
    field: str
    state: str
    type: str
    first_seen: datetime | None
    example: str | None
    """Key of a record that shows it."""
    example_id: str | None


def drifts(transaction: Transaction, source: str | None = None) -> list[Drift]:
    """Return what has drifted and was not accepted, the latest first."""
    where, parameters = (" AND f.source = ?", [source]) if source else ("", [])
    rows = transaction.query(
        "SELECT f.source, f.stream, f.field, f.state, f.type, f.first_seen, r.key, f.example FROM stream_fields f "  # noqa: S608 - constants
        f"LEFT JOIN records r ON r.id = f.example WHERE f.state <> 'known'{where} ORDER BY f.first_seen DESC, f.source, f.stream, f.field",
        parameters,
    )
    return [
        Drift(
            source=name, stream=stream, field=field, state=state, type=kind, first_seen=moment(first), example=key,
            example_id=show_id(example) if example else None,
        )
        for name, stream, field, state, kind, first, key, example in rows
    ]  # fmt: skip


def accept(transaction: Transaction, source: str, stream: str | None, field: str | None) -> int:
    """Take drifted fields for known from now on; return how many were."""
    where, parameters = ["source = ?"], [source]
    for name, value in (("stream", stream), ("field", field)):
        if value:
            where.append(f"{name} = ?")
            parameters.append(value)
    count = transaction.execute(
        f"UPDATE stream_fields SET state = 'known' WHERE state <> 'known' AND {' AND '.join(where)}",  # noqa: S608 - constants
        parameters,
    )
    if not count:
        raise ConfigError(f"nothing of {'.'.join(filter(None, (source, stream, field)))} has drifted: `threadline drift` shows what did")
    return count


def kept(extensions: str | None, unknown: Mapping[str, msgspec.Raw]) -> str:
    """Add unknown fields to a row's extensions; what the mapping put there stays; the archive has what is large or not readable."""
    held: dict[str, Any] = msgspec.json.decode(extensions, type=dict[str, msgspec.Raw]) if extensions else {}
    read = {name: value for name, raw in unknown.items() if (value := _readable(raw)) is not None}
    return msgspec.json.encode({**read, **held}).decode()


def _readable(raw: msgspec.Raw) -> msgspec.Raw | None:
    if len(memoryview(raw)) > _LARGEST:
        return None
    try:
        return msgspec.Raw(encode_json(_value(raw)))
    except (ValueError, RecursionError):
        return None


__all__ = ["Deviation", "Drift", "Fields", "Sight", "accept", "drifts", "kept"]
