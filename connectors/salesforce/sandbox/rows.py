"""Takes sObject Collections: rows that are updated by Id or upserted by an external id, each with its own result.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec

from connectors.salesforce.sandbox.ids import number_of, record_id, with_suffix
from connectors.salesforce.sandbox.org import INTEGRATION_USER, Org
from connectors.salesforce.sandbox.schema import EXTERNAL_IDS, SOBJECTS, Field, SObject
from threadline.testing.sandbox import Document

MOST = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class CallError(Exception):
    """The whole call is refused: HTTP status, error code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class RowError(Exception):
    """One row is refused."""

    def __init__(self, code: str, message: str, *fields: str) -> None:
        super().__init__(message)
        self.error: Document = {"statusCode": code, "message": message, "fields": list(fields)}


class _Call(msgspec.Struct, rename="camel"):
    records: list[Document]
    all_or_none: bool = False


Faults = Callable[[], Document | None]


def write(org: Org, body: bytes, name: str, key: str, fault: Faults) -> list[Document]:
    """Write the rows; `key` is Id (update) or an external id field (upsert), `fault` gives an error for the next row, or None."""
    sobject = SOBJECTS.get(name.lower())
    if sobject is None or (key != "Id" and key not in EXTERNAL_IDS):
        raise CallError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {key}")
    try:
        call = msgspec.json.decode(body, type=_Call)
    except msgspec.DecodeError as error:
        raise CallError(400, "JSON_PARSER_ERROR", str(error)) from None
    if not 0 < len(call.records) <= MOST or call.all_or_none:
        raise CallError(400, "INVALID_INPUT", f"records must be 1 to {MOST}; this stand-in takes allOrNone false only")
    rows = [_typed(sobject, record) for record in call.records]
    batch = _Batch(org, sobject, key)
    return [batch.result(row, fault()) for row in rows]


def _typed(sobject: SObject, record: Document) -> Document:
    if record.get("attributes") != {"type": sobject.name}:
        raise CallError(400, "INVALID_INPUT", f"each record needs attributes with the type {sobject.name}")
    row: Document = {}
    for name, value in record.items():
        field = sobject.field(name)
        if name == "attributes":
            continue
        if field is None:
            raise CallError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        if not _fits(field, value):
            raise CallError(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {field.type} from a value of field {field.name}")
        row[field.name] = value
    return row


def _fits(field: Field, value: Any) -> bool:
    if value is None:
        return True
    if field.type == "boolean":
        return isinstance(value, bool)
    if field.type == "double":
        return isinstance(value, int | float)
    if not isinstance(value, str):
        return False
    if field.type == "date":
        try:
            date.fromisoformat(value)
        except ValueError:
            return False
    return True


class _Batch:
    """The rows of one call, one after the other: each sees what those before it wrote."""

    def __init__(self, org: Org, sobject: SObject, key: str) -> None:
        self._org, self._sobject, self._key = org, sobject, key
        self._values: dict[str, Document] = {
            record["Id"]: {name: record[name] for name in EXTERNAL_IDS if name in record} for record in org.all(sobject.name)
        }

    def result(self, row: Document, fault: Document | None) -> Document:
        """Write a row, unless a fault is wanted, and say what became of it."""
        upsert = self._key != "Id"
        try:
            identity = self._find(row)
            new = identity not in self._values
            self._check(row, identity, new=new)
        except RowError as error:
            fault = fault or error.error
        else:
            if fault is None:
                self._write(identity, row)
                errors: list[Document] = []
                return {"id": identity, "success": True, "errors": errors} | ({"created": new} if upsert else {})
        return {"success": False, "errors": [fault]} | ({"created": False} if upsert else {})

    def _write(self, identity: str, row: Document) -> None:
        self._org.save(self._sobject.name, identity, row | {"Id": identity}, self._org.now(), INTEGRATION_USER)
        self._org.shelf.put("pushed", identity, {"Id": identity})
        self._values.setdefault(identity, {}).update({name: row[name] for name in EXTERNAL_IDS if name in row})

    def _holders(self, name: str, value: str) -> list[str]:
        return [identity for identity, values in self._values.items() if values.get(name) == value]

    def _find(self, row: Document) -> str:
        if self._key == "Id":
            identity = row.get("Id") or ""
            full = with_suffix(identity[:15]) if len(identity) in (15, 18) else ""
            if not full.isalnum() or (len(identity) == 18 and full != identity):
                raise RowError("MALFORMED_ID", f"malformed id {identity}", "Id")
            if (held := self._org.get(self._sobject.name, full)) and held["IsDeleted"]:
                raise RowError("ENTITY_IS_DELETED", "entity is deleted")
            if full not in self._values:
                raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            return full
        if "Id" in row:
            raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an upsert by another field", "Id")
        value = row.get(self._key)
        if not value:
            raise RowError("MISSING_ARGUMENT", f"{self._key} not specified")
        matches = self._holders(self._key, value)
        if len(matches) > 1:
            message = f"{self._key}: more than one record found for external id field: [{', '.join(matches)}]"
            raise RowError("DUPLICATE_EXTERNAL_ID", message)
        return matches[0] if matches else self._unused(number_of(value))

    def _unused(self, number: int) -> str:
        """Return an id that no record has or had: one that was deleted does not come back."""
        while self._org.shelf.get(self._sobject.name, identity := record_id(self._sobject.prefix, number)):
            number += 1
        return identity

    def _check(self, row: Document, identity: str, *, new: bool) -> None:
        if self._sobject.name == "Contact" and not row.get("LastName") and (new or "LastName" in row):
            raise RowError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", "LastName")
        for name, value in row.items():
            field = self._sobject.field(name)
            if field and value is not None and name != "Id":
                _check_value(field, value)
        for name in EXTERNAL_IDS:
            others = [held for held in self._holders(name, row[name]) if held != identity] if row.get(name) else []
            if others:
                raise RowError("DUPLICATE_VALUE", f"duplicate value found: {name} duplicates value on record with id: {others[0]}", name)


def _check_value(field: Field, value: Any) -> None:
    if not field.writable:
        raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {field.name}.", field.name)
    if field.length and len(value) > field.length:
        raise RowError("STRING_TOO_LONG", f"{field.name}: data value too large: {value} (max length={field.length})", field.name)
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise RowError("INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {value}", field.name)
