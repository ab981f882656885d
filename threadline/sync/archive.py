"""The raw archive: every record's bytes as the source sent them, in compressed pages, each addressed by page and offset."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import zstandard

from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Row, Transaction, moment

PAGE_BYTES = 240_000
"""Bytes of records in one page, at least, while there are more: small enough to fetch one record, large enough to compress well."""
_compress = zstandard.ZstdCompressor(level=1).compress


class Place(NamedTuple):
    """Where a record's bytes are."""

    page: bytes
    offset: int
    length: int


def keep(transaction: Transaction, source: str, stream: str, run_id: bytes, now: datetime, bodies: Iterable[bytes]) -> list[Place]:
    """Store records' bytes and return where each is."""
    places: list[Place] = []
    pages: list[Row] = []
    page, offset, held = new_ulid(), 0, list[bytes]()

    def finish() -> None:
        pages.append((page, source, stream, run_id, now, _compress(b"".join(held))))

    for raw in bodies:
        size = len(raw)
        places.append(Place(page, offset, size))
        held.append(raw)
        offset += size
        if offset >= PAGE_BYTES:
            finish()
            page, offset, held = new_ulid(), 0, []
    if held:
        finish()
    transaction.append(schema.RAW_PAGES, pages)
    return places


def drop_versions(transaction: Transaction, records: Iterable[bytes], keep_versions: int) -> None:
    """Forget all but the latest of the earlier versions of these records."""
    transaction.execute_in(
        f"DELETE FROM record_versions WHERE version < (SELECT r.version FROM records r WHERE r.id = record_id) - {keep_versions:d} "  # noqa: S608 - a number
        "AND record_id {keys}",
        records,
    )


def prune(transaction: Transaction, source: str, stream: str, before: datetime) -> int:
    """Forget earlier versions, and pages of nothing else, that came before this moment; return how many pages went."""
    place = [source, stream, before]
    old = "SELECT p.id FROM raw_pages p WHERE p.source = ? AND p.stream = ? AND p.fetched_at < ?"
    transaction.execute(f"DELETE FROM record_versions WHERE page IN ({old})", place)  # noqa: S608 - a constant
    unused = "AND NOT EXISTS (SELECT 1 FROM records r WHERE r.page = p.id)"
    return transaction.execute(f"DELETE FROM raw_pages WHERE id IN ({old} {unused})", place)  # noqa: S608 - constants


class Stored(NamedTuple):
    """A record from the archive, in its newest version; `refused` is why its connector could not use it at all."""

    id: bytes
    key: str
    raw: bytes
    place: Place
    refused: str | None


_STORED = (
    "SELECT r.id, r.key, r.page_offset, r.page_length, d.reason FROM records r "
    "LEFT JOIN dead_letters d ON d.id = r.id AND d.site = '' AND r.state = 'dead' "
    "WHERE r.page = ? AND r.state <> 'gone' ORDER BY r.page_offset"
)


def pages(transaction: Transaction, source: str, stream: str) -> list[bytes]:
    """Return a stream's pages in the order in which they came."""
    rows = transaction.query("SELECT id FROM raw_pages WHERE source = ? AND stream = ? ORDER BY fetched_at, id", [source, stream])
    return [row[0] for row in rows]


def read(transaction: Transaction, page: bytes) -> Iterator[Stored]:
    """Yield the records whose newest version is in a page; those that the source has no longer are left out."""
    rows = transaction.query(_STORED, [page])
    if rows:
        body = expand(transaction, page)
        for identity, key, offset, length, refused in rows:
            yield Stored(identity, key, body[offset : offset + length], Place(page, offset, length), refused)


class Version(NamedTuple):
    """What a record was from one moment to the next."""

    version: int
    seen_at: datetime | None
    """When the source sent it."""
    raw: bytes


def versions(transaction: Transaction, record_id: bytes) -> list[Version]:
    """Return all that is kept of a record, the newest version first; none where it is not known."""
    rows = transaction.query(_VERSIONS, [record_id, record_id])
    return [
        Version(version, moment(seen_at), expand(transaction, page)[offset : offset + length])
        for version, seen_at, page, offset, length in rows
    ]


_VERSIONS = (
    "SELECT version, changed_at, page, page_offset, page_length FROM records WHERE id = ? UNION ALL "
    "SELECT version, seen_at, page, page_offset, page_length FROM record_versions WHERE record_id = ? ORDER BY version DESC"
)


def expand(transaction: Transaction, page: bytes) -> bytes:
    """Return a page's bytes."""
    ((body,),) = transaction.query("SELECT body FROM raw_pages WHERE id = ?", [page])
    return zstandard.ZstdDecompressor().decompress(body)


def stored_records(transaction: Transaction, source: str, stream: str, limit: int) -> list[tuple[str, bytes]]:
    """Return (key, bytes) of some of the records that came last."""
    found: list[tuple[str, bytes]] = []
    for page in reversed(pages(transaction, source, stream)):
        found += [(stored.key, stored.raw) for stored in read(transaction, page)]
        if len(found) >= limit:
            break
    return found[:limit]
