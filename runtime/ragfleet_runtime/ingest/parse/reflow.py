"""Lines as they are set on pages, back to paragraphs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
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
_CONTENTS_LINE = re.compile(r"(?:\.\s?){4,}\s*(?:\d{1,5}|[ivxlc]{1,7})\Z")
_MOST_LEADER = 400
_DIGITS = re.compile(r"\d+")
_EDGE = 2  # lines at the top and at the bottom of a page that may be its header or footer
_RUNNING_FROM = 3  # pages

# PDFium's marks for a hyphen at the end of a line.
_HYPHEN = "[\ufffe\x02]"
_CONTINUED = ",-\ufffe\x02"
_BROKEN_WORD = re.compile(rf"(\w+){_HYPHEN}(\w+)")
_LEFT_HYPHEN = re.compile(_HYPHEN)
_COMPOUND = re.compile(r"\w+-\w+")

_SAME_ROW = 0.3  # of the font's height
_WIDE_LEADING = 1.4  # of the page's usual leading
_USUAL_FROM = 3  # distances: fewer make no habit
_WIDEST_LEADING = 1.7  # of the font's height, on pages too short for a usual leading
_OTHER_SIZE = 0.15  # difference in height, as a share of the larger
_INDENT = 0.6  # of the font's height
_WIDER_ONE_IN = 10
_SHORT_LINE = 0.15  # missing at its end, as a share of the width
_HEADING_LINE = 0.5


class Line(NamedTuple):
    """A line of a page; places in points from the page's lower left corner, height that of its font.

    last_baseline: that of its last character, which stands lower where a broken word joins two lines.
    is_row: the text is the cells of a table's row.
    """

    text: str
    left: float
    right: float
    baseline: float
    last_baseline: float
    height: float
    is_row: bool = False


def paragraphs(pages: Sequence[Sequence[Line]]) -> str:
    """The text of pages, each paragraph on one line, with a blank line between them.

    A paragraph ends at a wider gap, another font size, a list item or a table's row; after the end of a
    sentence at an indent or a short line; and after a line so short that it can only be a heading. Words
    hyphenated at line ends are made whole. Page numbers, lines that most pages begin or end with, and tables
    of contents are left out.
    """
    running = _running_lines(pages)
    parts: list[str] = []
    for page in pages:
        first, *others = _page_paragraphs(_content(page, running)) or [""]
        if parts and first and _goes_on(parts[-1], first):
            parts[-1] = _joined(parts[-1], first)
        elif first:
            parts.append(first)
        parts += others
    return _dehyphenated("\n\n".join(parts))


def _page_paragraphs(lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    leading = _usual_leading(lines)
    right_edges = _right_edges(lines)
    collected = [[lines[0].text]]
    for before, line in pairwise(lines):
        if _begins_paragraph(before, line, leading, right_edges[_column(before)]):
            collected.append([line.text])
        else:
            collected[-1].append(line.text)
    return [" ".join(texts) for texts in collected]


def _usual_leading(lines: Sequence[Line]) -> float:
    """The usual distance between the page's baselines, or 0 where there are too few to tell."""
    steps = [one.last_baseline - other.baseline for one, other in pairwise(lines)]
    usual = [step for step, line in zip(steps, lines, strict=False) if 0 < step < 3 * line.height]
    return median(usual) if len(usual) >= _USUAL_FROM else 0.0


def _right_edges(lines: Sequence[Line]) -> dict[int, float]:
    """Where the lines of each column end at the right, but for a few wider ones such as a page's title."""
    ends = defaultdict[int, list[float]](list)
    for line in lines:
        ends[_column(line)].append(line.right)
    return {column: sorted(rights)[-1 - len(rights) // _WIDER_ONE_IN] for column, rights in ends.items()}


def _column(line: Line) -> int:
    """Lines that begin within the same inch of the page's width are in one column."""
    return int(line.left // 72)


def _begins_paragraph(before: Line, line: Line, leading: float, right_edge: float) -> bool:
    height = max(before.height, line.height)
    if abs(before.last_baseline - line.baseline) < _SAME_ROW * height:
        return False
    if before.is_row or line.is_row or abs(before.height - line.height) > _OTHER_SIZE * height:
        return True
    if _STARTER.match(line.text) is not None:
        return True
    if _goes_on(before.text, line.text):
        return False
    step = before.last_baseline - line.baseline
    if step < 0 or step > (_WIDE_LEADING * leading if leading else _WIDEST_LEADING * height):
        return True  # another column, or a gap
    return _ends_paragraph(before, line, right_edge)


def _ends_paragraph(before: Line, line: Line, right_edge: float) -> bool:
    """Whether a line ends its paragraph by its own length, its words, and the next line's indent."""
    missing = (right_edge - before.right) / max(right_edge - before.left, before.height)
    if missing > _HEADING_LINE and line.text[0].isupper():
        return True
    is_indented = line.left > before.left + _INDENT * before.height
    return (missing > _SHORT_LINE or is_indented) and _SENTENCE_END.search(before.text[-8:]) is not None


def _goes_on(before: str, text: str) -> bool:
    """Whether a text is the rest of a sentence before it."""
    return _SENTENCE_END.search(before[-8:]) is None and (text[0].islower() or before[-1] in _CONTINUED)


def _joined(before: str, text: str) -> str:
    if before[-1] == "-" and text[0].islower():
        return f"{before[:-1]}\ufffe{text}"
    return f"{before} {text}"


def _running_lines(pages: Sequence[Sequence[Line]]) -> set[str]:
    """Headers and footers: what more than half of the pages begin or end with, whatever its numbers."""
    counts = Counter(
        text for page in pages for text in {_numberless(line) for line in (*page[:_EDGE], *page[-_EDGE:])}
    )
    return {text for text, count in counts.items() if count >= _RUNNING_FROM and count > len(pages) / 2}


def _content(page: Sequence[Line], running: set[str]) -> Sequence[Line]:
    """A page's lines without its furniture, which is never all that the page has."""
    edges = {*range(_EDGE), *range(len(page) - _EDGE, len(page))}
    kept = [
        line
        for i, line in enumerate(page)
        if _CONTENTS_LINE.search(line.text[-_MOST_LEADER:]) is None
        and not (i in edges and (_numberless(line) in running or _PAGE_NUMBER.match(line.text)))
    ]
    return kept or page


def _numberless(line: Line) -> str:
    return _DIGITS.sub("#", line.text)


def _dehyphenated(text: str) -> str:
    """Words broken at line ends made whole; their hyphen stays where the text has the compound elsewhere."""
    compounds = {compound.lower() for compound in _COMPOUND.findall(text)}

    def joined(word: re.Match[str]) -> str:
        compound = f"{word[1]}-{word[2]}"
        keeps = not word[2][0].islower() or compound.lower() in compounds
        return compound if keeps else word[1] + word[2]

    return _LEFT_HYPHEN.sub("-", _BROKEN_WORD.sub(joined, text))
