"""Whatever changes while Salesforce is read, and wherever pulls break off: in the end nothing is missing or out of date."""

import json
from dataclasses import replace
from itertools import islice
from typing import Any, Literal
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.settings import SalesforceSettings
from tests.contract.salesforce.lab import emptied, ident, person
from threadline.sdk import Cursor
from threadline.testing.conformance.trial import no_waiting
from threadline.testing.story import Registered

Step = tuple[Literal["register", "delete", "expire", "forget jobs", "pull"], int]
_STEPS = st.one_of(
    st.tuples(st.just("register"), st.integers(0, 7)),
    st.tuples(st.just("register"), st.integers(0, 7)),
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.sampled_from(["expire", "forget jobs"]), st.just(0)),
    st.tuples(st.just("pull"), st.integers(1, 5)),
)


class Reader:
    """Pulls that break off after so many pages, the cursor of the last one saved; `large`: query jobs read what a page leaves."""

    def __init__(self, sandbox: SalesforceSandbox, *, large: bool) -> None:
        self.sandbox = sandbox
        self.large = large
        self.cursor: Cursor | None = None
        self.held: dict[str, Any] = {}

    def pull(self, pages: int | None) -> None:
        given = {**self.sandbox.settings, **self.sandbox.secrets, "page_size": 2, "bulk_above": 1 if self.large else None}
        connector = Salesforce(SalesforceSettings.model_validate(given))
        try:
            for page in islice(connector.pull("contacts", self.cursor), pages):
                self.held |= {row["Id"]: row for row in map(json.loads, page.records)}
                self.cursor = json.loads(json.dumps(page.cursor))
        finally:
            connector.close()

    def step(self, step: Step, number: int) -> None:
        match step:
            case "register", who:
                renamed = replace(person(who), given_name=f"Given {number}")
                self.sandbox.tell(Registered(self.sandbox.org.now(), "salesforce", renamed, ("name",)))
            case "delete", who if self.sandbox.org.get("Contact", ident(who)):
                self.sandbox.org.delete("Contact", ident(who), self.sandbox.org.now())
            case "expire", _:
                self.sandbox.expire_sessions()
            case "forget jobs", _:
                self.sandbox.jobs.forget()
            case "pull", pages:
                self.pull(pages)
            case _:
                pass


@pytest.mark.parametrize("large", [False, True], ids=["by queries", "by jobs"])
@given(steps=st.lists(_STEPS, min_size=3, max_size=25))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost_or_stale(server: SalesforceSandbox, large: bool, steps: list[Step]) -> None:
    reader = Reader(emptied(server), large=large)
    with no_waiting(), patch("connectors.salesforce.jobs._PART", 2):
        for number, step in enumerate(steps):
            reader.step(step, number)
        for _ in range(2):
            reader.pull(None)
    there = {record["Id"]: record for record in server.shelf.all("Contact")}
    assert reader.held.keys() == there.keys()
    for identity, held in reader.held.items():
        assert held == {name: there[identity].get(name, held[name]) for name in held}
