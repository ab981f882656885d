"""A Singer tap reads the pages at BENCH_URL, and target-postgres loads them into BENCH_DATABASE.

The tap is made with singer-sdk and maps in `post_process`; both programs run with their own defaults.
https://sdk.meltano.com/en/latest/classes/singer_sdk.RESTStream.html
"""

import json
import os
import subprocess
import sys
from pathlib import Path

URL = os.environ["BENCH_URL"]


def tap() -> None:
    """Write Singer messages."""
    from collections.abc import Iterable
    from typing import Any
    from urllib.parse import parse_qsl

    from columns import columns
    from singer_sdk import Tap
    from singer_sdk.pagination import BaseHATEOASPaginator
    from singer_sdk.streams import RESTStream
    from singer_sdk.typing import DateTimeType, IntegerType, PropertiesList, Property, StringType

    numbers, times = {"source_id", "agent"}, {"creation_date", "last_update"}
    names = (
        "case_id", "source_id", "name", "description", "channel", "priority", "status", "creation_date", "last_update", "customer",
        "agent", "order_ref", "language", "satisfaction", "tags",
    )  # fmt: skip

    class Links(BaseHATEOASPaginator):
        def get_next_url(self, response: Any) -> Any:
            return response.json()["links"]["next"]

    class Tickets(RESTStream[Any]):
        name = "tickets"
        path = "/tickets.json"
        url_base = URL
        primary_keys = ("case_id",)
        records_jsonpath = "$.tickets[*]"
        schema = PropertiesList(
            *(Property(name, IntegerType if name in numbers else DateTimeType if name in times else StringType) for name in names)
        ).to_dict()

        def get_new_paginator(self) -> BaseHATEOASPaginator:
            return Links()

        def get_url_params(self, context: Any, next_page_token: Any) -> dict[str, Any]:
            return dict(parse_qsl(next_page_token.query)) if next_page_token else {}

        def post_process(self, row: Any, context: Any = None) -> dict[str, Any]:
            return columns(row)

    class Desk(Tap):
        name = "tap-desk"
        config_jsonschema = PropertiesList().to_dict()

        def discover_streams(self) -> Iterable[Any]:
            return [Tickets(self)]

    Desk.cli(args=[])


def main() -> None:
    """Run tap and target; fail when one of them does."""
    settings = Path(os.environ["BENCH_HOME"]) / "target.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    address = os.environ["BENCH_DATABASE"].replace("postgresql://", "postgresql+psycopg://")
    settings.write_text(json.dumps({"sqlalchemy_url": address, "default_target_schema": "bench"}))
    target = Path(sys.executable).with_name("target-postgres")
    with (
        subprocess.Popen([sys.executable, __file__, "tap"], stdout=subprocess.PIPE) as reading,
        subprocess.Popen([target, "--config", settings], stdin=reading.stdout) as loading,
    ):
        # Only the target holds the pipe now, so that the tap learns of its end.
        assert reading.stdout
        reading.stdout.close()
    sys.exit(reading.returncode or loading.returncode)


if __name__ == "__main__":
    tap() if sys.argv[1:] == ["tap"] else main()
