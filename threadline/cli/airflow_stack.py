"""Airflow on this machine, for `threadline up` and the demo: its processes, one SQLite database, tasks by LocalExecutor.

Everything listens on 127.0.0.1, everything it writes stands in one folder, and nothing of it outlives the process that started it.
"""

import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import requests

from threadline.cli import leash
from threadline.cli.airflow_api import AirflowApi
from threadline.cli.airflow_home import USER, AirflowHome
from threadline.sdk import ConfigError

PATIENCE = 180.0
"""Seconds that a step of the start may take: far more than it needs, to tell a hang from a slow machine."""


class AirflowStack:
    """Airflow's processes: a context manager that starts and stops them.

    `environment` is added to what they inherit: THREADLINE_CONFIG, THREADLINE_DATABASE_URL, credentials, and AIRFLOW__ settings,
    of which none is inherited. `port` 0 takes a free one.
    """

    def __init__(self, home: Path, dags: Path, plugins: Path, environment: Mapping[str, str], port: int = 0) -> None:
        self.home = AirflowHome(home)
        self._dags = dags
        self._plugins = plugins
        self._extra = environment
        self._port = port
        self._environment: dict[str, str] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock: int | None = None

    @property
    def url(self) -> str:
        """Address of the user interface and the API, known once it has started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def login(self) -> tuple[str, str]:
        """User and password."""
        return USER, self.home.password

    def api(self) -> AirflowApi:
        """Return a client that is logged in; the caller closes it."""
        return AirflowApi(self.url, *self.login)

    def start(self) -> None:
        """Start everything and return when tasks can run; ConfigError with the end of the log when a process dies."""
        if importlib.util.find_spec("airflow") is None:
            raise ConfigError("Airflow is not installed; pip install 'threadline[airflow]'")
        try:
            self._lock = self.home.lock()
            self._port = _usable_port(self._port)
            self._environment = self.home.environment(self._port, self._dags, self._plugins, self._extra)
            self._migrate()
            self._launch("api-server")
            self._launch("dag-processor")
            # A task that starts before this answers fails.
            self._await("api-server", self._execution_api_answers)
            # The API server reads the tasks' logs from the folder, so that no log server needs to listen.
            self._launch("scheduler", "--skip-serve-logs")
            self._launch("triggerer", "--skip-serve-logs")
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raise ConfigError with the end of its log when a process has ended."""
        for name, process in self._processes.items():
            if (status := process.poll()) is not None:
                log = self.home.log(name)
                raise ConfigError(f"Airflow's {name} ended with status {status}; {log} ends with:\n{_tail(log)}")

    def wait(self) -> NoReturn:
        """Wait until a process ends by itself, and raise what `check` raises."""
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """End every process and all that it started, within about ten seconds; harmless when nothing runs."""
        # Tasks tell the API server how they ended, so it goes last.
        for names in (self._processes.keys() - {"api-server"}, {"api-server"}):
            ending = [self._processes[name] for name in names & self._processes.keys()]
            for process in ending:
                process.terminate()
            for process in ending:
                process.wait()
        self._processes.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.stop()

    def _migrate(self) -> None:
        version = importlib.metadata.version("apache-airflow-core")
        done = self.home.folder / "migrated"
        if done.exists() and done.read_text() == version and (self.home.folder / "airflow.db").exists():
            return
        self._launch("db", "migrate")
        self._await("db", lambda: self._processes["db"].poll() == 0)
        del self._processes["db"]
        done.write_text(version)

    def _launch(self, name: str, *options: str) -> None:
        command = [sys.executable, leash.__file__, str(os.getpid()), sys.executable, "-m", "airflow", name, *options]
        with self.home.log(name).open("wb") as log, leash.undisturbed():
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own command
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=() if self._lock is None else (self._lock,),
            )

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        patience = time.monotonic() + PATIENCE
        while not ready():
            self.check()
            if time.monotonic() > patience:
                log = self.home.log(name)
                raise ConfigError(f"Airflow's {name} was not ready after {PATIENCE:.0f} s; {log} ends with:\n{_tail(log)}")
            time.sleep(0.1)

    def _execution_api_answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"{self.url}/execution/health", timeout=5).ok
            except requests.RequestException:
                return False


def _usable_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(f"port {port} of 127.0.0.1 cannot be used ({error.strerror}); choose another, or 0 for a free one") from None
        return int(probe.getsockname()[1])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
