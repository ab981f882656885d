"""Reads one object in the order (SystemModstamp, Id), within the windows of the server's clock that the cursor asks for.

Each page is asked for by the position of the last row (keyset), never by a query locator, which ends after two days or
with the session: so any page's cursor resumes.
SOQL: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.salesforce.client import Client
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import Cursor, Page, RetryableError, Window, split_records
from threadline.sdk.cursors import Position, Rows, Span, foreign_cursor

_COMMON = ("Id", "IsDeleted", "MasterRecordId", "CreatedDate", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
_FIELDS: Mapping[str, Sequence[str]] = {
    "Contact": ("FirstName", "LastName", "Name", "Email", "Phone", "MobilePhone", "Birthdate", *_COMMON),
    "Case": (
        "CaseNumber", "ContactId", "SuppliedName", "SuppliedEmail", "SuppliedPhone", "Subject", "Description", "Status", "Origin",
        "Priority", "Type", "Reason", "IsClosed", "IsEscalated", "ClosedDate", *_COMMON,
    ),
}  # fmt: skip


class _Row(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    modstamp: str = msgspec.field(name="SystemModstamp")


class _Result(msgspec.Struct):
    done: bool


def selected_fields(settings: SalesforceSettings, sobject: str) -> Sequence[str]:
    """Return the fields to read, each once."""
    more = (settings.external_id_field, *settings.contact_fields) if sobject == "Contact" else settings.case_fields
    return tuple(dict.fromkeys((*_FIELDS[sobject], *(name for name in more if name))))


def window(settings: SalesforceSettings) -> Window:
    """Return how far each scan looks back, and how far behind the server's clock it ends."""
    return Window("SystemModstamp", timedelta(seconds=settings.overlap), timedelta(seconds=settings.lag))


def pull(client: Client, settings: SalesforceSettings, sobject: str, since: Cursor | None) -> Iterator[Page]:
    """Yield what changed since, page by page."""
    fields = selected_fields(settings, sobject)
    kind, page = window(settings), settings.page_size

    def fetch(span: Span) -> Rows:
        at = _position(kind, span.after)
        if at:
            client.keep_reserve()
        return _rows(client.call("GET", "/queryAll", params={"q": _statement(fields, sobject, span, at, page)}).content, page)

    return kind.scan(_unfolded(since), client.server_time, fetch)


def _rows(body: bytes, page: int) -> Rows:
    records = split_records(body, "records")
    if len(records) < page and _decode(body, _Result).done:
        return Rows(records, None, more=False)
    last = _decode(records[-1], _Row) if records else None
    return Rows(records, last and [last.modstamp, last.id], more=True)


def _statement(fields: Sequence[str], sobject: str, span: Span, at: tuple[str, str] | None, page: int) -> str:
    conditions = [f"SystemModstamp <= {_literal(span.upper)}"] if span.upper else []
    if at:
        modstamp, identity = at
        # The first condition is implied, but lets the index on SystemModstamp be used.
        conditions += [f"SystemModstamp >= {modstamp}", f"(SystemModstamp > {modstamp} OR Id > '{identity}')"]
    elif span.lower:
        conditions.append(f"SystemModstamp >= {_literal(span.lower)}")
    where = " AND ".join(conditions)
    return " ".join(("SELECT", ", ".join(fields), "FROM", sobject, "WHERE", where, f"ORDER BY SystemModstamp, Id LIMIT {page}"))


def _position(kind: Window, after: Position | None) -> tuple[str, str] | None:
    """Return SystemModstamp, as SOQL takes it, and Id of the row to go on from."""
    if after is None:
        return None
    try:
        modstamp, identity = after
        moment = datetime.fromisoformat(modstamp)
    except (ValueError, TypeError):
        raise foreign_cursor(kind) from None
    if moment.tzinfo is None or not str(identity).isalnum():
        raise foreign_cursor(kind)
    return _literal(moment), str(identity)


def _literal(moment: datetime) -> str:
    """Write a time as SOQL takes it: responses say +0000, which SOQL refuses."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unfolded(since: Cursor | None) -> Cursor | None:
    """Return a cursor of version 0.1, which wrote its position flat, as one of today's."""
    match dict(since or {}):
        case {"modstamp": modstamp, "id": identity, "until": until}:
            return {"until": until, "part": "changed", "at": [modstamp, identity]}
        case {"modstamp": until, **others} if not others:
            return {"until": until}
        case _:
            return since


def _decode(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryableError(f"the response is not a query's result: {error}") from None
