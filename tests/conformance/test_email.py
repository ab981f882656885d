"""The e-mail connector keeps the contract."""

from connectors.email import Email
from threadline.testing.conformance import conformance

test_conformance = conformance(Email)
