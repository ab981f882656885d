"""`threadline up` and `threadline serve`."""

import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path

from threadline.cli.context import CONFIG
from threadline.cli.output import console
from threadline.sdk.errors import ConfigError


def run_airflow(home: Path | None, port: int) -> None:
    """Run Airflow until Ctrl-C, or until one of its processes dies."""
    from threadline.cli.airflow_stack import AirflowStack

    config = CONFIG.load()
    folders = _folder(config.folder, "dags"), _folder(config.folder, "plugins")
    environment = {"THREADLINE_CONFIG": str(config.path), "THREADLINE_DATABASE_URL": config.database}
    out = console(error=True)
    for problem in config.problems:
        out.print(problem.message)
    out.print("starting Airflow")
    with AirflowStack(home or config.folder / ".threadline" / "airflow", *folders, environment, port) as airflow:
        user, password = airflow.login
        print(f"{airflow.url}\nuser {user}\npassword {password}", flush=True)
        out.print("Ctrl-C ends it.")
        airflow.wait()


def _folder(beside: Path, name: str) -> Path:
    for root in (beside, Path.cwd(), Path(__file__).resolve().parents[2]):
        if (root / name).is_dir():
            return root / name
    raise ConfigError(f"no folder {name!r}: run this in a checkout of threadline, or copy its {name} folder beside threadline.yaml")


def run_server(host: str, port: int) -> None:
    """Serve API and pages until Ctrl-C."""
    import uvicorn

    from threadline.api.standalone import standalone_app
    from threadline.sync.reader import open_reader

    config = CONFIG.load()
    chosen = os.environ.get("THREADLINE_API_TOKEN")
    token = chosen or secrets.token_urlsafe(24)
    app = standalone_app(open_reader(config), token)
    with _listener(host, port) as listener:
        if not chosen:
            console(error=True).print(f"access token for this run: {token}  (set THREADLINE_API_TOKEN to choose it)")
        console(error=True).print(f"http://{host}:{listener.getsockname()[1]}  Ctrl-C ends it.")
        # A search stands in the address: no access log.
        server = uvicorn.Server(uvicorn.Config(app, access_log=False, ws="none", log_level="warning"))
        # The server ends in order, and then passes the signal on.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}; choose another address with --host and --port") from None
