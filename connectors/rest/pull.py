"""Reading a stream: what changed in a window of time, what follows a position, or everything; page by page."""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from connectors.rest.additions import Additions
from connectors.rest.client import Client
from connectors.rest.declaration import StreamFile, Window
from connectors.rest.documents import Body, decoded, with_fields
from connectors.rest.errors import RefusalError
from connectors.rest.kinds import Below, kind_of
from connectors.rest.paging import Answer, At, Found, make_pager
from connectors.rest.template import Values, look_up
from threadline.sdk import ConfigError, Cursor, KeyOrder, Opaque, Page, RecordError, Rejected
from threadline.sdk import Window as WindowKind
from threadline.sdk.cursors import Following, Rows, Span


class Reader:
    """Reads one stream of an API."""

    def __init__(self, client: Client, streams: dict[str, StreamFile], name: str) -> None:
        self._client = client
        self._stream = stream = streams[name]
        self._kind = kind_of(streams, name)
        self._pager = make_pager(f"{client.name}: stream {name}", stream)
        self._body = Body(stream.records, (*self._pager.around, *([client.code] if client.code else [])))
        self._additions = Additions(stream)
        self._above = Reader(client, streams, stream.parent.stream) if stream.parent else None
        self._has_read = False

    def pages(self, saved: Cursor | None) -> Iterator[Page]:
        """Yield what there is since `saved`, in pages whose cursors never pass a record unread."""
        match self._kind:
            case WindowKind():
                yield from self._kind.scan(saved, self._client.clock, self._rows)
            case Opaque():
                yield from self._kind.scan(saved, self._following)
            case KeyOrder():
                yield from self._kind.scan(saved, self._rows)
            case Below():
                yield from self._below(self._kind, saved)
            case other:
                raise TypeError(f"a kind of cursor that no API file declares: {other!r}")

    def first(self) -> None:
        """Read the first page, to see whether it can be read."""
        top = self._above
        if top:
            top.first()
        else:
            next(self.pages(None), None)

    def _rows(self, span: Span) -> Rows:
        found = self._read(_bounds(self._stream.cursor, span), span.after[0] if span.after else None)
        return Rows(found.records, [found.at] if found.more else None, found.more)

    def _following(self, position: At | None) -> Following:
        found = self._read({}, position)
        return Following(found.records, found.at, found.more)

    def _read(self, values: Values, at: At | None) -> Found:
        """Read the page at a position. One that was kept for long may be gone: then it begins anew."""
        if at is not None and not at.keys() <= self._pager.keys:
            at = None
        try:
            found = self._pager.read(self._asking(values), at)
        except ConfigError:
            if at is None or self._has_read:
                raise
            found = self._pager.read(self._asking(values), None)
        self._has_read = True
        return Found(self._additions.made(found.records), found.at, found.more)

    def _asking(self, values: Values) -> Callable[..., Answer]:
        stream = self._stream

        def ask(placeholders: Mapping[str, Any], url: str | None = None) -> Answer:
            given = {**values, **placeholders}
            if "last" in given and given["last"] is None:
                given["last"] = values.get("after")
            try:
                if url:
                    return self._client.follow(self._body, url, stream.path, stream.headers, given)
                return self._client.get(self._body, stream.path, stream.parameters, stream.headers, given)
            except RefusalError as refusal:
                # That a whole list is not there may be an address that is wrong.
                if refusal.nothing and (self._above or self._has_read):
                    return Answer(())
                if self._above:
                    raise
                raise ConfigError(f"{refusal}: the API file says that it concerns one record, and this call reads many") from None

        return ask

    def _below(self, kind: Below, saved: Cursor | None) -> Iterator[Page]:
        assert self._above  # noqa: S101 - this kind of stream has a parent
        reached = yield from self._below_since(self._above, saved)
        if saved is None and isinstance(kind.how, WindowKind):
            # A parent that changed meanwhile has moved to where the scan no longer came, and what is below it would seem gone.
            yield from self._below_since(self._above, reached)

    def _below_since(self, above: "Reader", saved: Cursor | None) -> Generator[Page, None, Cursor | None]:
        reached = saved
        for page in above.pages(saved):
            for parent in page.records:
                yield from self._children(parent)
            # Only now is everything below these parents read.
            yield Page([], page.cursor)
            reached = page.cursor or reached
        return reached

    def _children(self, record: bytes) -> Iterator[Page]:
        added = self._stream.parent.add if self._stream.parent else {}
        parent = decoded(record)
        fields = {name: look_up(parent, path) for name, path in added.items()}
        at, more = None, True
        try:
            while more:
                found = self._read({"parent": parent}, at)
                at, more = found.at, found.more
                yield Page([with_fields(each, fields) for each in found.records])
        except RecordError as error:
            reason = f"what stands below this record was not read: {error}"
            yield Page([], None, [Rejected(f"?{blake2b(record, digest_size=12).hexdigest()}", record, reason)])


def _bounds(cursor: Any, span: Span) -> Values:
    if not isinstance(cursor, Window):
        return {}
    lower = span.lower or (datetime.fromisoformat(cursor.start) if cursor.start else None)
    # Most APIs count in seconds, and many take the bound for exclusive: what changed in its very second is read now and again.
    upper = span.upper and span.upper.replace(microsecond=0) + timedelta(seconds=1)
    return {"after": lower and _written(lower, cursor.format), "before": upper and _written(upper, cursor.format)}


def _written(moment: datetime, form: str) -> str | int:
    moment = moment.astimezone(UTC)
    if form == "unix":
        return int(moment.timestamp())
    if form == "unix_ms":
        return int(moment.timestamp()) * 1000
    if form == "rfc3339":
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return moment.strftime(form)
