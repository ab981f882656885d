"""The kit as a pytest test."""

from collections.abc import Callable
from typing import Any

from threadline.sdk import Connector
from threadline.testing.conformance.parts import Case, cases_of, run_case


def conformance(kind: type[Connector[Any]]) -> Callable[..., None]:
    """Return a test of everything that a connector promises: a case for each part and stream or object; waived ones are skipped.

    Cases that take long are marked `slow`.
    """
    import pytest

    cases = [pytest.param(case, id=str(case), marks=[pytest.mark.slow] if case.part.slow else []) for case in cases_of(kind)]

    @pytest.mark.parametrize("case", cases)
    def test_conformance(case: Case) -> None:
        outcome = run_case(case)
        if outcome.state == "waived":
            pytest.skip(outcome.said)
        if outcome.state == "failed":
            pytest.fail(f"{outcome.said}\nThe contract: {case.part.about}", pytrace=False)

    return test_conformance
