"""Answers are compared by their keys and JSON types."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadline.testing.faithfulness.structure import Shape, compare, values_at

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def differences(made: list[Any], recorded: list[Any], *open_keys: str) -> list[str]:
    return [str(one) for one in compare(Shape.of(made), Shape.of(recorded), open_keys) if one.verdict != "same"]


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_what_was_recorded_is_as_recorded(values: list[Any]) -> None:
    assert differences(values, values) == []


@given(st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1), st.data())
def test_every_key_counts(recorded: dict[str, int], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(recorded)))
    without = {name: value for name, value in recorded.items() if name != key}
    assert differences([without], [recorded]) == [f"$.{key} is missing"]
    assert differences([recorded], [without]) == [f"$.{key} is extra"]


@pytest.mark.parametrize(
    ("made", "recorded", "said"),
    [
        ([{"a": "1"}], [{"a": 1}], ["$.a has another type: string, recorded number"]),
        ([{"a": True}], [{"a": 1}], ["$.a has another type: boolean, recorded number"]),
        ([{"a": [{"b": 1}]}], [{"a": [{"b": "x"}]}], ["$.a[].b has another type: number, recorded string"]),
        ([{"a": None}], [{"a": 1}], ["$.a has another type: null, recorded number"]),
        ([{"a": None}, {"a": 2}], [{"a": 1}], []),
        ([{"a": 1}], [{"a": None}], []),
        ([{"a": None}], [{"a": 1}, {"a": None}], []),
        ([{}], [{"a": 1}, {}], []),
        ([{"a": []}], [{"a": [1]}], []),
    ],
)
def test_types_are_json_types(made: list[Any], recorded: list[Any], said: list[str]) -> None:
    assert differences(made, recorded) == said


def test_open_objects_are_compared_in_the_keys_that_both_have() -> None:
    assert differences([{"rows": [{"Id": 1, "Mine": 1}]}], [{"rows": [{"Id": "1", "Theirs": 1}]}], "rows") == [
        "$.rows[].Id has another type: number, recorded string"
    ]


def test_a_part_says_nothing_of_what_is_around_it() -> None:
    known = Shape()
    known.at("page.rows[]").add_all(values_at({"rows": [{"a": 1}]}, "rows[]"))
    made = Shape.of([{"page": {"rows": [{"a": "x", "b": 1}], "next": None}, "more": 1}])
    assert [str(one) for one in compare(made, known) if one.verdict != "same"] == [
        "$.page.rows[].a has another type: string, recorded number",
        "$.page.rows[].b is extra",
    ]
