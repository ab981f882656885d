"""Takes back what a stream's earlier mappings made of its records, where they made other entities of them."""

import re
from collections.abc import Collection, Iterator, Mapping

from threadline.identity.related import customers_of
from threadline.mapping.compiled import PullMapping
from threadline.model.entities import MAPPED, Party
from threadline.model.ids import entity_id
from threadline.store.database import Transaction

_TARGET = r"^source:\s*[\"']?{}[\"']?\s*(?:#.*)?$(?:.*?)^target:\s*[\"']?(\w+)"


def earlier_targets(view: Transaction, mapping: PullMapping) -> list[str]:
    """Return the entities that other mappings of the same stream have made. A party stays: other records may speak of it."""
    texts = view.query(
        "SELECT text FROM mappings WHERE fingerprint <> ? AND text LIKE ?", [mapping.fingerprint, f"%{mapping.tree.source}%"]
    )
    head = re.compile(_TARGET.format(re.escape(mapping.tree.source)), re.MULTILINE | re.DOTALL)
    found = {match[1] for (text,) in texts if (match := head.search(text))}
    return sorted(name for name in found - {mapping.tree.target} if name in MAPPED and MAPPED[name] is not Party)


def take_back(
    transaction: Transaction, source: str, targets: Collection[str], keys: Mapping[bytes, str]
) -> Iterator[tuple[str, str, list[bytes]]]:
    """Delete what records, key by id, were as one of the targets; yield what the change log shall tell of it."""
    for target in targets:
        entity = MAPPED[target]
        named = [entity_id(source, target, key) for key in keys.values()]
        rows = transaction.query_in(f'SELECT id, record_id FROM "{entity.table}" WHERE id {{keys}}', named)  # noqa: S608 - a name of the schema
        there = [identity for identity, record in rows if record in keys]
        if entity.has_parties:
            for pair in customers_of(transaction, entity.table, there):
                transaction.execute("DELETE FROM related_customers WHERE party = ? AND entity = ?", pair)
        transaction.execute_in(f'DELETE FROM "{entity.table}" WHERE id {{keys}}', there)  # noqa: S608
        for child in entity.children.values() if there else ():
            transaction.execute_in(f'DELETE FROM "{child.table}" WHERE record_id {{keys}}', keys)  # noqa: S608
        yield target, "gone", there
