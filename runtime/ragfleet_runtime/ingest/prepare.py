"""From what a client sends to passages: parse and chunk. Runs in worker processes.

Arguments and results are plain values that pickle, and the imports stay light: a worker starts with them.
"""

from __future__ import annotations

from ragfleet_runtime.ingest.chunk.adaptive import chunk
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Chunk, Kind, Parsed, ParseError, Prepared
from ragfleet_runtime.ingest.parse.registry import EMPTY, parse
from ragfleet_runtime.ingest.textkind import detect_text_kind


def prepare_file(
    data: bytes, name: str | None, content_type: str | None, settings: ChunkSettings
) -> Prepared:
    """A file, parsed and chunked. Raises ParseError."""
    parsed = parse(data, name, content_type)
    return Prepared(parsed, chunk(parsed.text, parsed.kind, settings))


def prepare_text(text: str, settings: ChunkSettings) -> Prepared:
    """A text, unchanged, and its chunks. Raises ParseError for text that is blank or can't be stored."""
    if "\0" in text:
        raise ParseError(f"the text holds a NUL at character {text.index(chr(0))}: send text without it")
    if not text.isascii():
        _check_unicode(text)
    kind = detect_text_kind(text)
    chunks = chunk(text, kind, settings)
    if not chunks:
        raise ParseError(EMPTY)
    return Prepared(Parsed(text, kind), chunks)


def rechunk(text: str, kind: Kind, settings: ChunkSettings) -> tuple[Chunk, ...]:
    """The chunks of a text that was parsed before."""
    return chunk(text, kind, settings)


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError(
            f"the text holds half of a surrogate pair at character {error.start}: send valid Unicode"
        ) from None
