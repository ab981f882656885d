"""Nobody reads anything without leave, and every answer carries the strict headers."""

from collections.abc import Iterator

import pytest
import requests
from fastapi import FastAPI, HTTPException
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

from tests.unit.pages_fixture import MARA, Shelf
from tests.unit.pages_server import serving
from threadline.api.app import create_app
from threadline.api.standalone import standalone_app
from threadline.sdk import RetryableError

TOKEN = "correct horse battery staple"
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)


def deny() -> None:
    raise HTTPException(401)


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the app answers, with something in place of each parameter."""
    for route in app.routes:
        yield from _routes_of(route)


def _routes_of(route: BaseRoute) -> Iterator[tuple[str, str]]:
    if not isinstance(route, Route | APIRoute):
        raise TypeError(f"this test does not know how to ask a {type(route).__name__}")
    for method in sorted(route.methods or ()):
        path = route.path
        for name in route.param_convertors:
            path = path.replace("{" + name + "}", MARA)
        yield method, path


@pytest.fixture(scope="module")
def denied() -> Iterator[tuple[FastAPI, str]]:
    app = create_app(Shelf(), deny)
    with serving(app) as address:
        yield app, address


def test_every_route_denies_by_default(denied):
    app, address = denied
    asked = list(routes(app))
    assert {path for _, path in asked} >= {
        "/",
        "/health",
        "/customers",
        f"/customers/{MARA}",
        f"/static/{MARA}",
        "/openapi.json",
        "/api/health",
        "/api/customers",
        f"/api/customers/{MARA}",
    }
    for method, path in asked:
        answer = requests.request(method, address + path, params={"q": "mara"}, allow_redirects=False, timeout=5)
        assert answer.status_code == 401, (method, path)
        assert "Lindqvist" not in answer.text
        assert answer.headers["Content-Security-Policy"] == CSP


@pytest.mark.parametrize(
    "path", ["/static/threadline.css", "/static/theme.js", "/docs", "/redoc", "/health/", "/customers/a/b", "/nothing"]
)
def test_nothing_else_answers_an_anonymous_caller(denied, path):
    answer = requests.get(denied[1] + path, timeout=5)
    assert answer.status_code in {401, 404}
    assert "Lindqvist" not in answer.text


def test_alone_only_the_door_is_open():
    app = standalone_app(Shelf(), TOKEN)
    with serving(app) as address:
        opened = {
            (method, path)
            for method, path in routes(app)
            if requests.request(method, address + path, params={"q": "mara"}, allow_redirects=False, timeout=5).status_code != 401
        }
    assert opened == {("GET", "/login"), ("HEAD", "/login"), ("GET", "/static/threadline.css"), ("HEAD", "/static/threadline.css")}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health", 200),
        ("/static/threadline.css", 200),
        ("/static/theme.js", 200),
        ("/static/nav-health.svg", 200),
        ("/api/health", 200),
        ("/openapi.json", 200),
        ("/", 307),
        ("/nothing", 404),
        ("/static/nothing.css", 404),
        ("/api/customers", 422),
    ],
)
def test_every_answer_is_strict(allowed, path, status):
    answer = requests.get(allowed + path, allow_redirects=False, timeout=5)
    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == CSP
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.fixture(scope="module")
def allowed() -> Iterator[str]:
    with serving(create_app(Shelf(), lambda: None)) as address:
        yield address


def test_an_account_without_the_role_is_told_so():
    def forbid() -> None:
        raise HTTPException(403)

    with serving(create_app(Shelf(), forbid)) as address:
        page = requests.get(f"{address}/health", timeout=5)
        document = requests.get(f"{address}/api/health", timeout=5)
    assert page.status_code == document.status_code == 403
    assert "Not allowed" in page.text
    assert document.headers["Content-Type"] == "application/problem+json"
    assert document.json()["title"] == "Not allowed"


@pytest.mark.parametrize("path", ["/health", "/customers?q=mara", f"/customers/{MARA}"])
def test_a_silent_database_leaks_nothing(path, caplog):
    fault = RetryableError("the connection to PostgreSQL at canary.internal failed")
    with serving(create_app(Shelf(fault=fault), lambda: None)) as address:
        page = requests.get(address + path, timeout=5)
        document = requests.get(f"{address}/api{path}", timeout=5)
    for answer in (page, document):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "30"
        assert answer.headers["Content-Security-Policy"] == CSP
        assert "canary" not in answer.text
        assert "Traceback" not in answer.text
    assert "The database does not answer" in page.text
    assert "THREADLINE_DATABASE_URL" in page.text
    assert document.json()["status"] == 503
    # Whoever runs it finds the place in the log.
    assert "could not be read" in caplog.text
    assert "canary.internal" in caplog.text


def test_a_fault_shows_no_traceback():
    with serving(create_app(Shelf(fault=RuntimeError("canary")), lambda: None)) as address:
        page = requests.get(f"{address}/health", timeout=5)
        document = requests.get(f"{address}/api/health", timeout=5)
    for answer in (page, document):
        assert answer.status_code == 500
        assert "canary" not in answer.text
        assert "Traceback" not in answer.text
        assert answer.headers["Content-Security-Policy"] == CSP
    assert document.json()["title"] == "threadline made a mistake"
