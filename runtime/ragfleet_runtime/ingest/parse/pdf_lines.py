"""The lines of a PDF page and where they stand, by PDFium's text page."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pypdfium2 import raw  # type: ignore[import-untyped]

from ragfleet_runtime.ingest.parse.reflow import Line

_CELL_GAP = 1.5  # between two cells of a table's row, in heights of the font
_MOST_CELLS = 100
_ITEM_MARK = re.compile(r"(?:\W|\(?\w{1,4}[.)]|\d{1,3}(?:\.\d{1,3})*)\Z")


def page_lines(text_page: Any) -> Iterator[Line]:
    """The lines of a page that aren't blank, in the order of the document's content."""
    start = 0
    for line in text_page.get_text_range().split("\n"):
        body = line.strip()
        if body:
            yield _located(text_page, body, start + line.index(body[0]))
        start += len(line) + 1


def _located(text_page: Any, body: str, first: int) -> Line:
    left, _, _, _ = _box(text_page, first)
    _, _, right, _ = _box(text_page, first + len(body) - 1)
    # A bullet may be set in another font than its text.
    letter = next((i for i, character in enumerate(body) if character.isalnum()), 0)
    _, bottom, _, top = _box(text_page, first + letter)
    cells = _cells(text_page, body, first, top - bottom)
    return Line(
        "; ".join(cells),
        left,
        right,
        _baseline(text_page, first),
        _baseline(text_page, first + len(body) - 1),
        top - bottom,
        len(cells) > 1,
    )


def _cells(text_page: Any, body: str, first: int, height: float) -> list[str]:
    """The line, cut where PDFium finds text apart from the text before it."""
    count = raw.FPDFText_CountRects(text_page, _char_index(text_page, first), len(body))
    if not 1 < count <= _MOST_CELLS:
        return [body]
    boxes = [text_page.get_rect(i) for i in range(count)]
    cuts = [0]
    for (_, _, end, _), (left, bottom, _, top) in pairwise(boxes):
        if left - end > _CELL_GAP * height:
            index = raw.FPDFText_GetCharIndexAtPos(text_page, left, (bottom + top) / 2, height, height)
            cut = raw.FPDFText_GetTextIndexFromCharIndex(text_page, index) - first if index >= 0 else 0
            if cuts[-1] < cut < len(body) and not _ITEM_MARK.match(body[cuts[-1] : cut].strip()):
                cuts.append(cut)
    cells = (body[one:other].strip() for one, other in pairwise([*cuts, len(body)]))
    return [cell for cell in cells if cell]


def _box(text_page: Any, index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a character, as high as its font, in points."""
    rectangle = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(text_page, _char_index(text_page, index), rectangle)
    return rectangle.left, rectangle.bottom, rectangle.right, rectangle.top


def _baseline(text_page: Any, index: int) -> float:
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(text_page, _char_index(text_page, index), x, y)
    return y.value


def _char_index(text_page: Any, text_index: int) -> int:
    """PDFium counts characters of the page, some of which the text leaves out."""
    return int(raw.FPDFText_GetCharIndexFromTextIndex(text_page, text_index))
