"""The real Airflow: its processes run the DAGs, show the pages to those who may see them, and leave nothing behind."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.zendesk.sandbox import ZendeskSandbox
from threadline.cli.airflow_api import AirflowApi, Run
from threadline.cli.airflow_stack import AirflowStack
from threadline.sdk import ConfigError
from threadline.testing.story import Opened, Person, Registered

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
PAGES = (
    "/threadline/",
    "/threadline/health",
    "/threadline/customers?q=ana",
    "/threadline/customers/x",
    "/threadline/static/threadline.css",
)
API = ("/threadline/api/health", "/threadline/api/customers?q=ana", "/threadline/openapi.json")


def eventually(condition: Callable[[], Any], patience: float = 120) -> Any:
    """Return what the condition returns as soon as that is true."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)
    return found


def below(pid: int) -> dict[int, str]:
    """Living processes that descend from this one, with the moment at which each began (a pid may be used again)."""
    parents: dict[int, tuple[int, str]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(file.parent.name)] = (int(fields[1]), fields[19])
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        children = {child: began for child, (its, began) in parents.items() if its == parent}
        found |= children
        waiting += children
    return found


def living(processes: dict[int, str]) -> list[int]:
    def began(pid: int) -> str | None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]

    return [pid for pid, moment in processes.items() if began(pid) == moment]


def listening(processes: dict[int, str]) -> set[str]:
    """Addresses, as the kernel writes them in hexadecimal, on which these processes listen."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                sockets[f"socket:[{fields[9]}]"] = fields[1].partition(":")[0]
    held = set()
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                held.add(str(descriptor.readlink()))
            except OSError:
                continue
    return {address for socket, address in sockets.items() if socket in held}


def write_config(folder: Path, settings: Any) -> Path:
    file = folder / "threadline.yaml"
    file.write_text(
        "sources:\n"
        f"  helpdesk: {{connector: zendesk, settings: {json.dumps(dict(settings))}}}\n"
        "  inbox: {connector: emial}\n"
        "targets:\n"
        "  users: {system: helpdesk, push: [zendesk/push/user]}\n"
        "matching: {schedule: '0 3 1 1 *'}\n"
    )
    return file


@pytest.fixture(scope="module")
def desk() -> Iterator[ZendeskSandbox]:
    with ZendeskSandbox() as running:
        running.tell(Registered(NOON, "zendesk", ANA, ("name", "email")))
        running.tell(Opened(NOON, "zendesk", ANA, 35, "Where is my order?", "It has not come."))
        yield running


@pytest.fixture(scope="module")
def stack(desk: ZendeskSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    folder = tmp_path_factory.mktemp("stack")
    environment = {
        "THREADLINE_CONFIG": str(write_config(folder, desk.settings)),
        "THREADLINE_DATABASE_URL": f"sqlite:///{folder}/threadline.db",
        "AIRFLOW_CONN_HELPDESK": json.dumps({"conn_type": "zendesk", "login": desk.secrets["email"], "password": desk.secrets["token"]}),
    }
    running = AirflowStack(folder / "airflow", ROOT / "dags", ROOT / "plugins", environment)
    with running:
        tree = below(os.getpid())
        yield running
    assert living(tree) == []


@pytest.fixture(scope="module")
def api(stack: AirflowStack) -> Iterator[AirflowApi]:
    with stack.api() as client:
        yield client


def finished(api: AirflowApi, dag: str) -> Run | None:
    """Return the last run of a DAG that ended."""
    return next((run for run in api.runs(dag) if run.state in ("success", "failed")), None)


def test_news_run_through_from_pull_to_push(api: AirflowApi, stack: AirflowStack, desk: ZendeskSandbox) -> None:
    eventually(lambda: "threadline_push_users" in api.dags())
    pulled = api.trigger("threadline_pull_helpdesk")
    eventually(lambda: api.tasks(pulled).get("announce") == "success")
    eventually(lambda: desk.pushed("user"))
    pushed = eventually(lambda: finished(api, "threadline_push_users"))
    assert (pushed.state, api.tasks(pushed)) == ("success", {"push": "success"})
    assert set(api.tasks(pulled).values()) == {"success"}
    logs = "".join(file.read_text(errors="replace") for file in (stack.home.folder / "logs").rglob("*.log"))
    assert "pull_tickets" in logs
    assert desk.secrets["token"] not in logs


def test_what_was_matched_is_resolved(api: AirflowApi, stack: AirflowStack) -> None:
    pytest.importorskip("splink", reason="matching needs the extra `match`")
    eventually(lambda: "threadline_match" in api.dags())
    before = {run.id for run in api.runs("threadline_resolve")}
    matched = api.trigger("threadline_match")
    eventually(lambda: api.tasks(matched).get("match") == "success")
    eventually(lambda: {run.id for run in api.runs("threadline_resolve")} - before)
    eventually(lambda: finished(api, "threadline_resolve"))
    logs = [file.read_text(errors="replace") for file in (stack.home.folder / "logs").rglob("*threadline_match*/**/*.log")]
    assert logs
    assert not any("Lima" in log or "ana@" in log for log in logs)


def test_a_broken_entry_is_shown_and_stops_nothing(api: AirflowApi) -> None:
    (error,) = eventually(api.import_errors)
    assert "source inbox: " in error
    assert "emial" in error


@pytest.mark.parametrize("path", [*PAGES, *API])
def test_anonymous_callers_are_refused(stack: AirflowStack, path: str) -> None:
    assert requests.get(stack.url + path, timeout=30, allow_redirects=False).status_code == 401


def test_a_forged_token_is_refused(stack: AirflowStack) -> None:
    forged = "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhZG1pbiJ9.AAAA"
    assert requests.get(f"{stack.url}/threadline/health", timeout=30, headers={"Authorization": f"Bearer {forged}"}).status_code in (
        401,
        403,
    )


def test_who_is_signed_in_sees_the_pages(stack: AirflowStack) -> None:
    user, password = stack.login
    token = requests.post(f"{stack.url}/auth/token", json={"username": user, "password": password}, timeout=30).json()["access_token"]
    page = requests.get(f"{stack.url}/threadline/health", cookies={"_token": token}, timeout=30)
    assert page.status_code == 200
    assert "helpdesk" in page.text
    assert requests.get(f"{stack.url}/threadline/static/threadline.css", cookies={"_token": token}, timeout=30).status_code == 200


def test_a_search_leaves_no_trace_in_the_log(api: AirflowApi, stack: AirflowStack) -> None:
    found = api._http.get("/threadline/api/customers", params={"q": "ana@example.org"}).json()
    assert [hit["name"] for hit in found] == ["Ana Lima"]
    api._http.get("/threadline/customers", params={"q": "somebody@example.net"})
    log = eventually(lambda: [line for line in stack.home.log("api-server").read_text().splitlines() if "/threadline/customers" in line])
    assert not any("example.org" in line or "somebody" in line for line in log)
    assert "example" not in stack.home.log("api-server").read_text()


def test_only_this_machine_is_listened_to(stack: AirflowStack) -> None:
    # The sandbox of this process listens too, on the same address.
    assert listening(below(os.getpid())) == {"0100007F"}


def test_secrets_are_their_owners(stack: AirflowStack) -> None:
    assert stat.S_IMODE(stack.home.folder.stat().st_mode) == 0o700
    for name in ("passwords.json", "secrets.json"):
        assert stat.S_IMODE((stack.home.folder / name).stat().st_mode) == 0o600


def test_a_second_airflow_in_the_same_folder_is_refused(stack: AirflowStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threadline.cli.airflow_home._ENDING", 0.0)
    second = AirflowStack(stack.home.folder, ROOT / "dags", ROOT / "plugins", {})
    with pytest.raises(ConfigError, match="another Airflow runs in"):
        second.start()
    stack.check()


def test_a_port_in_use_is_named(desk: ZendeskSandbox, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"port {desk.port} of 127.0.0.1"):
        AirflowStack(tmp_path, ROOT / "dags", ROOT / "plugins", {}, port=desk.port).start()


def test_a_process_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    before = below(os.getpid())
    broken = AirflowStack(tmp_path, ROOT / "dags", ROOT / "plugins", {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "nonsense://"})
    with pytest.raises(ConfigError, match=r"(?s)Airflow's db ended with status \d+; .*db\.log ends with:.*nonsense"):
        broken.start()
    assert below(os.getpid()).keys() <= before.keys()


# A background job of a script inherits SIGINT as ignored, and Python then leaves it so.
HOLDER = """
import signal, sys
from pathlib import Path
from threadline.cli.airflow_stack import AirflowStack
signal.signal(signal.SIGINT, signal.default_int_handler)
home, root = Path(sys.argv[1]), Path(sys.argv[2])
with AirflowStack(home, root / "dags", root / "plugins", {"THREADLINE_CONFIG": sys.argv[3]}) as stack:
    print("up", flush=True)
    stack.wait()
"""


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGKILL, "when it runs"),
        (signal.SIGINT, "when it runs"),
        (signal.SIGKILL, "while it starts"),
        (signal.SIGTERM, "while it starts"),
    ],
)
def test_whatever_ends_the_holder_ends_airflow(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    config = write_config(tmp_path, {"subdomain": "acme"})
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "airflow"), str(ROOT), str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as holder:
        if moment == "when it runs":
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"up\n"
            eventually(lambda: len(below(holder.pid)) > 8)
        else:
            eventually(lambda: len(below(holder.pid)) > 2)
        tree = below(holder.pid)
        holder.send_signal(number)
        try:
            holder.wait(60)
        finally:
            holder.kill()
    eventually(lambda: living(tree) == [], patience=30)
