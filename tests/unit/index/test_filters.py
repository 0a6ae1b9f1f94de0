from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.index.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    AnyOf,
    FilterError,
    Group,
    Range,
    parse_filter,
)


@pytest.mark.parametrize("value", [None, {}])
def test_no_filter_asks_for_nothing(value: object) -> None:
    assert parse_filter(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"team": "a"}, AnyOf("team", ("a",))),
        ({"year": [2024, 2025]}, AnyOf("year", (2024, 2025))),
        ({"team": "a", "draft": False}, Group("and", (AnyOf("team", ("a",)), AnyOf("draft", (False,))))),
        ({"type": "eq", "key": "team", "value": "a"}, AnyOf("team", ("a",))),
        ({"type": "ne", "key": "team", "value": "a"}, AnyOf("team", ("a",), negated=True)),
        ({"type": "in", "key": "team", "value": ["a", "b"]}, AnyOf("team", ("a", "b"))),
        ({"type": "nin", "key": "team", "value": ["a"]}, AnyOf("team", ("a",), negated=True)),
        ({"type": "gte", "key": "year", "value": 2025}, Range("year", "gte", 2025.0)),
        (
            {"type": "lt", "key": "at", "value": "2026-01-31T00:00:00+00:00"},
            Range("at", "lt", datetime.fromisoformat("2026-01-31T00:00:00+00:00")),
        ),
        (
            {"type": "or", "filters": [{"team": "a"}, {"type": "gt", "key": "year", "value": 1}]},
            Group("or", (AnyOf("team", ("a",)), Range("year", "gt", 1.0))),
        ),
        # A metadata key that is called "type" is still reachable in the short form.
        ({"type": "report"}, AnyOf("type", ("report",))),
        ({"type": "eq"}, AnyOf("type", ("eq",))),
    ],
)
def test_both_shapes_parse(value: object, expected: object) -> None:
    assert parse_filter(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "filters: found a list; must be an object"),
        ("team=a", "filters: found a string; must be an object"),
        ({"team": None}, "filters.team: found null; must be a string, a number or a boolean"),
        ({"team": {"a": 1}}, "filters.team: found an object; must be a string, a number or a boolean"),
        ({"type": "and", "filters": []}, "filters.filters: must be a list of at least one filter"),
        ({"type": "and", "filters": [3]}, "filters.filters[0]: found a number; must be an object"),
        ({"type": "like", "key": "a", "value": "b"}, "filters.type: found 'like'; must be one of eq, ne"),
        ({"type": "eq", "key": "a"}, "filters.value: missing"),
        ({"type": "eq", "key": "a", "value": 1, "boost": 2}, "filters.boost: unknown field; allowed: type"),
        ({"type": "in", "key": "a", "value": "b"}, "filters.value: found a string; 'in' takes a list"),
        (
            {"type": "gt", "key": "a", "value": "soon"},
            "filters.value: found 'soon'; 'gt' takes a number or a",
        ),
        ({"type": "gt", "key": "a", "value": True}, "filters.value: found a boolean; 'gt' takes"),
        ({"type": "gt", "key": "a", "value": 10**400}, "filters.value: the number is too large"),
        ({"type": "eq", "key": "a", "value": float("nan")}, "filters.value: must be a finite number"),
        ({"type": "eq", "key": 'a"b', "value": 1}, "filters.key: must be a string"),
        ({"type": "eq", "key": "", "value": 1}, "filters.key: must be a string"),
        ({"team": "\ud800"}, "filters.team: contains half of a surrogate pair"),
    ],
)
def test_a_malformed_filter_names_the_place(value: object, message: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter(value)
    assert str(raised.value).startswith(message)


def test_depth_and_size_are_bounded() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(MAX_DEPTH):
        deep = {"type": "and", "filters": [deep]}
    with pytest.raises(FilterError, match="nested deeper than"):
        parse_filter(deep)
    with pytest.raises(FilterError, match="more than"):
        parse_filter({"type": "or", "filters": [{"a": 1}] * (MAX_CONDITIONS + 1)})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(
    json_values
    | st.fixed_dictionaries(
        {
            "type": st.sampled_from(["eq", "ne", "gt", "in", "and", "or", "?"]),
            "key": json_values,
            "value": json_values,
        }
    )
    | st.fixed_dictionaries({"type": st.sampled_from(["and", "or"]), "filters": json_values})
)
def test_anything_parses_or_is_refused(value: object) -> None:
    try:
        parse_filter(value)
    except FilterError as error:
        assert str(error).startswith("filters")
