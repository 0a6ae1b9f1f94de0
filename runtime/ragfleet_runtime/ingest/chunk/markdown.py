"""Markdown by line: its blocks, as far as cutting needs them (CommonMark 0.31, with tables and front matter).

Not told apart: what a list item or a quotation holds, and code by indentation. They are paragraphs here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from ragfleet_runtime.ingest.chunk.spans import LINE

FRONT_MATTER = re.compile(r"---[ \t\r]*\n(?=[\w\"'-]+[ \t]*:)((?:[^\n]*\n)*?)(?:---|\.\.\.)[ \t\r]*(?:\n|\Z)")
"""YAML between two lines of dashes at the very start; its group is the YAML."""

_HEADING = re.compile(r"(#{1,6})(?:[ \t]+([^\n]*))?\Z")
_CLOSING_HASHES = re.compile(r"(?:^|[ \t])#+\Z")
_FENCE = re.compile(r"(`{3,}+(?=[^`]*\Z)|~{3,}+)")
_ITEM = re.compile(r"(?:[-*+•]|\d{1,9}[.)])(?:[ \t]|\Z)")
_UNDERLINE = re.compile(r"(?:=+|-+)\Z")
_TABLE_RULER = re.compile(r"[ \t:|-]*-[ \t:|-]*\Z")
_CODE_INDENT = 4


class BlockKind(Enum):
    """What a block is."""

    HEADING = auto()
    FENCE = auto()
    TABLE = auto()
    ITEM = auto()
    PARAGRAPH = auto()


@dataclass(slots=True)
class Block:
    """``text[start:end]``, whole lines without whitespace at the ends. Headings have a level and a title."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    title: str = ""
    lines: int = 1


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text, in order; they hold all of it but whitespace between them."""
    position = 0
    if (front := FRONT_MATTER.match(text)) is not None:
        position = front.end()
        yield Block(BlockKind.PARAGRAPH, 0, len(front[0].rstrip()))
    scanner = _Scanner()
    for line in LINE.finditer(text, position):
        newline = text.rfind("\n", position, line.start())
        follows_blank = text.count("\n", position, line.start()) > 1
        indent = line.start() - (newline + 1 if newline >= 0 else position)
        yield from scanner.feed(line.start(), line[0].rstrip(), indent, follows_blank)
        position = line.end()
    yield from scanner.finish()


class _Scanner:
    """Joins lines to blocks; holds the block that may still grow."""

    def __init__(self) -> None:
        self._open: Block | None = None
        self._fence = ""
        self._last_line = ""

    def feed(self, start: int, line: str, indent: int, follows_blank: bool) -> Iterator[Block]:
        """Take the next line that isn't blank; gives the blocks that it ends."""
        end = start + len(line)
        current = self._open
        if self._fence and current is not None:
            current.end = end
            if line.startswith(self._fence) and not line.strip(self._fence[0]):
                self._fence = ""
                yield from self.finish()
            return
        if current is not None and not follows_blank and self._extends(current, line, end):
            self._last_line = line
            return
        yield from self.finish()
        self._last_line = line
        self._open = self._begin(start, end, line, indent)
        if self._open.kind is BlockKind.HEADING:
            yield from self.finish()

    def finish(self) -> Iterator[Block]:
        """End the open block and give it."""
        if self._open is not None:
            yield self._open
        self._open = None

    def _begin(self, start: int, end: int, line: str, indent: int) -> Block:
        if line[0] == "#" and indent < _CODE_INDENT and (heading := _HEADING.match(line)) is not None:
            title = _CLOSING_HASHES.sub("", heading[2] or "").strip()
            return Block(BlockKind.HEADING, start, end, len(heading[1]), title)
        if line[0] in "`~" and (fence := _FENCE.match(line)) is not None:
            self._fence = fence[1]
            return Block(BlockKind.FENCE, start, end)
        if line[0] == "|":
            return Block(BlockKind.TABLE, start, end)
        return Block(BlockKind.ITEM if _ITEM.match(line) else BlockKind.PARAGRAPH, start, end)

    def _extends(self, current: Block, line: str, end: int) -> bool:
        """Whether the line goes on with the open block, which then holds it."""
        if current.kind is BlockKind.PARAGRAPH and current.lines == 1 and self._completes(current, line):
            current.end = end
            return True
        if current.kind is BlockKind.TABLE:
            extends = "|" in line and not self._interrupts(line)
        else:
            extends = current.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM) and not (
                line[0] == "|" or self._interrupts(line)
            )
        if extends:
            current.end = end
            current.lines += 1
        return extends

    def _completes(self, current: Block, line: str) -> bool:
        """Whether the line makes the paragraph's only line a heading or the head of a table."""
        if _UNDERLINE.match(line):
            current.kind = BlockKind.HEADING
            current.level = 1 if line[0] == "=" else 2
            current.title = self._last_line.strip()
            return True
        if "|" in line and "|" in self._last_line and _TABLE_RULER.match(line):
            current.kind = BlockKind.TABLE
            return True
        return False

    @staticmethod
    def _interrupts(line: str) -> bool:
        return (
            _ITEM.match(line) is not None
            or (line[0] == "#" and _HEADING.match(line) is not None)
            or (line[0] in "`~" and _FENCE.match(line) is not None)
        )
