from __future__ import annotations

import pytest

from ragfleet_runtime.index.bm25 import Analyzer, document_vector, query_vector


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer("English")


def test_counts_are_of_stems_without_stop_words(analyzer: Analyzer) -> None:
    counts = analyzer.counts("The wings of the wing. Winged, and the FLOW")
    assert sorted(counts.values()) == [1, 3]


@pytest.mark.parametrize("repeats", [1, 2, 7, 100, 5000])
def test_counts_are_exact(analyzer: Analyzer, repeats: int) -> None:
    assert list(analyzer.counts("wing " * repeats).values()) == [repeats]


def test_nothing_to_count(analyzer: Analyzer) -> None:
    assert analyzer.counts("of the and") == {}
    assert query_vector({}) == {}


def test_weights_follow_the_formula() -> None:
    # By hand, k1 = 1.2 and b = 0.75: length 4, mean 2, so the norm is 1.2 * (0.25 + 0.75 * 2) = 2.1.
    vector = document_vector({1: 3, 2: 1}, 2.0)
    assert vector[1] == pytest.approx(3 * 2.2 / (3 + 2.1))
    assert vector[2] == pytest.approx(1 * 2.2 / (1 + 2.1))


def test_a_question_asks_for_a_term_as_often_as_it_says_it(analyzer: Analyzer) -> None:
    assert sorted(query_vector(analyzer.counts("wing wing flow")).values()) == [1.0, 2.0]
