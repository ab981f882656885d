"""Exit 0 when an address answers and, where a component of Airflow is named, the answer says that it is healthy.

    healthy.py URL [scheduler | dag_processor | triggerer]

Airflow's own check starts a whole Airflow for each question; this one asks the API server, which knows.
"""  # noqa: INP001 - a script, not a package

import sys

import requests


def healthy(url: str, component: str | None) -> bool:
    """Ask once."""
    answer = requests.get(url, timeout=10)
    return answer.ok and (component is None or answer.json()[component]["status"] == "healthy")


if __name__ == "__main__":
    sys.exit(0 if healthy(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None) else 1)
