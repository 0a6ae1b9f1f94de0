"""Reading a file: its type, its parser, its metadata."""

from __future__ import annotations

import re
from dataclasses import replace

from ragfleet_runtime.ingest.decode import decode_text
from ragfleet_runtime.ingest.detect import detect_type
from ragfleet_runtime.ingest.filetypes import CSV, DOCX, HTML, LANGUAGES, MARKDOWN, PDF, TSV
from ragfleet_runtime.ingest.model import Parsed, ParseError

EMPTY = "the document is empty"

_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:-]{2,40})", re.IGNORECASE)


def parse(data: bytes, name: str | None, content_type: str | None) -> Parsed:
    """A file as text, with what is known of it. Raises ParseError with what to do about it.

    name: the file's name or path. content_type: what its sender declares, which may be wrong.
    The text has no NUL, no carriage return and no half of a surrogate pair.
    """
    if not data.strip():
        raise ParseError(EMPTY)
    type_ = detect_type(data, name, content_type)
    parsed = _parse(data, type_, content_type)
    text = _clean(parsed.text)
    if not text.strip():
        raise ParseError(EMPTY)
    metadata = {"file_type": type_, "file_size": len(data), "words": len(text.split()), **parsed.metadata}
    if name:
        metadata["file_name"] = name
    metadata = {key: _clean(value) if isinstance(value, str) else value for key, value in metadata.items()}
    title = _clean(parsed.title) if parsed.title is not None else None
    return replace(parsed, text=text, title=title, metadata=metadata)


def _parse(data: bytes, type_: str, content_type: str | None) -> Parsed:
    """Parsers are imported when they are needed: a worker that reads no PDF doesn't load PDFium."""
    if type_ == PDF:
        from ragfleet_runtime.ingest.parse.pdf import parse_pdf  # noqa: PLC0415

        return parse_pdf(data)
    if type_ == DOCX:
        from ragfleet_runtime.ingest.parse.docx import parse_docx  # noqa: PLC0415

        return parse_docx(data)
    charset = _CHARSET.search(content_type or "")
    declared = charset[1] if charset is not None else None
    if type_ == HTML:
        from ragfleet_runtime.ingest.parse.html import declared_charset, parse_html  # noqa: PLC0415

        return parse_html(decode_text(data, declared or declared_charset(data)))
    text = decode_text(data, declared)
    if type_ in (CSV, TSV):
        from ragfleet_runtime.ingest.parse.csv import parse_csv  # noqa: PLC0415

        return parse_csv(text, "\t" if type_ == TSV else None)
    if type_ in LANGUAGES:
        from ragfleet_runtime.ingest.parse.code import parse_code  # noqa: PLC0415

        return parse_code(text, type_)
    from ragfleet_runtime.ingest.parse.text import parse_markdown, parse_text  # noqa: PLC0415

    return parse_markdown(text) if type_ == MARKDOWN else parse_text(text)


def _clean(text: str) -> str:
    """The text without NUL and carriage returns; half a surrogate pair becomes U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "")
    if "\r" in text:
        text = re.sub(r"\r\n?", "\n", text)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
