"""The Salesforce connector keeps the contract."""

from connectors.salesforce import Salesforce
from threadline.testing.conformance import conformance

test_conformance = conformance(Salesforce)
