"""Lists that tell what was deleted, read beside the stream whose records those were."""

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.rest.declaration import Deletes, StreamFile
from connectors.rest.documents import decoded
from threadline.sdk import DELETED, Cursor
from threadline.sdk.yamlfile import is_mapping


def deletes_stream(stream: StreamFile, deletes: Deletes) -> StreamFile:
    """Return the list as a stream of its own."""
    return StreamFile(
        deletes.path,
        deletes.key or stream.key,
        method=deletes.method,
        parameters=deletes.parameters,
        body=deletes.body,
        records=deletes.records,
        paging=deletes.paging,
        cursor=deletes.cursor,
    )


def tombstones(stream: StreamFile, entries: Sequence[bytes]) -> list[bytes]:
    """Return a record for each entry, of its key and the mark of a deleted one; an entry without the key tells nothing."""
    assert stream.deletes  # noqa: S101 - the entries are of its list
    names = deletes_stream(stream, stream.deletes).keys
    found = [_key(decoded(entry), names) for entry in entries]
    return [
        msgspec.json.encode({**dict(zip(stream.keys, key, strict=True)), DELETED: True})
        for key in found
        if len(key) == len(stream.keys) and None not in key
    ]


def _key(entry: Any, names: tuple[str, ...]) -> list[Any]:
    return [entry.get(name) for name in names] if is_mapping(entry) else [entry]


class Places:
    """Where a stream stands, and its list of deletes; a cursor from before there was such a list is the stream's."""

    def __init__(self, saved: Cursor | None) -> None:
        both = saved if saved is not None and set(saved) == {"stream", "deletes"} else {"stream": saved, "deletes": None}
        self.stream: Cursor | None = both["stream"]
        self.deletes: Cursor | None = both["deletes"]

    def after(self, stream: Cursor | None) -> Cursor | None:
        """Return the cursor after a page of the stream; None where that page has none."""
        self.stream = stream or self.stream
        return {"stream": self.stream, "deletes": self.deletes} if stream is not None else None

    def after_deletes(self, deletes: Cursor | None) -> Cursor | None:
        """Return the cursor after a page of the deletes; None where that page has none."""
        self.deletes = deletes or self.deletes
        return {"stream": self.stream, "deletes": self.deletes} if deletes is not None else None
