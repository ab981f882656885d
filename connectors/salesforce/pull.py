"""Reads one object in the order (SystemModstamp, Id), within the windows of the server's clock that the cursor asks for.

Each page is asked for by the position of the last row (keyset), never by a query locator, which ends after two days or
with the session: so any page's cursor resumes. Where much is left to read, a query job reads it.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from connectors.salesforce.client import Client
from connectors.salesforce.deletes import DeleteLog
from connectors.salesforce.errors import RefusedError
from connectors.salesforce.fields import Fields
from connectors.salesforce.jobs import Jobs
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import Place, conditions, count, page, read_place
from threadline.sdk import Cursor, Page, RetryableError, Window, split_records
from threadline.sdk.cursors import Rows, Span, foreign_cursor
from threadline.sdk.records import UNREADABLE, read_around

logger = logging.getLogger(__name__)

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Row(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    modstamp: str = msgspec.field(name="SystemModstamp")


class _Result(msgspec.Struct):
    done: bool
    total: int = msgspec.field(name="totalSize")


class _Marks(msgspec.Struct, omit_defaults=True):
    """What the cursor holds beside the window: up to when the log of deletes was read, and when all was read last."""

    deleted: _Moment | None = None
    whole: _Moment | None = None


def window(settings: SalesforceSettings) -> Window:
    """Return how far each scan looks back, and how far behind the server's clock it ends."""
    return Window("SystemModstamp", timedelta(seconds=settings.overlap), timedelta(seconds=settings.lag))


class Pull:
    """One pull of an object."""

    def __init__(self, client: Client, settings: SalesforceSettings, sobject: str) -> None:
        self._client = client
        self._settings = settings
        self._kind = window(settings)
        self._fields = Fields(client, settings, sobject)
        self._jobs = Jobs(client, self._fields, settings.api_version)
        self._measured: datetime | None = None
        """The end of the window whose rows were counted, so that each is counted once."""

    def pages(self, since: Cursor | None) -> Iterator[Page]:
        """Yield what changed since, page by page, then what is gone."""
        marks, saved = self._read(since)
        if self._is_due_again(marks, saved):
            saved = None
        # A window's cursor has a part while its scan is under way, and no `since` where the scan reads everything.
        under_way: Mapping[str, Any] = saved or {"part": None}
        for found in self._kind.scan(saved, self._client.server_time, self._rows):
            reached = dict(found.cursor or {})
            marks.deleted = marks.deleted or _time(reached["until"])
            if "part" in under_way and "since" not in under_way and "part" not in reached:
                marks.whole = _time(reached["until"])
            under_way = reached
            yield replace(found, cursor=_written(reached, marks))
        yield from self._deletes(under_way, marks)

    def _read(self, since: Cursor | None) -> tuple[_Marks, Cursor | None]:
        """Part a saved cursor into our marks and the window's."""
        saved = dict(_unfolded(since) or {})
        try:
            marks = msgspec.convert({name: saved.pop(name, None) for name in _Marks.__struct_fields__}, _Marks)
        except msgspec.ValidationError:
            raise foreign_cursor(self._kind) from None
        return marks, saved or None

    def _is_due_again(self, marks: _Marks, saved: Cursor | None) -> bool:
        """Whether all is to be read once more; a scan that was broken off is finished first."""
        hours = self._settings.reread_hours
        if hours is None or saved is None or "part" in saved:
            return False
        return marks.whole is None or self._client.server_time() - marks.whole >= timedelta(hours=hours)

    def _deletes(self, reached: Mapping[str, Any], marks: _Marks) -> Iterator[Page]:
        log = DeleteLog(self._client, self._fields.sobject, self._settings.api_version)
        until = _time(reached["until"])
        try:
            for records, covered in log.since(marks.deleted or until, until):
                marks.deleted = max(covered, marks.deleted or covered)
                yield Page(records, _written(reached, marks))
        except RefusedError as error:
            logger.warning("the log of deletes cannot be read, so threadline reconcile has to find what left the recycle bin: %s", error)

    def _rows(self, span: Span) -> Rows:
        place = read_place(self._kind, span.after)
        if place is None:
            return self._query(span, None)
        rows = self._jobs.read(place) if place.job else None
        return rows or self._job(span, place) or self._query(span, place)

    def _job(self, span: Span, place: Place) -> Rows | None:
        """Make a query job where much is left; None where it is not, and after one job has failed."""
        most = self._settings.bulk_above
        if most is None or self._measured == span.upper:
            return None
        self._measured = span.upper
        where = conditions(span, place)
        body = self._ask(count(self._fields.sobject, where, most + 1))
        if _result(body).total <= most or not self._fields.fit_csv:
            return None
        return self._jobs.start(where, place)

    def _query(self, span: Span, place: Place | None) -> Rows:
        most = self._settings.page_size
        body = self._ask(page(self._fields.names, self._fields.sobject, conditions(span, place), most))
        records = split_records(body, "records")
        if len(records) < most and (result := _result(body)).done:
            if len(records) != result.total:
                raise RetryableError(f"the response has {len(records)} rows where {result.total} were announced")
            return Rows(records, None, more=False)
        # A row that cannot be read is set aside; the next page may begin with it again.
        last = next(filter(None, map(_row, reversed(records))), None)
        if records and last is None:
            raise RetryableError(f"none of the {len(records)} rows of a page can be read")
        return Rows(records, Place(last.modstamp, last.id).row if last else None, more=True)

    def _ask(self, statement: str) -> bytes:
        # Deleted records are changes, too: queryAll finds them in the recycle bin.
        return self._client.call("GET", "/queryAll", params={"q": statement}).content


def _written(reached: Mapping[str, Any], marks: _Marks) -> Cursor:
    return {**reached, **msgspec.to_builtins(marks)}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _unfolded(since: Cursor | None) -> Cursor | None:
    """Return a cursor of version 0.1, which wrote its position flat, as one of today's."""
    match dict(since or {}):
        case {"modstamp": modstamp, "id": identity, "until": until}:
            return {"until": until, "part": "changed", "at": [modstamp, identity]}
        case {"modstamp": until, **others} if not others:
            return {"until": until}
        case _:
            return since


def _result(body: bytes) -> _Result:
    try:
        return read_around(body, _Result, "records")
    except UNREADABLE as error:
        raise RetryableError(f"the response is not a query's result: {error}") from None


def _row(record: bytes) -> _Row | None:
    try:
        return msgspec.json.decode(record, type=_Row)
    except UNREADABLE:
        return None
