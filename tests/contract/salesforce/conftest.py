"""One org for all tests, empty for each, and connectors to it."""

from collections.abc import Callable, Iterator

import pytest

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from tests.contract.salesforce.lab import connecting, emptied
from threadline.sdk import http as sdk_http


@pytest.fixture(scope="package")
def server() -> Iterator[SalesforceSandbox]:
    with SalesforceSandbox() as running:
        yield running


@pytest.fixture
def sandbox(server: SalesforceSandbox) -> SalesforceSandbox:
    return emptied(server)


@pytest.fixture
def connect(sandbox: SalesforceSandbox) -> Iterator[Callable[..., Salesforce]]:
    with connecting(sandbox) as make:
        yield make


@pytest.fixture
def salesforce(connect: Callable[..., Salesforce]) -> Salesforce:
    return connect()


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk_http, "_backoff", lambda _: 0.0)
