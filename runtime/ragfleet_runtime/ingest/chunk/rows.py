"""Tables as the CSV parser writes them: whole rows."""

from __future__ import annotations

from ragfleet_runtime.ingest.chunk.pack import pack
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.spans import line_spans
from ragfleet_runtime.ingest.model import Chunk


def row_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks of whole lines, without overlap: rows have no running sense to keep."""
    return [Chunk(start, end) for start, end in pack(text, line_spans(text), settings.max_tokens)]
