"""What each marker of an answer supports, and how far the answer is supported. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ragfleet_runtime.generate.citations import Marker
from ragfleet_runtime.generate.model import Citation, Source
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans

_LETTER = re.compile(r"\w")
_LEADING = re.compile(r"[\s.,;:!?)\]}…-]+")
# A heading or a fence: nothing that needs a source.
_NO_STATEMENT = re.compile(r"\s*(?:#{1,6}\s|```|~~~)")
_ITEM = re.compile(r"\s*(?:[-*+•]|[0-9]{1,3}[.)])\s+")  # the number is no word of the statement
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence, or the part of one before a marker: ``answer[start:end]``, and the sources cited for it."""

    start: int
    end: int
    cited: tuple[int, ...]


def statements_of(answer: str, markers: Sequence[Marker]) -> list[Statement]:
    """The statements of an answer, in their order; markers that stand together cite the same one.

    A marker cites the sentence that ends where the marker stands, from the marker before it on if that is in
    the same sentence. One with no words before it cites the sentence after it.
    """
    found: list[tuple[int, int]] = []
    cited: list[list[int]] = []
    early: list[int] = []
    at = 0
    for group in _groups(answer, markers):
        spans = _sentences(answer, at, group[0].start)
        found += spans
        cited += [[] for _ in spans]
        (cited[-1] if cited else early).extend(marker.n for marker in group)
        at = group[-1].end
    found += _sentences(answer, at, len(answer))
    cited += [[] for _ in found[len(cited) :]]
    if cited:
        cited[0][:0] = early
    return [
        Statement(start, end, tuple(dict.fromkeys(numbers)))
        for (start, end), numbers in zip(found, cited, strict=True)
    ]


def citations_of(statements: Sequence[Statement]) -> tuple[Citation, ...]:
    """A citation for each source of each statement."""
    return tuple(Citation(n, one.start, one.end) for one in statements for n in one.cited)


def support(
    answer: str,
    statements: Sequence[Statement],
    sources: Sequence[Source],
    terms: Callable[[str], Collection[int]],
) -> float:
    """How far the answer is supported, 0 to 1: the mean of its statements.

    A statement without a citation counts 0. One with citations counts the share of its terms (words without
    stop words, stemmed) that the sources have which it cites. So an answer in another language than its
    sources, or in words of its own, comes out lower than it deserves; one that cites nothing comes out as 0.
    Headings and lines that end with a colon don't count.
    """
    texts = {source.n: source.passage.indexed_text for source in sources}
    known: dict[int, Collection[int]] = {}
    shares = []
    for one in statements:
        text = answer[one.start : one.end]
        item = _ITEM.match(text)
        own = set(terms(text[item.end() :] if item else text))
        if text.endswith(":") or (not own and not one.cited):
            continue
        shares.append(_share(own, one.cited, texts, known, terms))
    return round(sum(shares) / len(shares), 3) if shares else 0.0


def says_nothing_found(answer: str, no_answer: str) -> bool:
    """Whether the answer is the one for when nothing is found, but for case, punctuation and markers."""
    return _words(answer) == _words(no_answer)


def _share(
    own: set[int],
    cited: Sequence[int],
    texts: Mapping[int, str],
    known: dict[int, Collection[int]],
    terms: Callable[[str], Collection[int]],
) -> float:
    for n in cited:
        if n not in known:
            known[n] = frozenset(terms(texts[n]))
    held = {term for n in cited for term in known[n]}
    return len(own & held) / len(own) if own else 1.0


def _groups(answer: str, markers: Sequence[Marker]) -> list[list[Marker]]:
    """Markers with nothing but spaces and commas between them."""
    groups: list[list[Marker]] = []
    for marker in markers:
        if groups and not answer[groups[-1][-1].end : marker.start].strip(" \t,;"):
            groups[-1].append(marker)
        else:
            groups.append([marker])
    return groups


def _sentences(answer: str, start: int, end: int) -> list[tuple[int, int]]:
    """The sentences with words in ``answer[start:end]``, without the punctuation that ends the one before."""
    leading = _LEADING.match(answer, start, end)
    begin = leading.end() if leading and start else start
    return [
        span
        for span in sentence_spans(answer, begin, end)
        if _LETTER.search(answer, *span) and not _NO_STATEMENT.match(answer, *span)
    ]


def _words(text: str) -> list[str]:
    return _WORDS.findall(re.sub(r"\[[0-9]+\]", " ", text).casefold())
