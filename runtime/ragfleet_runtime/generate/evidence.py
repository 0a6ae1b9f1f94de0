"""How much of a question a passage and its sentences answer, by the weight of the terms they share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragfleet_runtime.generate.model import Source
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Passage
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans
from ragfleet_runtime.ingest.model import Kind

# A term counts in full where the sentence itself has it, less where the headings above it or the sentences
# beside it have it, least where it stands elsewhere in the passage.
IN_HEADINGS = 0.7
BESIDE = 0.6
IN_PASSAGE = 0.4

# A number in digits, or in words up to twelve: what an answer to "how many" and "how long" has.
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|half)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"\S.*")
_MARKER = re.compile(r"\[\d+\]")
_HEADING = re.compile(r"#{1,6}\s|[-=|:\s]+$|```")
_RUNNING_TEXT = (Kind.PROSE, Kind.MARKDOWN, Kind.LEGAL)
_HEADING_LENGTH = 60
_LEAD_IN_LENGTH = 600
_LEAD_IN_LINES = 6


@dataclass(frozen=True, slots=True)
class Sentence:
    """A quotable piece of a source: ``source.passage.text[start:end]``."""

    source: Source
    start: int
    end: int
    terms: frozenset[int]
    support: Mapping[int, float]  # for each of the question's terms that the passage has: 0 to 1
    has_number: bool
    following: tuple[int, int] | None  # the next sentence of the same paragraph, where it can be quoted

    @property
    def text(self) -> str:
        """The piece, word for word."""
        return self.source.passage.text[self.start : self.end]


def sentences(source: Source, question: frozenset[int], analyzer: Analyzer) -> list[Sentence]:
    """The quotable pieces of a source that share a term with the question, in its sentence or its headings.

    Headings, rulers and fences are no sentences. A piece that holds something like "[3]" is left out: quoted,
    it would read as a citation.
    """
    passage = source.passage
    headings = analyzer.counts("\n".join((passage.title or "", *passage.headings))).keys() & question
    spans = _with_what_they_introduce(passage.text, _spans(passage))
    analysed = [
        (start, end, frozenset(analyzer.counts(passage.text[start:end]).keys() & question))
        for start, end in spans
    ]
    everywhere = frozenset[int]().union(*(terms for _, _, terms in analysed))
    found = []
    for i, (start, end, terms) in enumerate(analysed):
        text = passage.text[start:end]
        if not (terms or headings) or not _is_quotable(text, passage):
            continue
        support = dict.fromkeys(everywhere, IN_PASSAGE)
        for _, _, beside in analysed[max(i - 1, 0) : i + 2]:
            support.update(dict.fromkeys(beside, BESIDE))
        support.update(dict.fromkeys(headings, IN_HEADINGS))
        support.update(dict.fromkeys(terms, 1.0))
        has_number = _NUMBER.search(text) is not None
        following = _following(passage, end, spans[i + 1 : i + 2])
        found.append(Sentence(source, start, end, terms, support, has_number, following))
    return found


def continuation(sentence: Sentence) -> Sentence | None:
    """The sentence that goes on where this one ends, in the same paragraph: it often holds the rest."""
    if sentence.following is None:
        return None
    start, end = sentence.following
    return Sentence(sentence.source, start, end, frozenset(), {}, has_number=False, following=None)


def _following(passage: Passage, end: int, next_span: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    if not next_span or passage.kind not in _RUNNING_TEXT:
        return None
    start, stop = next_span[0]
    same_paragraph = start >= end and "\n\n" not in passage.text[end:start]
    return next_span[0] if same_paragraph and _is_quotable(passage.text[start:stop], passage) else None


def _is_quotable(text: str, passage: Passage) -> bool:
    return not (_MARKER.search(text) or _HEADING.match(text) or text in passage.headings)


def _spans(passage: Passage) -> list[tuple[int, int]]:
    """The sentences of a passage; a table's rows are whole, whatever stops they have."""
    if passage.kind != Kind.TABLE:
        return sentence_spans(passage.text)
    return [line.span() for line in _LINE.finditer(passage.text)]


def _introduces(sentence: str) -> bool:
    """Whether a piece is the start of what it says: it ends with a colon, or is a heading in plain text."""
    if sentence.endswith(":"):
        return True
    return sentence[-1].isalnum() and len(sentence) <= _HEADING_LENGTH and "\n" not in sentence


def _with_what_they_introduce(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each sentence, together with the lines that it introduces where it does."""
    extended = []
    for i, (start, end) in enumerate(spans):
        last = end
        if _introduces(text[start:end]):
            for number, (begins, ends) in enumerate(spans[i + 1 : i + 1 + _LEAD_IN_LINES]):
                after_blank_line = text.count("\n", last, begins) > 1
                if ends - start > _LEAD_IN_LENGTH or (after_blank_line and number > 0):
                    break
                last = ends
        extended.append((start, last))
    return extended
