"""Source code of any language, by brackets, indentation and blank lines; no grammar is needed.

A block ends at a blank line outside all brackets, strings and comments, where the next line isn't indented.
Strings and comments are those that most languages share. Where one is misread (an unclosed quote, a rule of
one language), a closing bracket at the beginning of a line puts the count right again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragfleet_runtime.ingest.chunk.pack import pack
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings, Span
from ragfleet_runtime.ingest.chunk.spans import cut_at, fitting, line_spans
from ragfleet_runtime.ingest.model import Chunk

_TOKEN = re.compile(
    r"""(?P<blank> \n(?:[^\S\n]*+\n)++ )
      | (?P<open> [{(\[] )
      | (?P<close> [})\]] )
      | (?P<long> /\* | \"\"\" | ''' | ` )
      | // [^\n]*+
      | (?<!\S) (?: \#(?!include|define) | --\s ) [^\n]*+
      | " (?:[^"\\\n]|\\.)*+ "?
      | (?<=[&<]) ' \w++  # a lifetime in Rust
      | ' (?:[^'\\\n]|\\.)*+ '?
    """,
    re.VERBOSE,
)
_NO_START = re.compile(r"[\s})\]]|end\b|\Z")
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")


def code_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks of whole blocks, without overlap."""
    return [Chunk(start, end) for start, end in code_spans(text, 0, len(text), settings.max_tokens)]


def code_spans(text: str, start: int, end: int, max_tokens: int) -> list[Span]:
    """``text[start:end]`` in passages of whole blocks; one too long is cut at blank lines, else at lines."""
    blocks = cut_at(text, start, end, _block_starts(text, start, end))
    return pack(text, fitting(text, blocks, max_tokens, [_at_blank_lines, line_spans]), max_tokens)


def _block_starts(text: str, start: int, end: int) -> Iterator[int]:
    """Where blocks begin after a blank line at the top level."""
    depth = 0
    position = start
    unclosed: set[str] = set()
    while (token := _TOKEN.search(text, position, end)) is not None:
        position = token.end()
        match token.lastgroup:
            case "open":
                depth += 1
            case "close":
                at_line_start = token.start() == 0 or text[token.start() - 1] == "\n"
                depth = 0 if at_line_start else max(0, depth - 1)
            case "blank":
                if depth == 0 and _NO_START.match(text, position, end) is None:
                    yield position
            case "long":
                position = _behind(text, token[0], position, end, unclosed)


def _behind(text: str, opening: str, position: int, end: int, unclosed: set[str]) -> int:
    """The position behind a string or comment of many lines; one that never closes is read as nothing.

    unclosed: openings known to have no closing any more, so that none is looked for twice.
    """
    closing = "*/" if opening == "/*" else opening
    found = -1 if closing in unclosed else text.find(closing, position, end)
    if found < 0:
        unclosed.add(closing)
        return position
    return found + len(closing)


def _at_blank_lines(text: str, start: int, end: int) -> list[Span]:
    return cut_at(text, start, end, (blank.start() for blank in _BLANK_LINE.finditer(text, start, end)))
