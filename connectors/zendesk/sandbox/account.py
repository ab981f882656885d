"""What a Zendesk account holds, and how it changes: by a story's events or by calls of its API."""

from datetime import datetime
from typing import Any
from zlib import crc32

from connectors.zendesk.sandbox.records import SPACING, Record, audit, change, said, seconds, stamp, ticket, user, via
from connectors.zendesk.sandbox.records_beside import deleted_ticket
from threadline.testing.sandbox import Shelf
from threadline.testing.story import Commented, Event, Garbled, Moved, Opened, Person, Registered

API_USER = 6_110_000_000_001
API_EMAIL = "integration@acme.example"
_CUSTOMERS, _AGENTS = 6_130_000_000_000, 6_120_000_000_000
_OPENED, _COMMENTED, _GARBLED, _CHANGED, _MOVED = (base * 10**12 for base in (7, 8, 10, 11, 20))
AUDIT_IDS = 4096
"""Ids that an audit and its events may use."""
STATES = ("new", "open", "pending", "hold", "solved", "closed", "deleted")


def comment_id(number: int) -> int:
    """Return the id of a story's comment."""
    return _COMMENTED + number * AUDIT_IDS + SPACING


def opening_audit_id(case: int) -> int:
    """Return the id of the audit that opened a story's ticket."""
    return _OPENED + case * AUDIT_IDS


def opening_status_id(case: int) -> int:
    """Return the id of the event in it that gave the ticket its first status: the third."""
    return opening_audit_id(case) + 3 * SPACING


class Account:
    """Users, tickets and audits on a shelf; an index finds users by e-mail address and external id."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        if not shelf.get("user", str(API_USER)):
            self._save_user(user(API_USER, "2020-01-01T00:00:00Z", "admin", name="Integration", email=API_EMAIL))

    def tell(self, event: Event) -> None:
        """Write a story's event down, once."""
        match event:
            case Registered():
                self._register(event)
            case Opened():
                self._open(event)
            case Commented():
                self._comment(event)
            case Moved(thing="case"):
                self._move(event)
            case Garbled():
                self._garble(event)
            case _:
                raise ValueError(f"{type(event).__name__} cannot happen in a ticketing system")

    def _register(self, event: Registered) -> None:
        told = f"{crc32(repr(event).encode()):08x}"
        if self.shelf.get("told", told):
            return
        person = event.person
        known: Record = {name: getattr(person, name) for name in ("name", "email", "phone") if name in event.knows}
        if "phone" in known:
            known["shared_phone_number"] = False
        held = self._user_of(person, event.at, **known)
        fields = {"x_handle": person.handle} if "handle" in event.knows else {}
        if event.preferred_channel:
            fields["preferred_channel"] = event.preferred_channel
        self.change_user(held, {**known, "user_fields": {**held["user_fields"], **fields}}, stamp(event.at))
        self.shelf.put("told", told, {})

    def _open(self, event: Opened) -> None:
        if self.shelf.get("ticket", str(event.case)):
            return
        person = event.person
        reached = {"phone": person.phone, "shared_phone_number": False} if event.channel == "voice" else {"email": person.email}
        requester = self._user_of(person, event.at, name=person.name, **reached)["id"]
        at, channel = stamp(event.at), via(event.channel, person.name, person.email)
        opened = ticket(event.case, at, requester, event.subject, event.text, channel, event.order)
        self.shelf.put("ticket", str(event.case), opened)
        events = [said(requester, event.text, public=True), change("subject", event.subject), change("status", "new")]
        self.save_audit(audit(opening_audit_id(event.case), event.case, at, requester, events, channel=channel))

    def _comment(self, event: Commented) -> None:
        identity = _COMMENTED + event.comment * AUDIT_IDS
        if self.shelf.get("audit", str(identity)):
            return
        held = self.ticket(event.case)
        person = event.person
        author = self._user_of(person, event.at, name=person.name, email=person.email)["id"]
        agent = person.role == "agent"
        channel = via("web") if agent else via(held["via"]["channel"], person.name, person.email)
        taken = {"assignee_id": author} if agent and held["assignee_id"] is None else {}
        self.touch(held, stamp(event.at), **taken)
        events = [said(author, event.text, event.public)]
        self.save_audit(audit(identity, event.case, stamp(event.at), author, events, channel=channel))

    def _move(self, event: Moved) -> None:
        identity = _MOVED + crc32(repr(event).encode()) * AUDIT_IDS
        if self.shelf.get("audit", str(identity)):
            return
        if event.state not in STATES:
            raise ValueError(f"a ticket is never {event.state!r}; it is one of {', '.join(STATES)}")
        held = self.ticket(int(event.number))
        moved = change("status", event.state, held["status"])
        self.touch(held, stamp(event.at), status=event.state)
        actor = held["assignee_id"] or API_USER
        self.save_audit(audit(identity, held["id"], stamp(event.at), actor, [moved], channel=via("web")))

    def _garble(self, event: Garbled) -> None:
        identity, at = _GARBLED + event.number * AUDIT_IDS, stamp(event.at)
        if self.shelf.get("user", str(identity)) or self.shelf.get("ticket", str(identity)) or self.shelf.get("audit", str(identity)):
            return
        broken = ticket(identity, at, _CUSTOMERS, "Garbled", "Garbled", via("web"))
        match event.number % 5:
            case 0:
                self.shelf.put("ticket", str(identity), {**broken, "status": "escalated_tier_2"})
            case 1:
                del broken["created_at"]
                self.shelf.put("ticket", str(identity), broken)
            case 2:
                self.shelf.put("ticket", str(identity), {**broken, "requester_id": None})
            case 3:
                said_nothing = {**said(API_USER, "Garbled", public=True), "public": "perhaps"}
                self.save_audit(audit(identity, identity, at, API_USER, [said_nothing], channel=via("web")))
            case _:
                self.shelf.put("user", str(identity), user(identity, at, "robot", name="Garbled"))

    def _user_of(self, person: Person, at: datetime, **known: Any) -> Record:
        """Return a person's user; make one of what is known when there is none."""
        identity = (_AGENTS if person.role == "agent" else _CUSTOMERS) + person.number
        held = self.shelf.get("user", str(identity)) or self.found("email", known.get("email"))
        if held:
            return held
        made = user(identity, stamp(at), "agent" if person.role == "agent" else "end-user", **known)
        self._save_user(made)
        return made

    def ticket(self, number: int) -> Record:
        """Return a ticket; ValueError when there is none of this number."""
        held = self.shelf.get("ticket", str(number))
        if not held:
            raise ValueError(f"there is no ticket {number} here; tell that it is opened first")
        return held

    def touch(self, held: Record, at: str, **changed: Any) -> None:
        """Change a ticket; delete or restore it, where its status says so."""
        changed_one = {**held, "updated_at": at, "generated_timestamp": seconds(at), **changed}
        self.save_ticket(changed_one)
        if changed_one["status"] == "deleted":
            actor = self.shelf.get("user", str(held["assignee_id"] or API_USER)) or {"id": -1, "name": "System"}
            self.shelf.put("deleted_ticket", str(held["id"]), deleted_ticket(changed_one, actor, held["status"]))
        else:
            self.shelf.drop("deleted_ticket", str(held["id"]))

    def save_ticket(self, document: Record) -> None:
        """Write a ticket; an index finds the newest one of an external id."""
        self.shelf.put("ticket", str(document["id"]), document)
        if document["external_id"]:
            self.shelf.put("ticket_of", document["external_id"].lower(), {"ticket": document["id"]})

    def save_audit(self, document: Record) -> None:
        """Write an audit."""
        self.export("audit", document, document["created_at"])

    def change_comment(self, comment: int, at: str, event: Record, **changed: Any) -> None:
        """Make a comment private, or redact it: its own event shows that, too, wherever it stands."""
        audit_id = comment - SPACING
        held = self.shelf.get("audit", str(audit_id))
        if not held:
            raise ValueError(f"there is no comment {comment} here; tell it first")
        earlier = self.shelf.get("changed_comment", str(comment)) or {}
        self.shelf.put("changed_comment", str(comment), {**earlier, **changed})
        identity = _CHANGED + self.shelf.count("audit") * AUDIT_IDS
        self.save_audit(audit(identity, held["ticket_id"], at, API_USER, [{**event, "comment_id": comment}], channel=via("web")))

    def shown(self, audit: Record) -> Record:
        """Return an audit as the API shows it, with its comments as they are now."""
        now = [{**event, **(self.shelf.get("changed_comment", str(event["id"])) or {})} for event in audit["events"]]
        return {**audit, "events": now}

    def export(self, kind: str, document: Record, at: str) -> None:
        """Write a document that is exported by time: one that is told late is exported late, under a later time."""
        exported_at = max(self.newest(kind), seconds(at))
        self.shelf.put("newest", kind, {"at": exported_at})
        self.shelf.put(kind, str(document["id"]), {**document, "generated_timestamp": exported_at})

    def newest(self, kind: str) -> int:
        """Return the time of the last change of a kind that is exported by time, in seconds since 1970."""
        return int((self.shelf.get("newest", kind) or {"at": 0})["at"])

    def found(self, index: str, value: Any) -> Record | None:
        """Find a user by email or external_id, in any case of letters."""
        entry = self.shelf.get(index, str(value).lower()) if value else None
        return self.shelf.get("user", str(entry["user"])) if entry else None

    def _save_user(self, document: Record) -> None:
        self.shelf.put("user", str(document["id"]), document)
        for index in ("email", "external_id"):
            if document[index]:
                self.shelf.put(index, document[index].lower(), {"user": document["id"]})

    def change_user(self, held: Record, changed: Record, at: str) -> Record:
        """Change a user; return it."""
        new = {**held, **changed}
        if new != held:
            new["updated_at"] = at
            self._save_user(new)
        return new
