"""Works the account for the conformance kit, stream by stream."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.zendesk.sandbox.account import API_USER, comment_id, opening_audit_id, opening_status_id
from connectors.zendesk.sandbox.records import Record, audit, change, stamp, via
from connectors.zendesk.sandbox.records_beside import article, organization, rating
from threadline.testing.rig import WaivedError
from threadline.testing.story import Commented, Garbled, Moved, Opened, Person, Registered

if TYPE_CHECKING:
    from connectors.zendesk.sandbox.server import ZendeskSandbox

CASE = 35
"""The ticket that comments are on, and that customers rate."""
_ORGANIZATIONS, _RATINGS, _ARTICLES, _SPOILED = (base * 10**12 for base in (12, 13, 14, 15))


def person(number: int) -> Person:
    """Return a customer."""
    return Person(number, "Ana", f"Lima {number}", f"ana{number}@example.org", f"+49 30 {100_000 + number}", f"ana_{number}")


class StreamRig(ABC):
    """What the kit does to the records of one stream; see `Rig`."""

    def __init__(self, sandbox: "ZendeskSandbox") -> None:
        self.sandbox = sandbox
        self.shelf = sandbox.shelf

    @abstractmethod
    def put(self, number: int, at: datetime) -> str:
        """See `Rig`."""

    @abstractmethod
    def change(self, number: int, at: datetime) -> None:
        """See `Rig`."""

    @abstractmethod
    def delete(self, number: int, at: datetime) -> None:
        """See `Rig`."""

    @abstractmethod
    def spoil(self, number: int, at: datetime) -> str:
        """See `Rig`."""

    def open(self, number: int, at: datetime) -> Record:
        """Return a ticket, opened unless it is."""
        if not self.shelf.get("ticket", str(number)):
            self.sandbox.tell(Opened(at, "zendesk", person(number), number, f"Order {number}", "It has not come.", channel="email"))
        return self.sandbox.account.ticket(number)

    def move(self, number: int, at: datetime, state: str) -> None:
        """Give a ticket another status."""
        self.sandbox.tell(Moved(at, "zendesk", "case", str(number), state))

    def garble(self, number: int, at: datetime, kind: str) -> str:
        """Let the story tell a broken record; return its key."""
        self.sandbox.tell(Garbled(at, "zendesk", number))
        return str(self.shelf.all(kind)[-1]["id"])

    def export(self, kind: str, document: Record, at: datetime) -> str:
        """Write a document that is exported by time; return its key."""
        self.sandbox.account.export(kind, document, stamp(at))
        return str(document["id"])


class _Users(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        self.sandbox.tell(Registered(at, "zendesk", person(number), ("name", "email")))
        return str(self._held(number)["id"])

    def change(self, number: int, at: datetime) -> None:
        self.sandbox.tell(Registered(at, "zendesk", person(number), ("name", "email", "phone")))

    def delete(self, number: int, at: datetime) -> None:
        held = self._held(number)
        self.shelf.put("user", str(held["id"]), {**held, "active": False, "updated_at": stamp(at)})

    def spoil(self, number: int, at: datetime) -> str:
        return self.garble(5 * number + 4, at, "user")

    def _held(self, number: int) -> Record:
        return self.sandbox.account.found("email", person(number).email) or {}


class _Tickets(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        return str(self.open(number, at)["id"])

    def change(self, number: int, at: datetime) -> None:
        self.move(number, at, "pending")

    def delete(self, number: int, at: datetime) -> None:
        self.move(number, at, "deleted")

    def spoil(self, number: int, at: datetime) -> str:
        return self.garble(5 * number, at, "ticket")


class _Comments(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        self.open(CASE, at)
        self.sandbox.tell(Commented(at, "zendesk", person(number), CASE, number, f"Comment {number}"))
        return str(comment_id(number))

    def change(self, number: int, at: datetime) -> None:
        private = {"type": "CommentPrivacyChange", "public": False}
        self.sandbox.account.change_comment(comment_id(number), stamp(at), private, public=False)

    def delete(self, number: int, at: datetime) -> None:
        redacted = {"body": "▇", "plain_body": "▇", "html_body": "<p>▇</p>"}
        self.sandbox.account.change_comment(comment_id(number), stamp(at), {"type": "CommentRedactionEvent"}, **redacted)

    def spoil(self, number: int, at: datetime) -> str:
        return self.garble(5 * number + 3, at, "audit")


class _StatusChanges(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        self.open(number, at)
        return f"{number}:{opening_status_id(number)}"

    def change(self, number: int, at: datetime) -> None:
        raise WaivedError("what has happened to a ticket does not change: a ticket that goes on is given another status")

    def delete(self, number: int, at: datetime) -> None:
        # Deleted for good, a ticket takes with it what happened to it.
        self.shelf.drop("ticket", str(number))
        self.shelf.drop("audit", str(opening_audit_id(number)))

    def spoil(self, number: int, at: datetime) -> str:
        self.open(number, at)
        made = audit(_SPOILED + number, number, stamp(at), API_USER, [change("status", "escalated_tier_2", "open")], channel=via("web"))
        self.sandbox.account.save_audit(made)
        return f"{number}:{made['events'][0]['id']}"


class _DeletedTickets(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        self.sandbox.account.touch(self.open(number, at), stamp(at), status="deleted")
        return str(number)

    def change(self, number: int, at: datetime) -> None:
        for state in ("open", "deleted"):
            self.move(number, at, state)

    def delete(self, number: int, at: datetime) -> None:
        self.move(number, at, "open")

    def spoil(self, number: int, at: datetime) -> str:
        key = self.put(number, at)
        self.shelf.put("deleted_ticket", key, {**(self.shelf.get("deleted_ticket", key) or {}), "deleted_at": "lately"})
        return key


class _Organizations(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        return self.export("organization", self._made(number, at), at)

    def change(self, number: int, at: datetime) -> None:
        self.export("organization", {**self._made(number, at), "name": f"Acme {number} Limited"}, at)

    def delete(self, number: int, at: datetime) -> None:
        self.export("organization", {**self._made(number, at), "deleted_at": stamp(at)}, at)

    def spoil(self, number: int, at: datetime) -> str:
        return self.export("organization", {**self._made(number, at), "name": ""}, at)

    @staticmethod
    def _made(number: int, at: datetime) -> Record:
        return organization(_ORGANIZATIONS + number, stamp(at), f"Acme {number} Ltd", domain_names=["acme.example"])


class _Ratings(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        return self._rate(number, at, "good")

    def change(self, number: int, at: datetime) -> None:
        raise WaivedError("a rating does not change: a customer who thinks again makes another one")

    def delete(self, number: int, at: datetime) -> None:
        raise WaivedError("nobody can delete a rating in Zendesk")

    def spoil(self, number: int, at: datetime) -> str:
        return self._rate(number, at, "sublime")

    def _rate(self, number: int, at: datetime, score: str) -> str:
        return self.export("rating", rating(_RATINGS + number, stamp(at), self.open(CASE, at), score, f"Comment {number}"), at)


class _Articles(StreamRig):
    def put(self, number: int, at: datetime) -> str:
        return self.export("article", self._made(number, at), at)

    def change(self, number: int, at: datetime) -> None:
        self.export("article", {**self._made(number, at), "title": f"Returns {number}, revised"}, at)

    def delete(self, number: int, at: datetime) -> None:
        self.shelf.drop("article", str(_ARTICLES + number))

    def spoil(self, number: int, at: datetime) -> str:
        return self.export("article", {**self._made(number, at), "draft": "nearly"}, at)

    @staticmethod
    def _made(number: int, at: datetime) -> Record:
        return article(_ARTICLES + number, stamp(at), API_USER, f"Returns {number}", "<p>Print the <b>label</b>.</p>")


STREAMS: Mapping[str, type[StreamRig]] = {
    "users": _Users,
    "tickets": _Tickets,
    "comments": _Comments,
    "status_changes": _StatusChanges,
    "organizations": _Organizations,
    "satisfaction_ratings": _Ratings,
    "deleted_tickets": _DeletedTickets,
    "articles": _Articles,
}
