"""Markdown, and what the parsers write as Markdown: sections by heading."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragfleet_runtime.ingest.chunk.markdown import Block, BlockKind, blocks
from ragfleet_runtime.ingest.chunk.outline import Section, outline_chunks
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings, Span
from ragfleet_runtime.ingest.model import Chunk

_LINK = re.compile(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,1000}\)")
_EMPHASIS = re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`+")


def heading_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks of the sections under ATX and setext headings.

    Fenced code and tables are kept whole where they fit. ``Chunk.headings`` is the path of headings, the
    section's own last, without their markup.
    """
    return outline_chunks(text, _sections(text), settings)


def _sections(text: str) -> Iterator[Section]:
    heading: Span | None = None
    level, title = 0, ""
    body: list[Block] = []
    for block in blocks(text):
        if block.kind is not BlockKind.HEADING:
            body.append(block)
            continue
        if heading is not None or body:
            yield Section(heading, level, title, body)
        heading, level, title, body = (block.start, block.end), block.level, plain_title(block.title), []
    if heading is not None or body:
        yield Section(heading, level, title, body)


def plain_title(markdown: str) -> str:
    """A heading's text without emphasis, code marks and the addresses of links."""
    return _EMPHASIS.sub("", _LINK.sub(r"\1", markdown)).strip()
