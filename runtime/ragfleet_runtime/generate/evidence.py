"""How much of a question a passage and its sentences answer, by the weight of the terms they share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragfleet_runtime.generate.model import Source
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans

# A term counts in full where the sentence itself has it, less where the headings above it have it, least
# where it stands elsewhere in the passage.
IN_HEADINGS = 0.7
IN_PASSAGE = 0.4

_MARKER = re.compile(r"\[\d+\]")
_HEADING = re.compile(r"#{1,6}\s|[-=|:\s]+$|```")
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
    spans = _with_what_they_introduce(passage.text, sentence_spans(passage.text))
    analysed = [
        (start, end, frozenset(analyzer.counts(passage.text[start:end]).keys() & question))
        for start, end in spans
    ]
    everywhere = frozenset[int]().union(*(terms for _, _, terms in analysed))
    found = []
    for start, end, terms in analysed:
        text = passage.text[start:end]
        if _MARKER.search(text) or _HEADING.match(text) or not (terms or headings):
            continue
        support = dict.fromkeys(everywhere, IN_PASSAGE)
        support.update(dict.fromkeys(headings, IN_HEADINGS))
        support.update(dict.fromkeys(terms, 1.0))
        found.append(Sentence(source, start, end, terms, support))
    return found


def _with_what_they_introduce(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each sentence; one that ends with a colon together with the lines that it introduces."""
    extended = []
    for i, (start, end) in enumerate(spans):
        last = end
        if text[end - 1] == ":":
            for number, (begins, ends) in enumerate(spans[i + 1 : i + 1 + _LEAD_IN_LINES]):
                after_blank_line = text.count("\n", last, begins) > 1
                if ends - start > _LEAD_IN_LENGTH or (after_blank_line and number > 0):
                    break
                last = ends
        extended.append((start, last))
    return extended
