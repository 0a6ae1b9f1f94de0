"""The numbers of sections at the beginning of lines, such as ``1.``, ``1.1``, ``§ 3`` and ``Article IV``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragfleet_runtime.ingest.chunk.spans import LINE

_LABEL = re.compile(
    r"""(?:\#{1,6}[ ])?(?:
        (?P<word> Part | PART | Title | TITLE | Book | BOOK | Chapter | CHAPTER | Annex | ANNEX
                | Appendix | APPENDIX | Schedule | SCHEDULE | Article | ARTICLE | Art\. | Section | SECTION
                | Clause | CLAUSE ) [ \t]+
        (?: \d{1,4}(?:\.\d{1,4}){0,5}[a-z]? | [IVXLC]{1,7} | [A-H] )
        # A sentence may begin so too ("Section 3 applies to …"): a number is followed by a mark, by a title
        # that takes the rest of the line, or by nothing.
        (?= [.):\u2013\u2014] | [ \t]+[-\u2013\u2014][ ] | [ \t\r]*$ | [ \t]+[A-Z][^.\n]{0,80}$ )
      | (?P<sign> §§? ) [ \t]*+ \d{1,4}(?:\.\d{1,4}){0,5}[a-z]?
      | (?P<number> \d{1,3}(?:\.\d{1,3}){1,5}(?=[.):]?(?:[ \t\r]|$)) | \d{1,3}(?=[.)](?:[ \t\r]|$)) )
    )
    (?:[.):]*[ \t]*+(?:[-\u2013\u2014][ \t]+)?)""",
    re.VERBOSE | re.MULTILINE,
)
_FIRST_CHARACTERS = frozenset("0123456789§#PTBCAS")
_OUTER = {"book": 1, "part": 2, "title": 2, "annex": 2, "appendix": 2, "schedule": 2, "chapter": 3}
_SECTION_LEVEL = 4
_FEWEST = 2
_FEWEST_PLAIN = 3
_CHARACTERS_APART = 200


@dataclass(frozen=True, slots=True)
class Label:
    """A section's number: its level (1 outermost), as written, and where it and the rest of its line begin.

    number: its parts as integers where it has no word or sign before it, else empty.
    """

    level: int
    text: str
    start: int
    rest: int
    number: tuple[int, ...]


def labels(text: str) -> list[Label]:
    """The section numbers at the beginning of lines.

    A bare number counts only with a neighbour (3.4 or 3.6 for 3.5) or at the start of its series (3.1): a
    figure at the beginning of a line is no section.
    """
    found = [_label(match) for match in _matches(text)]
    numbers = {label.number for label in found}
    return [label for label in found if not label.number or _in_series(label.number, numbers)]


def are_legal(found: Sequence[Label]) -> bool:
    """Whether a text with these labels is numbered throughout, and not prose with a list in it."""
    marked = sum(1 for label in found if not label.number)
    nested = sum(1 for label in found if len(label.number) > 1)
    if marked >= _FEWEST or nested >= _FEWEST:
        return True
    plain = len(found) - marked - nested
    return plain >= _FEWEST_PLAIN and found[-1].start - found[0].start >= _CHARACTERS_APART * (len(found) - 1)


def _matches(text: str) -> list[re.Match[str]]:
    starts = (line.start() for line in LINE.finditer(text))
    found = (_LABEL.match(text, start) for start in starts if text[start] in _FIRST_CHARACTERS)
    return [match for match in found if match is not None]


def _label(match: re.Match[str]) -> Label:
    number = match["number"]
    label = match[0].strip("# \t.):\u2013\u2014-\r")
    if number is not None:
        parts = tuple(int(part) for part in number.split("."))
        return Label(_SECTION_LEVEL + len(parts), label, match.start(), match.end(), parts)
    level = _OUTER.get((match["word"] or "").lower(), _SECTION_LEVEL)
    return Label(level, label, match.start(), match.end(), ())


def _in_series(number: tuple[int, ...], numbers: set[tuple[int, ...]]) -> bool:
    *parent, last = number
    return last == 1 or (*parent, last - 1) in numbers or (*parent, last + 1) in numbers
