"""A rating is made comparable where it is on its scale, and refused where it is not."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from threadline.model.ratings import normalize_rating

NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_rating_keeps_its_place_on_any_scale(first: float, second: float, third: float, fourth: float) -> None:
    lowest, lower, higher, highest = sorted((first, second, third, fourth))
    assume(lowest < highest)
    placed = [normalize_rating(one, lowest, highest) for one in (lowest, lower, higher, highest)]
    assert placed == sorted(placed, key=float)  # type: ignore[arg-type]
    assert (placed[0], placed[-1]) == (0, 1)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_rating_that_is_not_on_its_scale_is_refused(rating: float, lowest: float, highest: float) -> None:
    assume(not lowest <= rating <= highest or lowest == highest)
    with pytest.raises(ValueError, match="is not on a scale from"):
        normalize_rating(rating, lowest, highest)


@pytest.mark.parametrize("known", [(None, 1, 5), (3, None, 5), (3, 1, None)])
def test_without_a_rating_or_a_scale_there_is_no_place(known: tuple[float | None, float | None, float | None]) -> None:
    assert normalize_rating(*known) is None
