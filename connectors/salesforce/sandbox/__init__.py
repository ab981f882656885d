"""A stand-in for one Salesforce org: login, query, describe, limits and sObject Collections of the REST API."""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.salesforce.sandbox import login
from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.rows import CallError, write
from connectors.salesforce.sandbox.schema import SOBJECTS
from connectors.salesforce.sandbox.soql import SoqlError, parse
from connectors.salesforce.sandbox.story import tell
from threadline.testing.sandbox import Document, HttpSandbox
from threadline.testing.story import Event

VERSIONS = {"61.0": "Summer '24", "62.0": "Winter '25", "63.0": "Spring '25", "64.0": "Summer '25", "65.0": "Winter '26"}
_DATA = "/services/data"
_HERE = _DATA + "/v{version}"
_OPEN = ("/services/Soap/", "/services/oauth2/")


class SalesforceSandbox(HttpSandbox):
    """The org `threadline.my`; `late` stamps changes that long before they become visible, `row_faults` refuses the next rows."""

    name = "salesforce"
    role = "crm"

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self.batch_size = 2_000
        self.row_faults: deque[Document] = deque()
        self._org = Org(self.shelf)
        self._sessions: set[str] = set()

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
    def late(self) -> timedelta:
        """How long before it becomes visible a change is stamped."""
        return self._org.late

    @late.setter
    def late(self, value: timedelta) -> None:
        self._org.late = value

    def expire_sessions(self) -> None:
        """End every session, as time or an administrator does."""
        self._sessions.clear()

    def tell(self, event: Event) -> None:
        """Write a registration, a case, its moves or a garbled record."""
        tell(self._org, event)

    def pushed(self, object: str) -> list[Document]:  # noqa: A002 - the contract's word
        """Return the contacts that pushes wrote, with all their fields."""
        if object != "contact":
            raise ValueError(f"salesforce takes no {object!r}; it takes: contact")
        return [record for mark in self.shelf.all("pushed") if (record := self._org.get("Contact", mark["Id"]))]

    def routes(self) -> list[Route]:
        """Login, and below /services/data what the connector and simple-salesforce call; a slash at the end is as good as none."""
        resources = {
            "": self._resources,
            "/limits": self._limits,
            "/query": self._query,
            "/query/{locator}": self._query_more,
            "/sobjects/{sobject}/describe": self._describe,
        }
        collections = ("/composite/sobjects", "/composite/sobjects/{sobject}/{key}")
        return [
            Route("/services/Soap/u/{version}", self._soap, methods=["POST"]),
            Route("/services/oauth2/token", self._token, methods=["POST"]),
            Route(_DATA, self._versions),
            *(Route(_HERE + path + slash, endpoint) for path, endpoint in resources.items() for slash in ("", "/")),
            *(Route(_HERE + path + slash, self._collection, methods=["PATCH"]) for path in collections for slash in ("", "/")),
        ]

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
        return login.client_credentials((await request.body()).decode(), authorization, self._new_session())

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
        rows = [query.row(record, version) for record in query.run(self._org.all(query.sobject.name))]
        self._org.been_read()
        return self._batch(rows, f"01g{self.shelf.put('locator', 'last', {}):012d}AAA", 0, version)

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

    async def _collection(self, request: Request) -> Response:
        name, key = request.path_params.get("sobject", "Contact"), request.path_params.get("key", "Id")
        body = await request.body()
        try:
            with self.shelf.together():
                return JSONResponse(write(self._org, body, name, key, self._next_fault))
        except CallError as error:
            return _error(error.status, error.code, str(error))

    def _next_fault(self) -> Document | None:
        return self.row_faults.popleft() if self.row_faults else None


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse([{"message": message, "errorCode": code}], status_code=status)


def _missing() -> Response:
    return _error(404, "NOT_FOUND", "The requested resource does not exist")
