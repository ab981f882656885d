"""The shipped API files against the real systems: Roundup, Request Tracker, MediaWiki and Synapse, where they are installed."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from connectors.rest import Rest
from connectors.rest.settings import RestSettings
from threadline.model.ids import new_ulid, show_id
from threadline.sdk import ConfigError, Intent
from threadline.sync.config import Config, load_config
from threadline.sync.run import pull_stream
from threadline.sync.views import Ledger

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parents[2] / "../shared/servers"
FEW = "3"
ADMIN = ("admin", "admin-pw-1")
ROOT = ("root", "root-pw-1")


class Server:
    """A system that runs for a module's tests; `run` calls its script."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {**os.environ, **environment, "DATA": str(folder), "PORT": str(port)}

    def run(self, *arguments: str) -> str:
        command = ["bash", str(SCRIPTS / f"{self.name}.sh"), *arguments]
        # What it starts keeps its output open, so that must be a file.
        with tempfile.TemporaryFile() as output:
            ran = subprocess.run(command, env=self._environment, stdout=output, stderr=output, timeout=120, check=False)
            output.seek(0)
            text = output.read().decode(errors="replace")
        assert ran.returncode == 0, text[-2000:]
        return text


@contextmanager
def running(name: str, needs: Path, **environment: str) -> Iterator[Server]:
    if not (SCRIPTS / f"{name}.sh").exists():
        pytest.skip("the scripts that run real servers are not there")
    if not needs.exists():
        pytest.skip(f"{name} is not installed: {name}.sh install")
    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        server = Server(name, Path(folder), environment)
        server.run("start")
        try:
            yield server
        finally:
            server.run("stop")


def venv(name: str) -> Path:
    return Path(os.environ.get(f"PEER_{name.upper()}_VENV", Path(tempfile.gettempdir()) / f"peer-{name}" / "venv"))


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    def configure(api: str, base_url: str, secrets: Mapping[str, str], **variables: str) -> Config:
        for name, value in secrets.items():
            monkeypatch.setenv(f"THREADLINE_DESK_{name.upper()}", value)
        settings = {"api": api, "base_url": base_url, "variables": {"host": "localhost", **variables}}
        (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": {"desk": {"connector": "rest", "settings": settings}}}))
        config = load_config(tmp_path / "threadline.yaml")
        assert config.problems == ()
        if secrets:
            refuses(config, dict.fromkeys(secrets, "wrong"))
        return config

    return configure


def refuses(config: Config, secrets: Mapping[str, str]) -> None:
    rest = connector(config, secrets)
    with pytest.raises(ConfigError, match="credentials were refused"):
        rest.check()
    rest.close()


def connector(config: Config, secrets: Mapping[str, Any]) -> Rest:
    return Rest(RestSettings.model_validate({**config.source("desk").settings, **secrets}))


def settled(config: Config, stream: str, enough: Callable[[Ledger], bool]) -> Ledger:
    """Pull until enough was seen: what changed in the second of a read belongs to the next one."""
    total = pull_stream(config, "desk", stream)
    deadline = time.monotonic() + 20
    while not enough(total) and time.monotonic() < deadline:
        time.sleep(0.5)
        total = pull_stream(config, "desk", stream)
    assert enough(total), (stream, total)
    assert total.dead == 0
    return total


def test_roundup(configure: Callable[..., Config]) -> None:
    with running("roundup", venv("roundup") / "bin/python", VENV=str(venv("roundup")), ADMIN_PW=ADMIN[1]) as server:
        server.run("seed", FEW)
        base = f"{server.url}/peer/rest/data"
        secrets = {"user": ADMIN[0], "password": ADMIN[1]}
        config = configure("roundup", base, secrets, tracker="peer")
        rest = connector(config, secrets)
        rest.check()
        rest.close()
        assert pull_stream(config, "desk", "users").new == 2
        settled(config, "issues", lambda ledger: ledger.read >= int(FEW))
        with requests.Session() as session:
            session.auth, session.trust_env = ADMIN, False
            session.headers.update({"X-Requested-With": "rest", "Origin": server.url, "Referer": f"{server.url}/peer/"})
            tag = session.get(f"{base}/issue/2").headers["ETag"]
            changed = session.put(f"{base}/issue/2/title", json={"data": "Changed"}, headers={"If-Match": tag})
            assert changed.status_code == 200
        settled(config, "issues", lambda ledger: ledger.changed == 1)


def test_request_tracker(configure: Callable[..., Config]) -> None:
    with running("request-tracker", Path("/usr/share/request-tracker5"), ROOT_PW=ROOT[1], WORKERS="2") as server:
        server.run("seed", FEW)
        token = next(line for line in server.run("token").splitlines() if line.startswith("1-"))
        config = configure("request_tracker", f"{server.url}/REST/2.0", {"token": token})
        settled(config, "tickets", lambda ledger: ledger.new == int(FEW))
        said = settled(config, "messages", lambda ledger: ledger.new >= int(FEW))
        assert said.filtered
        rest = connector(config, {"token": token})
        intent = Intent(show_id(new_ulid()), "comment", {"ticket": "2", "content": "Where is it?"})
        again = Intent(intent.id, "comment", intent.payload, attempt=2)
        receipts = [receipt for each in (intent, again, again) for receipt in rest.push("comment", [each])]
        rest.close()
        assert [receipt.status for receipt in receipts] == ["done"] * 3
        settled(config, "tickets", lambda ledger: ledger.changed >= 1)
        with requests.Session() as session:
            session.auth, session.trust_env = ROOT, False
            history = session.get(f"{server.url}/REST/2.0/ticket/2/history?fields=Type&per_page=100").json()["items"]
        assert [item["Type"] for item in history].count("Comment") == 1


def test_mediawiki(configure: Callable[..., Config]) -> None:
    with running("mediawiki", Path("/usr/share/mediawiki")) as server:
        server.run("seed", FEW)
        config = configure("mediawiki", server.url, {})
        settled(config, "changes", lambda ledger: ledger.new + ledger.unchanged > int(FEW))
        server.run("seed", "1")
        settled(config, "changes", lambda ledger: ledger.new == 1)


def test_synapse(configure: Callable[..., Config]) -> None:
    with running("synapse", venv("synapse") / "bin/python", VENV=str(venv("synapse"))) as server:
        server.run("seed")
        register = [venv("synapse") / "bin/register_new_matrix_user", "-u", "boss", "-p", "boss-pw", "-a", "-k", "s3cret", server.url]
        subprocess.run(register, check=True, capture_output=True)
        login = {"type": "m.login.password", "identifier": {"type": "m.id.user", "user": "boss"}, "password": "boss-pw"}
        token = requests.post(f"{server.url}/_matrix/client/v3/login", json=login, timeout=60).json()["access_token"]
        config = configure("synapse", server.url, {"token": token})
        assert pull_stream(config, "desk", "users").new == 3
        assert pull_stream(config, "desk", "rooms").filtered == 1
        assert pull_stream(config, "desk", "messages").new == 3
        again = pull_stream(config, "desk", "messages")
        assert (again.read, again.unchanged) == (3, 3)
