"""DOCX: the body in its order as Markdown, tables as rows. Notes, headers and footers are left out."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.exceptions import OpcError
from lxml import etree  # type: ignore[import-untyped]

from ragfleet_runtime.ingest.chunk.labels import are_legal, labels
from ragfleet_runtime.ingest.model import Kind, Parsed, ParseError
from ragfleet_runtime.ingest.parse.dates import utc
from ragfleet_runtime.ingest.parse.docx_body import write_body

if TYPE_CHECKING:
    from docx.document import Document

_MOST_PARTS = 10_000
_MOST_BYTES = 256 * 2**20
_MOST_RATIO = 200
_RATIO_FROM_BYTES = 16 * 2**20  # what is smaller may be as repetitive as it likes
_DAMAGED = "the DOCX is truncated or damaged: open it in a word processor and save it again, or send it again"


def parse_docx(data: bytes) -> Parsed:
    """A DOCX as Markdown; numbered sections without headings make it legal text."""
    _check_archive(data)
    try:
        document = docx.Document(io.BytesIO(data))
        text, has_headings = write_body(document)
        title, metadata = _core_properties(document)
    except (OpcError, KeyError, ValueError, etree.LxmlError, zipfile.BadZipFile, zlib.error, EOFError):
        raise ParseError(_DAMAGED) from None
    is_legal = not has_headings and are_legal(labels(text))
    return Parsed(text, Kind.LEGAL if is_legal else Kind.MARKDOWN, title, metadata)


def _check_archive(data: bytes) -> None:
    """Raises ParseError for an archive that would unpack to too much: a "zip bomb"."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise ParseError(_DAMAGED) from None
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError("the document is encrypted with a password: remove it and try again")
    size = sum(entry.file_size for entry in entries)
    if len(entries) > _MOST_PARTS:
        raise ParseError(f"the DOCX has {len(entries)} parts (a zip bomb?); at most {_MOST_PARTS} are read")
    if size > _MOST_BYTES:
        raise ParseError(
            f"the DOCX unpacks to {size // 2**20} MiB (a zip bomb?); at most {_MOST_BYTES // 2**20} are read"
        )
    if size > _RATIO_FROM_BYTES and size > _MOST_RATIO * len(data):
        raise ParseError(f"the DOCX unpacks to {size // len(data)} times its size (a zip bomb?)")


def _core_properties(document: Document) -> tuple[str | None, dict[str, Any]]:
    """The document's title, and its author and times."""
    try:
        document.part.package.part_related_by(RELATIONSHIP_TYPE.CORE_PROPERTIES)
    except KeyError:  # python-docx would make some up
        return None, {}
    properties = document.core_properties
    metadata: dict[str, Any] = {}
    if author := properties.author.strip():
        metadata["author"] = author
    if properties.created is not None:
        metadata["created_at"] = utc(properties.created)
    if properties.modified is not None:
        metadata["modified_at"] = utc(properties.modified)
    return properties.title.strip() or None, metadata
