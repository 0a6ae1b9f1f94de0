"""Tokens, the unit of chunk sizes.

A token is a word or a punctuation mark. No model reads the text of a BM25 pipeline, so there is no model's
tokenizer to agree with; this one is fast, the same everywhere, and needs no vocabulary. Models cut the same
text into a third more tokens, roughly.

Two rules keep a token, and with it a chunk, from growing without bound: in scripts that put no spaces between
words each character is a token, and a longer word counts once for every 64 characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from ragfleet_runtime.ingest.chunk.settings import Span

# Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[^\W{_UNSPACED}]{{1,64}}+|\S")


def count_tokens(text: str, start: int = 0, end: int | None = None) -> int:
    """The number of tokens in ``text[start:end]``."""
    return len(_TOKEN.findall(text, start, len(text) if end is None else end))


def split_at_tokens(text: str, span: Span, max_tokens: int) -> Iterator[Span]:
    """The span in pieces of at most ``max_tokens``, which begin and end with a token."""
    tokens = _TOKEN.finditer(text, *span)
    while piece := list(islice(tokens, max_tokens)):
        yield piece[0].start(), piece[-1].end()
