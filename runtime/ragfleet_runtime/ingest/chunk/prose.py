"""Prose: whole sentences, with overlap."""

from __future__ import annotations

from ragfleet_runtime.ingest.chunk.pack import pack
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.spans import trimmed
from ragfleet_runtime.ingest.chunk.tokens import count_tokens
from ragfleet_runtime.ingest.model import Chunk


def prose_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks of whole sentences; neighbours share up to ``overlap_tokens``."""
    whole = trimmed(text, 0, len(text))
    if whole is None:
        return []
    # A chunk has a character for each token at least: short texts need no count, most others no sentences.
    if len(text) <= settings.max_tokens or count_tokens(text) <= settings.max_tokens:
        return [Chunk(*whole)]
    spans = pack(text, sentence_spans(text), settings.max_tokens, settings.overlap_tokens)
    return [Chunk(start, end) for start, end in spans]
