"""Lines as they are set on pages, back to paragraphs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

_SENTENCE_END = re.compile(r"[.!?:;\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*\Z")
_STARTER = re.compile(  # of a list item or a numbered section
    r"[\u2022\u25aa\u25e6\u2023\u25cf\u25cb\u25a0\u2013*-]\s | \(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)]\s"
    r"| \d{1,3}(?:\.\d{1,3})+[.)]?\s | § | (?:Article|Section|Chapter)\s[\dIVX]",
    re.VERBOSE,
)
_PAGE_NUMBER = re.compile(r"\W*(?:page\s+)?\d{1,5}(?:\s*(?:of|/)\s*\d{1,5})?\W*\Z", re.IGNORECASE)

# PDFium's marks for a hyphen at the end of a line.
_HYPHEN = "[\ufffe\x02]"
_BROKEN_WORD = re.compile(rf"(\w+){_HYPHEN}(\w+)")
_LEFT_HYPHEN = re.compile(_HYPHEN)
_COMPOUND = re.compile(r"\w+-\w+")

_SAME_ROW = 0.3  # of the font's height
_WIDE_LEADING = 1.4  # of the page's usual leading
_USUAL_FROM = 3  # distances: fewer make no habit
_WIDEST_LEADING = 2.0  # of the font's height, on pages too short for a usual leading
_OTHER_SIZE = 0.15  # difference in height, as a share of the larger
_INDENT = 0.6  # of the font's height
_SHORT_LINE = 0.15  # missing at its end, as a share of the longest line


class Line(NamedTuple):
    """A line of a page; places in points from the page's lower left corner, height that of its font."""

    text: str
    left: float
    right: float
    baseline: float
    height: float


def paragraphs(pages: Sequence[Sequence[Line]]) -> str:
    """The text of pages, each paragraph on one line, with a blank line between them.

    A paragraph ends at a wider gap, another font size, a list item, and, after the end of a sentence, at an
    indent or a short line. Words hyphenated at line ends are made whole; page numbers are left out.
    """
    parts: list[str] = []
    for page in pages:
        first, *others = _page_paragraphs(_without_page_numbers(page)) or [""]
        if parts and first and _goes_on(parts[-1], first):
            parts[-1] = f"{parts[-1]} {first}"
        elif first:
            parts.append(first)
        parts += others
    return _dehyphenated("\n\n".join(parts))


def _page_paragraphs(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    measures = _measures(lines)
    collected = [[lines[0].text]]
    for before, line in pairwise(lines):
        if _begins_paragraph(before, line, *measures):
            collected.append([line.text])
        else:
            collected[-1].append(line.text)
    return [" ".join(texts) for texts in collected]


def _measures(lines: Sequence[Line]) -> tuple[float, float]:
    """Usual distance between the page's baselines (0 if unknown), and the right end of its widest line."""
    steps = [one.baseline - other.baseline for one, other in pairwise(lines)]
    usual = [step for step, line in zip(steps, lines, strict=False) if 0 < step < 3 * line.height]
    right_edge = max(line.right for line in lines)
    return (median(usual) if len(usual) >= _USUAL_FROM else 0.0), right_edge


def _begins_paragraph(before: Line, line: Line, leading: float, right_edge: float) -> bool:
    step = before.baseline - line.baseline
    height = max(before.height, line.height)
    if abs(step) < _SAME_ROW * height:
        return False
    if _STARTER.match(line.text):
        return True
    if abs(before.height - line.height) > _OTHER_SIZE * height:
        return True
    if step > (_WIDE_LEADING * leading if leading else _WIDEST_LEADING * height):
        return True
    if step < 0:  # the next column
        return not _goes_on(before.text, line.text)
    is_short = before.right < right_edge - _SHORT_LINE * (right_edge - before.left)
    is_indented = line.left > before.left + _INDENT * height
    return (is_short or is_indented) and _SENTENCE_END.search(before.text) is not None


def _goes_on(before: str, text: str) -> bool:
    """Whether a text is the rest of a sentence in a column or on a page before it."""
    return _SENTENCE_END.search(before[-8:]) is None and (text[0].islower() or before[-1] in ",-\ufffe\x02")


def _without_page_numbers(lines: Sequence[Line]) -> Sequence[Line]:
    if len(lines) > 1 and _PAGE_NUMBER.match(lines[-1].text):
        lines = lines[:-1]
    if len(lines) > 1 and _PAGE_NUMBER.match(lines[0].text):
        lines = lines[1:]
    return lines


def _dehyphenated(text: str) -> str:
    """Words broken at line ends made whole; their hyphen stays where the text has the compound elsewhere."""
    compounds = {compound.lower() for compound in _COMPOUND.findall(text)}

    def joined(word: re.Match[str]) -> str:
        compound = f"{word[1]}-{word[2]}"
        keeps = not word[2][0].islower() or compound.lower() in compounds
        return compound if keeps else word[1] + word[2]

    return _LEFT_HYPHEN.sub("-", _BROKEN_WORD.sub(joined, text))
