"""Errors as X writes them (RFC 7807, with X's problem types)."""

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from connectors.x.sandbox.lists import not_found

PROBLEMS = "https://api.x.com/2/problems"


def problem(status: int, title: str, detail: str, kind: str = "", headers: Mapping[str, str] | None = None) -> Response:
    """An error of the whole request."""
    body = {"title": title, "detail": detail, "type": f"{PROBLEMS}/{kind}" if kind else "about:blank", "status": status}
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


def invalid_request(message: str) -> Response:
    """X's 400, with what is wrong beside the problem."""
    body = {
        "errors": [{"message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}/invalid-request",
        "status": 400,
    }
    return JSONResponse(body, status_code=400, media_type="application/problem+json")


def nothing_found(resource: str, identity: str, parameter: str) -> Response:
    """X's 200 for a single thing that is not there."""
    return JSONResponse({"errors": [not_found(resource, identity, parameter)]})
