"""The Zendesk connector keeps the contract."""

from connectors.zendesk import Zendesk
from threadline.testing.conformance import conformance

test_conformance = conformance(Zendesk)
