"""Each way to page, to find what changed and to write keeps the contract, with tokens that are renewed while a list is read."""

import pytest

from tests.conformance.pagings import Things
from threadline.testing.conformance import Case, cases_of, run_case

QUICK = ("renews tokens", "reads one moment", "resumes", "writes once when asked again", "answers for each")
# That memory stays flat does not depend on the paging: the shop proves it.
CASES = [
    pytest.param(case, id=str(case), marks=[] if case.part.name in QUICK else [pytest.mark.slow])
    for case in cases_of(Things)
    if case.part.name != "keeps memory flat"
]


@pytest.mark.parametrize("case", CASES)
def test_conformance(case: Case) -> None:
    outcome = run_case(case)
    if outcome.state == "waived":
        pytest.skip(outcome.said)
    assert outcome.state == "passed", outcome.said
