"""What passes between the steps of ingestion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple


class Kind(StrEnum):
    """What a document's text is, which decides how it is cut."""

    PROSE = "prose"
    MARKDOWN = "markdown"  # HTML and DOCX too: their parsers write headings and tables as Markdown
    LEGAL = "legal"
    TABLE = "table"  # one line a row, each with its header
    PYTHON = "python"
    CODE = "code"


class ParseError(Exception):
    """A document cannot be read; the message tells its owner why and what to do."""


@dataclass(frozen=True)  # without slots: those double the time that unpickling takes
class Parsed:
    """A document as text. ``metadata`` holds only JSON values."""

    text: str
    kind: Kind
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


class Chunk(NamedTuple):
    """A passage: ``text[start:end]`` of its document, in characters, and the headings it stands under."""

    start: int
    end: int
    headings: tuple[str, ...] = ()


class Prepared(NamedTuple):
    """A document ready to be encoded: its text and its passages."""

    parsed: Parsed
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A document sent as text. Without an id, the text's hash is the id."""

    id: str | None
    text: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileDocument:
    """A document sent as a file. Without an id, the content's hash is the id."""

    id: str | None
    data: bytes
    name: str | None
    content_type: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document."""

    id: str
    chunks: int
    status: Literal["indexed", "unchanged", "failed"]
    error: str | None = None
