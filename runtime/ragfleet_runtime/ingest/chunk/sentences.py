"""Sentences, for chunking prose and for quoting."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sentencex import get_sentence_boundaries  # type: ignore[import-untyped]

from ragfleet_runtime.ingest.chunk.settings import Span
from ragfleet_runtime.ingest.chunk.spans import cut_at, trimmed

# The segmenter takes quadratic time on some long paragraphs; a window of this many characters bounds it.
_WINDOW = 2048

# Lines that are no part of a running paragraph. A heading, a table row, a fence and a ruler stand alone; a
# list item begins a sentence; a blank line ends one.
_LINE_BREAK = re.compile(
    r"""^[^\S\n]*+(?:
        (?P<alone> (?:\#{1,6}[^\S\n] | \| | ``` | ~~~)[^\n]*
                 | (?:=++ | -{3,}+ | \*{3,}+ | _{3,}+)[^\S\n]*+$ )
      | (?:[-*+•]|\d{1,3}[.)])[^\S\n]
      | $
    )""",
    re.MULTILINE | re.VERBOSE,
)

_MARK = re.compile(r"\s*(?:[-*+•]|\(?\d{1,3}[.)])[^\S\n]+")


def sentence_spans(text: str, start: int = 0, end: int | None = None) -> list[Span]:
    """The sentences in ``text[start:end]``: spans of ``text`` in characters, without the whitespace around.

    Blank lines, list items, table rows and headings end a sentence whatever its punctuation. A sentence of
    more than 2,048 characters comes in parts.
    """
    end = len(text) if end is None else end
    if text.find("\n", start, end) < 0:
        paragraphs = [(start, end)]
    else:
        paragraphs = cut_at(text, start, end, _line_breaks(text, start, end))
    return [sentence for paragraph in paragraphs for sentence in _sentences(text, *paragraph)]


def _line_breaks(text: str, start: int, end: int) -> Iterator[int]:
    for line in _LINE_BREAK.finditer(text, start, end):
        yield line.start()
        if line["alone"] is not None:
            yield line.end()


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentences of a paragraph; its number or bullet belongs to the first."""
    mark = _MARK.match(text, start, end)
    if mark is None:
        yield from _segments(text, start, end)
        return
    first, *others = list(_segments(text, mark.end(), end)) or [(start, mark.end())]
    begin = trimmed(text, start, first[1])
    if begin is not None:
        yield begin
    yield from others


def _segments(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end:
        window = text[start : start + _WINDOW] if end - start > _WINDOW else text[start:end]
        bounds = [(b["start_index"], b["end_index"]) for b in get_sentence_boundaries("en", window)]
        consumed = len(window)
        if start + consumed < end:
            # The window's last sentence may go on behind it.
            if len(bounds) > 1:
                consumed = bounds.pop()[0]
            else:
                consumed = _last_gap(window)
                bounds = [(0, consumed)]
        for one, other in bounds:
            span = trimmed(text, start + one, start + other)
            if span is not None:
                yield span
        start += consumed


def _last_gap(window: str) -> int:
    """Where to cut a window that is one sentence: at its last space, or at its end."""
    gap = max(window.rfind(" "), window.rfind("\n"))
    return gap if gap > 0 else len(window)
