"""Who takes part in interactions, cases and orders, and in which of them a customer does."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from threadline.store import schema
from threadline.store.database import Transaction

Roles = Mapping[str, list[bytes]]
"""The parties in each role."""

TABLES = tuple(table.name for table in schema.TABLES if schema.RELATED in table.names)
_decode = msgspec.json.Decoder(dict[str, list[str]]).decode


def read_related(text: str | None) -> Roles:
    """Read the column `related_parties`."""
    return {role: [bytes.fromhex(party) for party in parties] for role, parties in _decode(text).items()} if text else {}


def write_related(parties: Iterable[tuple[str, bytes]]) -> str | None:
    """Write the column `related_parties` from (role, party)."""
    roles: dict[str, str] = {}
    for role, party in parties:
        ids, one = roles.get(role), f'"{party.hex()}"'
        roles[role] = one if ids is None else ids if one in ids else f"{ids},{one}"
    # A role is a word of the model and an id is hexadecimal: there is nothing to escape.
    return "{" + ",".join([f'"{role}":[{ids}]' for role, ids in roles.items()]) + "}" if roles else None


def customers_of(transaction: Transaction, table: str, entities: Iterable[bytes]) -> set[tuple[bytes, bytes]]:
    """Return (customer, entity) for each of these entities of one table."""
    related = related_parties(transaction, entities, [table])
    return {(party, entity) for entity, roles in related.items() for party in roles.get("customer", ())}


def related_parties(transaction: Transaction, entities: Iterable[bytes], tables: Sequence[str] = TABLES) -> dict[bytes, Roles]:
    """Return who takes part in each of these entities; one in which nobody does is left out."""
    wanted = list(entities)
    return {
        entity: read_related(text)
        for table in tables
        for entity, text in transaction.query_in(
            f"SELECT id, related_parties FROM {table} WHERE related_parties IS NOT NULL AND id {{keys}}",  # noqa: S608 - a name of the schema
            wanted,
        )
    }


def entities_of(transaction: Transaction, customers: Iterable[bytes]) -> set[bytes]:
    """Return the interactions, cases and orders of these parties as customers."""
    return {row[0] for row in transaction.query_in("SELECT entity FROM related_customers WHERE party {keys}", set(customers))}
