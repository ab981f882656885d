"""Files that records carry: each is kept once, by its SHA-256, for as long as a version of a record that carries it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import zstandard
from msgspec.structs import replace

from threadline.sdk.contract import Attachment
from threadline.sdk.errors import ConfigError
from threadline.store import schema
from threadline.store.database import Transaction, moment, storable
from threadline.sync.batch import Incoming

_LOCK = "attachments"
"""Held by whoever relies on a file being there, and by whoever forgets those that nobody carries."""
_DIGEST_HEX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file in the store."""

    digest: str
    size: int
    first_seen: datetime | None
    records: Sequence[str]
    """Which records carry it, or did: source.stream and key."""


def attach(incoming: Sequence[Incoming], attachments: Sequence[Attachment]) -> list[Incoming]:
    """Give each record the contents of its files."""
    contents: dict[str, list[bytes]] = defaultdict(list)
    for one in attachments:
        contents[storable(one.record)].append(one.content)
    return [replace(record, attachments=contents[record.key]) if record.key in contents else record for record in incoming]


def keep(transaction: Transaction, incoming: Sequence[Incoming]) -> None:
    """Store what the records of a batch carry, behind the records themselves."""
    carried = {record.id: record.attachments for record in incoming if record.attachments}
    if not carried:
        return
    transaction.lock(_LOCK)
    digests = {identity: {sha256(content).digest(): content for content in contents} for identity, contents in carried.items()}
    contents = {digest: content for found in digests.values() for digest, content in found.items()}
    known = {digest for (digest,) in transaction.query_in("SELECT digest FROM attachments WHERE digest {keys}", contents)}
    now, compress = transaction.now(), zstandard.ZstdCompressor(level=1).compress
    new = [(digest, len(content), compress(content), now) for digest, content in contents.items() if digest not in known]
    transaction.insert(schema.ATTACHMENTS, new)
    versions: dict[Any, Any] = dict(transaction.query_in("SELECT id, version FROM records WHERE id {keys}", digests))
    links = [(identity, versions[identity], digest) for identity, found in digests.items() if identity in versions for digest in found]
    transaction.insert(schema.RECORD_ATTACHMENTS, links)


def prune(transaction: Transaction) -> None:
    """Forget the files that no version of a record carries any more."""
    transaction.lock(_LOCK)
    transaction.execute(_FORGET_LINKS)
    transaction.execute("DELETE FROM attachments WHERE NOT EXISTS (SELECT 1 FROM record_attachments c WHERE c.digest = attachments.digest)")


_FORGET_LINKS = """
DELETE FROM record_attachments
WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.id = record_attachments.record_id AND r.version = record_attachments.version)
AND NOT EXISTS (SELECT 1 FROM record_versions v WHERE v.record_id = record_attachments.record_id AND v.version = record_attachments.version)
"""


def parse_digest(text: str) -> bytes:
    """Read a digest as records write it, sha256:HEX or only HEX; ConfigError when it is none."""
    digits = text.strip().lower().removeprefix("sha256:")
    try:
        if len(digits) == _DIGEST_HEX:
            return bytes.fromhex(digits)
    except ValueError:
        pass
    raise ConfigError(
        f"{text!r} is no digest of an attachment: sha256: and {_DIGEST_HEX} hexadecimal digits, as `threadline timeline --json` shows"
    )


def look_up(transaction: Transaction, digest: bytes) -> Kept | None:
    """Return what is known of a file; None where it is not kept."""
    rows = transaction.query("SELECT size, first_seen FROM attachments WHERE digest = ?", [digest])
    if not rows:
        return None
    records = transaction.query(_CARRIED_BY, [digest])
    names = [f"{source}.{stream} {key}" for source, stream, key in records]
    return Kept(digest=f"sha256:{digest.hex()}", size=rows[0][0], first_seen=moment(rows[0][1]), records=names)


_CARRIED_BY = (
    "SELECT DISTINCT r.source, r.stream, r.key FROM record_attachments c JOIN records r ON r.id = c.record_id WHERE c.digest = ? "
    "ORDER BY r.source, r.stream, r.key"
)


def content(transaction: Transaction, digest: bytes) -> bytes | None:
    """Return what a file contains; None where it is not kept."""
    rows = transaction.query("SELECT body FROM attachments WHERE digest = ?", [digest])
    return zstandard.ZstdDecompressor().decompress(rows[0][0]) if rows else None


__all__ = ["Kept", "attach", "content", "keep", "look_up", "parse_digest", "prune"]
