"""Query jobs of Bulk API 2.0: made at once, done after a while, and read as CSV.

https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

import csv
from collections import deque
from collections.abc import Iterable
from io import StringIO
from typing import Any

import msgspec
from starlette.responses import Response

from connectors.salesforce.sandbox.ids import record_id
from connectors.salesforce.sandbox.org import INTEGRATION_USER, Org
from connectors.salesforce.sandbox.rows import CallError
from connectors.salesforce.sandbox.schema import Field
from connectors.salesforce.sandbox.soql import Query, SoqlError, parse
from threadline.testing.sandbox import Document

_KIND, _ROWS = "query_job", "query_job_rows"
_COMPOUND = ("address", "location")
_CHUNK = 500
MOST = 50_000
"""Rows of one answer, where the client does not ask for fewer."""


class _Wanted(msgspec.Struct):
    operation: str = ""
    query: str = ""
    line_ending: str = msgspec.field(name="lineEnding", default="LF")


class Jobs:
    """The org's query jobs; a job is seen at work `polls` times before it is done, and fails with the next of `failures`."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self.polls = 1
        self.failures: deque[str] = deque()

    def create(self, body: bytes, version: str) -> Document:
        """Take a job, and find its rows as they are now."""
        try:
            wanted = msgspec.json.decode(body, type=_Wanted)
        except msgspec.DecodeError as error:
            raise CallError(400, "JSON_PARSER_ERROR", str(error)) from None
        if wanted.operation not in ("query", "queryAll"):
            raise CallError(400, "INVALIDOPERATION", f"operation {wanted.operation!r} is neither query nor queryAll")
        try:
            query = parse(wanted.query)
        except SoqlError as error:
            raise CallError(400, "API_ERROR", str(error)) from None
        if not query.fields or any(field.type in _COMPOUND for field in query.fields):
            raise CallError(400, "API_ERROR", "neither aggregates nor compound fields are supported by Bulk API queries")
        identity = record_id("750", self._org.shelf.count(_KIND) + 1)
        failure = self.failures.popleft() if self.failures else None
        rows = 0 if failure else self._keep(identity, query, deleted=wanted.operation == "queryAll")
        job = {
            "id": identity, "operation": wanted.operation, "object": query.sobject.name, "createdById": INTEGRATION_USER,
            "state": "UploadComplete", "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(version),
            "lineEnding": wanted.line_ending, "columnDelimiter": "COMMA",
        }  # fmt: skip
        fields = [field.name for field in query.fields]
        self._org.shelf.put(_KIND, identity, {"job": job, "left": self.polls, "failure": failure, "rows": rows, "fields": fields})
        return job

    def status(self, identity: str) -> Document:
        """Say how far a job is."""
        held = self._held(identity)
        job: Document = held["job"]
        if held["left"]:
            self._org.shelf.put(_KIND, identity, held | {"left": held["left"] - 1})
            return job | {"state": "InProgress"}
        if held["failure"]:
            return job | {"state": "Failed", "errorMessage": held["failure"]}
        return job | {"state": "JobComplete", "numberRecordsProcessed": held["rows"], "retries": 0}

    def results(self, identity: str, most: str, locator: str) -> Response:
        """Answer some of a job's rows; the locator is where they begin."""
        held = self._held(identity)
        if held["left"] or held["failure"]:
            raise CallError(400, "INVALIDJOBSTATE", "the job has no results (yet)")
        if not (locator or "0").isdigit() or not (most or "1").isdigit():
            raise CallError(400, "INVALIDLOCATOR", "the locator is invalid")
        start, end = int(locator or 0), int(locator or 0) + int(most or MOST)
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(held["fields"])
        writer.writerows(rows := self._rows(identity, start, min(end, held["rows"])))
        headers = {"Sforce-NumberOfRecords": str(len(rows)), "Sforce-Locator": str(end) if end < held["rows"] else "null"}
        return Response(text.getvalue(), media_type="text/csv", headers=headers)

    def forget(self) -> None:
        """Drop all jobs, as Salesforce does a week after they are done."""
        for held in self._org.shelf.all(_KIND):
            self._org.shelf.put(_KIND, held["job"]["id"], held | {"gone": True})

    def _held(self, identity: str) -> Document:
        held = self._org.shelf.get(_KIND, identity)
        if held is None or "gone" in held:
            raise CallError(404, "NOT_FOUND", "The requested resource does not exist")
        return held

    def _keep(self, identity: str, query: Query, *, deleted: bool) -> int:
        found = query.run(lambda lower, upper: self._org.between(query.sobject.name, lower, upper))
        rows = [_cells(query.fields, record) for record in found if deleted or not record["IsDeleted"]]
        # Salesforce gives no order where the query asks for none.
        rows.reverse()
        for start in range(0, len(rows), _CHUNK):
            self._org.shelf.put(_ROWS, f"{identity}-{start // _CHUNK}", {"rows": rows[start : start + _CHUNK]})
        return len(rows)

    def _rows(self, identity: str, start: int, end: int) -> list[list[str]]:
        rows: list[list[str]] = []
        for chunk in range(start // _CHUNK, -(-end // _CHUNK)):
            held = self._org.shelf.get(_ROWS, f"{identity}-{chunk}") or {"rows": []}
            first = chunk * _CHUNK
            rows += held["rows"][max(0, start - first) : end - first]
        return rows


def _cells(fields: Iterable[Field], record: Document) -> list[str]:
    return [_cell(field, record[field.name]) for field in fields]


def _cell(field: Field, value: Any) -> str:
    """Write a value as a job's CSV does: nothing for null, times in another form than REST's."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace("+0000", "Z") if field.type == "datetime" else str(value)
