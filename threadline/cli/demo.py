"""`threadline demo`: a make-believe company whose five systems are stand-ins, synchronised by a real Airflow."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from threadline.cli.airflow_api import AirflowApi
from threadline.cli.airflow_stack import AirflowStack
from threadline.cli.demo_report import print_report
from threadline.cli.exits import NEEDS_A_PERSON, leave, until_told
from threadline.cli.output import console, working
from threadline.cli.standins import standin, systems_of
from threadline.sdk.errors import ConfigError, RetryableError
from threadline.sdk.yamlfile import read_yaml
from threadline.store.database import open_database
from threadline.sync.config import Config, load_config
from threadline.sync.offered import variable
from threadline.sync.run import backlog
from threadline.testing.company import Company, make_company, trickle
from threadline.testing.sandbox import Sandbox

PATIENCE = timedelta(minutes=6)
"""How long the first synchronisation may take before the demo gives up."""
_CATCH_UP = 60
"""Minutes of live traffic told at once, at most, when a demo goes on after a pause."""


class Chapter(msgspec.Struct):
    """How far the story is told: kept in the demo's folder, so that the next demo goes on from there."""

    seed: int
    customers: int
    until: datetime
    minutes: int = 0


@dataclass(slots=True)
class Demo:
    """The company, its systems and Airflow, all in one folder."""

    folder: Path
    config: Config
    company: Company
    chapter: Chapter
    boxes: Mapping[str, Sandbox]
    airflow: AirflowStack

    def save(self) -> None:
        """Remember how far the story is told."""
        kept = self.folder / "story.json"
        kept.with_suffix(".new").write_bytes(msgspec.json.encode(self.chapter))
        kept.with_suffix(".new").replace(kept)

    def tell(self, report: Callable[[str], None]) -> int:
        """Tell what has happened since the last time; return how many events."""
        told = 0
        if self.chapter.minutes == 0:
            for told, event in enumerate(self.company.events, start=1):
                self.boxes[event.system].tell(event)
                report(f"{told:,} of {len(self.company.events):,} events")
            self.chapter.minutes = 1
            self.save()
        due = min(int((datetime.now(UTC) - self.company.until) / timedelta(minutes=1)), self.chapter.minutes + _CATCH_UP)
        while self.chapter.minutes < due:
            for event in trickle(self.company, self.company.until + timedelta(minutes=self.chapter.minutes + 1)):
                self.boxes[event.system].tell(event)
                told += 1
            self.chapter.minutes += 1
            self.save()
        return told


def run_demo(folder: Path, *, once: bool, customers: int, seed: int) -> None:
    """Start everything, wait for Airflow to synchronise it, and print what came out."""
    root = _root()
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    out = console(error=True)
    with ExitStack() as stack:
        chapter = _chapter(folder, seed, customers)
        boxes = _start_systems(root, folder, stack)
        company = make_company(chapter.seed, chapter.until, chapter.customers, systems_of(boxes))
        out.print(f"Nordlicht Outdoor, {chapter.customers} customers, in {folder}: {', '.join(boxes)} are listening")
        config = load_config(folder / "threadline.yaml")
        airflow = AirflowStack(folder / "airflow", root / "dags", root / "plugins", _environment(config, boxes))
        demo = Demo(folder, config, company, chapter, boxes, airflow)
        with working("telling the month's story", aloud=True) as report:
            told = demo.tell(report)
        out.print(f"{told:,} events told" if told else "nothing new happened")
        with working("starting Airflow", aloud=True) as report:
            report("api-server, scheduler, dag-processor, triggerer")
            stack.enter_context(airflow)
        out.print(f"Airflow runs at {airflow.url}")
        settled = _wait(demo)
        if once:
            _come_to_rest(demo)
        print_report(config, company, boxes, airflow, ends=once)
        if not settled:
            out.print(
                f"not everything was synchronised within {PATIENCE.seconds // 60} minutes: Airflow's pages and {folder}/airflow say why"
            )
        if once:
            leave(0 if settled else NEEDS_A_PERSON)
        _go_on(demo)


def _root() -> Path:
    """Return the checkout: DAGs and plugin are Airflow's files, not part of the package."""
    for root in (Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / "dags").is_dir() and (root / "plugins").is_dir() and (root / "demo" / "threadline.yaml").is_file():
            return root
    raise ConfigError("the demo runs from a checkout of threadline: it needs its folders dags, plugins and demo")


def _chapter(folder: Path, seed: int, customers: int) -> Chapter:
    kept = folder / "story.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=Chapter)
    return Chapter(seed, customers, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2))


def _start_systems(root: Path, folder: Path, stack: ExitStack) -> dict[str, Sandbox]:
    """Start a stand-in for each source of the demo's settings, and write the settings that reach them."""
    document: dict[str, Any] = read_yaml(root / "demo" / "threadline.yaml").value
    boxes: dict[str, Sandbox] = {}
    for name, entry in document["sources"].items():
        boxes[name] = stack.enter_context(standin(entry["connector"], folder / "systems" / name))
        entry["settings"] = {**boxes[name].settings, **(entry.get("settings") or {})}
        # The commands that the report suggests work in this process's children only with these.
        os.environ.update({variable(name, field): value for field, value in boxes[name].secrets.items()})
    text = msgspec.json.format(msgspec.json.encode(document)).decode()
    (folder / "threadline.yaml").write_text(f"# Made by `threadline demo` from demo/threadline.yaml. JSON is YAML.\n{text}\n")
    return boxes


def _environment(config: Config, boxes: Mapping[str, Sandbox]) -> dict[str, str]:
    secrets = {variable(name, field): value for name, box in boxes.items() for field, value in box.secrets.items()}
    return {"THREADLINE_CONFIG": str(config.path), "THREADLINE_DATABASE_URL": config.database, **secrets}


def _wait(demo: Demo) -> bool:
    """Wait until every source was pulled and every target served by runs that Airflow scheduled, and nothing is left to do."""
    begun = datetime.now(UTC)
    wanted = {f"threadline_pull_{name}" for name in demo.config.sources} | {f"threadline_push_{name}" for name in demo.config.targets}
    with working("Airflow synchronises", aloud=True) as report, demo.airflow.api() as api:
        # An earlier demo may have come to rest here.
        api.pause(paused=False)
        while datetime.now(UTC) - begun < PATIENCE:
            demo.airflow.check()
            runs = [run for run in api.runs() if run.started is not None and run.started >= begun - timedelta(minutes=1)]
            done = {run.dag for run in runs if run.state == "success"} & wanted
            left = _backlog(demo.config)
            to_go = f", {left:,} changes and pushes to go" if left else ""
            report(f"{len(done)} of {len(wanted)} DAGs have succeeded{to_go}")
            if done == wanted and left == 0:
                return True
            time.sleep(1)
    return False


def _come_to_rest(demo: Demo) -> None:
    """Let no further run begin, and the last ones end, so that Airflow's own database tells of nothing half-done."""
    with working("the last runs end", aloud=True), demo.airflow.api() as api:
        for _ in range(90):
            if not _active(api):
                api.pause(paused=True)
                if not _active(api):
                    return
                # One began just before; Airflow lets nothing go on in a DAG that is paused.
                api.pause(paused=False)
            time.sleep(1)


def _active(api: AirflowApi) -> bool:
    return any(run.state in ("queued", "running") for run in api.runs())


def _backlog(config: Config) -> int | None:
    try:
        with open_database(config.database, create=False) as database, database.read() as transaction:
            return backlog(config, transaction)
    except (ConfigError, RetryableError):
        # Not there yet, or busy.
        return None


def _go_on(demo: Demo) -> None:
    out = console(error=True)
    out.print("The demo goes on: a little happens every minute, and Airflow's schedules pick it up. Ctrl-C ends everything.")
    with until_told() as told:
        while not told.wait(5):
            demo.airflow.check()
            if count := demo.tell(lambda _: None):
                out.print(f"{datetime.now(UTC):%H:%M:%S} {count} new event{'s' if count > 1 else ''} at {', '.join(demo.boxes)}")
    out.print("stopping")
