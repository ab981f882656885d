"""What a party is while only other records speak of it: the same, whichever of them came first.

A mail or a ticket says little of whom it mentions, and each its own. What they say is joined value by value: the fuller one
counts. A source's own record of the party replaces all of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from threadline.identity.neighbourhood import person_in
from threadline.mapping.compiled import PartyMention
from threadline.model.entities import Party
from threadline.model.schema import fields_of
from threadline.store import schema
from threadline.store.database import Row, Transaction

_NAMES = schema.PARTIES.names
_MENTIONED = f"SELECT {', '.join(_NAMES)} FROM parties WHERE mentioned AND id {{keys}}"  # noqa: S608 - names of the schema


def _places(*names: str) -> tuple[int, ...]:
    return tuple(map(_NAMES.index, names))


_NAME = _places("given_name", "family_name", "formatted_name")
_ROLE = _places("role")
_ORIGIN = _places("mapping", "record_id", "run_id")
_TOLD = {"valid_from", "valid_to", "kind", "birth_date", "language", "status", "last_update"}
_VALUES = (_NAME, _ROLE, *(_places(name) for name in _NAMES if name in _TOLD))
"""The columns of each value that mentions tell; a name is one value, although of three columns."""
_said: Callable[[Sequence[Any]], tuple[Any, ...]] = itemgetter(*(place for places in _VALUES for place in places))
_NOTHING = _said([field.default for field in fields_of(Party)])


class Enriched(NamedTuple):
    """The parties that mentions say more of than was known, and those of them whose name or birth date is another by that."""

    changed: set[bytes]
    renamed: set[bytes]


def spoken_of(mentions: Iterable[tuple[bytes, PartyMention]]) -> dict[bytes, Row]:
    """Return what a batch's mentions together say of each party."""
    rows: dict[bytes, Row] = {}
    for _, mention in mentions:
        row, known = mention.row, rows.get(mention.id)
        if known is None:
            rows[mention.id] = row
        elif _said(row) != _said(known):
            rows[mention.id] = joined(known, row)
    return rows


def enrich(transaction: Transaction, rows: Mapping[bytes, Row]) -> Enriched:
    """Add what mentions say of parties to those that are known by nothing else."""
    telling = [party for party, row in rows.items() if _said(row) != _NOTHING]
    changing = _fuller(_stored(transaction, telling), rows)
    if not changing:
        return Enriched(set(), set())
    # From here on no other writer changes these rows; what one has changed meanwhile is joined, too.
    transaction.execute_in("UPDATE parties SET mentioned = mentioned WHERE id {keys}", sorted(changing))
    stored = _stored(transaction, changing)
    fuller = _fuller(stored, rows)
    transaction.upsert(schema.PARTIES, list(fuller.values()))
    renamed = {party for party, row in fuller.items() if person_in(row) != person_in(stored[party])}
    return Enriched(set(fuller), renamed)


def _stored(transaction: Transaction, parties: Iterable[bytes]) -> dict[bytes, Row]:
    return {row[0]: row for row in transaction.query_in(_MENTIONED, parties)}


def _fuller(stored: Mapping[bytes, Row], rows: Mapping[bytes, Row]) -> dict[bytes, Row]:
    both = {party: (row, joined(row, rows[party])) for party, row in stored.items() if _said(row) != _said(rows[party])}
    return {party: now for party, (before, now) in both.items() if now is not before}


def joined(one: Row, other: Row) -> Row:
    """Return what two mentions of a party say together: `one` itself where the other adds nothing; which is first makes no difference."""
    row: list[Any] | None = None
    for places in _VALUES:
        if any(other[place] != one[place] for place in places) and _fullness(other, places) > _fullness(one, places):
            row = row or list(one)
            for place in (*places, *(_ORIGIN if places is _NAME else ())):
                row[place] = other[place]
    return tuple(row) if row else one


def _fullness(row: Row, places: tuple[int, ...]) -> tuple[Any, ...]:
    """Return what orders values: an agent before a customer, a name before an address in its place, what is longer before the rest."""
    texts = [_text(row[place]) for place in places]
    proper = texts == ["agent"] if places is _ROLE else places is not _NAME or not any("@" in text for text in texts)
    return any(texts), proper, sum(map(bool, texts)), sum(map(len, texts)), texts


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value.isoformat() if isinstance(value, date) else str(value or "")


__all__ = ["Enriched", "enrich", "joined", "spoken_of"]
