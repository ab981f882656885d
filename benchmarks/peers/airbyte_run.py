"""Airbyte's declarative source reads the pages at BENCH_URL and writes its messages to the standard output: `airbyte_run.py STREAM`.

https://docs.airbyte.com/platform/connector-development/config-based/low-code-cdk-overview
"""

import json
import os
import sys
from pathlib import Path

from airbyte_cdk.cli.source_declarative_manifest import _run as program


def main() -> None:
    """Run a read."""
    home = Path(os.environ["BENCH_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    stream = {"name": sys.argv[1], "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    catalog = {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}]}
    (home / "config.json").write_text(json.dumps({"base_url": os.environ["BENCH_URL"]}))
    (home / "catalog.json").write_text(json.dumps(catalog))
    manifest = Path(__file__).with_name("airbyte_manifest.yaml")
    files = {"config": home / "config.json", "catalog": home / "catalog.json", "manifest-path": manifest}
    program.handle_command(["read", *(word for name, path in files.items() for word in (f"--{name}", str(path)))])


if __name__ == "__main__":
    main()
