from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

import docx
import pytest
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.parse.docx import parse_docx


def written(document: Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def document_xml(document: Document) -> bytes:
    with zipfile.ZipFile(io.BytesIO(written(document))) as archive:
        return archive.read("word/document.xml")


def with_document_xml(document: Document, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(written(document))) as source, zipfile.ZipFile(buffer, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, content if name == "word/document.xml" else source.read(name))
    return buffer.getvalue()


def insert(document: Document, xml: str) -> None:
    body: Any = document.element.body
    body.insert(len(body) - 1, parse_xml(xml))


def test_the_body_in_its_order() -> None:
    document = docx.Document()
    document.add_paragraph("A report", style="Title")
    document.add_heading("Results", 1)
    document.add_paragraph("All is well.\nNext line.")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Bullet 2")
    document.add_paragraph("three", style="List Number")
    table = document.add_table(rows=3, cols=2)
    for row, cells in zip(table.rows, (("Name", "Age"), ("Ann", "31"), ("Bob", "")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_heading("End", 2)
    document.add_paragraph("Last.")
    parsed = parse_docx(written(document))
    assert parsed.text == (
        "# A report\n\n# Results\n\nAll is well.\nNext line.\n\n- one\n  - two\n- three\n"
        "- Name: Ann; Age: 31\n- Name: Bob\n\n## End\n\nLast."
    )
    assert parsed.kind is Kind.MARKDOWN


def test_merged_cells_stay_under_their_header() -> None:
    document = docx.Document()
    table = document.add_table(rows=2, cols=3)
    for cell, text in zip(table.rows[0].cells, ("Day", "From", "To"), strict=True):
        cell.text = text
    table.cell(1, 1).merge(table.cell(1, 2)).text = "closed"
    table.cell(1, 0).text = "Sunday"
    assert parse_docx(written(document)).text == "- Day: Sunday; From: closed"


def test_a_box_around_text_is_no_table() -> None:
    document = docx.Document()
    cell = document.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "In a box."
    cell.add_paragraph("Still in it.")
    assert parse_docx(written(document)).text == "In a box.\n\nStill in it."


def test_content_controls_insertions_and_links_are_read_and_deletions_are_not() -> None:
    document = docx.Document()
    w = nsdecls("w")
    insert(
        document, f"<w:sdt {w}><w:sdtContent><w:p><w:r><w:t>Control.</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    )
    insert(
        document,
        f"<w:p {w}><w:ins><w:r><w:t>New</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>Old</w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:t xml:space='preserve'> link</w:t></w:r></w:hyperlink></w:p>",
    )
    assert parse_docx(written(document)).text == "Control.\n\nNew link"


def test_the_table_of_contents_is_left_out() -> None:
    document = docx.Document()
    document.styles.add_style("toc 1", WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("Results ........ 3", style="toc 1")
    document.add_paragraph("Text.")
    assert parse_docx(written(document)).text == "Text."


def test_a_style_based_on_a_heading_is_a_heading() -> None:
    document = docx.Document()
    style = document.styles.add_style("Chapter of mine", WD_STYLE_TYPE.PARAGRAPH)
    style.base_style = document.styles["Heading 2"]
    document.add_paragraph("Mine", style=style)
    assert parse_docx(written(document)).text == "## Mine"


def test_numbered_sections_without_headings_make_legal_text() -> None:
    document = docx.Document()
    for line in ("1. Term", "1.1 It begins in May.", "1.2 It ends in June.", "2. Rent", "2.1 It is due."):
        document.add_paragraph(line)
    assert parse_docx(written(document)).kind is Kind.LEGAL


def test_core_properties() -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    document.core_properties.title = "Report"
    document.core_properties.author = "Ann Lee"
    document.core_properties.created = datetime(2024, 5, 1, 10, 0, 0)
    parsed = parse_docx(written(document))
    assert parsed.title == "Report"
    assert parsed.metadata["author"] == "Ann Lee"
    assert parsed.metadata["created_at"] == "2024-05-01T10:00:00Z"


def test_properties_that_are_missing_are_not_made_up() -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    relationships = document.part.package.rels
    for id_ in [id_ for id_, r in relationships.items() if r.reltype == RELATIONSHIP_TYPE.CORE_PROPERTIES]:
        del relationships[id_]
    parsed = parse_docx(written(document))
    assert (parsed.title, parsed.metadata) == (None, {})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_docx_is_refused(share: float) -> None:
    data = written(docx.Document())
    with pytest.raises(ParseError, match="truncated or damaged"):
        parse_docx(data[: int(len(data) * share)])


def test_broken_xml_is_refused() -> None:
    content = document_xml(docx.Document())
    with pytest.raises(ParseError, match="truncated or damaged"):
        parse_docx(with_document_xml(docx.Document(), content[:-20]))


def test_a_zip_bomb_is_refused_by_its_ratio() -> None:
    bomb = with_part(written(docx.Document()), "word/media/image1.bin", b"\0" * 20 * 2**20)
    with pytest.raises(ParseError, match="times its size"):
        parse_docx(bomb)


def test_a_zip_bomb_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragfleet_runtime.ingest.parse.docx._MOST_BYTES", 100_000)
    with pytest.raises(ParseError, match="unpacks to 1 MiB"):
        parse_docx(with_part(written(docx.Document()), "word/media/image1.bin", b"\0" * 2**20))


def test_a_zip_of_too_many_parts_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragfleet_runtime.ingest.parse.docx._MOST_PARTS", 5)
    with pytest.raises(ParseError, match="zip bomb"):
        parse_docx(written(docx.Document()))


@pytest.mark.parametrize("depth", [1, 6])
def test_entities_are_not_expanded(depth: int) -> None:
    entities = b'<!ENTITY e0 "ha">' + b"".join(
        b'<!ENTITY e%d "%s">' % (i, b"&e%d;" % (i - 1) * 100) for i in range(1, depth + 1)
    )
    content = document_xml(docx.Document())
    content = content.replace(b"<w:document", b"<!DOCTYPE d [" + entities + b"]><w:document", 1)
    content = content.replace(b"<w:body>", b"<w:body><w:p><w:r><w:t>x&e%d;</w:t></w:r></w:p>" % depth)
    data = with_document_xml(docx.Document(), content)
    try:
        assert parse_docx(data).text == "x"
    except ParseError as error:
        assert "damaged" in str(error)
