"""The stand-in org's records and its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.salesforce.sandbox.ids import record_id
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.sandbox.soql import stamp
from connectors.salesforce.sandbox.timeline import Timeline
from threadline.testing.sandbox import Document, Shelf

ORGANIZATION = record_id("00D", 1)
INTEGRATION_USER = record_id("005", 1)
"""Who the connector logs in as."""
SERVICE_USER = record_id("005", 2)
"""Who writes down what the story tells."""
_ACCOUNT = record_id("001", 1)
_PURGED = "purged"
# The Date header has whole seconds and is up to one old: a clock behind it keeps every answered write below it.
_BEHIND = timedelta(seconds=2)


class Org:
    """Records by object and id.

    `late` delays the moment at which a change becomes visible after it was stamped, as long transactions do.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.late = timedelta()
        self._timelines = {sobject.name: Timeline(shelf, sobject.name) for sobject in SOBJECTS.values()}

    def now(self) -> datetime:
        """Return the org's clock."""
        return datetime.now(UTC).replace(microsecond=0) - _BEHIND

    def been_read(self) -> None:
        """Note that somebody has seen the org as it is now: nothing that is told later may be stamped earlier."""
        self.shelf.put("clock", "read", {"at": self.now().isoformat()})

    def get(self, sobject: str, identity: str) -> Document | None:
        """Return a record with all its fields, also from the recycle bin; None when there is none."""
        record = self.shelf.get(sobject, identity)
        return None if record is None or _PURGED in record else record

    def between(self, sobject: str, lower: str, upper: str) -> Iterator[Document]:
        """Yield the records with lower <= SystemModstamp <= upper in the order (SystemModstamp, Id), also from the recycle bin."""
        return (record for record in self._timelines[sobject].between(lower, upper) if _PURGED not in record)

    def all(self, sobject: str) -> list[Document]:
        """Return all records of an object that are not deleted."""
        return [record for record in self.shelf.all(sobject) if not record["IsDeleted"]]

    def deleted(self, sobject: str, lower: datetime, upper: datetime) -> list[Document]:
        """Return the records that were deleted in this time, also those that the recycle bin no longer holds."""
        found = self._timelines[sobject].between(stamp(lower), stamp(upper))
        return [record for record in found if record["IsDeleted"]]

    def save(self, sobject: str, identity: str, values: Document, at: datetime, user: str) -> bool:
        """Create or change a record; say whether it is new. The dates of creation and change may lie in the past, as after an import."""
        record = self.shelf.get(sobject, identity)
        new = record is None
        if record is None:
            record = SOBJECTS[sobject.lower()].blank() | {"Id": identity, "AccountId": _ACCOUNT, "OwnerId": SERVICE_USER}
            record |= {"CreatedDate": stamp(at), "CreatedById": user}
        record |= {"LastModifiedDate": stamp(at), "LastModifiedById": user, "SystemModstamp": stamp(self._visible(at))} | values
        if sobject == "Contact":
            record["Name"] = " ".join(part for part in (record["FirstName"], record["LastName"]) if part)
        self.shelf.put(sobject, identity, record)
        return new

    def delete(self, sobject: str, identity: str, at: datetime) -> None:
        """Move a record to the recycle bin."""
        self.save(sobject, identity, {"IsDeleted": True}, at, SERVICE_USER)

    def merge(self, sobject: str, loser: str, master: str, at: datetime) -> None:
        """Let one record lose a merge: it moves to the recycle bin, and names the one that has won."""
        self.save(sobject, loser, {"IsDeleted": True, "MasterRecordId": master}, at, SERVICE_USER)

    def purge(self, sobject: str, identity: str) -> None:
        """Empty the recycle bin of a record: queries find it no more, and only the log of deletes tells that it was there."""
        record = self.shelf.get(sobject, identity)
        if record is None or not record["IsDeleted"]:
            raise ValueError(f"{sobject} {identity} is not in the recycle bin")
        self.shelf.put(sobject, identity, record | {_PURGED: True})

    def recompute(self, sobject: str, identity: str, values: Document) -> None:
        """Change what formula fields say, as a change of another object does: no date of the record tells of it."""
        record = self.shelf.get(sobject, identity)
        if record is None:
            raise ValueError(f"there is no {sobject} {identity}")
        self.shelf.put(sobject, identity, record | values)

    def _visible(self, at: datetime) -> datetime:
        read: dict[str, Any] | None = self.shelf.get("clock", "read")
        return (max(at, datetime.fromisoformat(read["at"])) if read else at) - self.late
