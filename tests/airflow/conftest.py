"""Airflow reads its environment when it is first imported, so that it is set here, before any test."""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="threadline-airflow-"))
os.environ.update(
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{HOME}/airflow.db",
)
with warnings.catch_warnings():
    # Airflow's own imports use what other libraries deprecate.
    warnings.simplefilter("ignore")
    from airflow.dag_processing.dagbag import BundleDagBag

BagMaker = Callable[[str], BundleDagBag]

CONFIG = """\
sources:
  helpdesk:
    connector: zendesk
    schedule: "*/5 * * * *"
    settings: {subdomain: acme}
    streams: {tickets: , users: }
  crm:
    connector: salesforce
targets:
  desk_users: {system: helpdesk, push: [zendesk/push/user]}
  crm_contacts: {system: crm, push: [salesforce/push/contact], schedule: "@hourly"}
"""


def pytest_unconfigure() -> None:
    """Remove the folder also when no test of this one was chosen."""
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture
def bag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BagMaker:
    """Parse dags/ as Airflow's DAG processor does, with this threadline.yaml."""
    monkeypatch.setattr(sys, "path", [*sys.path])

    def make(config: str) -> BundleDagBag:
        file = tmp_path / "threadline.yaml"
        file.write_text(config)
        monkeypatch.setenv("THREADLINE_CONFIG", str(file))
        for module in ("threadline_dags", "threadline_tasks"):
            monkeypatch.delitem(sys.modules, module, raising=False)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "GitWildMatchPattern", DeprecationWarning)
            return BundleDagBag(ROOT / "dags", bundle_path=ROOT / "dags")

    return make


@pytest.fixture
def dags(bag: BagMaker) -> dict[str, Any]:
    """The DAGs of CONFIG."""
    return dict(bag(CONFIG).dags)
