"""Documents with an outline: each section is cut on its own, under the path of headings that leads to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragfleet_runtime.ingest.chunk.markdown import Block, BlockKind
from ragfleet_runtime.ingest.chunk.pack import pack
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings, Span
from ragfleet_runtime.ingest.chunk.spans import fitting, line_spans
from ragfleet_runtime.ingest.chunk.tokens import count_tokens
from ragfleet_runtime.ingest.model import Chunk

# Every chunk of a section carries its path, so that a runaway "heading" would be repeated in each.
_MOST_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (None before the first one) and the blocks up to the next heading.

    heading: where the heading stands. level: 1 for the outermost. title: what the path shows of it.
    """

    heading: Span | None
    level: int
    title: str
    body: Sequence[Block]


def outline_chunks(text: str, sections: Iterator[Section], settings: ChunkSettings) -> list[Chunk]:
    """Chunks of sections. Sections never share a chunk, but headings without a body join the next section."""
    chunks: list[Chunk] = []
    path: list[Section] = []
    waiting: list[Span] = []
    headings: tuple[str, ...] = ()
    for section in sections:
        if section.heading is not None:
            while path and path[-1].level >= section.level:
                path.pop()
            path.append(section)
            waiting.append(section.heading)
            headings = tuple(_clipped(part.title) for part in path if part.title)
        if section.body:
            units = [*waiting, *_body_units(text, section.body, waiting, settings.max_tokens)]
            chunks += _packed(text, units, headings, settings)
            waiting = []
    return chunks + _packed(text, waiting, headings, settings)


def _packed(
    text: str, units: Sequence[Span], headings: tuple[str, ...], settings: ChunkSettings
) -> list[Chunk]:
    spans = pack(text, units, settings.max_tokens, settings.overlap_tokens)
    return [Chunk(start, end, headings) for start, end in spans]


def _body_units(
    text: str, body: Sequence[Block], headings: Sequence[Span], max_tokens: int
) -> Iterator[Span]:
    """Blocks, or the sentences or lines of those that don't fit.

    The first block is also cut where it leaves no room for its headings: they should not stand alone.
    """
    above = sum(count_tokens(text, *heading) for heading in headings)
    for block in body:
        whole_lines = block.kind in (BlockKind.FENCE, BlockKind.TABLE)
        room = max_tokens if whole_lines or above >= max_tokens else max_tokens - above
        splitter = line_spans if whole_lines else sentence_spans
        yield from fitting(text, [(block.start, block.end)], room, [splitter])
        above = 0


def _clipped(title: str) -> str:
    if len(title) <= _MOST_CHARACTERS:
        return title
    return title[:_MOST_CHARACTERS].rsplit(None, 1)[0] + "…"
