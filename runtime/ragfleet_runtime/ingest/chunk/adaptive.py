"""The choice of how a document is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ragfleet_runtime.ingest.chunk.code import code_chunks
from ragfleet_runtime.ingest.chunk.headings import heading_chunks
from ragfleet_runtime.ingest.chunk.prose import prose_chunks
from ragfleet_runtime.ingest.chunk.python import python_chunks
from ragfleet_runtime.ingest.chunk.rows import row_chunks
from ragfleet_runtime.ingest.chunk.sections import section_chunks
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Chunk, Kind

RECIPE_VERSION = 1
"""Version of the chunking code. A change that cuts a text in another way adds one: documents get stale."""

_Chunker = Callable[[str, ChunkSettings], list[Chunk]]


def chunk(text: str, kind: Kind, settings: ChunkSettings) -> tuple[Chunk, ...]:
    """The chunks of a text, in order; of equal ones (text and headings) the first. None for a blank text."""
    return _distinct(text, cut(text, kind, settings))


def cut(text: str, kind: Kind, settings: ChunkSettings) -> list[Chunk]:
    """All chunks of a text, in order, each of at most ``max_tokens``; only whitespace is left out.

    "Adaptive" cuts each kind in its own way; the other strategies cut every kind in one.
    """
    return _chunker(kind, settings.strategy)(text, settings)


def _chunker(kind: Kind, strategy: str) -> _Chunker:
    match strategy:
        case "Adaptive":
            return _chunker_of(kind)
        case "Sentence":
            return prose_chunks
        case "Heading":
            return heading_chunks
        case "Section":
            return section_chunks
        case "Syntax":
            return python_chunks if kind is Kind.PYTHON else code_chunks
        case _:
            raise ValueError(f"unknown chunking strategy {strategy!r}")


def _chunker_of(kind: Kind) -> _Chunker:
    match kind:
        case Kind.PROSE:
            return prose_chunks
        case Kind.MARKDOWN:
            return heading_chunks
        case Kind.LEGAL:
            return section_chunks
        case Kind.TABLE:
            return row_chunks
        case Kind.PYTHON:
            return python_chunks
        case Kind.CODE:
            return code_chunks


def _distinct(text: str, chunks: Sequence[Chunk]) -> tuple[Chunk, ...]:
    first: dict[tuple[str, tuple[str, ...]], Chunk] = {}
    for chunk in chunks:
        first.setdefault((text[chunk.start : chunk.end], chunk.headings), chunk)
    return tuple(first.values())
