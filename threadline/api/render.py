"""HTML from templates: escaped always, and with links that hold under any prefix."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from threadline.api import words

_TEMPLATES = Environment(
    loader=PackageLoader("threadline.api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_FILTERS: dict[str, Any] = {
    "channel": words.channel,
    "counted": words.count,
    "day": words.day,
    "duration": words.duration,
    "listed": words.listed,
    "machine": words.machine,
    "moment": words.moment,
    "number": words.number,
    "state": words.state,
}
_TEMPLATES.filters.update(_FILTERS)


def inner_path(request: Request) -> str:
    """Return the path within the app, without the prefix that it is mounted under."""
    return request.scope["path"].removeprefix(request.scope.get("root_path", "")) or "/"


def up(request: Request) -> str:
    """Return what leads from the requested path back to the app's root: "" or "../" so often as needed.

    Links relative to the page need to know nothing of mounts and proxies in front of the app.
    """
    return "../" * (inner_path(request).count("/") - 1)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template as the answer."""
    html = _TEMPLATES.get_template(template).render(up=up(request), sign_out=request.app.state.sign_out, **values)
    return HTMLResponse(html, status_code=status)
