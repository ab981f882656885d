"""The stand-in org's records and its clock."""

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.salesforce.sandbox.ids import record_id
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.sandbox.soql import stamp
from threadline.testing.sandbox import Document, Shelf

ORGANIZATION = record_id("00D", 1)
INTEGRATION_USER = record_id("005", 1)
"""Who the connector logs in as."""
SERVICE_USER = record_id("005", 2)
"""Who writes down what the story tells."""
_ACCOUNT = record_id("001", 1)
# The Date header has whole seconds and is up to one old: a clock behind it keeps every answered write below it.
_BEHIND = timedelta(seconds=2)


class Org:
    """Records by object and id.

    `late` delays the moment at which a change becomes visible after it was stamped, as long transactions do.
    """

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.late = timedelta()

    def now(self) -> datetime:
        """Return the org's clock."""
        return datetime.now(UTC).replace(microsecond=0) - _BEHIND

    def been_read(self) -> None:
        """Note that somebody has seen the org as it is now: nothing that is told later may be stamped earlier."""
        self.shelf.put("clock", "read", {"at": self.now().isoformat()})

    def get(self, sobject: str, identity: str) -> Document | None:
        """Return a record with all its fields, or None."""
        return self.shelf.get(sobject, identity)

    def all(self, sobject: str) -> list[Document]:
        """Return all records of an object."""
        return self.shelf.all(sobject)

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

    def _visible(self, at: datetime) -> datetime:
        read: dict[str, Any] | None = self.shelf.get("clock", "read")
        return (max(at, datetime.fromisoformat(read["at"])) if read else at) - self.late
