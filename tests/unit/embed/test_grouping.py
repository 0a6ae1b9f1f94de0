"""Which texts are computed together."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.embed.grouping import MOST_TOKENS, RUN_TOKENS, in_runs, runs

LENGTHS = st.lists(st.integers(min_value=0, max_value=512), max_size=40)


def cost(lengths: list[int], found: list[list[int]]) -> int:
    """Tokens computed, padding included, and what the runs cost themselves."""
    return sum(RUN_TOKENS + len(run) * max(1, *(lengths[n] for n in run), 1) for run in found)


def test_equally_long_short_texts_are_one_run() -> None:
    assert runs([8] * 16, 32) == [list(range(16))]


def test_texts_of_very_different_lengths_are_not_padded_to_the_longest() -> None:
    assert runs([8, 100, 9, 101], 32) == [[0, 2], [1, 3]]


def test_a_slightly_longer_text_joins() -> None:
    assert runs([8, 12], 32) == [[0, 1]]


def test_long_texts_are_computed_alone() -> None:
    assert runs([200, 200, 200], 32) == [[0], [1], [2]]


def test_a_run_has_no_more_texts_than_a_batch() -> None:
    assert sorted(map(len, runs([8] * 10, 4))) == [2, 4, 4]


def test_no_texts_need_no_run() -> None:
    assert runs([], 32) == []
    assert in_runs([], 32, lambda run: run) == []


@given(LENGTHS, st.integers(min_value=1, max_value=33))
def test_every_text_is_in_one_run_and_no_run_is_too_large(lengths: list[int], most: int) -> None:
    found = runs(lengths, most)
    assert sorted(n for run in found for n in run) == list(range(len(lengths)))
    for run in found:
        assert len(run) == 1 or len(run) * max(lengths[n] for n in run) <= MOST_TOKENS
        assert len(run) <= most


@given(LENGTHS, st.integers(min_value=1, max_value=33))
def test_together_never_costs_more_than_one_by_one(lengths: list[int], most: int) -> None:
    assert cost(lengths, runs(lengths, most)) <= cost(lengths, [[n] for n in range(len(lengths))])


@given(st.lists(st.integers(min_value=1, max_value=60), min_size=1, max_size=9))
def test_no_other_way_to_cut_the_sorted_texts_is_cheaper(lengths: list[int]) -> None:
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    others = []
    for cuts in range(2 ** (len(order) - 1)):
        ends = [0, *(n + 1 for n in range(len(order) - 1) if cuts >> n & 1), len(order)]
        way = [order[start:end] for start, end in pairwise(ends)]
        if all(len(run) == 1 or len(run) * lengths[run[-1]] <= MOST_TOKENS for run in way):
            others.append(cost(lengths, way))
    assert cost(lengths, runs(lengths, 32)) == min(others)


@given(LENGTHS)
def test_results_come_back_in_the_order_of_the_texts(lengths: list[int]) -> None:
    assert in_runs(lengths, 8, lambda run: [f"text {n}" for n in run]) == [
        f"text {n}" for n in range(len(lengths))
    ]
