"""The web app: denied by default, and the same inside Airflow and stand-alone."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from starlette.routing import BaseRoute

from threadline.api.documents import documents
from threadline.api.errors import add_error_pages
from threadline.api.headers import StrictHeaders
from threadline.api.pages import pages
from threadline.api.reader import Reader


def create_app(reader: Reader, authorize: Callable[..., Any], *, public: Sequence[BaseRoute] = (), sign_out: bool = False) -> FastAPI:
    """Make the app of pages and API; it may be mounted under any prefix.

    `authorize` is a FastAPI dependency that raises HTTPException 401 or 403: it guards every route but `public`, static files and the
    OpenAPI document too. `sign_out` puts a button on each page that posts to "logout", which is then one of `public`.
    """
    app = FastAPI(
        title="threadline",
        version=version("threadline"),
        dependencies=[Depends(authorize)],
        # FastAPI would serve these outside the dependencies; the document has a guarded route instead.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # It would answer with an absolute address, which a proxy in front makes wrong.
        redirect_slashes=False,
        routes=list(public),
    )
    app.state.sign_out = sign_out
    app.include_router(pages(reader))
    app.include_router(documents(reader))
    app.add_middleware(StrictHeaders)
    add_error_pages(app)
    return app
