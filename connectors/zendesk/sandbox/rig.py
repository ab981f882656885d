"""Works the account for the conformance kit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.zendesk.sandbox.account import comment_id
from connectors.zendesk.sandbox.records import Record, organization, rating, stamp
from threadline.testing.rig import HttpRig, WaivedError
from threadline.testing.story import Commented, Garbled, Moved, Opened, Person, Registered

if TYPE_CHECKING:
    from connectors.zendesk.sandbox.server import ZendeskSandbox

_CASE = 35
"""The ticket that comments are on, and that customers rate."""
_OTHER_CASE = 36
_GARBLED = {"tickets": 0, "comments": 3, "users": 4}
"""Which of the story's broken records is of which stream, modulo five."""
_ORGANIZATIONS, _RATINGS = 6_160_000_000_000, 6_170_000_000_000


def _person(number: int) -> Person:
    return Person(number, "Ana", f"Lima {number}", f"ana{number}@example.org", f"+49 30 {100_000 + number}", f"ana_{number}")


class ZendeskRig(HttpRig):
    """Every stream and object."""

    small_pages: ClassVar[Mapping[str, Any]] = {"per_page": 3}
    waivers: ClassVar[Mapping[str, str]] = {
        f"reads each once: {stream}": "Zendesk's time-based exports begin with the second that the page before ended with"
        for stream in ("comments", "organizations")
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
            case "comments":
                self._open(_CASE, at)
                self.sandbox.tell(Commented(at, "zendesk", person, _CASE, number, f"Comment {number}"))
                return str(comment_id(number))
            case "organizations":
                self._export(organization(_ORGANIZATIONS + number, stamp(at), f"Acme {number} Ltd", domain_names=["acme.example"]), at)
                return str(_ORGANIZATIONS + number)
            case _:
                return self._rate(number, at, "good")

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        match stream:
            case "users":
                self.sandbox.tell(Registered(at, "zendesk", _person(number), ("name", "email", "phone")))
            case "tickets":
                self.sandbox.tell(Moved(at, "zendesk", "case", str(number), "pending"))
            case "comments":
                private = {"type": "CommentPrivacyChange", "public": False}
                self.sandbox.account.change_comment(comment_id(number), stamp(at), private, public=False)
            case "organizations":
                self._export({**self._organization(number), "name": f"Acme {number} Limited", "updated_at": stamp(at)}, at)
            case _:
                raise WaivedError("a rating does not change: a customer who thinks again makes another one")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        match stream:
            case "users":
                held = self._user(_person(number))
                self.sandbox.shelf.put("user", str(held["id"]), {**held, "active": False, "updated_at": stamp(at)})
            case "tickets":
                self.sandbox.tell(Moved(at, "zendesk", "case", str(number), "deleted"))
            case "comments":
                redacted = {"body": "▇", "plain_body": "▇", "html_body": "<p>▇</p>"}
                self.sandbox.account.change_comment(comment_id(number), stamp(at), {"type": "CommentRedactionEvent"}, **redacted)
            case "organizations":
                self._export({**self._organization(number), "deleted_at": stamp(at), "updated_at": stamp(at)}, at)
            case _:
                raise WaivedError("nobody can delete a rating in Zendesk")

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        match stream:
            case "organizations":
                self._export(organization(_ORGANIZATIONS + number, stamp(at), ""), at)
                return str(_ORGANIZATIONS + number)
            case "satisfaction_ratings":
                return self._rate(number, at, "sublime")
            case _:
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
        person = _person(number)
        match object:
            case "user":
                return {"external_id": f"profile-{number}", "name": person.name, "email": person.email}
            case "ticket":
                requester, comment = {"name": person.name, "email": person.email}, {"body": "It has not come.", "public": False}
                return {"external_id": f"thread-{number}", "subject": f"Order {number}", "requester": requester, "comment": comment}
            case _:
                self._open(_OTHER_CASE, datetime.now(UTC))
                comment = {"heading": "Ana wrote by chat:", "body": f"Remark {number}.", "public": False}
                return {"ticket_id": _OTHER_CASE, "reference": f"interaction-{number}", "comment": comment}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        match object:
            case "user":
                return {"external_id": f"profile-{number}", "name": "Nobody", "email": "no address"}
            case "ticket":
                return {**self.payload(object, number), "priority": "sky-high"}
            case _:
                return {**self.payload(object, number), "ticket_id": 404}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        match object:
            case "user":
                return sum(user["email"] == _person(number).email for user in self.sandbox.shelf.all("user"))
            case "ticket":
                return sum(ticket["external_id"] == f"thread-{number}" for ticket in self.sandbox.shelf.all("ticket"))
            case _:
                return sum(f"Remark {number}." in comment["body"] for comment in self.sandbox.pushed("ticket_comment"))

    def _user(self, person: Person) -> Record:
        return self.sandbox.account.found("email", person.email) or {}

    def _open(self, number: int, at: datetime) -> Record:
        if not self.sandbox.shelf.get("ticket", str(number)):
            self.sandbox.tell(Opened(at, "zendesk", _person(0), number, "My order", "It has not come.", channel="email"))
        return self.sandbox.account.ticket(number)

    def _organization(self, number: int) -> Record:
        return self.sandbox.shelf.get("organization", str(_ORGANIZATIONS + number)) or {}

    def _export(self, document: Record, at: datetime) -> None:
        self.sandbox.account.export("organization", document, stamp(at))

    def _rate(self, number: int, at: datetime, score: str) -> str:
        made = rating(_RATINGS + number, stamp(at), self._open(_CASE, at), score, f"Comment {number}")
        self.sandbox.account.export("rating", made, stamp(at))
        return str(made["id"])
