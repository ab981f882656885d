"""dlt reads the pages at BENCH_URL into the PostgreSQL database BENCH_DATABASE: `dlt_run.py rest|arrow`.

`rest` is its declarative source with a Python function that maps each ticket. `arrow` is the quickest form that its
documentation leads to: a resource written by hand that yields Arrow tables, and `upsert` in place of delete and insert.
https://dlthub.com/docs/dlt-ecosystem/verified-sources/rest_api/basic
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "LOAD__WORKERS": "2", "EXTRACT__WORKERS": "2"}

import dlt
from columns import columns
from dlt.sources.rest_api import rest_api_resources

URL = os.environ["BENCH_URL"]


def rest() -> Any:
    """Declare the source."""
    base, _, edition = URL.rpartition("/")
    return rest_api_resources(
        {
            "client": {"base_url": base, "paginator": {"type": "json_link", "next_url_path": "links.next"}},
            "resources": [
                {
                    "name": "tickets",
                    "primary_key": "case_id",
                    "write_disposition": {"disposition": "merge", "strategy": "delete-insert"},
                    "processing_steps": [{"map": columns}],
                    "endpoint": {"path": f"{edition}/tickets.json", "data_selector": "tickets"},
                }
            ],
        }
    )


@dlt.resource(name="tickets", primary_key="case_id", write_disposition={"disposition": "merge", "strategy": "upsert"})
def arrow() -> Iterator[Any]:
    """Yield each page as an Arrow table."""
    import orjson
    import pyarrow as pa
    import pyarrow.compute as pc
    import requests

    following = f"{URL}/tickets.json"
    with requests.Session() as session:
        while following:
            page = orjson.loads(session.get(following, timeout=60).content)
            table = pa.Table.from_pylist([columns(ticket) for ticket in page["tickets"]])
            for name in ("creation_date", "last_update"):
                times = pc.strptime(table[name], "%Y-%m-%dT%H:%M:%SZ", "us").cast(pa.timestamp("us", "UTC"))
                table = table.set_column(table.schema.get_field_index(name), name, times)
            yield table
            following = page["links"]["next"]


if __name__ == "__main__":
    form = sys.argv[1]
    pipeline = dlt.pipeline(
        f"bench_{form}",
        destination=dlt.destinations.postgres(os.environ["BENCH_DATABASE"]),
        dataset_name="bench",
        pipelines_dir=os.environ["BENCH_HOME"],
    )
    print(pipeline.run(rest() if form == "rest" else [arrow]))
