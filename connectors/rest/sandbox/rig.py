"""Works the shop for the conformance kit."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.rest.sandbox.records import FIRST_CUSTOMER, order_id
from threadline.testing.rig import HttpRig, WaivedError
from threadline.testing.story import Garbled, Moved, Ordered, Person, Registered

if TYPE_CHECKING:
    from connectors.rest.sandbox.server import RestSandbox

_LINES = (("KETTLE-2", "Kettle", 2, 2990),)
_PUSHED_TO = 400_000
"""Orders from this number on are those that notes are pushed to."""


def _person(number: int) -> Person:
    return Person(number, "Ana", f"Lima {number}", f"ana{number}@example.org", f"+49 30 {100_000 + number}", f"ana_{number}")


_BUYER = _person(500_000)


class WooCommerceRig(HttpRig):
    """Customers, orders, and the orders' notes."""

    small_pages: ClassVar[Mapping[str, Any]] = {"page_size": 3}
    tell_of_deletes: ClassVar[Collection[str]] = {"orders"}
    waivers: ClassVar[Mapping[str, str]] = {
        "reads late commits: order_notes": "to WooCommerce a note is no change of its order, and there is no list of all notes",
    }
    sandbox: "RestSandbox"

    def __init__(self, sandbox: "RestSandbox") -> None:
        super().__init__(sandbox)
        self._registered = False

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        self.sandbox.clock = lambda: at
        match stream:
            case "customers":
                self.sandbox.tell(Registered(at, "shop", _person(number), ("name", "email")))
                return str(FIRST_CUSTOMER + number)
            case "orders":
                self._order(number, at)
                return str(order_id(f"A-{number}"))
            case _:
                self._order(_noted(number), at)
                made = self.sandbox.write_note(order_id(f"A-{_noted(number)}"), f"Note {number}", to_customer=True)
                return str(made["id"])

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self.sandbox.clock = lambda: at
        match stream:
            case "customers":
                self.sandbox.tell(Registered(at, "shop", _person(number), ("phone",)))
            case "orders":
                self.sandbox.tell(Moved(at, "shop", "order", f"A-{number}", "shipped"))
            case _:
                raise WaivedError("a note does not change: WooCommerce lets nobody edit it")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self.sandbox.clock = lambda: at
        match stream:
            case "customers":
                self.sandbox.erase_customer(FIRST_CUSTOMER + number)
            case "orders":
                self.sandbox.remove(f"A-{number}")
            case _:
                order = order_id(f"A-{_noted(number)}")
                self.sandbox.keep_notes(order, [note for note in self.sandbox.notes(order) if note["note"] != f"Note {number}"])

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        self.sandbox.clock = lambda: at
        match stream:
            case "customers":
                self.sandbox.tell(Registered(at, "shop", _person(number), ("name",), preferred_channel="pigeon"))
                return str(FIRST_CUSTOMER + number)
            case "orders":
                self.sandbox.tell(Garbled(at, "shop", 4 * number))
                return str(order_id(f"G{4 * number:06}"))
            case _:
                key = self.put(stream, number, at)
                order = order_id(f"A-{_noted(number)}")
                notes = [note | ({"date_created_gmt": "yesterday"} if str(note["id"]) == key else {}) for note in self.sandbox.notes(order)]
                self.sandbox.keep_notes(order, notes)
                return key

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("WooCommerce's consumer keys do not expire")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        now = self.sandbox.clock()
        if object == "customer":
            self.sandbox.tell(Registered(now, "shop", _person(number), ("name", "email")))
            return {"customer_id": str(FIRST_CUSTOMER + number), "preferred_channel": "voice", "threadline_id": f"profile-{number}"}
        self._order(_PUSHED_TO, now)
        return {"order_id": str(order_id(f"A-{_PUSHED_TO}")), "note": f"Remark {number}."}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        if object == "customer":
            return {**self.payload(object, number), "customer_id": "404"}
        return {**self.payload(object, number), "order_id": "404"}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        if object == "customer":
            return sum(f"profile-{number}" in _texts(customer) for customer in self.sandbox.pushed(object))
        return sum(note["note"].startswith(f"Remark {number}.") for note in self.sandbox.pushed(object))

    def _order(self, number: int, at: datetime) -> None:
        if not self._registered:
            self.sandbox.tell(Registered(at, "shop", _BUYER, ("name", "email")))
            self._registered = True
        self.sandbox.tell(Ordered(at, "shop", _BUYER, f"A-{number}", _LINES))


def _noted(number: int) -> int:
    """Return the order that a note is on: a few on each, so that few of them need several orders; then many."""
    return number // 3 if number < 60 else 20 + number // 100


def _texts(customer: Mapping[str, Any]) -> set[str]:
    return {str(entry["value"]) for entry in customer["meta_data"]}
