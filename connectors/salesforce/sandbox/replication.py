"""Tells which records were deleted in a span of time, within the limits that Salesforce sets.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
"""

from datetime import UTC, datetime, timedelta

from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.rows import CallError
from connectors.salesforce.sandbox.soql import stamp
from threadline.testing.sandbox import Document

_MINUTE = timedelta(minutes=1)
_KEPT = timedelta(days=30)


def deleted_between(org: Org, sobject: str, start: str, end: str, most: int) -> Document:
    """Answer getDeleted; seconds count for nothing, and more than `most` records are refused."""
    lower, upper = _minute("start", start), _minute("end", end)
    if upper < lower + _MINUTE:
        raise CallError(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
    earliest = datetime.now(UTC) - _KEPT
    if lower < earliest - _MINUTE:
        raise CallError(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    found = org.deleted(sobject, lower, upper)
    if len(found) > most:
        raise CallError(400, "EXCEEDED_ID_LIMIT", "exceeded maximum number of ids in a getDeleted response")
    return {
        "deletedRecords": [{"deletedDate": record["SystemModstamp"], "id": record["Id"]} for record in found],
        "earliestDateAvailable": stamp(earliest),
        "latestDateCovered": stamp(min(upper, org.now())),
    }


def _minute(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CallError(400, "INVALID_FIELD", f"{name} is no date and time") from None
    if moment.tzinfo is None:
        raise CallError(400, "INVALID_FIELD", f"{name} lacks its offset to UTC")
    return moment.replace(second=0, microsecond=0)
