"""Documents for tests of the index, encoded as ingestion would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key
from ragfleet_runtime.index.engine import indexed_text
from ragfleet_runtime.index.writer import EncodedChunk, EncodedDocument


def encoded(
    analyzer: Analyzer,
    id_: str,
    chunks: Sequence[str],
    *,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    vectors: Sequence[Vector] | None = None,
) -> EncodedDocument:
    """A document whose chunks are the given texts, one to a line."""
    text = "\n".join(chunks)
    made = []
    start = 0
    dense: Sequence[Vector | None] = vectors or [None] * len(chunks)
    for chunk, vector in zip(chunks, dense, strict=True):
        counts = analyzer.counts(indexed_text(title, (), chunk))
        made.append(EncodedChunk(start, start + len(chunk), (), counts, vector))
        start += len(chunk) + 1
    return EncodedDocument(
        Key(DEFAULT_TENANT, id_),
        f"hash of {text}",
        "recipe",
        "prose",
        title,
        metadata or {},
        text,
        tuple(made),
    )
