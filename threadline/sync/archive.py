"""The raw archive: every record's bytes as the source sent them, in compressed pages, each addressed by page and offset."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import zstandard

from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Row, Transaction

PAGE_BYTES = 240_000
"""Bytes of records in one page, at least, while there are more: small enough to fetch one record, large enough to compress well."""
_compress = zstandard.ZstdCompressor(level=1).compress


class Place(NamedTuple):
    """Where a record's bytes are."""

    page: bytes
    offset: int
    length: int


def keep(
    transaction: Transaction, source: str, stream: str, run_id: bytes, now: datetime, bodies: Sequence[tuple[bytes, bytes]]
) -> dict[bytes, Place]:
    """Store (record id, bytes) and return where each is."""
    places: dict[bytes, Place] = {}
    pages: list[Row] = []
    page, offset, held = new_ulid(), 0, list[bytes]()
    for position, (identity, raw) in enumerate(bodies, start=1):
        places[identity] = Place(page, offset, len(raw))
        held.append(raw)
        offset += len(raw)
        if offset >= PAGE_BYTES or position == len(bodies):
            pages.append((page, source, stream, run_id, now, _compress(b"".join(held))))
            page, offset, held = new_ulid(), 0, []
    transaction.append(schema.RAW_PAGES, pages)
    return places


def stored_records(transaction: Transaction, source: str, stream: str, limit: int) -> list[tuple[str, bytes]]:
    """Return (key, bytes) of some of the records that came last."""
    found: list[tuple[str, bytes]] = []
    pages = transaction.query(
        "SELECT id FROM raw_pages WHERE source = ? AND stream = ? ORDER BY fetched_at DESC, id DESC LIMIT ?", [source, stream, limit]
    )
    for (page,) in pages:
        rows = transaction.query("SELECT key, id FROM records WHERE page = ? ORDER BY page_offset", [page])
        bodies = dict(read(transaction, [page]))
        found += [(key, bodies[identity]) for key, identity in rows]
        if len(found) >= limit:
            break
    return found[:limit]


def read(transaction: Transaction, pages: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (record id, bytes) of the newest version of each record that is in these pages."""
    for page in pages:
        rows = transaction.query("SELECT id, page_offset, page_length FROM records WHERE page = ? ORDER BY page_offset", [page])
        if rows:
            body = expand(transaction, page)
            yield from ((identity, body[offset : offset + length]) for identity, offset, length in rows)


def expand(transaction: Transaction, page: bytes) -> bytes:
    """Return a page's bytes."""
    ((body,),) = transaction.query("SELECT body FROM raw_pages WHERE id = ?", [page])
    return zstandard.ZstdDecompressor().decompress(body)
