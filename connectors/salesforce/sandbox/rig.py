"""Works the org for the conformance kit."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.salesforce.sandbox.story import case_id, contact_id, garbled_id, write
from threadline.testing.rig import HttpRig
from threadline.testing.story import Event, Garbled, Moved, Opened, Person, Registered

if TYPE_CHECKING:
    from connectors.salesforce.sandbox import SalesforceSandbox

_SOBJECTS = {"contacts": "Contact", "cases": "Case"}
_GARBLED = {"contacts": 2, "cases": 0}
"""Which of the story's broken records is of which stream, modulo three."""


def _person(number: int) -> Person:
    return Person(number, "Ana", f"Lima {number}", f"ana{number}@example.org", f"+49 30 {100_000 + number}", f"ana_{number}")


class SalesforceRig(HttpRig):
    """Contacts and cases."""

    small_pages: ClassVar[Mapping[str, Any]] = {"page_size": 3}
    tell_of_deletes: ClassVar[Collection[str]] = {"contacts", "cases"}
    sandbox: "SalesforceSandbox"

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        if stream == "contacts":
            self._write(Registered(at, "salesforce", _person(number), ("name", "email")))
        else:
            self._write(Opened(at, "salesforce", _person(number), number, f"Order {number}", "It has not come.", channel="email"))
        return self._id(stream, number)

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        if stream == "contacts":
            self._write(Registered(at, "salesforce", _person(number), ("phone",)))
        else:
            self._write(Moved(at, "salesforce", "case", str(number), "closed"))

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self.sandbox.org.delete(_SOBJECTS[stream], self._id(stream, number), at)

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        kind = 3 * number + _GARBLED[stream]
        self._write(Garbled(at, "salesforce", kind))
        return garbled_id(_SOBJECTS[stream], kind)

    def limit(self, seconds: int) -> None:
        """See `Rig`. Salesforce does not say for how long; the connector takes it for an hour."""
        self.sandbox.refuse_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        """See `Rig`."""
        self.sandbox.expire_sessions()

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        person = _person(number)
        return {"Threadline_Id__c": f"profile-{number}", "LastName": person.family_name, "Email": person.email}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`; a value of another type makes Salesforce refuse the call, not the row."""
        return {**self.payload(object, number), "Email": "no address" if number % 2 else ["no", "text"]}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        return sum(contact["Email"] == _person(number).email for contact in self.sandbox.org.all("Contact"))

    def _id(self, stream: str, number: int) -> str:
        return contact_id(_person(number)) if stream == "contacts" else case_id(number)

    def _write(self, event: Event) -> None:
        # The kit tells nothing twice, so that nothing has to be looked up for it.
        with self.sandbox.shelf.together():
            write(self.sandbox.org, event)
