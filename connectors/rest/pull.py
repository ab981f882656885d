"""Reading a stream: what changed in a window of time, what follows a position, or everything; page by page."""

from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from connectors.rest.additions import Additions
from connectors.rest.client import Client
from connectors.rest.cutting import Body, Cut
from connectors.rest.declaration import StreamFile
from connectors.rest.deletes import Places, deletes_stream, tombstones
from connectors.rest.documents import decoded, with_fields
from connectors.rest.errors import RefusalError
from connectors.rest.kinds import Below, kind_of
from connectors.rest.pager import Answer, At, Found
from connectors.rest.paging import make_pager
from connectors.rest.pagings import Token, Window
from connectors.rest.paths import look_up
from connectors.rest.request import request_of
from connectors.rest.template import Values
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
        self._token = stream.cursor if isinstance(stream.cursor, Token) else None
        seen = (*self._pager.around, client.code, self._token and self._token.at)
        cut = Cut(stream.records, stream.shape, stream.each, stream.may_lack)
        self._body = Body(cut, tuple(path for path in seen if path))
        self._additions = Additions(stream)
        self._above = Reader(client, streams, stream.parent.stream) if stream.parent else None
        self._deletes = Reader(client, {name: deletes_stream(stream, stream.deletes)}, name) if stream.deletes else None
        self._has_read = False

    def pages(self, saved: Cursor | None) -> Iterator[Page]:
        """Yield what there is since `saved`, in pages whose cursors never pass a record unread."""
        if self._deletes is None:
            yield from self.live(saved)
            return
        # Before the records themselves: what was deleted and made again is there.
        places = Places(saved)
        for page in self._deletes.live(places.deletes):
            yield Page(tombstones(self._stream, page.records), places.after_deletes(page.cursor))
        for page in self.live(places.stream):
            yield Page(page.records, places.after(page.cursor), page.rejected)

    def live(self, saved: Cursor | None) -> Iterator[Page]:
        """Yield what the stream's own list has since `saved`."""
        match self._kind:
            case WindowKind():
                yield from self._kind.scan(saved, self._client.clock, self._rows)
            case Opaque():
                yield from self._kind.scan(saved, self._since if self._token else self._following)
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
            next(self.live(None), None)

    def _rows(self, span: Span) -> Rows:
        found = self._read(_bounds(self._stream.cursor, span), span.after[0] if span.after else None)
        return Rows(found.records, [found.at] if found.more else None, found.more)

    def _following(self, position: At | None) -> Following:
        found = self._read({}, position)
        return Following(found.records, found.at, found.more)

    def _since(self, place: At | None) -> Following:
        """Read a page of what changed since a token; the one that the list has by now waits until the list is read."""
        assert self._token  # noqa: S101 - the stream's cursor is one
        token, at, waiting = (place or {}).get("token"), (place or {}).get("at"), (place or {}).get("waiting")
        try:
            found = self._read({"since": token}, at, str(token) if token and self._token.address else None)
        except ConfigError:
            if token is None or self._has_read:
                raise
            # Tokens do not live for ever: without one, the list begins anew.
            return self._since(None)
        waiting = waiting or self._token_of(found)
        if found.more:
            return Following(found.records, {"token": token, "at": found.at, "waiting": waiting}, more=True)
        if waiting is None and token is None:
            place_of = self._token.at or f"header {self._token.header}"
            raise ConfigError(f"{self._client.name}: {self._stream.path} answered without a token ({place_of}); see `cursor`")
        return Following(found.records, {"token": waiting or token}, more=False)

    def _token_of(self, found: Found) -> Any:
        assert self._token  # noqa: S101 - the stream's cursor is one
        if self._token.header:
            return found.answer.headers.get(self._token.header.lower())
        token = found.answer.around.get(str(self._token.at)) or None
        return found.answer.address(token) if token and self._token.address else token

    def _read(self, values: Values, at: At | None, start: str | None = None) -> Found:
        """Read the page at a position; the first one is at `start`, where that is given. A position that is long kept may be gone."""
        if at is not None and not at.keys() <= self._pager.keys:
            at = None
        asking = self._asking(values, start)
        try:
            found = self._pager.read(asking, at)
        except ConfigError:
            if at is None or self._has_read:
                raise
            found = self._pager.read(asking, None)
        self._has_read = True
        return Found(self._additions.made(found.records), found.at, found.more, found.answer)

    def _asking(self, values: Values, start: str | None = None) -> Callable[..., Answer]:
        stream, call = self._stream, request_of(self._stream)

        def ask(placeholders: Mapping[str, Any], url: str | None = None) -> Answer:
            given = {**values, **placeholders}
            if "last" in given and given["last"] is None:
                given["last"] = values.get("after")
            try:
                if url or start:
                    return self._client.follow(self._body, url or start or "", call, given)
                return self._client.page(self._body, call, given)
            except RefusalError as refusal:
                # That a whole list is not there may be an address that is wrong.
                if refusal.nothing and (self._above or self._has_read):
                    return Answer(())
                if self._above:
                    raise
                raise ConfigError(f"{refusal}: the API file says that it concerns one record, and {stream.path} is of many") from None

        return ask

    def _below(self, kind: Below, saved: Cursor | None) -> Iterator[Page]:
        assert self._above  # noqa: S101 - this kind of stream has a parent
        reached = yield from self._below_since(self._above, saved)
        if saved is None and isinstance(kind.how, WindowKind):
            # A parent that changed meanwhile has moved to where the scan no longer came, and what is below it would seem gone.
            yield from self._below_since(self._above, reached)

    def _below_since(self, above: "Reader", saved: Cursor | None) -> Generator[Page, None, Cursor | None]:
        reached = saved
        for page in above.live(saved):
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
