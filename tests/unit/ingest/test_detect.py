from __future__ import annotations

import io
import zipfile

import pytest

from ragfleet_runtime.ingest.detect import detect_type
from ragfleet_runtime.ingest.filetypes import DOCX
from ragfleet_runtime.ingest.model import ParseError


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "content_type", "expected"),
    [
        (b"%PDF-1.7\n", "notes.txt", "text/plain", "application/pdf"),
        (b"\xef\xbb\xbfjunk\n%PDF-1.4\n", "scan.pdf", None, "application/pdf"),
        (archive("[Content_Types].xml", "word/document.xml"), "letter.zip", None, DOCX),
        (b"a,b\n1,2\n", "table.CSV", None, "text/csv"),
        (b"# Title\n", "docs/readme.md", "text/plain", "text/markdown"),
        (b"# Title\n", None, "text/markdown; charset=utf-8", "text/markdown"),
        (b"# Title\n", "upload", "application/octet-stream", "text/plain"),
        (b"<!-- made by hand -->\n<!DOCTYPE html><p>x", None, None, "text/html"),
        (b"<?xml version='1.0'?><html><p>x", None, None, "text/html"),
        (b"The <html> tag opens a page.", None, None, "text/plain"),
        (b"A PDF begins with %PDF-1.7 and a newline.", None, None, "text/plain"),
        (b"def f(): pass\n", "C:\\src\\store.py", None, "text/x-python"),
        (b"package main\n", "main.go", None, "text/x-go"),
        (b"x: 1\n", "a.b/values.yaml", None, "application/yaml"),
        (b"all:\n", "Makefile", None, "text/plain"),
        (b"plain", "read.me.unknown", None, "text/plain"),
        ("text".encode("utf-16"), "notes.txt", None, "text/plain"),
        (b"\x1b[31mred\x1b[0m\n" * 3, "build.log", None, "text/plain"),
    ],
)
def test_known_types(data: bytes, name: str | None, content_type: str | None, expected: str) -> None:
    assert detect_type(data, name, content_type) == expected


@pytest.mark.parametrize(
    ("data", "name", "content_type", "message"),
    [
        (b"\x89PNG\r\n\x1a\n....", "notes.txt", "text/plain", "PNG images are not supported"),
        (b"\x7fELF\x02\x01", None, None, "ELF programs are not supported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "old.doc", None, "legacy Office files"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "book.xlsx", None, "Excel workbooks"),
        (archive("[Content_Types].xml", "ppt/presentation.xml"), None, None, "PowerPoint"),
        (archive("a.txt"), "files.zip", None, "ZIP archives are not supported"),
        (b"\x00\x00\x00\x18ftypmp42", None, None, "images, sound and video are not supported"),
        (b"RIFF\x00\x00\x00\x00WEBP", None, None, "images, sound and video are not supported"),
        (b"{\\rtf1 text}", "a.txt", None, "RTF files are not supported"),
        (b"just text", "book.xlsx", None, r"\.xlsx files are not supported"),
        (b"just text", None, "image/svg+xml", "image/svg\\+xml files are not supported"),
    ],
)
def test_other_types_are_refused_naming_those_that_are_read(
    data: bytes, name: str | None, content_type: str | None, message: str
) -> None:
    with pytest.raises(ParseError, match=message) as caught:
        detect_type(data, name, content_type)
    assert "PDF, DOCX, HTML, Markdown" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"text, and then\x00\x00", "notes.txt", "binary data, not text: it holds NUL"),
        (bytes(range(1, 32)) * 10, "notes.md", "binary data, not text: it holds control characters"),
        (b"some text", "report.pdf", "not a PDF"),
        (b"some text", "letter.docx", "not a DOCX"),
        (archive("word/document.xml")[:40], "letter.docx", "truncated or damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "a.docx", "encrypted"),
    ],
)
def test_what_is_not_what_its_name_says(data: bytes, name: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        detect_type(data, name, None)


def test_a_page_that_never_begins_takes_no_time() -> None:
    assert detect_type(b"<!-- a --> " * 5000 + b"text", None, None) == "text/plain"
