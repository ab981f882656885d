"""Lists with cursor pagination (page[size], page[after]), as the rest of Zendesk's API has them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.zendesk.sandbox.records import Record, seconds
from connectors.zendesk.sandbox.shelves import changes, outside_exports, place_before
from threadline.testing.sandbox import Shelf

_MOST = 100
"""Rows of a page."""


def page_of_rows(request: Request, base: str, name: str, rows: list[Record]) -> Response:
    """Answer with a page of rows that are at hand."""
    size, start = _asked(request)
    return _page(request, base, name, [(start + index, row) for index, row in enumerate(rows[start : start + size + 1], start=1)])


def deleted_tickets(request: Request, base: str, shelf: Shelf) -> Response:
    """Answer with a page of the tickets that can still be restored."""
    size, after = _asked(request)
    return _page(request, base, "deleted_tickets", shelf.after("deleted_ticket", after, size + 1))


def satisfaction_ratings(request: Request, base: str, shelf: Shelf) -> Response:
    """Answer with a page of the ratings that were received from start_time to end_time, both inclusive."""
    query = request.query_params
    size, after = _asked(request)
    start, end = int(query.get("start_time", 0)), int(query.get("end_time", 1 << 40))
    wanted = ("good", "bad") if query.get("score") == "received" else ()

    def shown() -> Iterator[tuple[int, Record]]:
        for place, rating in changes(shelf, "rating", max(after, place_before(shelf, "rating", start)), size + 1):
            unasked = wanted and rating["score"] in ("offered", "unoffered")
            if start <= seconds(rating["created_at"]) <= end and not unasked:
                yield place, outside_exports(rating)

    return _page(request, base, "satisfaction_ratings", list(islice(shown(), size + 1)))


def _asked(request: Request) -> tuple[int, int]:
    query = request.query_params
    after = int(urlsafe_b64decode(query["page[after]"])) if "page[after]" in query else 0
    return min(int(query.get("page[size]", _MOST)), _MOST), after


def _page(request: Request, base: str, name: str, found: list[tuple[int, Record]]) -> Response:
    """Answer with as many rows as were asked for; one more says that others follow."""
    size, start = _asked(request)
    page = found[:size]
    before, after = (urlsafe_b64encode(str(at).encode()).decode() for at in (start, page[-1][0] if page else start))
    meta = {"has_more": len(found) > size, "after_cursor": after, "before_cursor": before}
    own = f"{base}{request.url.path}?"
    links = {
        "prev": own + urlencode({"page[before]": before, "page[size]": size}),
        "next": own + urlencode({"page[after]": after, "page[size]": size}),
    }
    return JSONResponse({name: [row for _, row in page], "meta": meta, "links": links})
