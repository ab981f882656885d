"""The Salesforce connector keeps the contract, also where query jobs read what it pulls."""

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from threadline.testing.conformance import conformance


class LargeOrg(SalesforceSandbox):
    """An org in which a few records count as many."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Whatever a first page leaves is read by a query job."""
        return {**super().settings, "page_size": 2, "bulk_above": 1}


class SalesforceByJobs(Salesforce):
    """Salesforce, with a large org; both objects are read the same way, and none is written otherwise."""

    streams = Salesforce.streams[:1]
    objects = ()
    sandbox = f"{__name__}:LargeOrg"


test_conformance = conformance(Salesforce)
test_conformance_by_jobs = pytest.mark.slow(conformance(SalesforceByJobs))
