"""Spans of a text: trimming, lines, and the choice of the largest units that fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise

from ragfleet_runtime.ingest.chunk.settings import Span
from ragfleet_runtime.ingest.chunk.tokens import count_tokens

Splitter = Callable[[str, int, int], Iterable[Span]]
"""Cuts ``text[start:end]`` into spans that hold all of it but whitespace between them."""

LINE = re.compile(r"\S[^\n]*")
"""A line that isn't blank, from its first character that isn't whitespace."""


def trimmed(text: str, start: int, end: int) -> Span | None:
    """``text[start:end]`` without the whitespace at its ends, or None where it has nothing else."""
    piece = text[start:end]
    body = piece.lstrip()
    if not body:
        return None
    start += len(piece) - len(body)
    return start, start + len(body.rstrip())


def line_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """The lines of ``text[start:end]`` that aren't blank, without the whitespace around them."""
    for line in LINE.finditer(text, start, len(text) if end is None else end):
        yield line.start(), line.start() + len(line[0].rstrip())


def cut_at(text: str, start: int, end: int, offsets: Iterable[int]) -> list[Span]:
    """``text[start:end]`` cut at ascending offsets within it."""
    edges = chain([start], offsets, [end])
    pieces = (trimmed(text, one, next_) for one, next_ in pairwise(edges))
    return [piece for piece in pieces if piece is not None]


def fitting(
    text: str, spans: Iterable[Span], max_tokens: int, splitters: Sequence[Splitter]
) -> Iterator[Span]:
    """The spans; one with more than ``max_tokens`` is replaced by its parts, by the first splitters needed.

    A span that no splitter makes small enough is given as it is: packing cuts it at tokens.
    """
    for span in spans:
        if not splitters or count_tokens(text, *span) <= max_tokens:
            yield span
        else:
            yield from fitting(text, splitters[0](text, *span), max_tokens, splitters[1:])
