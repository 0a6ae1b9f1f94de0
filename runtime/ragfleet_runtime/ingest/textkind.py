"""What kind of text a text without a file name is."""

from __future__ import annotations

import re

from ragfleet_runtime.ingest.chunk.labels import are_legal, labels
from ragfleet_runtime.ingest.chunk.markdown import FRONT_MATTER, Block, BlockKind, blocks
from ragfleet_runtime.ingest.model import Kind

# One "#" line, a list or a link is found in plain text too. Two different signs of Markdown are not, nor are
# two headings, a closed fence, or a table with its ruler.
_ENOUGH = 2
_LIST_ITEMS = 3
_TITLE_CHARACTERS = 120

_LINK = re.compile(r"\[[^\[\]\n]{1,200}\]\((?:https?://|[./#\w])[^()\s]{0,500}\)")
_CLOSED_FENCE = re.compile(r"([`~])\1\1[^\n]*\n.*\n[ \t]*\1{3,}\Z", re.DOTALL)
_TABLE_HEAD = re.compile(r"[^\n]*+\n[ \t]*\|?[ \t]*:?-+:?[ \t]*\|[ \t\r:|-]*(?:\n|\Z)")


def detect_text_kind(text: str) -> Kind:
    """MARKDOWN, LEGAL or PROSE, by how its lines begin; PROSE where the evidence is thin."""
    if "\n" not in text.strip():
        return Kind.PROSE
    if _is_markdown(text):
        return Kind.MARKDOWN
    return Kind.LEGAL if are_legal(labels(text)) else Kind.PROSE


def _is_markdown(text: str) -> bool:
    if FRONT_MATTER.match(text) is not None:
        return True
    signs = 0
    items = 0
    for block in blocks(text):
        if block.kind is BlockKind.ITEM:
            items += 1
        signs += _signs(text, block)
        if signs >= _ENOUGH:
            return True
    signs += (items >= _LIST_ITEMS) + (_LINK.search(text) is not None)
    return signs >= _ENOUGH


def _signs(text: str, block: Block) -> int:
    match block.kind:
        case BlockKind.HEADING:
            return 1 if 0 < len(block.title) <= _TITLE_CHARACTERS else 0
        case BlockKind.FENCE:
            return _ENOUGH if _CLOSED_FENCE.match(text, block.start, block.end) else 0
        case BlockKind.TABLE:
            return _ENOUGH if _TABLE_HEAD.match(text, block.start, block.end) else 0
        case _:
            return 0
