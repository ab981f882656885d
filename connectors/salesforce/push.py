"""Writes contacts through sObject Collections: up to 200 in a call, each with its own result.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from collections.abc import Iterator, Sequence

import msgspec

from connectors.salesforce.client import Client
from connectors.salesforce.errors import PASSING
from connectors.salesforce.names import NO_NAME
from threadline.sdk import JSON, ConfigError, Intent, Receipt, RecordError, RetryableError

BATCH = 200
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


def push_contacts(client: Client, external_id_field: str | None, intents: Sequence[Intent]) -> Iterator[Receipt]:
    """Update the contacts whose `Id` is known, upsert the others by the external id; both repeat without harm."""
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
    yield from _write(client, "/composite/sobjects", known)
    yield from _write(client, f"/composite/sobjects/Contact/{external_id_field}", new)


def _write(client: Client, path: str, intents: Sequence[Intent]) -> Iterator[Receipt]:
    if not intents:
        return
    body = {"allOrNone": False, "records": [_record(intent) for intent in intents]}
    try:
        response = client.call("PATCH", path, json=body)
    except RecordError as error:
        yield from _bisect(client, path, intents, error)
        return
    try:
        results = msgspec.json.decode(response.content, type=list[_RowResult])
    except (msgspec.DecodeError, UnicodeDecodeError):
        results = []
    if len(results) != len(intents):
        raise RetryableError("Salesforce did not answer with one result for each contact")
    for intent, result in zip(intents, results, strict=True):
        yield _receipt(intent, result)


def _bisect(client: Client, path: str, intents: Sequence[Intent], error: RecordError) -> Iterator[Receipt]:
    """Find the row for which the whole call was refused."""
    if len(intents) == 1:
        yield Receipt(intents[0].id, "dead", reason=str(error))
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
    error = next(iter(result.errors), _RowError())
    code = error.status_code or "an error without a code"
    reason = f"Salesforce answered {code}" + (f" for {', '.join(error.fields)}" if error.fields else "")
    if error.status_code in PASSING:
        return Receipt(intent.id, "retry", reason=reason)
    return Receipt(intent.id, "dead", reason=f"{reason}: {_REASONS.get(code, 'correct the value or the rule in Salesforce, then replay')}")
