"""Makes docs/pictures: what the demo company looks like in Airflow's pages and on a terminal. Run as `python -m docs.screenshots`.

Needs chromium and chromedriver (Debian: chromium, chromium-driver), and about five minutes.
"""

import os
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text
from selenium.webdriver import Chrome

from tests.browser.airflow_ui import Demo, choose, enter, running_demo, sign_in
from tests.browser.chromium import MISSING, chromium, installed, resize
from threadline.cli.demo import Chapter
from threadline.sdk.http import Http
from threadline.testing.company import make_company

PICTURES = Path(__file__).parent / "pictures"
ROUNDS = 3
"""Runs of each pull that the pictures show, so that there is a history."""
COLUMNS = 120
# As rich's own, but for its fonts: a picture must not load anything from elsewhere.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; line-height: {line_height}px; }}
.{unique_id}-title {{ font: bold 15px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Make every picture."""
    if not installed():
        sys.exit(MISSING)
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="threadline-pictures-") as folder,
        running_demo(Path(folder) / "demo", customers=200) as demo,
        closing(Http("Airflow", demo.url)) as api,
        chromium(Path(folder) / "profile", "--hide-scrollbars") as browser,
    ):
        api.session.headers["Authorization"] = f"Bearer {demo.token()}"
        customer, thread = show_case(demo, api)
        draw_timeline(demo, customer)
        await_rounds(api)
        photograph(browser, demo, f"threadline/customers/{customer['id']}?thread={thread['id']}")


def show_case(demo: Demo, api: Http) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Choose the customer whose threads are quickest to read, of those who have one over the most systems; and that thread."""
    chapter = msgspec.json.decode((demo.folder / "story.json").read_bytes(), type=Chapter)
    company = make_company(chapter.seed, chapter.until, chapter.customers)
    emails = {person.number: person.email for person in company.people}
    found: list[tuple[int, int, Mapping[str, Any], Mapping[str, Any]]] = []
    for journey in company.truth.journeys:
        for hit in api.get("/threadline/api/customers", params={"q": emails[journey.customer]}).json():
            customer = api.get(f"/threadline/api/customers/{hit['id']}").json()
            entries = sum(len(thread["entries"]) for thread in customer["threads"])
            found += [(systems(thread), -entries, customer, thread) for thread in customer["threads"]]
    _, _, customer, thread = max(found, key=lambda case: case[:2])
    return customer, thread


def systems(thread: Mapping[str, Any]) -> int:
    """Count the systems that a thread runs through."""
    return len({entry["source"] for entry in thread["entries"]})


def await_rounds(api: Http) -> None:
    """Wait until each source was pulled so often, and no run is under way."""
    while True:
        runs = api.get("/api/v2/dags/~/dagRuns", params={"order_by": "-run_after", "limit": 100}).json()["dag_runs"]
        pulls = [run["dag_id"] for run in runs if "_pull_" in run["dag_id"] and run["state"] == "success"]
        if min(pulls.count(dag) for dag in set(pulls)) >= ROUNDS and not any(run["state"] in ("queued", "running") for run in runs):
            return
        time.sleep(1)


def photograph(browser: Chrome, demo: Demo, page: str) -> None:
    """Take the pictures of the pages."""
    resize(browser, 1280, 900)
    sign_in(browser, demo)
    browser.get(f"{demo.url}/dags")
    keep(browser, "dags")
    choose(browser, "Sync health")
    keep(browser, "health")
    browser.get(f"{demo.url}/plugin/threadline-customers-nav/{page}")
    enter(browser, "Customers")
    keep(browser, "customer")
    resize(browser, 390, 844)
    browser.get(f"{demo.url}/{page}")
    keep(browser, "customer-390")


def keep(browser: Chrome, name: str) -> None:
    """Save what the window shows, once its icons and skeletons have become what they stand for."""
    time.sleep(3)
    browser.switch_to.default_content()
    browser.save_screenshot(str(PICTURES / f"{name}.png"))


def draw_timeline(demo: Demo, customer: Mapping[str, Any]) -> None:
    """Draw what `threadline timeline` shows on a terminal."""
    email = next(fact["value"] for fact in customer["facts"] if fact["label"] == "E-mail")
    settings = str(demo.folder / "threadline.yaml")
    shown = on_a_terminal([str(Path(sys.executable).with_name("threadline")), "--config", settings, "timeline", email])
    paper = Console(record=True, width=COLUMNS, file=StringIO())
    paper.print(Text.assemble(("$ ", "dim"), (f"threadline timeline {email}", "bold")))
    paper.print(Text.from_ansi(shown))
    paper.save_svg(str(PICTURES / "timeline.svg"), title="threadline timeline", theme=MONOKAI, code_format=SVG, unique_id="timeline")


def on_a_terminal(command: list[str]) -> str:
    """Run a command as on a terminal of COLUMNS; return what it prints there, colours included."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (50, COLUMNS))
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = bytearray()
        while chunk := read_some(ours):
            shown += chunk
    os.close(ours)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{shown.decode()}")
    return shown.decode().replace("\r\n", "\n")


def read_some(terminal: int) -> bytes:
    """Read on; nothing when the other side has gone, which Linux says by an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


if __name__ == "__main__":
    main()
