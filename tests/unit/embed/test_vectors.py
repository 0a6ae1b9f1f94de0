"""What vectors must be."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ragfleet_runtime.embed.vectors import VectorRules, is_unicode, prefixed
from ragfleet_runtime.errors import ProviderError

RULES = VectorRules("Somebody", 3, normalize=True)


def test_a_prefix_stands_before_each_text() -> None:
    assert prefixed("query: ", ["a", "b"]) == ["query: a", "query: b"]


def test_no_prefix_changes_nothing() -> None:
    assert prefixed("", ["a", "b"]) == ["a", "b"]


def test_half_a_surrogate_pair_is_not_unicode() -> None:
    assert is_unicode(["salt", "œuvres 東京 🧂"])
    assert not is_unicode(["salt", "broken \ud800"])


def test_vectors_are_scaled_to_length_1() -> None:
    (vector,) = RULES.ready([[3, 0, 4]], 1)
    assert vector == [0.6, 0.0, 0.8]
    assert all(isinstance(number, float) for number in vector)


def test_a_vector_of_length_1_is_kept_bit_for_bit() -> None:
    unit = [1 / math.sqrt(3)] * 3
    assert RULES.ready([unit], 1) == [unit]


def test_vectors_are_kept_as_they_are_where_the_pipeline_does_not_normalise() -> None:
    assert VectorRules("Somebody", None, normalize=False).ready([[3.0, 0.0, 4.0]], 1) == [[3.0, 0.0, 4.0]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1.0, math.nan, 0.0], "NaN or infinite"),
        ([1.0, math.inf, 0.0], "NaN or infinite"),
        ([1e39, 0.0, 0.0], "NaN or infinite"),  # infinite as a 32-bit number
        ([0.0, 0.0, 0.0], "all zeros"),
        ([1e-40, 0.0, 0.0], "all zeros"),  # nothing as a 32-bit number
        (["0.1", "0.2", "0.3"], "isn't a list of numbers"),
        ([None, 0.1, 0.2], "isn't a list of numbers"),
        ([[0.1], 0.1, 0.2], "isn't a list of numbers"),
        ([10**400, 0, 0], "isn't a list of numbers"),
        ("abc", "isn't a list of numbers"),
        (None, "isn't a list of numbers"),
        ({"a": 1.0}, "isn't a list of numbers"),
        ([1.0, 2.0], "2 dimensions and the pipeline asks for 3: set embedding.dimensions to 2"),
        ([], "all zeros"),
    ],
)
def test_a_vector_that_cannot_be_stored_is_refused(row: Any, message: str) -> None:
    with pytest.raises(ProviderError, match=message) as raised:
        RULES.ready([[1.0, 0.0, 0.0], row], 2)
    assert raised.value.fault == "bad_response"
    assert str(raised.value).startswith("Somebody: ")
    assert "\n" not in str(raised.value)


def test_another_count_of_vectors_is_refused() -> None:
    with pytest.raises(ProviderError, match="1 vectors for 2 texts"):
        RULES.ready([[1.0, 0.0, 0.0]], 2)


def test_vectors_of_one_answer_must_agree_where_no_dimensions_are_set() -> None:
    rules = VectorRules("Somebody", None, normalize=True)
    assert [len(vector) for vector in rules.ready([[1.0, 1.0]] * 2, 2)] == [2, 2]
    with pytest.raises(ProviderError, match="differ in their dimensions: 2 and 3"):
        rules.ready([[1.0, 1.0], [1.0, 1.0, 1.0]], 2)
