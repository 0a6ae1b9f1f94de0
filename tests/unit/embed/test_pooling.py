"""From numbers of tokens to vectors of texts."""

from __future__ import annotations

import numpy as np
import pytest

from ragfleet_runtime.embed.pooling import Array, Pool, Recipe, first, given, last, mean, recognise

HIDDEN: Array = np.random.default_rng(1).normal(size=(2, 4, 8)).astype(np.float32)
PADDED_RIGHT: Array = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
PADDED_LEFT: Array = np.array([[1, 1, 1, 1], [0, 0, 1, 1]])


def test_the_mean_leaves_padding_out() -> None:
    pooled = mean(HIDDEN, PADDED_RIGHT)
    assert np.allclose(pooled[0], HIDDEN[0].mean(axis=0), atol=1e-6)
    assert np.allclose(pooled[1], HIDDEN[1, :2].mean(axis=0), atol=1e-6)


def test_the_first_token_is_the_first() -> None:
    assert np.array_equal(first(HIDDEN, PADDED_RIGHT), HIDDEN[:, 0])


def test_the_last_token_is_the_last_one_that_is_not_padding_on_either_side() -> None:
    assert np.array_equal(last(HIDDEN, PADDED_RIGHT), [HIDDEN[0, 3], HIDDEN[1, 1]])
    assert np.array_equal(last(HIDDEN, PADDED_LEFT), [HIDDEN[0, 3], HIDDEN[1, 3]])


@pytest.mark.parametrize("pool", [mean, first, last])
def test_no_mask_is_a_mask_without_padding(pool: Pool) -> None:
    assert np.allclose(pool(HIDDEN, None), pool(HIDDEN, np.ones((2, 4), np.int64)), atol=1e-6)


@pytest.mark.parametrize("pool", [mean, first, last])
@pytest.mark.parametrize("unit", [True, False])
def test_a_way_of_pooling_is_recognised_by_what_it_gives(pool: Pool, unit: bool) -> None:
    recipe = Recipe(1, pool, unit)
    outputs = [np.zeros((2, 4, 8), np.float32) + 0.5, HIDDEN]
    assert recognise(outputs, PADDED_RIGHT, recipe.rows(HIDDEN, PADDED_RIGHT)) == recipe


def test_an_output_with_a_row_for_each_text_is_recognised() -> None:
    rows: Array = HIDDEN[:, 2]
    assert recognise([HIDDEN, rows], PADDED_RIGHT, rows) == Recipe(1, given, unit=False)


def test_what_none_of_the_ways_gives_is_not_recognised() -> None:
    assert recognise([HIDDEN], PADDED_RIGHT, HIDDEN.max(axis=1)) is None


def test_counting_padding_is_not_taken_for_the_mean() -> None:
    assert recognise([HIDDEN], PADDED_RIGHT, HIDDEN.mean(axis=1)) is None
