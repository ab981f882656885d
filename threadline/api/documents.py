"""The API: what the pages show, as JSON."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse, Response

from threadline.api.lookup import SearchText, find, search
from threadline.api.reader import Reader
from threadline.journey.views import CustomerHit, CustomerView
from threadline.sync.health import Health


def documents(reader: Reader) -> APIRouter:
    """Make the routes under /api, and the OpenAPI document that describes them."""
    router = APIRouter()

    @router.get("/api/health", response_model=Health)
    def health() -> Health:
        """Every stream and target: how fresh it is, and what became of the records of the last 24 hours."""
        return reader.health()

    @router.get("/api/customers", response_model=list[CustomerHit])
    def customers(q: SearchText) -> Sequence[CustomerHit]:
        """Find customers by e-mail, phone, handle, order number or name."""
        return search(reader, q)

    @router.get("/api/customers/{profile_id}", response_model=CustomerView, responses={307: {"description": "merged into another"}})
    def customer(profile_id: str) -> CustomerView | Response:
        """One customer with threads, source records, cases, orders and preferences. Money is [minor units, currency]."""
        found = find(reader, profile_id)
        return RedirectResponse(quote(found, safe="")) if isinstance(found, str) else found

    @router.get("/openapi.json", include_in_schema=False)
    def openapi(request: Request) -> dict[str, Any]:
        app = request.app
        return get_openapi(
            title=app.title, version=app.version, routes=app.routes, servers=[{"url": request.scope.get("root_path") or "/"}]
        )

    return router
