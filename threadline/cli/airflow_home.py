"""The folder of an Airflow that belongs to one person on one machine: its secrets, its lock, its settings."""

import base64
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from threadline.sdk import ConfigError

USER = "admin"
_ENDING = 15.0
"""Seconds that an earlier Airflow of the same folder may need to end."""


class AirflowHome:
    """Everything that Airflow writes stands in one folder that only its owner can enter; secrets are made once and kept there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def password(self) -> str:
        """Password of USER."""
        return self._remember("passwords.json", lambda: {USER: secrets.token_urlsafe(18)})[USER]

    def log(self, process: str) -> Path:
        """Where a process writes what it says."""
        return self.folder / "logs" / f"{process}.log"

    def lock(self) -> int:
        """Make the folder and take it: a descriptor that holds it for every process that inherits it, until the last one ends.

        ConfigError when another Airflow runs there: two schedulers on one database take each other's tasks.
        """
        (self.folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        patience = time.monotonic() + _ENDING
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() < patience:
                    time.sleep(0.2)
                    continue
                os.close(lock)
                raise ConfigError(f"another Airflow runs in {self.folder}; stop it, or choose another folder") from None
            return lock

    def environment(self, port: int, dags: Path, plugins: Path, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of Airflow's processes: what is inherited without its AIRFLOW__ settings, these settings, `extra`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")}
        # Compiled modules save half of each start.
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        # A proxy could not reach this machine's own address; a module in the current folder must not shadow a library.
        local = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PYTHONSAFEPATH": "1"}
        return {**inherited, **local, **self._settings(port), **self._folders(dags, plugins), **self._secrets(), **extra}

    def _settings(self, port: int) -> dict[str, str]:
        url = f"http://127.0.0.1:{port}"
        return {
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            # A task that was running when everything was stopped is found lost, and tried again, within a minute instead of six.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        }

    def _folders(self, dags: Path, plugins: Path) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags.resolve()),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins.resolve()),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.folder / "passwords.json"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.folder / 'airflow.db'}",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
        }

    def _secrets(self) -> dict[str, str]:
        # Written before Airflow looks for it: Airflow would print a password that it makes itself.
        _ = self.password
        return self._remember("secrets.json", _new_secrets)

    def _remember(self, name: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
        """Return what the file holds; make it first where it is missing."""
        file = self.folder / name
        if not file.exists():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = file.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:  # noqa: PTH123 - private from its first byte
                json.dump(make(), out)
            fresh.replace(file)
        return dict(json.loads(file.read_text()))


def _new_secrets() -> dict[str, str]:
    return {
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
