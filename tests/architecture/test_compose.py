"""The production files hold together: what they name exists, every variable is documented, no secret has a default."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# ${NAME:?message} or ${NAME:-default}; $$ is a dollar sign that the container's shell sees.
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<how>:\?|:-)(?P<what>[^}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY")
services = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_services_of_a_distributed_airflow_and_of_threadline() -> None:
    assert set(SERVICES) == {
        "postgres", "redis", "airflow-init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker", "threadline",
    }  # fmt: skip


def test_every_variable_is_required_or_has_a_default() -> None:
    without_dollars = TEXT.replace("$$", "")
    assert len(VARIABLE.findall(without_dollars)) == without_dollars.count("$") > 20


def test_every_variable_is_documented_and_every_documented_one_is_used() -> None:
    assert {found["name"] for found in VARIABLE.finditer(TEXT)} == example().keys()


def test_no_secret_has_a_default_and_the_example_holds_none() -> None:
    for found in VARIABLE.finditer(TEXT):
        if SECRET.search(found["name"]):
            assert found["how"] == ":?", found["name"]
    assert {name for name, value in example().items() if SECRET.search(name) and value} == set()


def test_the_defaults_are_those_of_the_example() -> None:
    defaults = {found["name"]: found["what"] for found in VARIABLE.finditer(TEXT) if found["how"] == ":-"}
    assert defaults == {name: value for name, value in example().items() if value}


@services
def test_a_service_runs_an_image(service: dict[str, Any]) -> None:
    assert re.fullmatch(r"threadline|[a-z]+:\d+", service["image"])
    if service["image"] == "threadline":
        assert (ROOT / service["build"]["dockerfile"]).is_file()
        assert service["cap_drop"] == ["ALL"]
    else:
        assert "build" not in service


@services
def test_a_service_waits_only_for_what_can_be_ready(service: dict[str, Any]) -> None:
    for name, wanted in service.get("depends_on", {}).items():
        if wanted["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[name]
        else:
            assert wanted["condition"] == "service_completed_successfully"
            assert SERVICES[name]["restart"] == "no"


@services
def test_a_service_that_stays_up_says_whether_it_is_well(service: dict[str, Any]) -> None:
    assert ("healthcheck" in service) == (service["restart"] == "unless-stopped")
    if "healthcheck" in service:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@services
def test_ports_are_those_of_this_machine(service: dict[str, Any]) -> None:
    for port in service.get("ports", []):
        assert port.startswith("${BIND_ADDRESS:-127.0.0.1}:")


def test_only_pages_and_api_have_ports() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"apiserver", "threadline"}


@services
def test_volumes_and_networks_are_declared(service: dict[str, Any]) -> None:
    for volume in service.get("volumes", []):
        source = VARIABLE.sub("/folder", volume).split(":")[0]
        if source.startswith("./"):
            assert (ROOT / source).is_file()
        elif not source.startswith("/"):
            assert source in COMPOSE["volumes"]
    assert set(service["networks"]) <= COMPOSE["networks"].keys()


def test_databases_reach_nothing_outside() -> None:
    assert COMPOSE["networks"]["data"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]


def test_only_who_listens_and_who_reads_is_given_the_credentials_of_sources() -> None:
    assert [name for name, service in SERVICES.items() if "env_file" in service] == ["triggerer", "worker"]


def test_tasks_start_after_the_api_server_answers() -> None:
    for name in ("scheduler", "dag-processor", "triggerer", "worker"):
        assert SERVICES[name]["depends_on"]["apiserver"] == {"condition": "service_healthy"}
    assert SERVICES["apiserver"]["depends_on"]["airflow-init"] == {"condition": "service_completed_successfully"}


def test_airflow_checks_who_comes_in() -> None:
    for name in ("airflow-init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker"):
        environment = SERVICES[name]["environment"]
        assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith(".FabAuthManager")
        assert environment["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_the_image_is_built_from_what_is_here() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    sources = [source for line in re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE) for source in line.split()[:-1]]
    assert len(sources) >= 9
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) or source.startswith(f"{pattern}/") for pattern in kept), source


def test_the_image_installs_extras_that_there_are() -> None:
    (extras,) = re.findall(r'"\.\[([a-z,]+)\]"', (ROOT / "docker" / "Dockerfile").read_text())
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) == offered.keys() - {"sandbox", "all"}


def test_scripts_that_services_run_are_in_the_image() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    for script in set(re.findall(r"/opt/threadline/([\w.-]+)", TEXT)):
        assert f"docker/{script}" in dockerfile
        assert (ROOT / "docker" / script).is_file()
