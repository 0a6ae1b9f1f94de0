"""Answers without a model: the best sentences of the best passages, word for word, each cited."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.evidence import Sentence, continuation, sentences
from ragfleet_runtime.generate.model import Citation, Finish, Pieces, Question, Source
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Engine

MODEL = "extractive"

_RELEVANT = 0.45  # share of the question's weight that the evidence must cover
_WORTH_ADDING = 0.35  # a further sentence's own new evidence, as a share of the first one's
_KNOWN = 0.3  # what a term counts for once the answer has it
_LOWER_RANK = 0.03
_FENCES = ("```", "~~~")
_NUMBER_ASKED = 1.3  # what a sentence with a number gains where a number is asked for
_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|often|far|old|fast|quickly|large|big|high|soon|late)|when|at what"
    r"|what (?:time|port|year|date|size|percentage|share|number)|which (?:port|year|version)|limit|most|least"
    r"|(?:mini|maxi)mum|largest|smallest|longest|shortest|lifetime|cost|price)\b",
    re.IGNORECASE,
)


class ExtractiveGenerator:
    """Quotes the sentences that answer most of the question's weight (terms by their IDF)."""

    def __init__(
        self, engine: Engine, analyzer: Analyzer, *, max_sentences: int, no_answer: str, name: str = MODEL
    ) -> None:
        self._engine = engine
        self._analyzer = analyzer
        self._max_sentences = max_sentences
        self._no_answer = no_answer
        self._name = name

    @property
    def name(self) -> str:
        """See Generator."""
        return self._name

    async def stream(self, question: Question, sources: Sequence[Source], deadline: Deadline) -> Pieces:
        """See Generator: the answer in one piece. A follow-up is answered in its standalone form."""
        del deadline  # nobody else is asked
        text, finish = await self._answer(question.standalone, sources)
        yield text
        yield finish

    async def _answer(self, question: str, sources: Sequence[Source]) -> tuple[str, Finish]:
        weights = await self._weights(question)
        if not weights or not sources:
            return self._nothing_found(0.0)
        terms = frozenset(weights)
        candidates = [s for source in sources for s in sentences(source, terms, self._analyzer)]
        asks_number = _ASKS_NUMBER.search(question) is not None
        chosen = choose(candidates, weights, self._max_sentences, asks_number=asks_number)
        covered = coverage(chosen, weights)
        if covered < _RELEVANT:
            return self._nothing_found(covered)
        if len(chosen) < self._max_sentences and (rest := continuation(chosen[0])) is not None:
            chosen = [*chosen, rest] if not any(_overlap(rest, one) for one in chosen) else chosen
        text, citations = quote(chosen)
        return text, Finish(MODEL, citations, round(covered, 3))

    async def _weights(self, question: str) -> dict[int, float]:
        """IDF of the question's terms; one that no passage has weighs as much as the rarest could."""
        terms = list(self._analyzer.counts(question))
        known = await self._engine.inverse_document_frequencies(terms)
        unknown = math.log(1 + (await self._engine.count() + 0.5) / 0.5)
        return {term: known.get(term, unknown) for term in terms}

    def _nothing_found(self, covered: float) -> tuple[str, Finish]:
        return self._no_answer, Finish(MODEL, (), round(0.1 * covered, 3))


def choose(
    candidates: Sequence[Sentence], weights: Mapping[int, float], most: int, *, asks_number: bool
) -> list[Sentence]:
    """The sentences to quote, best first: each adds what those before it don't say."""

    def gain(sentence: Sentence) -> float:
        wanted = _NUMBER_ASKED if asks_number and sentence.has_number else 1.0
        return wanted * _gain(sentence, weights, known)

    rest = list(candidates)
    chosen: list[Sentence] = []
    known: set[int] = set()
    first = 0.0
    while rest and len(chosen) < most:
        best = max(rest, key=gain)
        gained = gain(best)
        if gained <= 0 or (chosen and gained < _WORTH_ADDING * first):
            break
        first = first or gained
        chosen.append(best)
        known |= best.terms
        rest = [sentence for sentence in rest if not _overlap(sentence, best)]
    return chosen


def coverage(chosen: Sequence[Sentence], weights: Mapping[int, float]) -> float:
    """Share of the question's weight (0 to 1) that the sentences quoted and the first one's source cover."""
    if not chosen:
        return 0.0
    support = dict(chosen[0].support)
    for sentence in chosen[1:]:
        for term in sentence.terms:
            support[term] = 1.0
    total = sum(weights.values())
    return sum(weight * support.get(term, 0.0) for term, weight in weights.items()) / total


def quote(chosen: Sequence[Sentence]) -> tuple[str, tuple[Citation, ...]]:
    """The answer's text, each sentence followed by its marker, and where each sentence stands in it."""
    ordered = sorted(chosen, key=lambda s: (chosen[0].source.n != s.source.n, s.source.n, s.start))
    text = ""
    citations = []
    several_lines = False
    for sentence in ordered:
        if text:
            text += "\n" if several_lines or "\n" in sentence.text else " "
        start = len(text)
        text += sentence.text
        citations.append(Citation(sentence.source.n, start, len(text)))
        # A fence is only a fence alone on its line.
        text += f"\n[{sentence.source.n}]" if sentence.text.endswith(_FENCES) else f" [{sentence.source.n}]"
        several_lines = "\n" in sentence.text
    return text, tuple(citations)


def _gain(sentence: Sentence, weights: Mapping[int, float], known: set[int]) -> float:
    own = sum(
        weights[term] * support * (_KNOWN if term in known else 1.0)
        for term, support in sentence.support.items()
        if term in sentence.terms or not known
    )
    return own * (1 - _LOWER_RANK * (sentence.source.n - 1))


def _overlap(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences are the same words: the same place of a document, or the same text elsewhere."""
    if one.text == other.text:
        return True
    mine, theirs = one.source.passage, other.source.passage
    if (mine.tenant, mine.document_id) != (theirs.tenant, theirs.document_id):
        return False
    return (
        mine.start + one.start < theirs.start + other.end
        and theirs.start + other.start < mine.start + one.end
    )
