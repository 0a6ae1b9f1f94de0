"""BM25 as sparse vectors: the term-frequency half on our side, IDF inside the engine.

Score of a chunk d for a question q (Robertson and Zaragoza, 2009, "The Probabilistic Relevance Framework"):

    sum over terms t of  count(t, q) * IDF(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * |d| / mean))

The engine's encoder analyses text (words, stop words, stemming) and hashes terms to indices. Its own weights
assume a mean length of 256 tokens and count each term of a question once; both cost ranking quality, so only
its analysis is used here, and the weights are made from the collection's real mean length.
"""

from __future__ import annotations

from collections.abc import Mapping

import qdrant_edge as edge

K1 = 1.2
B = 0.75
# With b = 0 the encoder's weight depends on the term count alone, tf * (k + 1) / (tf + k), and can be
# inverted; a large k keeps float32 exact to counts far beyond the longest chunk.
_ANALYSIS_K = 1000.0

TermCounts = Mapping[int, int]
SparseVector = Mapping[int, float]


class Analyzer:
    """Text to term counts, by the analysis that the collection was built with."""

    def __init__(self, language: str) -> None:
        self._encoder = edge.Bm25(edge.Bm25Config(k=_ANALYSIS_K, b=0.0, language=language.lower()))

    def counts(self, text: str) -> dict[int, int]:
        """Occurrences of each term of ``text`` by its index; stop words are left out."""
        vector = self._encoder.embed_document(text)
        k = _ANALYSIS_K
        return {
            # Most terms occur once, where the weight is exactly 1.
            index: 1 if weight == 1.0 else round(k * weight / (k + 1 - weight))
            for index, weight in zip(vector.indices, vector.values, strict=True)
        }


def document_vector(counts: TermCounts, mean_length: float) -> dict[int, float]:
    """Weights of a chunk's terms. ``mean_length`` is the collection's, in analysed terms a chunk."""
    norm = K1 * (1 - B + B * sum(counts.values()) / mean_length)
    weights = {tf: tf * (K1 + 1) / (tf + norm) for tf in set(counts.values())}
    return {term: weights[tf] for term, tf in counts.items()}


def query_vector(counts: TermCounts) -> dict[int, float]:
    """Weights of a question's terms: how often each is asked for."""
    return {term: float(count) for term, count in counts.items()}
