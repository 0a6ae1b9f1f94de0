"""Which texts a model computes together. Pure.

A run of the model costs what its tokens cost, padding included, and something for the run itself: its
weights pass through the processor once. On MiniLM (int8, one thread of a 2.5 GHz Xeon) a token costs 0.12 ms
and a run 1.5 ms, as much as 12 tokens; larger models should keep that proportion, since both grow with their
weights. So together is cheaper only where texts are about equally long, and short: from 256 tokens on a run
gains nothing from more texts, and takes memory for them (measured: 600 MB for 32 texts of 256 tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

RUN_TOKENS = 12
"""What a run costs beside its tokens, in tokens."""

MOST_TOKENS = 256
"""Tokens in a run of more than one text, padding included."""

T = TypeVar("T")


def runs(lengths: Sequence[int], most_texts: int) -> list[list[int]]:
    """The cheapest way to compute texts of these lengths: positions in ``lengths`` for each run.

    lengths: tokens of each text. most_texts: texts in a run at most. Every position is in one run; a run pads
    its texts to the longest of them.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    costs = [0]  # of the first texts of the order
    firsts = [0]  # where the last run of these begins
    for end, position in enumerate(order, start=1):
        length = max(1, lengths[position])
        most = min(end, most_texts, max(1, MOST_TOKENS // length))
        cost, size = min(
            (costs[end - size] + RUN_TOKENS + size * length, size) for size in range(1, most + 1)
        )
        costs.append(cost)
        firsts.append(end - size)
    found = []
    end = len(order)
    while end:
        found.append(order[firsts[end] : end])
        end = firsts[end]
    return found[::-1]


def in_runs(lengths: Sequence[int], most_texts: int, compute: Callable[[list[int]], Sequence[T]]) -> list[T]:
    """The results of ``compute`` for the positions of each run, in the order of ``lengths``."""
    by_position: dict[int, T] = {}
    for run in runs(lengths, most_texts):
        by_position.update(zip(run, compute(run), strict=True))
    return [by_position[position] for position in range(len(lengths))]
