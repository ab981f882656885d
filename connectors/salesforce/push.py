"""Writes contacts through sObject Collections: up to 200 in a call, each with its own result.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from connectors.salesforce.client import Client
from connectors.salesforce.errors import PASSING
from connectors.salesforce.names import NO_NAME
from threadline.sdk import JSON, ConfigError, Intent, Receipt, RecordError, RetryableError

T = TypeVar("T")
BATCH = 200
_UPDATE = "/composite/sobjects"
_GONE = ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY")
"""Codes of contacts that are not there, or no longer: who has emptied the recycle bin makes the second of the first."""
_ID = re.compile(r"[A-Za-z0-9]{18}")
_LONGEST_LAST_NAME = 80

_REASONS = {
    "DUPLICATE_EXTERNAL_ID": "several contacts have this external id: merge them in Salesforce, then replay",
    "DUPLICATE_VALUE": "another contact has a value that must be unique: merge the two in Salesforce, then replay",
    "DUPLICATES_DETECTED": "a duplicate rule found the contact under another Id: merge or link them in Salesforce, then replay",
    "ENTITY_IS_DELETED": "the contact has been deleted in Salesforce",
    "INVALID_CROSS_REFERENCE_KEY": "the contact does not exist in Salesforce, or the user may not see it",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "give the user edit access to these fields, then replay",
    "REQUIRED_FIELD_MISSING": "the push mapping must give these fields",
}


class _RowError(msgspec.Struct, rename="camel"):
    status_code: str = ""
    fields: list[str] = []


class _RowResult(msgspec.Struct):
    success: bool
    id: str | None = None
    errors: list[_RowError] = []
    refused: str | None = None
    """Why the whole call was, for this row alone."""

    @property
    def code(self) -> str:
        return self.errors[0].status_code if self.errors else ""


class _Merged(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    master: str | None = msgspec.field(name="MasterRecordId", default=None)


class _Masters(msgspec.Struct):
    records: list[_Merged]


def push_contacts(client: Client, external_id_field: str | None, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Update the contacts whose `Id` is known, upsert the others by the external id; both repeat without harm.

    One that has lost a merge is written to the contact that won it.
    """
    if external_id_field is None:
        raise ConfigError("pushing contacts needs external_id_field: a custom field of Contact, marked as external id and unique")
    known: list[Intent] = []
    new: list[Intent] = []
    for intent in intents:
        if not intent.payload.get(external_id_field):
            yield Receipt(intent.id, "dead", reason=f"the push mapping gives no {external_id_field}, which names the contact")
        else:
            (known if intent.payload.get("Id") else new).append(intent)
    # Upsert takes no record ids (vendor's page on it), so a contact that is there already is updated instead.
    yield from _update(client, known)
    for intent, result in _write(client, f"/composite/sobjects/Contact/{external_id_field}", new):
        yield _receipt(intent, result)


def _update(client: Client, intents: Sequence[Intent]) -> Iterator[Receipt]:
    gone: list[tuple[Intent, _RowResult]] = []
    for intent, result in _write(client, _UPDATE, intents):
        if result.code in _GONE:
            gone.append((intent, result))
        else:
            yield _receipt(intent, result)
    masters = winners(client, [str(intent.payload["Id"]) for intent, _ in gone])
    for intent, result in gone:
        master = masters.get(str(intent.payload["Id"]))
        moved = replace(intent, payload={**intent.payload, "Id": master})
        # One by one: a call takes no contact twice, and several may have lost to the same one.
        yield from (_receipt(*one) for one in (_write(client, _UPDATE, [moved]) if master else [(intent, result)]))


def winners(client: Client, ids: Sequence[str]) -> Mapping[str, str]:
    """Return the contact that each of these lost a merge to, and that is there: its master record, or that one's, and so on."""
    masters: dict[str, str | None] = {}
    asked = {identity for identity in ids if _ID.fullmatch(identity)}
    while asked:
        listed = ", ".join(f"'{identity}'" for identity in sorted(asked))
        statement = f"SELECT Id, MasterRecordId FROM Contact WHERE Id IN ({listed})"  # noqa: S608 - SOQL, of ids that were looked at
        found = _decoded(client.call("GET", "/queryAll", params={"q": statement}).content, _Masters).records
        masters |= {identity: next((one.master for one in found if one.id == identity), None) for identity in asked}
        asked = {master for master in masters.values() if master and master not in masters}
    return {identity: last for identity in ids if (last := _last(masters, identity)) != identity}


def _last(masters: Mapping[str, str | None], identity: str) -> str:
    # No further than there are contacts: an answer that goes in circles must not hold the push.
    for _ in masters:
        identity = masters.get(identity) or identity
    return identity


def _write(client: Client, path: str, intents: Sequence[Intent]) -> Iterator[tuple[Intent, "_RowResult"]]:
    if not intents:
        return
    body = {"allOrNone": False, "records": [_record(intent) for intent in intents]}
    try:
        response = client.call("PATCH", path, json=body)
    except RecordError as error:
        yield from _bisect(client, path, intents, error)
        return
    results = _decoded(response.content, list[_RowResult])
    if len(results) != len(intents):
        raise RetryableError("Salesforce did not answer with one result for each contact")
    yield from zip(intents, results, strict=True)


def _decoded(body: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RetryableError("Salesforce answered a push with something else than results") from None


def _bisect(client: Client, path: str, intents: Sequence[Intent], error: RecordError) -> Iterator[tuple[Intent, "_RowResult"]]:
    """Find the row for which the whole call was refused."""
    if len(intents) == 1:
        yield intents[0], _RowResult(success=False, refused=str(error))
        return
    half = len(intents) // 2
    yield from _write(client, path, intents[:half])
    yield from _write(client, path, intents[half:])


def _record(intent: Intent) -> dict[str, JSON]:
    """Make the row; `Name` is read-only in Salesforce and serves as the last name that a new contact must have."""
    record = {"attributes": {"type": "Contact"}, **intent.payload}
    name = record.pop("Name", None)
    if not record.get("Id"):
        record.pop("Id", None)
        record["LastName"] = record.get("LastName") or str(name or NO_NAME)[:_LONGEST_LAST_NAME]
    return record


def _receipt(intent: Intent, result: _RowResult) -> Receipt:
    if result.success:
        return Receipt(intent.id, "done", remote_id=result.id)
    if result.refused:
        return Receipt(intent.id, "dead", reason=result.refused)
    error = next(iter(result.errors), _RowError())
    code = error.status_code or "an error without a code"
    reason = f"Salesforce answered {code}" + (f" for {', '.join(error.fields)}" if error.fields else "")
    if error.status_code in PASSING:
        return Receipt(intent.id, "retry", reason=reason)
    return Receipt(intent.id, "dead", reason=f"{reason}: {_REASONS.get(code, 'correct the value or the rule in Salesforce, then replay')}")
