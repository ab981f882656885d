"""A headless Chromium for the tests of the pages, and for the pictures in docs/."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

MISSING = "needs chromium and chromedriver: apt-get install chromium chromium-driver"
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-gpu")


def installed() -> bool:
    return bool(_browser() and shutil.which("chromedriver"))


@contextmanager
def chromium(profile: Path, *options: str) -> Iterator[Chrome]:
    """Start a browser that keeps everything in the folder `profile`."""
    chosen = Options()
    chosen.binary_location = _browser() or ""
    for argument in ("--headless=new", "--no-sandbox", *QUIET, f"--user-data-dir={profile}", *options):
        chosen.add_argument(argument)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = Chrome(options=chosen, service=Service(shutil.which("chromedriver")))
    try:
        yield chrome
    finally:
        chrome.quit()


def resize(browser: Chrome, width: int, height: int) -> None:
    """Make the page so large; a narrow one is that of a phone."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 720}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _browser() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")
