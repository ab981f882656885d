"""The sql connector keeps the contract."""

from connectors.sql import Sql
from threadline.testing.conformance import conformance

test_conformance = conformance(Sql)
