"""What the API's writes make of the account, with Zendesk's checks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.zendesk.sandbox.account import API_USER, AUDIT_IDS, Account
from connectors.zendesk.sandbox.records import Record, audit, change, said, stamp, ticket, user, via

_PUSHED_USERS, _PUSHED_AUDITS, _PUSHED_TICKETS = 6_150_000_000_000, 9 * 10**12, 5_000_000
_USER_FIELDS = ("name", "phone", "external_id", "locale", "details", "notes", "tags", "alias")
_TICKET_FIELDS = ("subject", "external_id", "priority", "type", "status", "tags", "custom_fields", "assignee_id", "group_id")
_ONE_OF = {
    "priority": ("low", "normal", "high", "urgent"),
    "type": ("problem", "incident", "question", "task"),
    "status": ("new", "open", "pending", "hold", "solved", "closed"),
}


class InvalidRecordError(Exception):
    """A record that Zendesk does not take: field, code and description."""

    def __init__(self, field: str, code: str, description: str) -> None:
        super().__init__(description)
        self.details = {field: [{"description": description, "error": code}]}


class OutdatedError(Exception):
    """A safe update of a ticket that has changed since."""


def write_user(account: Account, given: Record, held: Record | None) -> tuple[Record, bool]:
    """Create or change a user; also say whether it is new. InvalidRecordError when Zendesk would refuse."""
    email = given.get("email")
    owner = account.found("email", email)
    held = held or account.found("external_id", given.get("external_id")) or owner
    if email is not None and "@" not in str(email):
        raise InvalidRecordError("email", "InvalidFormat", f"Email: {email} is not properly formatted")
    if held and owner and owner["id"] != held["id"]:
        raise InvalidRecordError("email", "DuplicateValue", f"Email: {email} is already being used by another user")
    if not held and not given.get("name"):
        raise InvalidRecordError("name", "BlankValue", "Name: cannot be blank")
    now = stamp(datetime.now(UTC))
    new = held is None
    held = held or user(_PUSHED_USERS + account.shelf.count("user") * 128, now, "end-user")
    changed = {name: given[name] for name in _USER_FIELDS if name in given}
    changed["user_fields"] = {**held["user_fields"], **(given.get("user_fields") or {})}
    changed["email"] = held["email"] or email
    if changed.get("phone"):
        changed["shared_phone_number"] = False
    written = account.change_user(held, changed, now)
    account.shelf.put("pushed_user", str(written["id"]), {"id": written["id"]})
    return written, new


def create_ticket(account: Account, given: Record) -> tuple[Record, Record]:
    """Open a ticket; return it and its audit. InvalidRecordError when Zendesk would refuse."""
    comment: Record = given.get("comment") or {}
    text = comment.get("body") or given.get("description")
    if not text:
        raise InvalidRecordError("base", "BlankValue", "Description: cannot be blank")
    _check(given)
    now, requester = stamp(datetime.now(UTC)), _requester(account, given)
    identity = _PUSHED_TICKETS + account.shelf.count("pushed_ticket") + 1
    opened = ticket(identity, now, requester, given.get("subject") or text, text, via("api"))
    opened["submitter_id"] = API_USER
    opened |= _set_fields(given, opened)
    account.save_ticket(opened)
    account.shelf.put("pushed_ticket", str(identity), {"id": identity})
    events = [
        said(requester, text, bool(comment.get("public", True))),
        change("subject", opened["subject"]),
        change("status", opened["status"]),
    ]
    return opened, _audit(account, identity, now, events, given.get("metadata"))


def update_ticket(account: Account, held: Record, given: Record) -> tuple[Record, Record]:
    """Change a ticket, add a comment, or both; return ticket and audit. OutdatedError, or InvalidRecordError when Zendesk would refuse."""
    if held["status"] == "closed":
        raise InvalidRecordError("status", "Closed", "Status: closed prevents ticket update")
    if str(given.get("safe_update")).lower() == "true" and given.get("updated_stamp") != held["updated_at"]:
        raise OutdatedError
    _check(given)
    now, comment = stamp(datetime.now(UTC)), given.get("comment")
    changed = _set_fields(given, held)
    changes = {name: value for name, value in changed.items() if value != held[name]}
    events = [{**change(name, value), "type": "Change", "previous_value": held[name]} for name, value in changes.items()]
    if comment:
        events.insert(0, said(int(comment.get("author_id") or API_USER), comment["body"], comment.get("public", True)))
    account.touch(held, now, **changed)
    written = _audit(account, held["id"], now, events, given.get("metadata"))
    if comment:
        account.shelf.put("pushed_comment", str(written["id"]), {"id": written["id"]})
    return account.ticket(held["id"]), written


def _audit(account: Account, number: int, at: str, events: list[Record], custom: Mapping[str, Any] | None) -> Record:
    identity = _PUSHED_AUDITS + (account.shelf.count("pushed_audit") + 1) * AUDIT_IDS
    account.shelf.put("pushed_audit", str(identity), {"id": identity})
    written = audit(identity, number, at, API_USER, events, channel=via("api"), custom=custom)
    account.save_audit(written)
    return written


def _check(given: Record) -> None:
    for name, allowed in _ONE_OF.items():
        if given.get(name) is not None and given[name] not in allowed:
            raise InvalidRecordError(name, "InvalidValue", f"{name.title()}: {given[name]} is not a valid value")


def _set_fields(given: Record, held: Record) -> Record:
    """Return the fields that are given, custom ones among those that the ticket has already."""
    changed = {name: given[name] for name in _TICKET_FIELDS if name in given}
    if "custom_fields" in changed:
        values = {one["id"]: one["value"] for one in [*held["custom_fields"], *changed["custom_fields"]]}
        changed["custom_fields"] = changed["fields"] = [{"id": number, "value": value} for number, value in values.items()]
    if "subject" in changed:
        changed["raw_subject"] = changed["subject"]
    return changed


def _requester(account: Account, given: Record) -> int:
    if given.get("requester_id"):
        if not account.shelf.get("user", str(given["requester_id"])):
            raise InvalidRecordError("requester", "InvalidValue", "Requester: is not valid")
        return int(given["requester_id"])
    requester = given.get("requester")
    if not requester:
        return API_USER
    held = account.found("email", requester.get("email"))
    return int((held or write_user(account, requester, None)[0])["id"])
