"""Reads one object in the order (SystemModstamp, Id), up to a bound on the server's clock.

A scan covers [bound of the last scan - overlap, bound of this one]. Each page is asked for by the position of the last
row (keyset), never by a query locator, which ends after two days or with the session: so any page's cursor resumes.
SOQL: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select.htm
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from connectors.salesforce.client import Client
from connectors.salesforce.settings import SalesforceSettings
from threadline.sdk import ConfigError, Cursor, Page, RetryableError, split_records

PAGE = 2_000
"""Rows; the most that a query answers at once. Salesforce sends fewer when rows are wide."""

_COMMON = ("CreatedDate", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
_FIELDS: Mapping[str, Sequence[str]] = {
    "Contact": ("Id", "FirstName", "LastName", "Name", "Email", "Phone", "MobilePhone", "Birthdate", *_COMMON),
    "Case": (
        "Id", "CaseNumber", "ContactId", "SuppliedName", "SuppliedEmail", "SuppliedPhone", "Subject", "Description", "Status", "Origin",
        "Priority", "Type", "Reason", "IsClosed", "IsEscalated", "ClosedDate", *_COMMON,
    ),
}  # fmt: skip


class _Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A cursor: after the row (`modstamp`, `id`) of the scan that ends at `until`; without them, `modstamp` ends the last scan."""

    modstamp: str
    id: str | None = None
    until: str | None = None


class _Row(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    modstamp: str = msgspec.field(name="SystemModstamp")


class _Result(msgspec.Struct):
    done: bool


def selected_fields(settings: SalesforceSettings, sobject: str) -> Sequence[str]:
    """Return the fields to read, each once."""
    more = (settings.external_id_field, *settings.contact_fields) if sobject == "Contact" else settings.case_fields
    return tuple(dict.fromkeys((*_FIELDS[sobject], *(name for name in more if name))))


def pull(client: Client, settings: SalesforceSettings, sobject: str, since: Cursor | None) -> Iterator[Page]:
    """Finish the scan that `since` stands in, if it stands in one; then read what changed up to now."""
    position = _read_cursor(since)
    if position and position.until:
        yield from _scan(client, settings, sobject, position.until, after=position)
        position = _Position(position.until)
    until = _written(client.server_time() - timedelta(seconds=settings.lag))
    start = _written(_moment(position.modstamp) - timedelta(seconds=settings.overlap)) if position else None
    yield from _scan(client, settings, sobject, until, start=start)


def _scan(
    client: Client, settings: SalesforceSettings, sobject: str, until: str, *, start: str | None = None, after: _Position | None = None
) -> Iterator[Page]:
    while True:
        statement = _statement(selected_fields(settings, sobject), sobject, until, start, after)
        body = client.call("GET", "/query", params={"q": statement}).content
        records = split_records(body, "records")
        done = _decode(body, _Result).done
        if not records and not done:
            raise RetryableError(f"Salesforce answered a query of {sobject} with an empty page that is not the last")
        if done and len(records) < PAGE:
            yield Page(records, msgspec.to_builtins(_Position(until)))
            return
        last = _decode(records[-1], _Row)
        after = _Position(last.modstamp, last.id, until)
        yield Page(records, msgspec.to_builtins(after))
        client.keep_reserve()


def _statement(fields: Sequence[str], sobject: str, until: str, start: str | None, after: _Position | None) -> str:
    conditions = [f"SystemModstamp <= {_literal(until)}"]
    if after and after.id:
        at = _literal(after.modstamp)
        # The first condition is implied, but lets the index on SystemModstamp be used.
        conditions += [f"SystemModstamp >= {at}", f"(SystemModstamp > {at} OR Id > {_quoted(after.id)})"]
    elif start:
        conditions.append(f"SystemModstamp >= {_literal(start)}")
    where = " AND ".join(conditions)
    return " ".join(("SELECT", ", ".join(fields), "FROM", sobject, "WHERE", where, f"ORDER BY SystemModstamp, Id LIMIT {PAGE}"))


def _quoted(value: str) -> str:
    if not value.isalnum():
        raise RetryableError("Salesforce answered a row whose Id is not one")
    return f"'{value}'"


def _literal(moment: str) -> str:
    """Write a time as SOQL takes it: responses say +0000, which SOQL refuses."""
    return _moment(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _decode(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryableError(f"the response is not a query's result: {error}") from None


def _read_cursor(since: Cursor | None) -> _Position | None:
    if since is None:
        return None
    try:
        position = msgspec.convert(since, _Position)
        if _is_whole(position):
            return position
    except ValueError:
        pass
    raise ConfigError("the saved cursor is not one of the salesforce connector's: rewind the stream")


def _is_whole(position: _Position) -> bool:
    aware = all(datetime.fromisoformat(moment).tzinfo for moment in (position.modstamp, position.until) if moment)
    return aware and bool(position.id) == bool(position.until) and (position.id or "0").isalnum()
