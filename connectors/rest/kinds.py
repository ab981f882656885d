"""What each declared cursor promises, in the words of the connector contract."""

from datetime import timedelta

from connectors.rest import pagings
from connectors.rest.declaration import StreamFile
from connectors.rest.pagings import Keyset
from threadline.sdk import CursorKind, KeyOrder, Opaque, Window
from threadline.sdk.cursors.kind import Kind


class Everything(KeyOrder, frozen=True):
    """All records with every scan; the cursor only saves what was read before a crash."""

    def __str__(self) -> str:
        return "as a whole each time"


class Below(Kind, frozen=True):
    """What stands below the records of another stream, for each of those that this stream's own scan of them yields."""

    parent: str
    how: CursorKind

    def __str__(self) -> str:
        return f"for each of {self.parent}, which are read {self.how}"


class BelowAll(Below, frozen=True):
    """The same below a stream whose scans can come past all records, and so past all that stands below them."""

    lists_all = True


def kind_of(streams: dict[str, StreamFile], name: str) -> CursorKind:
    """Return how a stream is read."""
    stream = streams[name]
    if stream.parent:
        above = kind_of(streams, stream.parent.stream)
        return (BelowAll if above.lists_all else Below)(stream.parent.stream, above)
    match stream.cursor:
        case pagings.Window():
            return Window(stream.cursor.by, timedelta(seconds=stream.cursor.overlap))
        case pagings.Position():
            return Opaque(f"last {stream.paging.field}" if isinstance(stream.paging, Keyset) else "position")
        case pagings.Token():
            return Opaque("token")
        case _:
            return Everything()
