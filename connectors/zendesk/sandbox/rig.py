"""Works the account for the conformance kit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.zendesk.sandbox.account import comment_id
from connectors.zendesk.sandbox.records import Record, stamp
from threadline.testing.rig import HttpRig, WaivedError
from threadline.testing.story import Commented, Garbled, Moved, Opened, Person, Registered

if TYPE_CHECKING:
    from connectors.zendesk.sandbox.server import ZendeskSandbox

_CASE = 35
"""The ticket that comments are on."""
_OTHER_CASE = 36
_GARBLED = {"tickets": 0, "comments": 3, "users": 4}
"""Which of the story's broken records is of which stream, modulo five."""


def _person(number: int) -> Person:
    return Person(number, "Ana", f"Lima {number}", f"ana{number}@example.org", f"+49 30 {100_000 + number}", f"ana_{number}")


class ZendeskRig(HttpRig):
    """Users, tickets and comments."""

    small_pages: ClassVar[Mapping[str, Any]] = {"per_page": 3}
    waivers: ClassVar[Mapping[str, str]] = {
        "reads each once: comments": "Zendesk's time-based exports begin with the second that the page before ended with",
    }
    sandbox: "ZendeskSandbox"

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        person = _person(number)
        match stream:
            case "users":
                self.sandbox.tell(Registered(at, "zendesk", person, ("name", "email")))
                return str(self._user(person)["id"])
            case "tickets":
                self.sandbox.tell(Opened(at, "zendesk", person, number, f"Order {number}", "It has not come.", channel="email"))
                return str(number)
            case _:
                if not self.sandbox.shelf.get("ticket", str(_CASE)):
                    self.sandbox.tell(Opened(at, "zendesk", _person(0), _CASE, "My order", "It has not come.", channel="email"))
                self.sandbox.tell(Commented(at, "zendesk", person, _CASE, number, f"Comment {number}"))
                return str(comment_id(number))

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        match stream:
            case "users":
                self.sandbox.tell(Registered(at, "zendesk", _person(number), ("name", "email", "phone")))
            case "tickets":
                self.sandbox.tell(Moved(at, "zendesk", "case", str(number), "pending"))
            case _:
                raise WaivedError("a comment does not change: Zendesk lets nobody edit it")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        match stream:
            case "users":
                held = self._user(_person(number))
                self.sandbox.shelf.put("user", str(held["id"]), {**held, "active": False, "updated_at": stamp(at)})
            case "tickets":
                self.sandbox.tell(Moved(at, "zendesk", "case", str(number), "deleted"))
            case _:
                raise WaivedError("a comment cannot be deleted in Zendesk, only its text redacted")

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        self.sandbox.tell(Garbled(at, "zendesk", 5 * number + _GARBLED[stream]))
        kind = {"tickets": "ticket", "comments": "audit", "users": "user"}[stream]
        return str(self.sandbox.shelf.all(kind)[-1]["id"])

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("Zendesk's API tokens do not expire")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        if object == "user":
            person = _person(number)
            return {"external_id": f"profile-{number}", "name": person.name, "email": person.email}
        if not self.sandbox.shelf.get("ticket", str(_OTHER_CASE)):
            now = datetime.now(UTC)
            self.sandbox.tell(Opened(now, "zendesk", _person(0), _OTHER_CASE, "My order", "It has not come.", channel="email"))
        comment = {"heading": "Ana wrote by chat:", "body": f"Remark {number}.", "public": False}
        return {"ticket_id": _OTHER_CASE, "reference": f"interaction-{number}", "comment": comment}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        if object == "user":
            return {"external_id": f"profile-{number}", "name": "Nobody", "email": "no address"}
        return {**self.payload(object, number), "ticket_id": 404}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        if object == "user":
            return sum(user["email"] == _person(number).email for user in self.sandbox.shelf.all("user"))
        return sum(f"Remark {number}." in comment["body"] for comment in self.sandbox.pushed("ticket_comment"))

    def _user(self, person: Person) -> Record:
        return self.sandbox.account.found("email", person.email) or {}
