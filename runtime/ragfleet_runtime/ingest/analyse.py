"""From what a client sends to counted passages: prepare, then analyse. Runs in worker processes.

Analysis takes as long as chunking, and holds the interpreter: done here, it takes nothing from the service.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import indexed_text
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Chunk, Kind, ParseError, Prepared
from ragfleet_runtime.ingest.prepare import prepare_file, prepare_text, rechunk


class Recipe(NamedTuple):
    """How documents are cut and analysed."""

    chunking: ChunkSettings
    language: str


class Analysed(NamedTuple):
    """A document ready to be written: its text and passages, its title, and each passage's term counts."""

    prepared: Prepared
    title: str | None
    counts: tuple[dict[int, int], ...]


def analyse_file(data: bytes, name: str | None, content_type: str | None, recipe: Recipe) -> Analysed:
    """A file, parsed, chunked and counted. Raises ParseError."""
    prepared = prepare_file(data, name, content_type, recipe.chunking)
    return _analysed(prepared, prepared.parsed.title, Analyzer(recipe.language))


def analyse_texts(texts: Sequence[tuple[str, str | None]], recipe: Recipe) -> list[Analysed | str]:
    """Texts with their titles, in their order: each analysed, or the message of why it can't be."""
    analyzer = Analyzer(recipe.language)
    return [_analysed_or_reason(text, title, recipe, analyzer) for text, title in texts]


def analyse_again(
    text: str, kind: Kind, title: str | None, recipe: Recipe
) -> tuple[tuple[Chunk, ...], tuple[dict[int, int], ...]]:
    """The passages of a text that was parsed before, and their counts."""
    chunks = rechunk(text, kind, recipe.chunking)
    return chunks, _counts(text, title, chunks, Analyzer(recipe.language))


def _analysed_or_reason(text: str, title: str | None, recipe: Recipe, analyzer: Analyzer) -> Analysed | str:
    try:
        prepared = prepare_text(text, recipe.chunking)
    except ParseError as error:
        return str(error)
    return _analysed(prepared, title or prepared.parsed.title, analyzer)


def _analysed(prepared: Prepared, title: str | None, analyzer: Analyzer) -> Analysed:
    return Analysed(prepared, title, _counts(prepared.parsed.text, title, prepared.chunks, analyzer))


def _counts(
    text: str, title: str | None, chunks: Sequence[Chunk], analyzer: Analyzer
) -> tuple[dict[int, int], ...]:
    return tuple(
        analyzer.counts(indexed_text(title, chunk.headings, text[chunk.start : chunk.end]))
        for chunk in chunks
    )
