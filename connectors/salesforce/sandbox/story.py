"""Writes a story's events down as contacts and cases."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.salesforce.names import NO_NAME
from connectors.salesforce.sandbox.ids import record_id
from connectors.salesforce.sandbox.org import SERVICE_USER, Org
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.sandbox.soql import stamp
from threadline.testing.homes import COUNTRIES, Home, home
from threadline.testing.story import Event, Garbled, Moved, Opened, Person, Registered

_ORIGINS = {"email": "Email", "web": "Web", "voice": "Phone", "chat": "Chat"}
_STATUSES = {"new": "New", "open": "Working", "pending": "Working", "solved": "Closed", "closed": "Closed"}
_GARBLED = 10**12
"""Numbers from here on belong to garbled records."""


def contact_id(person: Person) -> str:
    """Return the id of a person's contact."""
    return record_id("003", person.number)


def case_id(number: int) -> str:
    """Return the id of a case."""
    return record_id("500", number)


def garbled_id(sobject: str, number: int) -> str:
    """Return the id of a garbled record of an object."""
    return record_id(SOBJECTS[sobject.lower()].prefix, _GARBLED + number)


def tell(org: Org, event: Event) -> None:
    """Write an event down, once; ValueError for one that cannot happen in Salesforce."""
    digest = hashlib.sha256(repr(event).encode()).hexdigest()
    with org.shelf.together():
        if org.shelf.get("told", digest) is not None:
            return
        write(org, event)
        org.shelf.put("told", digest, {})


def write(org: Org, event: Event) -> None:
    """Write an event down; ValueError for one that cannot happen in Salesforce."""
    match event:
        case Registered():
            _register(org, event)
        case Opened():
            _open(org, event)
        case Moved(thing="case"):
            _move(org, event)
        case Garbled():
            _garble(org, event)
        case _:
            raise ValueError(f"{type(event).__name__} cannot happen in Salesforce: it holds contacts and cases, without comments")


def _register(org: Org, event: Registered) -> None:
    person = event.person
    if person.role != "customer":
        raise ValueError("an agent is a user in Salesforce, not a contact")
    held = org.get("Contact", contact_id(person))
    values: dict[str, Any] = {} if held else {"LastName": NO_NAME}
    if "name" in event.knows:
        values |= {"FirstName": person.given_name, "LastName": person.family_name, **_mailing(home(person))}
    if "email" in event.knows:
        values["Email"] = person.email
    if "phone" in event.knows:
        values["Phone" if person.number % 2 else "MobilePhone"] = person.phone
    org.save("Contact", contact_id(person), values, event.at, SERVICE_USER)


def _mailing(address: Home) -> Mapping[str, str]:
    return {
        "MailingStreet": address.street, "MailingPostalCode": address.post_code, "MailingCity": address.city,
        "MailingCountry": COUNTRIES[address.country],
    }  # fmt: skip


def _open(org: Org, event: Opened) -> None:
    person = event.person
    contact = org.get("Contact", contact_id(person))
    values = {
        "CaseNumber": f"{event.case:08d}",
        "Subject": event.subject,
        "Description": event.text,
        "Status": "New",
        "Origin": _ORIGINS[event.channel],
        "Priority": "Medium",
        "Order_Number__c": event.order,
    }
    if event.channel in ("email", "web"):
        values |= {"SuppliedName": person.name, "SuppliedEmail": person.email}
    if contact:
        values |= {"ContactId": contact["Id"], "ContactEmail": contact["Email"]}
        values |= {"ContactPhone": contact["Phone"], "ContactMobile": contact["MobilePhone"]}
    elif event.channel not in ("email", "web"):
        values |= {"SuppliedName": person.name, "SuppliedPhone": person.phone}
    org.save("Case", case_id(event.case), values, event.at, SERVICE_USER)


def _move(org: Org, event: Moved) -> None:
    identity = case_id(int(event.number)) if event.number.isdigit() else ""
    if not org.get("Case", identity):
        raise ValueError(f"there is no case {event.number}")
    if event.state not in _STATUSES:
        raise ValueError(f"a case has no state {event.state!r}; it has: {', '.join(_STATUSES)}")
    closed = _STATUSES[event.state] == "Closed"
    values = {"Status": _STATUSES[event.state], "IsClosed": closed, "ClosedDate": stamp(event.at) if closed else None}
    org.save("Case", identity, values, event.at, SERVICE_USER)


def _garble(org: Org, event: Garbled) -> None:
    kinds = (_unlisted_status, _no_creation_date, _broken_birthdate)
    kinds[event.number % len(kinds)](org, event.number, event.at)


def _unlisted_status(org: Org, number: int, at: datetime) -> None:
    values = {"CaseNumber": f"{_GARBLED + number}", "Subject": "Imported", "Status": "Awaiting RMA 7", "Origin": "Web"}
    org.save("Case", garbled_id("Case", number), values, at, SERVICE_USER)


def _no_creation_date(org: Org, number: int, at: datetime) -> None:
    values = {"CaseNumber": f"{_GARBLED + number}", "Subject": "Imported", "Status": "New", "Origin": "Web", "CreatedDate": None}
    org.save("Case", garbled_id("Case", number), values, at, SERVICE_USER)


def _broken_birthdate(org: Org, number: int, at: datetime) -> None:
    values = {"FirstName": "Imported", "LastName": "Contact", "Birthdate": "0000-00-00"}
    org.save("Contact", garbled_id("Contact", number), values, at, SERVICE_USER)
