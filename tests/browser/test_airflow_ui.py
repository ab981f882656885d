"""The whole demo: Airflow's schedules drive five systems, and people see in Airflow's own pages what came out."""

import json
import signal
import time
from collections import defaultdict
from collections.abc import Iterator

import jwt
import psutil
import pytest
import requests
from fastapi.routing import APIRoute
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.airflow_ui import Demo, choose, enter, patiently, running_demo, sign_in
from tests.browser.chromium import MISSING, chromium, installed, resize
from tests.unit.pages_fixture import Shelf
from threadline.api.app import create_app

pytestmark = pytest.mark.slow
SOURCES = {"mail", "helpdesk", "crm", "x", "shop"}
STREAMS = {
    *("mail.messages", "helpdesk.users", "helpdesk.tickets", "helpdesk.comments", "helpdesk.status_changes", "crm.contacts", "crm.cases"),
    *("x.mentions", "x.direct_messages", "shop.customers", "shop.orders", "shop.order_lines"),
}
PATHS = [
    route.path.format(profile_id="x", name="theme.js") for route in create_app(Shelf(), lambda: None).routes if isinstance(route, APIRoute)
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if not installed():
        pytest.skip(MISSING)
    with running_demo(tmp_path_factory.mktemp("demo"), customers=40) as running:
        yield running


@pytest.fixture(scope="module")
def admin(demo: Demo) -> str:
    return demo.token()


@pytest.fixture(scope="module")
def browser(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as chrome:
        resize(chrome, 1280, 900)
        sign_in(chrome, demo)
        yield chrome


def ask(demo: Demo, token: str, path: str, **params: str | int) -> requests.Response:
    return requests.get(demo.url + path, params=params, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def as_viewer(demo: Demo, admin: str) -> str:
    """Airflow's token of an account whose role is viewer: the demo has no such account, but all that counts stands in the token."""
    claims = {**jwt.decode(admin, options={"verify_signature": False}), "sub": "viewer", "role": "viewer"}
    secrets = json.loads((demo.folder / "airflow" / "secrets.json").read_text())
    return jwt.encode(claims, secrets["AIRFLOW__API_AUTH__JWT_SECRET"], jwt.get_unverified_header(admin)["alg"])


def test_every_run_was_started_by_a_schedule_or_an_asset_and_succeeded(demo: Demo, admin: str) -> None:
    def runs() -> dict[str, set[tuple[str, str]]]:
        ended = defaultdict[str, set[tuple[str, str]]](set)
        for run in ask(demo, admin, "/api/v2/dags/~/dagRuns", limit=100).json()["dag_runs"]:
            if run["state"] not in ("queued", "running"):
                ended[run["dag_id"]].add((run["run_type"], run["state"]))
        return ended

    def pushed(ended: dict[str, set[tuple[str, str]]]) -> bool:
        return all(("asset_triggered", "success") in ended[f"threadline_push_{target}"] for target in SOURCES)

    # What the first resolve has started may still be under way.
    until = time.monotonic() + 60
    while not pushed(ended := runs()) and time.monotonic() < until:
        time.sleep(1)
    assert pushed(ended)
    assert ended.keys() == {
        "threadline_resolve",
        *(f"threadline_{kind}_{system}" for kind in ("pull", "push") for system in SOURCES),
    }
    assert all(ended[f"threadline_pull_{source}"] == {("scheduled", "success")} for source in SOURCES)
    assert ("asset_triggered", "success") in ended["threadline_resolve"]
    assert {state for seen in ended.values() for _, state in seen} == {"success"}
    assert {kind for seen in ended.values() for kind, _ in seen} <= {"scheduled", "asset_triggered"}


def test_nothing_could_not_be_imported(demo: Demo, admin: str) -> None:
    assert ask(demo, admin, "/api/v2/importErrors").json()["import_errors"] == []


def test_health_stands_in_airflows_own_navigation(browser: Chrome) -> None:
    choose(browser, "Sync health")
    read = {}
    for row in browser.find_elements(By.CSS_SELECTOR, '[aria-labelledby="in"] tbody tr'):
        name = row.find_element(By.TAG_NAME, "th").text.split()[0]
        read[name] = int(row.find_element(By.CSS_SELECTOR, ".eq b").text.replace(",", ""))
    assert read.keys() == STREAMS
    assert all(read[stream] > 0 for stream in STREAMS)
    assert "Every record read is accounted for." in browser.find_element(By.CSS_SELECTOR, ".lede").text


def test_the_navigation_shows_its_icons(browser: Chrome) -> None:
    browser.switch_to.default_content()
    for entry in ("Sync health", "Customers"):
        (icon,) = browser.find_element(By.LINK_TEXT, entry).find_elements(By.TAG_NAME, "img")
        assert browser.execute_script("return arguments[0].naturalWidth", icon) > 0


def test_a_customer_is_found_and_shown_as_one_thread(browser: Chrome, demo: Demo) -> None:
    choose(browser, "Customers")
    browser.find_element(By.NAME, "q").send_keys(demo.customer + "\n")
    patiently(browser).until(lambda shown: shown.find_elements(By.CSS_SELECTOR, ".facts"), "the customer's page")
    assert demo.customer in browser.find_element(By.CSS_SELECTOR, ".facts").text
    records = [row.text.split()[0] for row in browser.find_elements(By.CSS_SELECTOR, "table[class=stack] tbody th")]
    assert len(set(records)) >= 4
    assert len(browser.find_elements(By.CSS_SELECTOR, ".thread > li")) >= 1
    browser.switch_to.default_content()
    assert demo.customer not in browser.current_url


def test_the_longest_thread_turns_over_several_lanes(browser: Chrome, demo: Demo, admin: str) -> None:
    (hit,) = ask(demo, admin, "/threadline/api/customers", q=demo.customer).json()
    threads = ask(demo, admin, f"/threadline/api/customers/{hit['id']}").json()["threads"]
    longest = max(threads, key=lambda thread: len({entry["source"] for entry in thread["entries"]}))
    assert len({entry["source"] for entry in longest["entries"]}) >= 4
    browser.get(f"{demo.url}/plugin/threadline-customers-nav/threadline/customers/{hit['id']}?thread={longest['id']}")
    enter(browser, "Customers")
    assert len(browser.find_elements(By.CSS_SELECTOR, ".lanes > li")) >= 3
    assert len(browser.find_elements(By.CSS_SELECTOR, ".thread > li")) == len(longest["entries"])


def test_nothing_is_wider_than_its_frame(browser: Chrome) -> None:
    for entry in ("Sync health", "Customers"):
        choose(browser, entry)
        assert browser.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        browser.switch_to.default_content()
        assert browser.execute_script("return document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_dag_has_a_tab_with_the_health(browser: Chrome, demo: Demo) -> None:
    browser.switch_to.default_content()
    browser.get(f"{demo.url}/dags/threadline_pull_crm")
    choose(browser, "Sync health")
    assert browser.find_element(By.TAG_NAME, "h1").text == "Sync health"


@pytest.mark.parametrize("path", PATHS)
def test_anonymous_callers_see_nothing(demo: Demo, path: str) -> None:
    refused = requests.get(f"{demo.url}/threadline{path}", timeout=30, allow_redirects=False)
    assert refused.status_code == 401
    assert "threadline dead list" not in refused.text


def test_the_paths_asked_for_are_those_that_the_plugin_has(demo: Demo, admin: str) -> None:
    documented = {path.format(profile_id="x") for path in ask(demo, admin, "/threadline/openapi.json").json()["paths"]}
    assert documented
    assert documented | {"/health", "/customers", "/customers/x", "/openapi.json", "/static/theme.js", "/"} == set(PATHS)


def test_a_viewer_may_look(demo: Demo, admin: str) -> None:
    viewer = as_viewer(demo, admin)
    # That this is the account of a viewer: it may not change anything.
    pausing = requests.patch(
        f"{demo.url}/api/v2/dags/threadline_resolve", json={"is_paused": True}, headers={"Authorization": f"Bearer {viewer}"}, timeout=30
    )
    assert pausing.status_code == 403
    for path in ("health", "customers", "api/health", "static/nav-health.svg"):
        assert requests.get(f"{demo.url}/threadline/{path}", cookies={"_token": viewer}, timeout=30).status_code == 200


def test_no_log_of_airflow_knows_whom_somebody_looked_for(demo: Demo, browser: Chrome) -> None:
    choose(browser, "Customers")
    browser.find_element(By.NAME, "q").send_keys("nobody@searched.example\n")
    patiently(browser).until(lambda shown: "No customer for" in shown.page_source, "the answer")
    browser.switch_to.default_content()
    # The frame's address becomes part of this page's, which Airflow logs with its query.
    browser.refresh()
    enter(browser, "Customers")
    log = (demo.folder / "airflow" / "logs" / "api-server.log").read_text()
    assert "threadline-customers-nav" in log
    assert "searched.example" not in log


def test_ctrl_c_ends_everything(demo: Demo) -> None:
    tree = psutil.Process(demo.process.pid).children(recursive=True)
    assert len(tree) > 8
    ports = {socket.laddr for process in tree for socket in process.net_connections("inet") if socket.status == psutil.CONN_LISTEN}
    ports |= {socket.laddr for socket in psutil.Process(demo.process.pid).net_connections("inet") if socket.status == psutil.CONN_LISTEN}
    assert {address for address, _ in ports} == {"127.0.0.1"}
    begun = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    demo.process.wait(60)
    assert time.monotonic() - begun < 20
    assert [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
    listening = {socket.laddr for socket in psutil.net_connections("inet") if socket.status == psutil.CONN_LISTEN}
    assert ports & listening == set()
    said = (demo.folder / "said.txt").read_text()
    assert "stopping" in said
    assert "Traceback" not in said
