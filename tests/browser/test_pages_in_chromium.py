"""The pages in a real browser: nothing stored runs, nothing violates the policy, the door opens and shuts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.chromium import MISSING, chromium, installed, resize
from tests.unit.pages_fixture import MARA, Shelf, busy, hits, mara
from tests.unit.pages_poison import PAYLOADS, Poison
from tests.unit.pages_server import serving
from threadline.api.app import create_app
from threadline.api.standalone import standalone_app

pytestmark = pytest.mark.slow

TOKEN = "correct horse battery staple"
PAGES = ("health", "customers?q=lindq", f"customers/{MARA}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Chrome]:
    if not installed():
        pytest.skip(MISSING)
    with chromium(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


def complaints(browser: Chrome) -> list[str]:
    """What the console holds since it was last asked, but for the hint that a sign-in has no user name."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "DEBUG"]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_stored_runs(browser, payload):
    poison = Poison(payload)
    shelf = Shelf(state=poison.spread(busy()), found=poison.spread(hits()), people={MARA: poison.spread(mara())})
    complaints(browser)
    with serving(create_app(shelf, lambda: None)) as address:
        for path in PAGES:
            browser.get(f"{address}/{path}")
            assert browser.execute_script("return window.pwned") is None
            assert payload in browser.execute_script("return document.body.textContent")
            assert complaints(browser) == []


@pytest.fixture(params=[1280, 390])
def width(browser, request) -> Iterator[int]:
    """Make the window so wide."""
    resize(browser, request.param, 800)
    yield request.param
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_text_of_any_length_fits(browser, width):
    poison = Poison("x" * 300)
    shelf = Shelf(state=poison.spread(busy()), found=poison.spread(hits()), people={MARA: poison.spread(mara())})
    with serving(create_app(shelf, lambda: None)) as address:
        for path in PAGES:
            browser.get(f"{address}/{path}")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path


def test_pages_are_clean(browser, width):
    complaints(browser)
    with serving(create_app(Shelf(), lambda: None)) as address:
        for path in (*PAGES, f"customers/{MARA}?thread=T0"):
            browser.get(f"{address}/{path}")
            assert complaints(browser) == []
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            assert browser.execute_script("return getComputedStyle(document.body).margin") == "0px"  # the stylesheet is in force


def test_a_search_stays_in_no_address(browser):
    with serving(create_app(Shelf(), lambda: None)) as address:
        browser.get(f"{address}/customers")
        browser.find_element(By.NAME, "q").send_keys("lindq\n")
        patiently = WebDriverWait(browser, 10)
        hit = patiently.until(lambda shown: shown.find_element(By.CSS_SELECTOR, "tbody a"), "customers found")
        assert browser.current_url == f"{address}/customers"
        hit.click()
        patiently.until(lambda shown: "/customers/" in shown.current_url, "the customer")
        browser.back()
        patiently.until(lambda shown: "found for “lindq”" in shown.page_source, "the customers found before")
        assert browser.current_url == f"{address}/customers"


@pytest.mark.parametrize("width", [905, 1040], indirect=True)
def test_nothing_is_cut_off_in_the_tab_of_a_dag(browser, width):
    with serving(create_app(Shelf(), lambda: None)) as address:
        browser.get(f"{address}/health")
        for table in browser.find_elements(By.CSS_SELECTOR, ".scroll"):
            assert browser.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", table), width


def test_the_line_starts_in_the_middle_of_its_lane(browser):
    with serving(create_app(Shelf(), lambda: None)) as address:
        browser.get(f"{address}/customers/{MARA}")
        for knot in browser.find_elements(By.CSS_SELECTOR, ".thread > li"):
            lane = int(next(name for name in knot.get_attribute("class").split() if name[0] == "x")[1:])
            mark = knot.find_element(By.CSS_SELECTOR, ".knot").rect
            assert mark["x"] + mark["width"] / 2 - knot.rect["x"] == pytest.approx((lane + 0.5) * 30, abs=1)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_theme_of_airflow_is_followed(browser, theme):
    with serving(create_app(Shelf(), lambda: None)) as address:
        browser.get(f"{address}/health")
        browser.execute_script("localStorage.setItem('theme', arguments[0])", theme)
        browser.get(f"{address}/health")
        assert browser.execute_script("return getComputedStyle(document.documentElement).colorScheme") == theme


def test_a_person_signs_in_and_out(browser):
    with serving(standalone_app(Shelf(), TOKEN)) as address:
        browser.get(f"{address}/customers/{MARA}")
        patiently = WebDriverWait(browser, 10)
        browser.find_element(By.NAME, "token").send_keys("a guess\n")
        patiently.until(lambda shown: "This is not the token." in shown.page_source, "a refusal")
        browser.find_element(By.NAME, "token").send_keys(TOKEN + "\n")
        patiently.until(lambda shown: shown.current_url == f"{address}/customers/{MARA}", "the customer")
        assert browser.execute_script("return document.cookie") == ""
        browser.find_element(By.CSS_SELECTOR, "form.out button").click()
        patiently.until(lambda shown: shown.current_url.endswith("/login"), "the way out")
        browser.get(f"{address}/health")
        assert browser.find_element(By.TAG_NAME, "h1").text == "Sign in"


def test_the_pages_may_be_framed_by_their_own_site_only(browser, tmp_path: Path):
    with serving(create_app(Shelf(), lambda: None)) as address:
        host = tmp_path / "host.html"
        host.write_text(f'<iframe src="{address}/health"></iframe>')
        complaints(browser)
        browser.get(host.as_uri())
        assert any("frame-ancestors" in message for message in complaints(browser))
