from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.parse.dates import utc_from_iso, utc_from_pdf
from ragfleet_runtime.ingest.parse.registry import parse


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf", "\n ".encode("utf-16")])
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py", "a.html", "a.csv", None])
def test_an_empty_document_is_refused(data: bytes, name: str | None) -> None:
    with pytest.raises(ParseError, match="the document is empty"):
        parse(data, name, None)


def test_metadata_of_a_file() -> None:
    parsed = parse("Größe und Maß.".encode(), "notes/größe.txt", None)
    assert parsed.metadata == {
        "file_name": "notes/größe.txt",
        "file_type": "text/plain",
        "file_size": 17,
        "words": 3,
    }


def test_latin1_text() -> None:
    assert parse("Le café est là.".encode("latin-1"), "a.txt", None).text == "Le café est là."


def test_utf16_text() -> None:
    assert parse("Le café est là.\r\n".encode("utf-16"), "a.txt", None).text == "Le café est là.\n"


def test_the_declared_charset_is_used() -> None:
    parsed = parse("ķīlis".encode("cp1257"), "a.txt", "text/plain; charset=windows-1257")
    assert parsed.text == "ķīlis"


def test_binary_named_txt() -> None:
    with pytest.raises(ParseError, match="binary data, not text"):
        parse(b"\x01\x02\x00\xff" * 50, "notes.txt", "text/plain")


def test_markdown_stays_as_it_is() -> None:
    source = '---\ntitle: "The guide"\nauthor: Ann\ndate: 2024-05-01\ntags: [a]\n---\n# Other\n\nText.\n'
    parsed = parse(source.encode(), "a.md", None)
    assert (parsed.text, parsed.kind, parsed.title) == (source, Kind.MARKDOWN, "The guide")
    assert parsed.metadata["author"] == "Ann"
    assert parsed.metadata["created_at"] == "2024-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("# The *guide* to [x](y) #\n\nText.", "The guide to x"),
        ("The guide\n=========\n\nText.", "The guide"),
        ("```sh\n# a comment\n```\n\n# Real", "Real"),
        ("## Only a part", None),
        ("Text.", None),
    ],
)
def test_the_title_of_markdown(source: str, title: str | None) -> None:
    assert parse(source.encode(), "a.md", None).title == title


def test_plain_text_by_its_content() -> None:
    assert parse(b"Just a line.\n# a comment\n", "a.txt", None).kind is Kind.PROSE
    markdown = parse(b"# One\n\nText.\n\n# Two\n\nText.\n", "a.txt", None)
    assert (markdown.kind, markdown.title) == (Kind.MARKDOWN, "One")


@pytest.mark.parametrize(
    ("name", "kind", "language"),
    [("a.py", Kind.PYTHON, "python"), ("a.go", Kind.CODE, "go"), ("a.tsx", Kind.CODE, "typescript")],
)
def test_source_code(name: str, kind: Kind, language: str) -> None:
    parsed = parse(b"x = 1\r\n", name, None)
    assert (parsed.text, parsed.kind, parsed.metadata["language"]) == ("x = 1\n", kind, language)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("D:20240501120000+02'00'", "2024-05-01T10:00:00Z"),
        ("D:20240501120000-0230", "2024-05-01T14:30:00Z"),
        ("D:20240501120000Z", "2024-05-01T12:00:00Z"),
        ("20240501", "2024-05-01T00:00:00Z"),
        ("D:2024", "2024-01-01T00:00:00Z"),
        ("D:20241399", None),
        ("D:00000000", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_pdf_dates(value: str, time: str | None) -> None:
    assert utc_from_pdf(value) == time


@given(st.text(max_size=30))
def test_any_text_is_a_date_or_none(value: str) -> None:
    for time in (utc_from_pdf(value), utc_from_iso(value)):
        assert time is None or time.endswith("Z")


@given(
    st.binary(max_size=300),
    st.sampled_from(["a.txt", "a.md", "a.html", "a.csv", "a.py", "a.go", "a.pdf", "a.docx", None]),
)
def test_any_bytes_are_read_or_refused(data: bytes, name: str | None) -> None:
    try:
        parsed = parse(data, name, None)
    except ParseError as error:
        assert str(error)
        return
    assert parsed.text.strip()
    assert not {"\0", "\r"} & set(parsed.text)
    parsed.text.encode()
