"""Plain text and Markdown."""

from __future__ import annotations

import re
from typing import Any

from ragfleet_runtime.ingest.chunk.headings import plain_title
from ragfleet_runtime.ingest.chunk.markdown import FRONT_MATTER, BlockKind, blocks
from ragfleet_runtime.ingest.model import Kind, Parsed
from ragfleet_runtime.ingest.parse.dates import utc_from_iso
from ragfleet_runtime.ingest.textkind import detect_text_kind

_FIELD = re.compile(r"^(title|author|date)[ \t]*:[ \t]*(\"[^\"\n]*\"|'[^'\n]*'|[^\n#|>\[{]*)", re.MULTILINE)


def parse_text(text: str) -> Parsed:
    """Plain text, as it is; numbered sections make it legal text, and headings Markdown."""
    kind = detect_text_kind(text)
    return parse_markdown(text) if kind is Kind.MARKDOWN else Parsed(text, kind)


def parse_markdown(text: str) -> Parsed:
    """Markdown, as it is. The title is that of the front matter, or the first heading of level 1."""
    front = _front_matter(text)
    metadata: dict[str, Any] = {}
    if author := front.get("author"):
        metadata["author"] = author
    if created := utc_from_iso(front.get("date", "")):
        metadata["created_at"] = created
    return Parsed(text, Kind.MARKDOWN, front.get("title") or first_heading(text), metadata)


def first_heading(markdown: str) -> str | None:
    """The text of the first heading of level 1."""
    for block in blocks(markdown):
        if block.kind is BlockKind.HEADING and block.level == 1 and block.title:
            return plain_title(block.title)
    return None


def _front_matter(text: str) -> dict[str, str]:
    """Title, author and date, where they are plain values; no more of YAML is needed here."""
    front = FRONT_MATTER.match(text)
    if front is None:
        return {}
    return {field[1]: field[2].strip().strip("\"'") for field in _FIELD.finditer(front[1])}
