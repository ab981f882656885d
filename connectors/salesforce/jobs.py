"""Query jobs (Bulk API 2.0), for what would take many queries: made, waited for, and read in parts.

The position that a page leaves behind names the job, so that a later run goes on reading it; Salesforce keeps results for
seven days. A job that is lost, refused or failed is no error: queries read on from the row that it was to follow.
https://developer.salesforce.com/docs/atlas.en-us.api_asynch.meta/api_asynch/queries.htm
"""

import logging
import time
from collections.abc import Iterator

import msgspec
import requests

from connectors.salesforce.client import Client
from connectors.salesforce.fields import Fields
from connectors.salesforce.rows import read_rows
from connectors.salesforce.soql import Place, select
from threadline.sdk import ConfigError, RetryableError
from threadline.sdk.cursors import Rows

logger = logging.getLogger(__name__)

_PART = 3_000
"""Rows of one response: about 6 MB."""
_LONGEST_PAUSE = 30.0
_PATIENCE = 1_800.0
"""Seconds that a run waits for a job, before it leaves the job to the next run."""
_AT_WORK = ("UploadComplete", "InProgress")


class _Job(msgspec.Struct):
    id: str
    state: str = ""


class Jobs:
    """Query jobs on one object."""

    def __init__(self, client: Client, fields: Fields, version: str) -> None:
        self._client = client
        self._fields = fields
        self._version = version

    def start(self, where: str, place: Place) -> Rows | None:
        """Make a job for the rows of a condition; None when the org takes none."""
        wanted = {"operation": "queryAll", "query": select(self._fields.names, self._fields.sobject, where), "lineEnding": "LF"}
        try:
            job = _decode(self._client.call("POST", "/jobs/query", json=wanted))
        except ConfigError as error:
            logger.warning("no query job, so queries read on: %s", error)
            return None
        return Rows([], place.at_job(job.id), more=True)

    def read(self, place: Place) -> Rows | None:
        """Wait for a job, and read the part of its results where the place stands; None when it has none."""
        path = f"/jobs/query/{place.job}"
        try:
            # Only the first part can be too early.
            state = "JobComplete" if place.locator else self._wait(path)
            if state != "JobComplete":
                logger.warning("query job %s is %s, so queries read on", place.job, state)
                return None
            asked = {"maxRecords": str(_PART)} | ({"locator": place.locator} if place.locator else {})
            response = self._client.call("GET", f"{path}/results", params=asked)
        except ConfigError as error:
            logger.warning("query job %s is lost, so queries read on: %s", place.job, error)
            return None
        return self._rows(response, place)

    def _rows(self, response: requests.Response, place: Place) -> Rows:
        records = read_rows(response.content, self._fields.sobject, self._fields.types, self._version)
        said = response.headers.get("Sforce-NumberOfRecords")
        if said is not None and said != str(len(records)):
            raise RetryableError(f"the query job's results have {len(records)} rows where {said} were announced")
        locator = response.headers.get("Sforce-Locator", "null")
        if locator == "null":
            return Rows(records, None, more=False)
        return Rows(records, place.at_job(place.job or "", locator), more=True)

    def _wait(self, path: str) -> str:
        """Return a job's last state."""
        for pause in _pauses():
            state = _decode(self._client.call("GET", path)).state
            if state not in _AT_WORK:
                return state
            time.sleep(pause)
        raise RetryableError("a query job is still at work: the next run goes on with it", retry_after=_LONGEST_PAUSE)


def _pauses() -> Iterator[float]:
    pause, waited = 1.0, 0.0
    while waited < _PATIENCE:
        yield pause
        waited += pause
        pause = min(2 * pause, _LONGEST_PAUSE)


def _decode(response: requests.Response) -> _Job:
    try:
        return msgspec.json.decode(response.content, type=_Job)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RetryableError(f"the response is not a query job: {error}") from None
