"""From a model's numbers for each token to one vector for each text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = Array | None
"""(texts, tokens), 1 where a token isn't padding; None where none is, which is faster."""
Pool = Callable[[Array, Mask], Array]

# Far above the rounding of 32-bit sums, far below the difference between two ways of pooling.
_SAME = 1e-3


class Recipe(NamedTuple):
    """How a model's outputs become vectors: which output, how its tokens are pooled, whether length is 1."""

    output: int
    pool: Pool
    unit: bool

    def rows(self, hidden: Array, mask: Mask) -> Array:
        """A row for each text. hidden: the output, (texts, tokens, numbers) or (texts, numbers)."""
        rows = self.pool(hidden, mask)
        return rows / np.sqrt(np.square(rows).sum(axis=1, keepdims=True)) if self.unit else rows


def mean(hidden: Array, mask: Mask) -> Array:
    """The mean over the tokens of each text."""
    if mask is None:
        whole: Array = np.add.reduce(hidden, axis=1) / hidden.shape[1]
        return whole
    weights = mask.astype(hidden.dtype)
    pooled: Array = (weights[:, np.newaxis, :] @ hidden)[:, 0, :] / weights.sum(axis=1, keepdims=True)
    return pooled


def first(hidden: Array, _mask: Mask) -> Array:
    """The first token of each text."""
    return hidden[:, 0]


def last(hidden: Array, mask: Mask) -> Array:
    """The last token of each text, on whichever side the padding is."""
    if mask is None:
        return hidden[:, -1]
    tokens = mask.shape[1]
    pooled: Array = hidden[np.arange(len(hidden)), tokens - 1 - np.argmax(mask[:, ::-1], axis=1)]
    return pooled


def given(hidden: Array, _mask: Mask) -> Array:
    """A row for each text, as the model gives it."""
    return hidden


def recognise(outputs: Sequence[Array], mask: Mask, expected: Array) -> Recipe | None:
    """The recipe that makes the expected rows from a model's outputs; None where none of ours does."""
    for output, hidden in enumerate(outputs):
        ways: tuple[Pool, ...] = {2: (given,), 3: (mean, first, last)}.get(hidden.ndim, ())
        for pool in ways:
            for unit in (False, True):
                recipe = Recipe(output, pool, unit)
                rows = recipe.rows(hidden, mask)
                if rows.shape == expected.shape and np.allclose(rows, expected, rtol=_SAME, atol=_SAME / 10):
                    return recipe
    return None
