"""Writing Markdown, block by block."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragfleet_runtime.ingest.parse.rows import one_line

_MOST_INDENT = 8
# A paragraph's line that Markdown would take for something else.
_MARKUP = re.compile(r"(?=#{1,6}(?:\s|\Z)|```|~~~|\||=+\Z|-+\Z|[-*+]\s)")
_BACKTICKS = re.compile(r"`{3,}")


class MarkdownWriter:
    """Collects inline text; writes it as a paragraph, heading or list item where its block ends."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._last_is_item = False
        self._inline: list[str] = []
        self._heading = 0
        self._items: list[bool] = []  # for each open list item, whether its first line is written

    def write(self, text: str) -> None:
        """Add inline text; its whitespace counts as one space."""
        self._inline.append(text.replace("\n", " "))

    def break_line(self) -> None:
        """End the line within its block."""
        self._inline.append("\n")

    def begin_heading(self, level: int) -> None:
        """End the block; what follows up to the next end is a heading."""
        self.end_block()
        self._heading = level

    def begin_item(self) -> None:
        """End the block; what follows up to the item's end belongs to a list item."""
        self.end_block()
        self._items.append(False)

    def end_item(self) -> None:
        """End the block and the list item."""
        self.end_block()
        if self._items:
            self._items.pop()

    def end_block(self) -> None:
        """Write what was collected."""
        text = "".join(self._inline)
        heading, self._heading = self._heading, 0
        if not text:
            return
        self._inline.clear()
        lines = [line for line in map(one_line, text.split("\n")) if line]
        if not lines:
            return
        if heading:
            self._add(f"{'#' * heading} {' '.join(lines)}")
        else:
            self._add_text(lines)

    def write_code(self, code: str, language: str = "") -> None:
        """Write preformatted text as a fenced block."""
        self.end_block()
        code = code.strip("\n")
        if code.strip():
            fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(code)), default=2))
            self._add(f"{fence}{language}\n{code.rstrip()}\n{fence}")

    def write_lines(self, caption: str, lines: Sequence[str]) -> None:
        """Write lines as a list under a caption."""
        self.end_block()
        if caption:
            self._add(_escaped(caption))
        for line in lines:
            self._add(f"- {line}", is_item=True)

    def text(self) -> str:
        """All that was written."""
        self.end_block()
        return "".join(self._blocks).strip("\n")

    def _add_text(self, lines: Sequence[str]) -> None:
        escaped = [_escaped(line) for line in lines]
        if not self._items:
            self._add("\n".join(escaped))
            return
        indent = "  " * min(len(self._items) - 1, _MOST_INDENT)
        first = "  " if self._items[-1] else "- "
        self._items[-1] = True
        self._add(indent + first + f"\n{indent}  ".join(escaped), is_item=True)

    def _add(self, block: str, *, is_item: bool = False) -> None:
        if self._blocks:
            self._blocks.append("\n" if is_item and self._last_is_item else "\n\n")
        self._blocks.append(block)
        self._last_is_item = is_item


def _escaped(line: str) -> str:
    return "\\" + line if _MARKUP.match(line) else line
