"""Packing: units of text into passages of a bounded size."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from ragfleet_runtime.ingest.chunk.settings import Span
from ragfleet_runtime.ingest.chunk.tokens import count_tokens, split_at_tokens


def pack(text: str, units: Iterable[Span], max_tokens: int, overlap_tokens: int = 0) -> list[Span]:
    """Passages of at most ``max_tokens``, filled in order with whole units.

    A passage begins with the last whole units of the one before it, as many as ``overlap_tokens`` allows and
    the next unit leaves room for. A unit with more than ``max_tokens`` is cut at tokens.
    """
    passages: list[Span] = []
    current: deque[tuple[int, int, int]] = deque()
    size = 0
    for start, end, tokens in _sized(text, units, max_tokens):
        if size + tokens > max_tokens:
            passages.append((current[0][0], current[-1][1]))
            size = _keep_tail(current, min(overlap_tokens, max_tokens - tokens))
        current.append((start, end, tokens))
        size += tokens
    if current:
        passages.append((current[0][0], current[-1][1]))
    return passages


def _keep_tail(current: deque[tuple[int, int, int]], room: int) -> int:
    """Drop all but the last units that fit ``room`` tokens; returns their tokens."""
    kept = size = 0
    for _, _, tokens in reversed(current):
        if size + tokens > room:
            break
        kept += 1
        size += tokens
    while len(current) > kept:
        current.popleft()
    return size


def _sized(text: str, units: Iterable[Span], max_tokens: int) -> Iterator[tuple[int, int, int]]:
    for start, end in units:
        tokens = count_tokens(text, start, end)
        if tokens <= max_tokens:
            yield start, end, tokens
        else:
            for piece in split_at_tokens(text, (start, end), max_tokens):
                yield *piece, count_tokens(text, *piece)
