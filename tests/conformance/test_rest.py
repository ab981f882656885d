"""The rest connector keeps the contract, on a WooCommerce shop."""

from connectors.rest import Rest
from threadline.testing.conformance import conformance

test_conformance = conformance(Rest)
