"""The DAGs that threadline.yaml becomes, and what happens when an entry of it is broken."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.serialization.serialized_objects import DagSerialization

ROOT = Path(__file__).parents[2]


def watched(dag: Any) -> set[str]:
    """Names of the assets that start a DAG."""
    return {asset.name for asset in dag.timetable.asset_condition.objects}


def outlets(dag: Any, task: str) -> set[str]:
    return {outlet.name for outlet in dag.get_task(task).outlets if isinstance(outlet, Asset)}


def test_every_source_and_target_has_a_dag(dags: dict[str, Any]) -> None:
    pulls = ["threadline_pull_crm", "threadline_pull_helpdesk"]
    pushes = ["threadline_push_crm_contacts", "threadline_push_desk_users"]
    assert sorted(dags) == [*pulls, *pushes, "threadline_resolve"]


def test_a_stream_is_a_task_in_the_order_of_the_file(dags: dict[str, Any]) -> None:
    dag = dags["threadline_pull_helpdesk"]
    assert dag.task_ids == ["pull_tickets", "pull_users", "announce", "all_pulled"]
    assert dag.get_task("announce").upstream_task_ids == {"pull_tickets", "pull_users"}
    assert dag.get_task("pull_tickets").upstream_task_ids == set()


def test_schedules_are_those_of_the_file(dags: dict[str, Any]) -> None:
    assert dags["threadline_pull_helpdesk"].schedule == "*/5 * * * *"
    assert dags["threadline_pull_crm"].schedule is None
    assert dags["threadline_push_crm_contacts"].timetable.timetable.expression == "0 * * * *"


def test_news_travel_from_pull_to_resolve_to_push(dags: dict[str, Any]) -> None:
    sources = {"threadline_source_helpdesk", "threadline_source_crm"}
    assert outlets(dags["threadline_pull_helpdesk"], "announce") | outlets(dags["threadline_pull_crm"], "announce") == sources
    assert watched(dags["threadline_resolve"]) == sources
    assert outlets(dags["threadline_resolve"], "resolve") == {"threadline_threads"}
    assert watched(dags["threadline_push_desk_users"]) == watched(dags["threadline_push_crm_contacts"]) == {"threadline_threads"}


def test_news_of_one_source_are_enough(dags: dict[str, Any]) -> None:
    condition = dags["threadline_resolve"].timetable.asset_condition
    assert type(condition).__name__ == "AssetAny"


def test_runs_never_overlap_and_never_catch_up(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert (dag.max_active_runs, dag.catchup) == (1, False)
        assert "threadline" in dag.tags
        assert "threadline" in dag.doc_md


def test_the_scheduler_can_store_every_dag(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert DagSerialization.to_dict(dag)["dag"]["dag_id"] == dag.dag_id


def test_a_failed_stream_stops_neither_the_news_nor_the_alarm(dags: dict[str, Any]) -> None:
    dag = dags["threadline_pull_helpdesk"]
    assert dag.get_task("announce").trigger_rule == "all_done"
    assert dag.get_task("all_pulled").trigger_rule == "all_success"
    assert dag.get_task("all_pulled").upstream_task_ids == {"pull_tickets", "pull_users"}


def test_a_broken_entry_costs_its_own_dag(bag: Callable[[str], Any]) -> None:
    made = bag(
        "sources:\n"
        "  helpdesk: {connector: zendesk, settings: {subdomain: acme}}\n"
        "  crm:\n"
        "    connector: salesforce\n"
        "    settings: {api_versio: 60}\n"
    )
    assert sorted(made.dags) == ["threadline_pull_helpdesk", "threadline_resolve"]
    ((file, error),) = made.import_errors.items()
    assert file == "threadline_problems.py"
    assert "source crm: " in error
    assert "threadline.yaml:5" in error
    assert "api_versio" in error
    assert "helpdesk" not in error


def test_a_schedule_that_cannot_be_costs_its_own_dag(bag: Callable[[str], Any]) -> None:
    made = bag(
        "sources:\n  helpdesk: {connector: zendesk, settings: {subdomain: acme}}\n  crm: {connector: salesforce, schedule: '61 * * * *'}\n"
    )
    assert sorted(made.dags) == ["threadline_pull_helpdesk", "threadline_resolve"]
    (error,) = made.import_errors.values()
    assert "'61 * * * *'" in error
    assert "threadline.yaml:3" in error


MATCHED = """\
sources:
  helpdesk: {connector: zendesk, settings: {subdomain: acme}}
targets:
  users: {system: helpdesk, push: [zendesk/push/user]}
matching: {schedule: "0 3 * * *"}
"""


def test_everybody_is_matched_on_the_schedule_of_the_file_and_threads_follow(bag: Callable[[str], Any]) -> None:
    made = dict(bag(MATCHED).dags)
    assert sorted(made) == ["threadline_match", "threadline_pull_helpdesk", "threadline_push_users", "threadline_resolve"]
    assert made["threadline_match"].schedule == "0 3 * * *"
    assert made["threadline_match"].task_ids == ["match"]
    assert outlets(made["threadline_match"], "match") == {"threadline_matches"}
    assert watched(made["threadline_resolve"]) == {"threadline_source_helpdesk", "threadline_matches"}
    test_runs_never_overlap_and_never_catch_up(made)
    test_the_scheduler_can_store_every_dag(made)


@pytest.mark.parametrize(
    ("wrong", "named"), [('{shedule: "0 3 * * *"}', "'schedule'"), ('{schedule: "61 3 * * *"}', "'61 3 * * *'"), ("", "0 3 * * *")]
)
def test_a_schedule_of_matching_that_cannot_be_used_costs_matching_alone(bag: Callable[[str], Any], wrong: str, named: str) -> None:
    made = bag(MATCHED.replace('{schedule: "0 3 * * *"}', wrong))
    assert "threadline_match" not in made.dags
    assert watched(made.dags["threadline_resolve"]) == {"threadline_source_helpdesk"}
    (error,) = made.import_errors.values()
    assert "matching: " in error
    assert "threadline.yaml:5" in error
    assert named in error


def test_a_file_that_is_no_yaml_is_named(bag: Callable[[str], Any]) -> None:
    made = bag("sources: [\n")
    assert made.dags == {}
    assert all("threadline.yaml" in error for error in made.import_errors.values())
    assert set(made.import_errors) == {"threadline_dags.py", "threadline_problems.py"}


def test_nothing_is_wrong_with_a_file_without_problems(bag: Callable[[str], Any], dags: dict[str, Any]) -> None:
    assert bag("sources: {}\n").import_errors == {}
    assert dags


def test_a_task_builds_only_its_own_dag(bag: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "threadline_pull_crm")
    assert list(bag("sources:\n  crm: {connector: salesforce}\n  desk: {connector: salesforce}\n").dags) == ["threadline_pull_crm"]


PARSE = """
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from airflow.dag_processing.dagbag import BundleDagBag

seen = []
watched = {"socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"}
sys.addaudithook(lambda event, args: seen.append((event, str(args[0]))) if event in watched or event == "open" else None)
before = set(sys.modules)
folder = Path(sys.argv[1])
bag = BundleDagBag(folder, bundle_path=folder)
print(json.dumps({"dags": list(bag.dags), "seen": seen, "modules": sorted(set(sys.modules) - before)}), file=sys.__stdout__)
"""


def test_parsing_reads_the_file_and_touches_neither_network_nor_database(tmp_path: Path) -> None:
    config = tmp_path / "threadline.yaml"
    config.write_text(
        "sources:\n  helpdesk: {connector: zendesk, settings: {subdomain: acme}}\n  inbox: {connector: x}\nmatching: {schedule: '@daily'}\n"
    )
    environment = {**os.environ, "THREADLINE_CONFIG": str(config), "AIRFLOW__LOGGING__LOGGING_LEVEL": "CRITICAL"}
    command = [sys.executable, "-c", PARSE, str(ROOT / "dags")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert "threadline_pull_helpdesk" in found["dags"]
    assert ["open", str(config)] in found["seen"]
    assert [event for event in found["seen"] if event[0] != "open"] == []
    heavy = {
        "zenpy", "tweepy", "simple_salesforce", "imapclient", "splink", "duckdb",
        "threadline.store", "threadline.sync.run", "threadline.api",
    }  # fmt: skip
    assert heavy & set(found["modules"]) == set()
