"""The door of the app without Airflow: a token, a session, and the way out."""

from collections.abc import Iterator

import pytest
import requests
from fastapi import FastAPI
from pydantic import SecretStr

from tests.unit.pages_fixture import MARA, Shelf
from tests.unit.pages_server import serving
from threadline.api.sessions import LIFETIME, Sessions
from threadline.api.standalone import standalone_app
from threadline.sdk.errors import ConfigError

TOKEN = "correct horse battery staple"
BROWSER = {"Accept": "text/html"}
COOKIE = "threadline_session"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(standalone_app(Shelf(), SecretStr(TOKEN))) as found:
        yield found


def sign_in(address: str, token: str = TOKEN, wanted: str = "") -> requests.Response:
    return requests.post(f"{address}/login", data={"token": token, "next": wanted}, allow_redirects=False, timeout=5)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_program_comes_in_with_the_token(address, scheme):
    answer = requests.get(f"{address}/api/health", headers={"Authorization": f"{scheme} {TOKEN}"}, timeout=5)
    assert answer.status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \u00e9"])
def test_nothing_but_the_token_will_do(address, header):
    answer = requests.get(f"{address}/api/health", headers={"Authorization": header.encode("latin-1")}, timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["status"] == 401


def test_a_browser_is_sent_to_the_door_and_back(address):
    sent = requests.get(f"{address}/customers?q=mara", headers=BROWSER, allow_redirects=False, timeout=5)
    assert (sent.status_code, sent.headers["Location"]) == (303, "login?next=%2Fcustomers%3Fq%3Dmara")
    deeper = requests.get(f"{address}/customers/{MARA}", headers=BROWSER, allow_redirects=False, timeout=5)
    assert deeper.headers["Location"].startswith("../login?next=")

    door = requests.get(f"{address}/{sent.headers['Location']}", timeout=5)
    assert door.status_code == 200
    assert 'value="/customers?q=mara"' in door.text
    assert requests.get(f"{address}/static/threadline.css", timeout=5).status_code == 200

    entered = sign_in(address, wanted="/customers?q=mara")
    assert (entered.status_code, entered.headers["Location"]) == (303, "./customers?q=mara")
    shown = requests.get(f"{address}/customers?q=mara", headers=BROWSER, cookies=entered.cookies, allow_redirects=False, timeout=5)
    assert shown.status_code == 200
    assert "Sign out" in shown.text


def test_a_program_is_not_redirected(address):
    assert requests.get(f"{address}/api/health", headers=BROWSER, allow_redirects=False, timeout=5).status_code == 401
    assert requests.get(f"{address}/health", allow_redirects=False, timeout=5).status_code == 401


def test_the_cookie_is_out_of_reach_and_holds_no_token(address):
    cookie = sign_in(address).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert f"Max-Age={LIFETIME}" in cookie
    assert "Secure" not in cookie  # this is plain HTTP; over HTTPS it is there
    assert TOKEN not in cookie


def test_over_https_the_cookie_is_secure(address):
    entered = requests.post(
        f"{address}/login", data={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"}, allow_redirects=False, timeout=5
    )
    assert "Secure" in entered.headers["Set-Cookie"]


def test_a_wrong_token_is_refused(address):
    answer = sign_in(address, token="a guess")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert "This is not the token." in answer.text
    assert "a guess" not in answer.text


def test_signing_out_ends_the_session(address):
    entered = sign_in(address)
    left = requests.post(f"{address}/logout", cookies=entered.cookies, allow_redirects=False, timeout=5)
    assert (left.status_code, left.headers["Location"]) == (303, "login")
    assert f'{COOKIE}=""' in left.headers["Set-Cookie"]
    assert "Max-Age=0" in left.headers["Set-Cookie"]


@pytest.mark.parametrize("forged", ["", ".", "x", "99999999999", "99999999999.", "99999999999.00", "never.00", "\u00e9.1"])
def test_a_forged_session_opens_nothing(address, forged):
    answer = requests.get(f"{address}/health", headers={"Cookie": f"{COOKIE}={forged}".encode()}, timeout=5)
    assert answer.status_code == 401


def test_a_session_ends_and_belongs_to_its_token():
    session = Sessions(TOKEN).issue(1000)
    assert Sessions(TOKEN).holds(session, 1000 + LIFETIME - 1)
    assert not Sessions(TOKEN).holds(session, 1000 + LIFETIME)
    assert not Sessions(TOKEN + "x").holds(session, 1000)
    later = f"{int(session.partition('.')[0]) + 1}.{session.partition('.')[2]}"
    assert not Sessions(TOKEN).holds(later, 1000)


@pytest.mark.parametrize(
    "wanted", ["//evil.example/", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "/\r\nX: y"]
)
def test_signing_in_leads_nowhere_else(address, wanted):
    location = sign_in(address, wanted=wanted).headers["Location"]
    assert location.startswith("./")
    assert "\r" not in location


def test_a_long_form_is_not_read(address):
    answer = requests.post(f"{address}/login", data={"token": "x" * 10_000}, timeout=5)
    assert answer.status_code == 413


def test_it_works_under_a_prefix():
    outer = FastAPI()
    outer.mount("/ops/threadline", standalone_app(Shelf(), TOKEN))
    with serving(outer) as found, requests.Session() as browser:
        browser.headers.update(BROWSER)
        door = browser.get(f"{found}/ops/threadline/customers/{MARA}", timeout=5)
        assert door.url.startswith(f"{found}/ops/threadline/login?next=")
        shown = browser.post(f"{found}/ops/threadline/login", data={"token": TOKEN, "next": f"/customers/{MARA}"}, timeout=5)
        assert shown.url == f"{found}/ops/threadline/customers/{MARA}"
        assert [cookie.path for cookie in browser.cookies] == ["/ops/threadline"]
        left = browser.post(f"{found}/ops/threadline/logout", timeout=5)
        assert left.url == f"{found}/ops/threadline/login"
        assert not list(browser.cookies)


def test_a_short_token_is_refused():
    with pytest.raises(ConfigError, match=r"5 characters, at least 16 .*: make one"):
        standalone_app(Shelf(), "12345")
