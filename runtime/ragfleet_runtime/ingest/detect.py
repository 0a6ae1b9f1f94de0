"""The type of a file: by its first bytes, its name, what its sender declared, its content, in that order."""

from __future__ import annotations

import io
import re

from ragfleet_runtime.ingest.decode import has_byte_order_mark
from ragfleet_runtime.ingest.filetypes import (
    BY_ENDING,
    DECLARED,
    DOCX,
    HTML,
    MAGIC,
    PDF,
    SUPPORTED,
    TEXT,
    UNSUPPORTED_ENDINGS,
)
from ragfleet_runtime.ingest.model import ParseError

_PDF_WITHIN = 1024  # Acrobat, and PDFium after it, allow other bytes before "%PDF-"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\b\t\n\v\f\r\x1b")
_MOST_CONTROL = 0.01
_SAMPLE_BYTES = 64 * 1024
_HTML_START = re.compile(
    rb"\s*+(?:(?:<!--(?:(?!-->).)*+-->|<\?[^>]*+>)\s*+)*+<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)


def detect_type(data: bytes, name: str | None, content_type: str | None) -> str:
    """The MIME type of a file that can be read. Raises ParseError for others, naming those that can."""
    known = _by_magic(data, name)
    if known is not None:
        return known
    known = _by_name(name) or _by_declaration(content_type)
    if known == PDF:
        if b"%PDF-" in data[:_PDF_WITHIN]:
            return PDF
        raise ParseError("not a PDF: the file doesn't begin with %PDF-; it is damaged or wrongly named")
    if known == DOCX:
        raise ParseError("not a DOCX: the file is no ZIP archive; it is damaged or wrongly named")
    _check_text(data)
    return known or (HTML if _HTML_START.match(data[:_SAMPLE_BYTES]) else TEXT)


def _by_magic(data: bytes, name: str | None) -> str | None:
    if data[:_PDF_WITHIN].lstrip().startswith(b"%PDF-"):
        return PDF
    if data.startswith(_ZIP):
        return _zip_type(data, name)
    if data.startswith(_OLE2):
        if _ENCRYPTED_PACKAGE in data:
            raise ParseError("the document is encrypted with a password: remove it and try again")
        raise _unsupported("legacy Office files (.doc, .xls, .ppt)")
    for magic, what in MAGIC:
        if data.startswith(magic):
            raise _unsupported(what)
    if data[:4] == b"RIFF" and data[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        raise _unsupported("images, sound and video")
    if data[:2] == b"\0\0" and data[4:8] == b"ftyp":
        raise _unsupported("images, sound and video")
    return None


def _zip_type(data: bytes, name: str | None) -> str:
    import zipfile  # noqa: PLC0415, slow to import, and few files need it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        if _ending(name) == "docx" or b"word/" in data[:_SAMPLE_BYTES]:
            raise ParseError("the DOCX is truncated or damaged: send it again") from None
        raise _unsupported("ZIP archives") from None
    if "word/document.xml" in names:
        return DOCX
    if "[Content_Types].xml" in names and any(part.startswith("word/") for part in names):
        return DOCX
    if any(part.startswith("xl/") for part in names):
        raise _unsupported("Excel workbooks (export a sheet as CSV)")
    if any(part.startswith("ppt/") for part in names):
        raise _unsupported("PowerPoint presentations (export them as PDF)")
    raise _unsupported("ZIP archives")


def _by_name(name: str | None) -> str | None:
    ending = _ending(name)
    if ending in UNSUPPORTED_ENDINGS:
        raise _unsupported(f".{ending} files")
    return BY_ENDING.get(ending)


def _ending(name: str | None) -> str:
    _, dot, ending = (name or "").replace("\\", "/").rpartition("/")[2].rpartition(".")
    return ending.lower() if dot else ""


def _by_declaration(content_type: str | None) -> str | None:
    declared = (content_type or "").partition(";")[0].strip().lower()
    if declared.startswith(("image/", "audio/", "video/", "font/")):
        raise _unsupported(f"{declared} files")
    return DECLARED.get(declared)


def _check_text(data: bytes) -> None:
    """Raises ParseError where the data isn't text."""
    if has_byte_order_mark(data):
        return
    if b"\0" in data:
        raise ParseError(f"binary data, not text: it holds NUL bytes. Supported are {SUPPORTED}")
    sample = data[:_SAMPLE_BYTES]
    if len(sample) - len(sample.translate(None, _CONTROL)) > _MOST_CONTROL * len(sample):
        raise ParseError(f"binary data, not text: it holds control characters. Supported are {SUPPORTED}")


def _unsupported(what: str) -> ParseError:
    return ParseError(f"{what} are not supported; supported are {SUPPORTED}")
