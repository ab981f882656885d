"""What the store knows of customers, as matching compares them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from threadline.identity.matching.person import Address, Person, merged
from threadline.store.database import Row, Transaction, chunks

_AT_ONCE = 20_000


def read_people(transaction: Transaction, groups: Mapping[bytes, Collection[bytes]]) -> Iterator[Person]:
    """Yield a person for each group of parties, under the group's id; none for a group that has an agent or a company in it."""
    for part in chunks(groups, _AT_ONCE):
        records = _read_records(transaction, [party for group in part for party in groups[group]])
        for group in part:
            people = [records.get(party) for party in groups[group]]
            if None not in people:
                yield merged(group, [person for person in people if person])


def _read_records(transaction: Transaction, parties: Collection[bytes]) -> dict[bytes, Person]:
    held = _by_party(transaction, _IDENTIFIERS, parties)
    addresses = _by_party(transaction, _ADDRESSES, parties)
    return {
        party: Person(
            id=party, given_names=_told(given), family_names=_told(family), formatted_names=_told(None if given and family else formatted),
            birth_dates=_told(birth), sources=(source,), addresses=tuple(Address(*map(_text, row)) for row in addresses.get(party, ())),
            **{field: tuple(value for kind, value in held.get(party, ()) if kind == which) for field, which in _KINDS.items()},
        )
        for party, source, given, family, formatted, birth in transaction.query_in(_PARTIES, parties)
    }  # fmt: skip


def _by_party(transaction: Transaction, sql: str, parties: Collection[bytes]) -> Mapping[bytes, list[Row]]:
    found: dict[bytes, list[Row]] = defaultdict(list)
    for party, *row in transaction.query_in(sql, parties):
        found[party].append(tuple(row))
    # What a source names first is as good as anything to begin with, but the order of rows is nobody's.
    for rows in found.values():
        rows.sort(key=lambda row: tuple(map(_text, row)))
    return found


def _told(value: Any) -> tuple[str, ...]:
    return (str(value),) if value else ()


def _text(value: Any) -> str:
    return str(value) if value else ""


_KINDS = {"emails": "email", "phones": "phone", "handles": "handle"}
_PARTIES = (
    "SELECT id, source, given_name, family_name, formatted_name, birth_date FROM parties "
    "WHERE kind = 'individual' AND role = 'customer' AND id {keys}"
)
_IDENTIFIERS = "SELECT party, type, value_normalized FROM party_identifiers WHERE type IN ('email', 'phone', 'handle') AND party {keys}"
_ADDRESSES = "SELECT party, street, house_number, city, post_code, region, country FROM addresses WHERE party {keys}"

__all__ = ["read_people"]
