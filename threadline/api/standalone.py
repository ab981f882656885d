"""The app without Airflow: one token opens it, to programs as a bearer, to people through a sign-in page."""

import hmac
import time
from urllib.parse import parse_qs, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import SecretStr
from starlette.routing import Route

from threadline.api.app import create_app
from threadline.api.errors import is_api, refused
from threadline.api.pages import static_file
from threadline.api.reader import Reader
from threadline.api.render import inner_path, page, up
from threadline.api.sessions import LIFETIME, Sessions
from threadline.sdk.errors import ConfigError

_COOKIE = "threadline_session"
_SHORTEST_TOKEN = 16
_LONGEST_FORM = 4096


def standalone_app(reader: Reader, token: str | SecretStr) -> FastAPI:
    """Make the app that `threadline serve` runs; only its sign-in page and the stylesheet are open.

    Serve it without an access log: a search stands in the URL. ConfigError when the token is too short to resist guessing.
    """
    secret = token.get_secret_value() if isinstance(token, SecretStr) else token
    if len(secret) < _SHORTEST_TOKEN:
        raise ConfigError(
            f"the token has {len(secret)} characters, at least {_SHORTEST_TOKEN} are needed: make one with `openssl rand -hex 32`"
        )
    door = _Door(secret)
    app = create_app(reader, door.authorize, public=door.routes(), sign_out=True)
    app.exception_handler(401)(_ask_to_sign_in)
    return app


class _Door:
    """Who may come in, and how."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._sessions = Sessions(token)

    def routes(self) -> list[Route]:
        return [
            Route("/login", self._show, methods=["GET"]),
            Route("/login", self._enter, methods=["POST"]),
            Route("/logout", self._leave, methods=["POST"]),
            Route("/static/threadline.css", _stylesheet, methods=["GET"]),
        ]

    async def authorize(self, request: Request) -> None:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._opens(credentials):
            return
        if self._sessions.holds(request.cookies.get(_COOKIE, ""), time.time()):
            return
        raise HTTPException(401, "Send the token as `Authorization: Bearer ...`, or sign in on the page.", {"WWW-Authenticate": "Bearer"})

    def _opens(self, offered: str) -> bool:
        return hmac.compare_digest(offered.strip().encode(), self._token)

    async def _show(self, request: Request) -> Response:
        return page(request, "login.html", wrong=False, next=request.query_params.get("next", ""))

    async def _enter(self, request: Request) -> Response:
        form = await _form(request)
        wanted = form.get("next", "")
        if not self._opens(form.get("token", "")):
            return page(request, "login.html", status=401, wrong=True, next=wanted)
        # Led by "./" nothing can name another host.
        response = RedirectResponse("./" + (wanted.lstrip("/") or "health"), status_code=303)
        response.set_cookie(
            _COOKIE,
            self._sessions.issue(time.time()),
            max_age=LIFETIME,
            path=_cookie_path(request),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def _leave(self, request: Request) -> Response:
        await self.authorize(request)  # so that no other site can sign somebody out
        response = RedirectResponse("login", status_code=303)
        response.delete_cookie(_COOKIE, path=_cookie_path(request))
        return response


async def _stylesheet(_: Request) -> Response:
    return static_file("threadline.css")


async def _ask_to_sign_in(request: Request, error: HTTPException) -> Response:
    browser = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if not browser or is_api(request):
        return await refused(request, error)
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{up(request)}login?{urlencode({'next': inner_path(request) + query})}", status_code=303)


async def _form(request: Request) -> dict[str, str]:
    """Read a small posted form; anybody may post one, so its size is bounded before it is parsed."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM:
            raise HTTPException(413, "A sign-in form is not that long.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def _cookie_path(request: Request) -> str:
    return request.scope.get("root_path", "") or "/"
