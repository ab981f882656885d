"""The plugin: one file of a name that shadows nothing, light to import, and its places in Airflow's pages."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
from airflow.plugins_manager import get_plugin_info, get_import_errors
(plugin,) = [plugin for plugin in get_plugin_info() if plugin["name"] == "threadline"]
heavy = {"threadline.api", "threadline.sync.run", "airflow.api_fastapi.core_api.security"} & set(sys.modules)
print(json.dumps({"views": plugin["external_views"], "heavy": sorted(heavy), "errors": get_import_errors()}), file=sys.__stdout__)
"""


def test_two_files_that_shadow_no_module() -> None:
    # Airflow registers every file under plugins/ as a module of its stem, nested ones too.
    files = [path.relative_to(ROOT / "plugins").as_posix() for path in (ROOT / "plugins").rglob("*.py")]
    assert sorted(files) == ["threadline_plugin.py", "threadline_watch.py"]


def test_airflow_loads_it_without_building_the_app() -> None:
    environment = {**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
    done = subprocess.run([sys.executable, "-c", READ], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    assert found["heavy"] == []
    icons = {Path(view["icon"]).name for view in found["views"]}
    assert all((ROOT / "threadline" / "api" / "static" / name).is_file() for name in icons)
    assert [(view["name"], view["href"], view["destination"]) for view in found["views"]] == [
        ("Sync health", "threadline/health", "nav"),
        ("Customers", "threadline/customers", "nav"),
        ("Sync health", "threadline/health", "dag"),
    ]
