"""Proves that a connector keeps what the contract promises: one call in an author's test file.

    from threadline.testing.conformance import conformance

    test_conformance = conformance(Zendesk)

The connector's stand-in (`Connector.sandbox`) works for it through its rig (`threadline.testing.rig`). What the vendor's
system does not have is waived, with the vendor's reason; `threadline connectors --badge` lists what passes and what is waived.
"""

from threadline.testing.conformance.parts import PARTS, Case, Outcome, cases_of, run_case
from threadline.testing.conformance.suite import conformance

__all__ = ["PARTS", "Case", "Outcome", "cases_of", "conformance", "run_case"]
