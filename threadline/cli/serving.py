"""`threadline up` and `threadline serve`."""

import os
import secrets
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
        console().print(f"{airflow.url}\nuser {user}\npassword {password}")
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
    token = os.environ.get("THREADLINE_API_TOKEN")
    if not token:
        token = secrets.token_urlsafe(24)
        console(error=True).print(f"access token for this run: {token}  (set THREADLINE_API_TOKEN to choose it)")
    app = standalone_app(open_reader(config), token)
    console(error=True).print(f"http://{host}:{port}  Ctrl-C ends it.")
    # A search stands in the address: no access log.
    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, access_log=False, ws="none", log_level="warning"))
    server.run()
    if not server.started:
        raise ConfigError(f"cannot listen on {host}:{port}: is the port taken? choose one with --port")
