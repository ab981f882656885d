"""Works the account for the conformance kit."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.zendesk.sandbox.rig_streams import STREAMS, person
from threadline.testing.rig import HttpRig, WaivedError

if TYPE_CHECKING:
    from connectors.zendesk.sandbox.server import ZendeskSandbox

_OTHER_CASE = 36
"""The ticket that pushes comment on."""


class ZendeskRig(HttpRig):
    """Every stream and object."""

    small_pages: ClassVar[Mapping[str, Any]] = {"per_page": 3}
    tell_of_deletes: ClassVar[Collection[str]] = {"users", "tickets", "comments", "organizations"}
    waivers: ClassVar[Mapping[str, str]] = {
        f"reads each once: {stream}": "Zendesk's time-based exports begin with the second that the page before ended with"
        for stream in ("comments", "status_changes", "organizations", "articles")
    }
    sandbox: "ZendeskSandbox"

    def __init__(self, sandbox: "ZendeskSandbox") -> None:
        super().__init__(sandbox)
        self._streams = {name: kind(sandbox) for name, kind in STREAMS.items()}

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        return self._streams[stream].put(number, at)

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self._streams[stream].change(number, at)

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self._streams[stream].delete(number, at)

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        return self._streams[stream].spoil(number, at)

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("Zendesk's API tokens do not expire")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        who = person(number)
        match object:
            case "user":
                return {"external_id": f"profile-{number}", "name": who.name, "email": who.email}
            case "ticket":
                return {
                    "external_id": f"thread-{number}",
                    "reference": f"interaction-{number}",
                    "subject": f"Order {number}",
                    "requester": {"name": who.name, "email": who.email},
                    "comment": {"body": "It has not come.", "public": False},
                }
            case _:
                self._streams["tickets"].open(_OTHER_CASE, datetime.now(UTC))
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
                return sum(user["email"] == person(number).email for user in self.sandbox.shelf.all("user"))
            case "ticket":
                return sum(ticket["external_id"] == f"thread-{number}" for ticket in self.sandbox.shelf.all("ticket"))
            case _:
                return sum(f"Remark {number}." in comment["body"] for comment in self.sandbox.pushed("ticket_comment"))
