"""PDF by PDFium: the text of each page, as paragraphs. Nothing is rendered."""

from __future__ import annotations

from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]
from pypdfium2 import raw

from ragfleet_runtime.ingest.chunk.labels import are_legal, labels
from ragfleet_runtime.ingest.model import Kind, Parsed, ParseError
from ragfleet_runtime.ingest.parse.dates import utc_from_pdf
from ragfleet_runtime.ingest.parse.pdf_lines import page_lines
from ragfleet_runtime.ingest.parse.reflow import Line, paragraphs

_EOF_WITHIN = 1024  # bytes at the end in which %%EOF stands (ISO 32000-1, annex H.3, note 18)
_PADDING = b"\0 \t\r\n"
_DAMAGED = "the PDF is truncated or damaged: open it in a viewer and save it again, or send it again"


def parse_pdf(data: bytes) -> Parsed:
    """The text of a PDF. ``pages`` is in the metadata."""
    if b"%%EOF" not in data.rstrip(_PADDING)[-_EOF_WITHIN:]:
        # PDFium would rebuild what there is of it; half a document must not pass for the whole.
        raise ParseError(_DAMAGED)
    try:
        with pdfium.PdfDocument(data) as document:
            pages = [_lines(document, number) for number in range(len(document))]
            information = document.get_metadata_dict()
    except pdfium.PdfiumError as error:
        raise ParseError(_reason(error)) from None
    if not pages:
        raise ParseError(_DAMAGED)
    text = paragraphs(pages)
    if not text.strip():
        raise ParseError(
            "the PDF has no text layer (a scan?): run optical character recognition on it and try again"
        )
    kind = Kind.LEGAL if are_legal(labels(text)) else Kind.PROSE
    return Parsed(text, kind, _title(information["Title"]), _metadata(information, len(pages)))


def _reason(error: Exception) -> str:
    if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
        return "the PDF is encrypted with a password: remove it and try again"
    if getattr(error, "err_code", None) == raw.FPDF_ERR_SECURITY:
        return "the PDF is encrypted in a way that can't be read: save it without encryption and try again"
    return _DAMAGED


def _lines(document: Any, number: int) -> list[Line]:
    page = document[number]
    text_page = page.get_textpage()
    try:
        return list(page_lines(text_page))
    finally:
        text_page.close()
        page.close()


def _title(title: str) -> str | None:
    """The document's own title; None for what programs put there by themselves."""
    title = title.removeprefix("Microsoft Word - ").strip()
    return None if title.casefold() in ("", "untitled", "untitled document") else title


def _metadata(information: dict[str, str], pages: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"pages": pages}
    if author := information["Author"].strip():
        metadata["author"] = author
    for name, field in (("created_at", "CreationDate"), ("modified_at", "ModDate")):
        if time := utc_from_pdf(information[field]):
            metadata[name] = time
    return metadata
