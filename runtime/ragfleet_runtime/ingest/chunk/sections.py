"""Legal text: numbered sections."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragfleet_runtime.ingest.chunk.labels import Label, labels
from ragfleet_runtime.ingest.chunk.markdown import Block, BlockKind
from ragfleet_runtime.ingest.chunk.outline import Section, outline_chunks
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.spans import cut_at, trimmed
from ragfleet_runtime.ingest.model import Chunk

_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")
_TITLE_END = re.compile(r"[.:](?=\s)")
_TITLE_CHARACTERS = 100
_CLOSE_TITLE_CHARACTERS = 60  # of a title right above its text
_TITLE_WORDS = 12
_RUN_IN_TITLE_WORDS = 6


def section_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks of numbered sections. ``Chunk.headings`` is the path of numbers, each with its title if any.

    Articles, sections and paragraphs stand above plain numbers, chapters, parts and books above those;
    ``1.2.3`` stands under ``1.2``, under ``1``.
    """
    return outline_chunks(text, _sections(text), settings)


def _sections(text: str) -> Iterator[Section]:
    found = labels(text)
    starts = [label.start for label in found]
    preamble = _paragraphs(text, 0, starts[0] if starts else len(text))
    if preamble:
        yield Section(None, 0, "", preamble)
    for label, end in zip(found, [*starts[1:], len(text)], strict=False):
        title, title_end = _title(text, label, end)
        heading = trimmed(text, label.start, title_end)
        body = _paragraphs(text, title_end, end)
        yield Section(heading, label.level, f"{label.text} {title}".rstrip(), body)


def _title(text: str, label: Label, end: int) -> tuple[str, int]:
    """A section's title, "" for none, and where its heading ends.

    The rest of the number's line is a title where it is short and ends like no sentence; or its first words
    are, run in before the text ("12. Term. This agreement …"). Else the line is the section's text.
    """
    line_end = text.find("\n", label.rest, end)
    line_end = end if line_end < 0 else line_end
    rest = text[label.rest : min(line_end, label.rest + _TITLE_CHARACTERS + 1)].rstrip()
    stop = _TITLE_END.search(rest)
    if stop is not None:
        title, most_words = rest[: stop.start()], _RUN_IN_TITLE_WORDS
        title_end = label.rest + stop.end()
    elif _is_title(rest, text[line_end + 1 : min(end, line_end + 2)]):
        title, most_words = rest.rstrip(":"), _TITLE_WORDS
        title_end = label.rest + len(rest)
    else:
        return "", label.rest
    return (title, title_end) if len(title.split()) <= most_words else ("", label.rest)


def _is_title(line: str, following: str) -> bool:
    """Whether a line is a title; ``following`` is the first character of the next line, or "" for none.

    The first of several lines of a paragraph is no title, though it ends like one.
    """
    if len(line) > _TITLE_CHARACTERS or line.endswith((".", ";", ",")):
        return False
    stands_alone = not following or following.isspace()
    return stands_alone or (len(line) <= _CLOSE_TITLE_CHARACTERS and not following.islower())


def _paragraphs(text: str, start: int, end: int) -> list[Block]:
    breaks = (blank.start() for blank in _BLANK_LINE.finditer(text, start, end))
    return [Block(BlockKind.PARAGRAPH, *span) for span in cut_at(text, start, end, breaks)]
