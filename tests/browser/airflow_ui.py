"""`threadline demo` as its own process, and Airflow's user interface as a person uses it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

ROOT = Path(__file__).parents[2]
PATIENCE = 420
"""Seconds until the demo has synchronised everything once: it gives up earlier by itself."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that has synchronised everything once, and goes on."""

    process: subprocess.Popen[bytes]
    folder: Path
    report: str
    """What it has printed for people."""

    @property
    def url(self) -> str:
        return self._printed(r"pages +(http://127\.0\.0\.1:\d+)")

    @property
    def password(self) -> str:
        return self._printed(r"login +admin / (\S+)")

    @property
    def customer(self) -> str:
        """E-mail address of the customer whose thread it shows."""
        return self._printed(r"threadline timeline (\S+)")

    def token(self) -> str:
        """Sign in to the API as admin."""
        answer = requests.post(f"{self.url}/auth/token", json={"username": "admin", "password": self.password}, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def _printed(self, pattern: str) -> str:
        found = re.search(pattern, self.report)
        assert found, f"the demo has not printed {pattern}:\n{self.report}"
        return found[1]


@contextmanager
def running_demo(folder: Path, *, customers: int) -> Iterator[Demo]:
    """Run the demo until the block ends; Ctrl-C ends it, if nothing has before."""
    command = [str(Path(sys.executable).with_name("threadline")), "demo", "--folder", str(folder), "--customers", str(customers)]
    folder.mkdir(parents=True, exist_ok=True)
    printed, said = folder / "printed.txt", folder / "said.txt"
    with printed.open("wb") as out, said.open("wb") as err:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        end = time.monotonic() + PATIENCE
        # What it says last, when the report stands.
        while "The demo goes on" not in said.read_text():
            assert process.poll() is None, f"the demo ended with {process.returncode}:\n{said.read_text()}"
            assert time.monotonic() < end, f"the demo has not synchronised everything:\n{said.read_text()}"
            time.sleep(0.5)
        yield Demo(process, folder, printed.read_text())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)


def patiently(browser: Chrome) -> WebDriverWait[Chrome]:
    return WebDriverWait(browser, 30)


def sign_in(browser: Chrome, demo: Demo) -> None:
    """Fill in Airflow's own form, and wait for its first page."""
    browser.get(demo.url)
    patiently(browser).until(expected_conditions.presence_of_element_located((By.NAME, "username"))).send_keys("admin")
    browser.find_element(By.NAME, "password").send_keys(demo.password + "\n")
    patiently(browser).until(expected_conditions.presence_of_element_located((By.LINK_TEXT, "Dags")))


def choose(browser: Chrome, entry: str) -> None:
    """Click an entry of Airflow's navigation, and go into the frame in which its page stands."""
    browser.switch_to.default_content()
    patiently(browser).until(expected_conditions.element_to_be_clickable((By.LINK_TEXT, entry))).click()
    enter(browser, entry)


def enter(browser: Chrome, title: str) -> None:
    """Go into the frame of a plugin's page, once it shows something."""
    frame = (By.CSS_SELECTOR, f'iframe[title="{title}"]')
    patiently(browser).until(expected_conditions.frame_to_be_available_and_switch_to_it(frame))
    patiently(browser).until(expected_conditions.presence_of_element_located((By.TAG_NAME, "h1")))
