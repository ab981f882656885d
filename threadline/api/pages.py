"""The pages: health, the search for customers, one customer."""

from importlib import resources
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from threadline.api.customer_page import customer_page
from threadline.api.health_page import health_page
from threadline.api.lookup import SearchText, find, search
from threadline.api.reader import Reader
from threadline.api.render import page

_STATIC = {
    "threadline.css": "text/css",
    "theme.js": "text/javascript",
    "search.js": "text/javascript",
    "nav-health.svg": "image/svg+xml",
    "nav-customers.svg": "image/svg+xml",
}


def static_file(name: str) -> Response:
    """Return a file of the package's static folder; 404 for any other name."""
    if name not in _STATIC:
        raise HTTPException(404)
    return Response(resources.files("threadline.api").joinpath("static", name).read_bytes(), media_type=_STATIC[name])


def pages(reader: Reader) -> APIRouter:
    """Make the routes for people."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def start() -> Response:
        return RedirectResponse("health")

    @router.get("/health")
    def health(request: Request) -> Response:
        return page(request, "health.html", view=health_page(reader.health()))

    @router.get("/customers")
    def customers(request: Request, q: SearchText = "") -> Response:
        hits = search(reader, q)
        if len(hits) == 1:
            return RedirectResponse(f"customers/{quote(hits[0].id, safe='')}", status_code=303)
        return page(request, "customers.html", query=q, hits=hits)

    @router.get("/customers/{profile_id}")
    def customer(request: Request, profile_id: str, thread: str | None = None) -> Response:
        found = find(reader, profile_id)
        if isinstance(found, str):
            return RedirectResponse(quote(found, safe=""))
        view = customer_page(found, thread)
        if view is None:
            raise HTTPException(404, "This customer has no such thread: it may have been joined with another one. Open the customer again.")
        return page(request, "customer.html", customer=found, view=view)

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        return static_file(name)

    return router
