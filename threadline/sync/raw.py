"""Records as the source sent them, read back from the archive."""

import zstandard

from threadline.store.database import Transaction


def stored_records(transaction: Transaction, source: str, stream: str, limit: int) -> list[tuple[str, bytes]]:
    """Return (key, bytes) of the records that changed last."""
    rows = transaction.query(
        "SELECT r.key, r.page_offset, r.page_length, p.body FROM records r JOIN raw_pages p ON p.id = r.page "
        "WHERE r.source = ? AND r.stream = ? ORDER BY r.changed_at DESC, r.key LIMIT ?",
        [source, stream, limit],
    )
    expand = zstandard.ZstdDecompressor()
    return [(key, expand.decompress(body)[offset : offset + length]) for key, offset, length, body in rows]
