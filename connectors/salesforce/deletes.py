"""Tells of records that were deleted and have left the recycle bin, so that no query finds them.

What is in the recycle bin is read like any other record (queryAll); the log of deletes tells of the rest, for 30 days.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_getdeleted.htm
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from connectors.salesforce.client import Client
from connectors.salesforce.errors import RefusedError
from connectors.salesforce.soql import literal, select
from threadline.sdk import RetryableError, encode_record, split_records

logger = logging.getLogger(__name__)

_MINUTE = timedelta(minutes=1)
"""The log's unit: seconds count for nothing, and a span has one at least."""
_KEPT = timedelta(days=30) - _MINUTE
_AT_ONCE = 200


class _Deleted(msgspec.Struct, rename={"deleted_date": "deletedDate"}):
    id: str
    deleted_date: str


class _Answer(msgspec.Struct, rename="camel"):
    deleted_records: list[_Deleted]
    earliest_date_available: str
    latest_date_covered: str


class DeleteLog:
    """The log of one object's deletes."""

    def __init__(self, client: Client, sobject: str, version: str) -> None:
        self._client = client
        self._sobject = sobject
        self._version = version

    def since(self, covered: datetime, now: datetime) -> Iterator[tuple[Sequence[bytes], datetime]]:
        """Yield the records that are gone since, each as what is left of it (Id, IsDeleted, deletedDate), and the time covered then."""
        start, end = _minute(max(covered, now - _KEPT)), _minute(now)
        while end - start >= _MINUTE:
            answer, asked = self._ask(start, end)
            self._mind_gap(covered, max(start, _time(answer.earliest_date_available)))
            covered = _time(answer.latest_date_covered)
            yield list(self._gone(answer.deleted_records)), covered
            reached = min(asked, _minute(covered))
            if asked == end or reached <= start:
                return
            start = reached

    def _ask(self, start: datetime, end: datetime) -> tuple[_Answer, datetime]:
        """Return an answer, and up to when it was asked for: a span with too many deletes is halved."""
        while True:
            try:
                return self._answer(start, end), end
            except RefusedError as error:
                half = (end - start) // _MINUTE // 2
                if error.code != "EXCEEDED_ID_LIMIT" or not half:
                    raise
                end = start + half * _MINUTE

    def _answer(self, start: datetime, end: datetime) -> _Answer:
        span = {"start": literal(start), "end": literal(end)}
        body = self._client.call("GET", f"/sobjects/{self._sobject}/deleted", params=span).content
        try:
            return msgspec.json.decode(body, type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RetryableError(f"the response is not a list of deletes: {error}") from None

    def _mind_gap(self, covered: datetime, known: datetime) -> None:
        if known - covered >= _MINUTE:
            logger.warning(
                "Salesforce no longer knows which records of %s were deleted from %s to %s: threadline reconcile finds them",
                self._sobject, covered.isoformat(), known.isoformat(),
            )  # fmt: skip

    def _gone(self, deleted: Sequence[_Deleted]) -> Iterator[bytes]:
        """Write what is left of the records that the recycle bin holds no longer."""
        for first in range(0, len(deleted), _AT_ONCE):
            part = [one for one in deleted[first : first + _AT_ONCE] if one.id.isalnum()]
            names = ", ".join(f"'{one.id}'" for one in part)
            asked = {"q": select(("Id",), self._sobject, f"Id IN ({names})")}
            held = split_records(self._client.call("GET", "/queryAll", params=asked).content, "records")
            found = {msgspec.json.decode(record, type=_Held).id for record in held}
            yield from (self._left_of(one) for one in part if one.id not in found)

    def _left_of(self, deleted: _Deleted) -> bytes:
        url = f"/services/data/v{self._version}/sobjects/{self._sobject}/{deleted.id}"
        attributes = {"type": self._sobject, "url": url}
        return encode_record({"attributes": attributes, "Id": deleted.id, "IsDeleted": True, "deletedDate": deleted.deleted_date})


class _Held(msgspec.Struct):
    id: str = msgspec.field(name="Id")


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise RetryableError("the list of deletes has a date that is none") from None
