"""The X connector keeps the contract."""

from connectors.x import X
from threadline.testing.conformance import conformance

test_conformance = conformance(X)
