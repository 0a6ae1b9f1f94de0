"""The body of a DOCX: paragraphs and tables, read from their XML (ECMA-376 part 1, WordprocessingML).

python-docx's own paragraphs leave out content controls and tracked insertions, and its cells take quadratic
time on long tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from docx.oxml.ns import qn

from ragfleet_runtime.ingest.parse.docx_styles import ParagraphStyle, paragraph_styles
from ragfleet_runtime.ingest.parse.markdown_writer import MarkdownWriter
from ragfleet_runtime.ingest.parse.rows import is_header, labelled_rows, one_line

if TYPE_CHECKING:
    from docx.document import Document

_Element = Any  # an lxml element, which has no types
_MOST_HEADING = 6
_MOST_SPAN = 100

_PARAGRAPH, _TABLE, _ROW, _CELL = qn("w:p"), qn("w:tbl"), qn("w:tr"), qn("w:tc")
_CONTROL, _CONTROL_CONTENT = qn("w:sdt"), qn("w:sdtContent")
_TEXT, _TAB, _HYPHEN = qn("w:t"), qn("w:tab"), qn("w:noBreakHyphen")
_BREAKS = (qn("w:br"), qn("w:cr"))
_VALUE = qn("w:val")
# Properties, and text that isn't shown or is there a second time.
_SKIPPED = frozenset(
    (
        *(qn(f"w:{name}") for name in ("pPr", "rPr", "del", "moveFrom")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    )
)


def write_body(document: Document) -> tuple[str, bool]:
    """The body as Markdown, and whether it has headings."""
    body = _Body(paragraph_styles(document.styles.element))
    body.write(document.element.body)
    return body.writer.text(), body.has_headings


class _Body:
    """Writes block after block."""

    def __init__(self, styles: dict[str, ParagraphStyle]) -> None:
        self.writer = MarkdownWriter()
        self.has_headings = False
        self._styles = styles

    def write(self, parent: _Element) -> None:
        """Write the paragraphs and tables in an element."""
        for child in _blocks(parent):
            if child.tag == _PARAGRAPH:
                self._paragraph(child)
            else:
                self._table(child)

    def _paragraph(self, paragraph: _Element) -> None:
        style = self._style(paragraph)
        if style.is_contents:
            return
        text = _text(paragraph)
        if style.heading and text.strip():
            self.has_headings = True
            self.writer.begin_heading(min(style.heading, _MOST_HEADING))
        items = style.item_depth if not style.heading else 0
        for _ in range(items):
            self.writer.begin_item()
        for i, line in enumerate(text.split("\n")):
            if i:
                self.writer.break_line()
            self.writer.write(line)
        self.writer.end_block()
        for _ in range(items):
            self.writer.end_item()

    def _style(self, paragraph: _Element) -> ParagraphStyle:
        properties = paragraph.find(qn("w:pPr"))
        if properties is None:
            return ParagraphStyle()
        named = properties.find(qn("w:pStyle"))
        base = (
            self._styles.get(named.get(_VALUE), ParagraphStyle()) if named is not None else ParagraphStyle()
        )
        return base.refined(properties)

    def _table(self, table: _Element) -> None:
        rows = [_cells(row) for row in table.iter(_ROW) if _parent_table(row) is table]
        if len(rows) <= 1 or max(len(row) for row in rows) <= 1:  # a box around text
            for row in table.iter(_ROW):
                if _parent_table(row) is table:
                    for cell in row.iterchildren(_CELL):
                        self.write(cell)
            return
        filled = [row for row in rows if any(row)]
        header = filled[0] if filled and is_header(filled[0]) else None
        if header is not None:
            lines = list(labelled_rows(filled[1:], header))
        else:
            lines = ["; ".join(cell for cell in row if cell) for row in filled]
        self.writer.write_lines("", lines)


def _blocks(parent: _Element) -> Iterator[_Element]:
    """Paragraphs and tables in an element; those in content controls too."""
    for child in parent.iterchildren():
        if child.tag in (_PARAGRAPH, _TABLE):
            yield child
        elif child.tag == _CONTROL:
            content = child.find(_CONTROL_CONTENT)
            if content is not None:
                yield from _blocks(content)


def _parent_table(row: _Element) -> _Element:
    return next(row.iterancestors(_TABLE))


def _cells(row: _Element) -> list[str]:
    """The texts of a row's cells; one over several columns is followed by empty ones."""
    cells: list[str] = []
    for cell in row.iter(_CELL):
        if next(cell.iterancestors(_ROW)) is not row:
            continue
        cells.append(one_line(_text(cell)))
        span = cell.find(f"{qn('w:tcPr')}/{qn('w:gridSpan')}")
        value = span.get(_VALUE) if span is not None else None
        if value is not None and value.isascii() and value.isdigit():
            cells += [""] * (min(int(value), _MOST_SPAN) - 1)
    return cells


def _text(element: _Element) -> str:
    """The text in an element, with its line breaks; paragraphs in it are set apart by a space."""
    parts: list[str] = []
    stack = [element]
    while stack:
        node = stack.pop()
        if node.tag == _TEXT:
            parts.append(node.text or "")
        elif node.tag == _TAB:
            parts.append("\t")
        elif node.tag in _BREAKS:
            parts.append("\n")
        elif node.tag == _HYPHEN:
            parts.append("-")
        elif node.tag not in _SKIPPED:
            if node.tag == _PARAGRAPH and node is not element:
                parts.append(" ")
            stack.extend(reversed(node))
    return "".join(parts)
