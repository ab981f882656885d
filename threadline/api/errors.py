"""What is answered when a request cannot be: what happened, what was not touched, what to do; never a traceback or a detail that leaks."""

import logging
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from threadline.api.headers import STRICT
from threadline.api.render import inner_path, page
from threadline.sdk.errors import ConnectorError

_log = logging.getLogger(__name__)
_RETRY_AFTER = 30


@dataclass(frozen=True, slots=True)
class Trouble:
    """One answer that is not the one asked for. `retry`: the same request may succeed later."""

    status: int
    title: str
    detail: str
    retry: bool = False


_TROUBLES = {
    trouble.status: trouble
    for trouble in (
        Trouble(401, "Not signed in", "This needs an account that may see threadline. Sign in, then open it again."),
        Trouble(403, "Not allowed", "Your account may not see threadline. Ask whoever gives out roles."),
        Trouble(404, "No such page", "There are Health and Customers; choose one above."),
        Trouble(405, "Not possible here", "This address is only for looking."),
    )
}
_UNREADABLE = Trouble(
    503,
    "The database does not answer",
    "threadline could not read its settings or its own database. Nothing was changed: this only reads. "
    "`threadline check` says why; see that the database runs and that THREADLINE_DATABASE_URL names it, then try again.",
    retry=True,
)
_FAULT = Trouble(
    500, "threadline made a mistake", "Nothing was changed: this only reads. The server's log holds the fault; please report it."
)


def add_error_pages(app: FastAPI) -> None:
    """Answer every error of the app as a page, or under /api/ as a problem document (RFC 9457)."""
    app.exception_handler(HTTPException)(refused)
    app.exception_handler(RequestValidationError)(_unusable)
    app.exception_handler(ConnectorError)(_unreadable)
    app.exception_handler(Exception)(_fault)


def is_api(request: Request) -> bool:
    """Tell whether a program asks: it gets JSON also where something is wrong."""
    path = inner_path(request)
    return path.startswith("/api/") or path == "/openapi.json"


def _answer(request: Request, trouble: Trouble) -> Response:
    response: Response
    if is_api(request):
        problem = {"type": "about:blank", "title": trouble.title, "status": trouble.status, "detail": trouble.detail}
        response = JSONResponse(problem, trouble.status, media_type="application/problem+json")
    else:
        response = page(request, "trouble.html", status=trouble.status, trouble=trouble, retry_after=_RETRY_AFTER)
    if trouble.retry:
        response.headers["Retry-After"] = str(_RETRY_AFTER)
    return response


async def refused(request: Request, error: HTTPException) -> Response:
    """Answer what a route or `authorize` raised, in its own words where it has any."""
    status = HTTPStatus(error.status_code)
    known = _TROUBLES.get(status, Trouble(status, status.phrase, error.detail))
    own_words = error.detail != status.phrase
    response = _answer(request, Trouble(status, known.title, error.detail) if own_words else known)
    response.headers.update(error.headers or {})
    return response


async def _unusable(request: Request, error: RequestValidationError) -> Response:
    wrong = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors())
    return _answer(request, Trouble(422, "This cannot be looked up", f"{wrong}."))


async def _unreadable(request: Request, error: ConnectorError) -> Response:
    # The message names hosts and paths: it is for the log, not for whoever may look.
    _log.error("the pages could not be read: %s", error)
    return _answer(request, _UNREADABLE)


async def _fault(request: Request, _: Exception) -> Response:
    response = _answer(request, _FAULT)
    response.headers.update(STRICT)  # this one answer is made outside every middleware
    return response
