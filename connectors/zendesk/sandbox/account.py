"""What a Zendesk account holds, and how it changes: by a story's events or by calls of its API."""

from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from connectors.zendesk.sandbox.records import SPACING, Record, audit, change, said, seconds, stamp, ticket, user, via
from threadline.testing.sandbox import Shelf
from threadline.testing.story import Commented, Event, Garbled, Moved, Opened, Person, Registered

API_USER = 6_110_000_000_001
API_EMAIL = "integration@acme.example"
_CUSTOMERS, _AGENTS, _PUSHED_USERS = 6_130_000_000_000, 6_120_000_000_000, 6_150_000_000_000
_OPENED, _COMMENTED, _PUSHED, _GARBLED, _MOVED = (base * 10**12 for base in (7, 8, 9, 10, 20))
_AUDIT = 4096
"""Ids that an audit and its events may use."""
STATES = ("new", "open", "pending", "hold", "solved", "closed", "deleted")
_WRITABLE = ("name", "phone", "external_id", "locale", "details", "notes", "tags", "alias")


def comment_id(number: int) -> int:
    """Return the id of a story's comment."""
    return _COMMENTED + number * _AUDIT + SPACING


class InvalidRecordError(Exception):
    """A record that Zendesk does not take: field, code and description."""

    def __init__(self, field: str, code: str, description: str) -> None:
        super().__init__(description)
        self.details = {field: [{"description": description, "error": code}]}


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
        self._change_user(held, {**known, "user_fields": {**held["user_fields"], **fields}}, stamp(event.at))
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
        self._audit(audit(_OPENED + event.case * _AUDIT, event.case, at, requester, events, channel=channel))

    def _comment(self, event: Commented) -> None:
        identity = _COMMENTED + event.comment * _AUDIT
        if self.shelf.get("audit", str(identity)):
            return
        held = self._ticket(event.case)
        person = event.person
        author = self._user_of(person, event.at, name=person.name, email=person.email)["id"]
        agent = person.role == "agent"
        channel = via("web") if agent else via(held["via"]["channel"], person.name, person.email)
        taken = {"assignee_id": author} if agent and held["assignee_id"] is None else {}
        self._touch(held, stamp(event.at), **taken)
        events = [said(author, event.text, event.public)]
        self._audit(audit(identity, event.case, stamp(event.at), author, events, channel=channel))

    def _move(self, event: Moved) -> None:
        identity = _MOVED + crc32(repr(event).encode()) * _AUDIT
        if self.shelf.get("audit", str(identity)):
            return
        if event.state not in STATES:
            raise ValueError(f"a ticket is never {event.state!r}; it is one of {', '.join(STATES)}")
        held = self._ticket(int(event.number))
        moved = change("status", event.state, held["status"])
        self._touch(held, stamp(event.at), status=event.state)
        actor = held["assignee_id"] or API_USER
        self._audit(audit(identity, held["id"], stamp(event.at), actor, [moved], channel=via("web")))

    def _garble(self, event: Garbled) -> None:
        identity, at = _GARBLED + event.number * _AUDIT, stamp(event.at)
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
                self._audit(audit(identity, identity, at, API_USER, [said_nothing], channel=via("web")))
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

    def _ticket(self, number: int) -> Record:
        held = self.shelf.get("ticket", str(number))
        if not held:
            raise ValueError(f"there is no ticket {number} here; tell that it is opened first")
        return held

    def _touch(self, held: Record, at: str, **changed: Any) -> None:
        now = {"updated_at": at, "generated_timestamp": int(datetime.fromisoformat(at).timestamp())}
        self.shelf.put("ticket", str(held["id"]), {**held, **now, **changed})

    def _audit(self, document: Record) -> None:
        self._export("audit", document, document["created_at"])

    def _export(self, kind: str, document: Record, at: str) -> None:
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

    def _change_user(self, held: Record, changed: Record, at: str) -> Record:
        new = {**held, **changed}
        if new != held:
            new["updated_at"] = at
            self._save_user(new)
        return new

    def write_user(self, given: Record, held: Record | None) -> tuple[Record, bool]:
        """Create or change a user as the API does; also says whether it is new. InvalidRecordError when Zendesk would refuse."""
        email = given.get("email")
        owner = self.found("email", email)
        held = held or self.found("external_id", given.get("external_id")) or owner
        if email is not None and "@" not in str(email):
            raise InvalidRecordError("email", "InvalidFormat", f"Email: {email} is not properly formatted")
        if held and owner and owner["id"] != held["id"]:
            raise InvalidRecordError("email", "DuplicateValue", f"Email: {email} is already being used by another user")
        if not held and not given.get("name"):
            raise InvalidRecordError("name", "BlankValue", "Name: cannot be blank")
        now = stamp(datetime.now(UTC))
        new = held is None
        held = held or user(_PUSHED_USERS + self.shelf.count("user") * 128, now, "end-user")
        changed = {name: given[name] for name in _WRITABLE if name in given}
        changed["user_fields"] = {**held["user_fields"], **(given.get("user_fields") or {})}
        changed["email"] = held["email"] or email
        if changed.get("phone"):
            changed["shared_phone_number"] = False
        written = self._change_user(held, changed, now)
        self.shelf.put("pushed_user", str(written["id"]), {"id": written["id"]})
        return written, new

    def write_comment(self, held: Record, given: Record, custom: Record) -> tuple[Record, Record]:
        """Add a comment to a ticket as the API does; return ticket and audit."""
        if held["status"] == "closed":
            raise InvalidRecordError("status", "Closed", "Status: closed prevents ticket update")
        now = stamp(datetime.now(UTC))
        identity = _PUSHED + (self.shelf.count("pushed_comment") + 1) * _AUDIT
        author = int(given.get("author_id") or API_USER)
        written = audit(
            identity,
            held["id"],
            now,
            API_USER,
            [said(author, given["body"], given.get("public", True))],
            channel=via("api"),
            custom=custom,
        )
        self._touch(held, now)
        self._audit(written)
        self.shelf.put("pushed_comment", str(identity), {"id": identity})
        return self._ticket(held["id"]), written
