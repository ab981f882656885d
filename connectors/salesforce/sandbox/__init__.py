"""A stand-in for one Salesforce org: login, queries, query jobs, deletes, describe, limits and sObject Collections."""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.salesforce.sandbox import login
from connectors.salesforce.sandbox.jobs import Jobs
from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.replication import deleted_between
from connectors.salesforce.sandbox.rows import CallError, write
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.sandbox.soql import Between, SoqlError, parse
from connectors.salesforce.sandbox.story import tell
from threadline.testing.sandbox import Document, Endpoint, HttpSandbox
from threadline.testing.story import Event

if TYPE_CHECKING:
    from threadline.testing.rig import Rig

VERSIONS = {"61.0": "Summer '24", "62.0": "Winter '25", "63.0": "Spring '25", "64.0": "Summer '25", "65.0": "Winter '26"}
_DATA = "/services/data"
_HERE = _DATA + "/v{version}"
_OPEN = ("/services/Soap/", "/services/oauth2/")


class SalesforceSandbox(HttpSandbox):
    """The org `threadline.my`.

    `late` stamps changes that long before they become visible, `row_faults` refuses the next rows, `refuse_next` the next
    API requests; `org` and `jobs` take what users and time do.
    """

    name = "salesforce"
    role = "crm"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.batch_size = 2_000
        self.row_faults: deque[Document] = deque()
        self.refuse_next: deque[Response] = deque()
        self.most_deleted = 600_000
        self.app = login.ConnectedApp()
        self._sessions: set[str] = set()
        self.restart()

    def restart(self) -> None:
        """Look at the shelf anew, after somebody has changed it from outside."""
        self.org = Org(self.shelf)
        self.jobs = Jobs(self.org)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Changes are visible at once here, so a scan may end at the server's clock."""
        return {"base_url": self.url, "domain": "threadline.my", "lag": 0, "case_fields": ["Order_Number__c"]}

    @property
    def secrets(self) -> Mapping[str, str]:
        """A user's password and security token."""
        return {"username": login.USERNAME, "password": login.PASSWORD, "security_token": login.SECURITY_TOKEN}

    @property
    def client_credentials(self) -> Mapping[str, str]:
        """The other way in."""
        return {"consumer_key": login.CONSUMER_KEY, "consumer_secret": login.CONSUMER_SECRET}

    @property
    def refresh_credentials(self) -> Mapping[str, str]:
        """The way in for an app that a user has approved."""
        return {**self.client_credentials, "refresh_token": login.REFRESH_TOKEN}

    @property
    def jwt_credentials(self) -> Mapping[str, str]:
        """The way in with a certificate."""
        return {"username": login.USERNAME, "consumer_key": login.CONSUMER_KEY, "private_key": self.app.private_key}

    @property
    def late(self) -> timedelta:
        """How long before it becomes visible a change is stamped."""
        return self.org.late

    @late.setter
    def late(self, value: timedelta) -> None:
        self.org.late = value

    def expire_sessions(self) -> None:
        """End every session, as time or an administrator does."""
        self._sessions.clear()

    def tell(self, event: Event) -> None:
        """Write a registration, a case, its moves or a garbled record."""
        tell(self.org, event)

    def rig(self) -> "Rig":
        """Let the conformance kit fill, change and hurt the org."""
        from connectors.salesforce.sandbox.rig import SalesforceRig

        return SalesforceRig(self)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the contract's word
        """Return the contacts that pushes wrote, with all their fields."""
        if object != "contact":
            raise ValueError(f"salesforce takes no {object!r}; it takes: contact")
        return [record for mark in self.shelf.all("pushed") if (record := self.org.get("Contact", mark["Id"]))]

    def routes(self) -> list[Route]:
        """Login, and below /services/data what the connector and simple-salesforce call; a slash at the end is as good as none."""
        resources = {
            "": self._resources,
            "/limits": self._limits,
            "/query": self._query,
            "/queryAll": self._query,
            "/query/{locator}": self._query_more,
            "/sobjects/{sobject}/describe": self._describe,
            "/sobjects/{sobject}/deleted": self._deleted,
            "/jobs/query/{job}": self._job,
            "/jobs/query/{job}/results": self._results,
        }
        collections = ("/composite/sobjects", "/composite/sobjects/{sobject}/{key}")
        counted = [
            *((path, endpoint, "GET") for path, endpoint in resources.items()),
            *((path, self._collection, "PATCH") for path in collections),
            ("/jobs/query", self._new_job, "POST"),
        ]
        return [
            Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route(_DATA, self._versions),
            *(Route(_HERE + path + slash, self._api(call), methods=[method]) for path, call, method in counted for slash in ("", "/")),
        ]

    def _api(self, endpoint: Endpoint) -> Endpoint:
        """Refuse what counts as an API request, as often as it is wanted: a login and the list of versions do not."""

        async def answer(request: Request) -> Response:
            return self.refuse_next.popleft() if self.refuse_next else await endpoint(request)

        return answer

    def authorized(self, request: Request) -> bool:
        """Everything but login and the list of versions needs a session."""
        path = request.url.path
        session = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return path.startswith(_OPEN) or path == _DATA or session in self._sessions

    def unauthorized(self) -> Response:
        """The answer to a session that has ended or never was."""
        return _error(401, "INVALID_SESSION_ID", "Session expired or invalid")

    def limited(self, retry_after: int) -> Response:
        """The answer when the day's requests are spent; it does not say when to come back."""
        return _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def limit_headers(self, limit: int, remaining: int, reset: int) -> Mapping[str, str]:
        """How much of the day's allowance is used."""
        return {"Sforce-Limit-Info": f"api-usage={limit - remaining}/{limit}"}

    def _new_session(self) -> str:
        session = login.new_session()
        self._sessions.add(session)
        return session

    async def _soap(self, request: Request) -> Response:
        return login.soap_login((await request.body()).decode(), request.path_params["version"], self._new_session())

    async def _token(self, request: Request) -> Response:
        authorization = request.headers.get("Authorization", "")
        return self.app.grant((await request.body()).decode(), authorization, self._new_session())

    async def _versions(self, _: Request) -> Response:
        return JSONResponse([{"label": label, "url": f"{_DATA}/v{version}", "version": version} for version, label in VERSIONS.items()])

    async def _resources(self, request: Request) -> Response:
        version = request.path_params["version"]
        names = ("limits", "query", "sobjects", "composite")
        return _missing() if version not in VERSIONS else JSONResponse({name: f"{_DATA}/v{version}/{name}" for name in names})

    async def _limits(self, _: Request) -> Response:
        spent = len(self._spent)
        return JSONResponse({"DailyApiRequests": {"Max": self.limit_per_minute, "Remaining": self.limit_per_minute - spent}})

    async def _describe(self, request: Request) -> Response:
        sobject = SOBJECTS.get(request.path_params["sobject"].lower())
        return JSONResponse(sobject.describe(request.path_params["version"])) if sobject else _missing()

    async def _query(self, request: Request) -> Response:
        version = request.path_params["version"]
        if version not in VERSIONS:
            return _missing()
        try:
            query = parse(request.query_params.get("q", ""))
        except SoqlError as error:
            return _error(400, error.code, str(error))
        also_deleted = "/queryAll" in request.url.path
        found = query.run(self._visible(query.sobject.name, deleted=also_deleted))
        self.org.been_read()
        if not query.fields:
            return JSONResponse({"totalSize": len(found), "done": True, "records": []})
        rows = [query.row(record, version) for record in found]
        return self._batch(rows, f"01g{self.shelf.put('locator', 'last', {}):012d}AAA", 0, version)

    def _visible(self, sobject: str, *, deleted: bool) -> Between:
        def between(lower: str, upper: str) -> Iterator[Document]:
            return (record for record in self.org.between(sobject, lower, upper) if deleted or not record["IsDeleted"])

        return between

    async def _query_more(self, request: Request) -> Response:
        identity, _, offset = request.path_params["locator"].partition("-")
        held = self.shelf.get("locator", identity)
        if held is None or not offset.isdigit():
            return _error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._batch(held["rows"], identity, int(offset), request.path_params["version"])

    def _batch(self, rows: list[Document], locator: str, offset: int, version: str) -> Response:
        end = offset + self.batch_size
        done = end >= len(rows)
        answer: Document = {"totalSize": len(rows), "done": done}
        if not done:
            self.shelf.put("locator", locator, {"rows": rows})
            answer["nextRecordsUrl"] = f"{_DATA}/v{version}/query/{locator}-{end}"
        return JSONResponse(answer | {"records": rows[offset:end]})

    async def _deleted(self, request: Request) -> Response:
        sobject = SOBJECTS.get(request.path_params["sobject"].lower())
        if sobject is None:
            return _missing()
        start, end = (request.query_params.get(name, "") for name in ("start", "end"))
        try:
            return JSONResponse(deleted_between(self.org, sobject.name, start, end, self.most_deleted))
        except CallError as error:
            return _refused(error)

    async def _new_job(self, request: Request) -> Response:
        try:
            job = self.jobs.create(await request.body(), request.path_params["version"])
        except CallError as error:
            return _refused(error)
        self.org.been_read()
        return JSONResponse(job)

    async def _job(self, request: Request) -> Response:
        try:
            return JSONResponse(self.jobs.status(request.path_params["job"]))
        except CallError as error:
            return _refused(error)

    async def _results(self, request: Request) -> Response:
        asked = request.query_params
        try:
            return self.jobs.results(request.path_params["job"], asked.get("maxRecords", ""), asked.get("locator", ""))
        except CallError as error:
            return _refused(error)

    async def _collection(self, request: Request) -> Response:
        name, key = request.path_params.get("sobject", "Contact"), request.path_params.get("key", "Id")
        body = await request.body()
        try:
            with self.shelf.together():
                return JSONResponse(write(self.org, body, name, key, self._next_fault))
        except CallError as error:
            return _refused(error)

    def _next_fault(self) -> Document | None:
        return self.row_faults.popleft() if self.row_faults else None


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status_code=status)


def _refused(error: CallError) -> Response:
    return _error(error.status, error.code, str(error))


def _missing() -> Response:
    return _error(404, "NOT_FOUND", "The requested resource does not exist")
