"""A few questions to Airflow's REST API (/api/v2), as the demo and `threadline up` ask them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from threadline.sdk.http import Http


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a DAG; `state` is queued, running, success or failed; `started` None while it is queued."""

    dag: str
    id: str
    state: str
    started: datetime | None


class AirflowApi:
    """Airflow's API, logged in as one user for as long as a token holds (a day by default)."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._http = Http("Airflow", url)
        answer = self._http.once("POST", "/auth/token", json={"username": user, "password": password})
        self._http.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> Sequence[str]:
        """Return the ids of the DAGs that can run."""
        return [dag["dag_id"] for dag in self._get("dags", limit=1000)["dags"]]

    def import_errors(self) -> Sequence[str]:
        """Return what could not be built, in words."""
        return [error["stack_trace"] for error in self._get("importErrors")["import_errors"]]

    def runs(self, dag: str = "~") -> Sequence[Run]:
        """Return the latest hundred runs, newest first; "~" stands for every DAG."""
        runs = self._get(f"dags/{dag}/dagRuns", order_by="-run_after", limit=100)["dag_runs"]
        return [_run(run) for run in runs]

    def tasks(self, run: Run) -> dict[str, str]:
        """Return the state of each task of a run; "none" before it is scheduled."""
        instances = self._get(f"dags/{run.dag}/dagRuns/{run.id}/taskInstances", limit=1000)["task_instances"]
        return {task["task_id"]: task["state"] or "none" for task in instances}

    def trigger(self, dag: str) -> Run:
        """Start a run now."""
        return _run(self._http.once("POST", f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None}).json())

    def pause(self, *, paused: bool) -> None:
        """Stop scheduling every DAG, or go on."""
        self._http.once("PATCH", "/api/v2/dags", params={"dag_id_pattern": "%"}, json={"is_paused": paused})

    def close(self) -> None:
        """Close pooled connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def _get(self, path: str, **params: str | int) -> Any:
        return self._http.get(f"/api/v2/{path}", params=params).json()


def _run(run: Mapping[str, Any]) -> Run:
    started = run["start_date"]
    return Run(run["dag_id"], run["dag_run_id"], run["state"], datetime.fromisoformat(started) if started else None)
