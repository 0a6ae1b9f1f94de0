"""Searching: the engine's hits, less those that aren't committed, in an order that ties don't disturb."""

from __future__ import annotations

from collections.abc import Sequence

from ragfleet_runtime.index.bm25 import Analyzer, query_vector
from ragfleet_runtime.index.documents import DocumentStore, Key
from ragfleet_runtime.index.engine import Engine, Hit
from ragfleet_runtime.index.filters import Condition

_SPARE = 2  # one hit more than asked for shows a tie at the end; another stands in for one that is dropped
_MOST = 10_000
_ATTEMPTS = 10


class PassageReader:
    """Finds passages of the documents that are current."""

    def __init__(self, engine: Engine, store: DocumentStore, analyzer: Analyzer) -> None:
        self._engine = engine
        self._store = store
        self._analyzer = analyzer

    async def search(
        self,
        question: str,
        *,
        top_k: int,
        condition: Condition | None = None,
        min_score: float | None = None,
        group_by_document: bool = False,
    ) -> list[Hit]:
        """The best ``top_k`` passages (or the best of each of ``top_k`` documents), equal scores by id."""
        query = query_vector(self._analyzer.counts(question))
        limit = top_k + _SPARE
        attempts = 0
        while True:
            hits = await self._engine.search(query, limit=limit, condition=condition, min_score=min_score)
            visible, overtaken = await self._committed(hits)
            attempts += 1
            if overtaken and attempts < _ATTEMPTS:
                continue  # the new version may have been written after the engine was asked: ask again
            ranked = rank(visible, group_by_document=group_by_document)
            if len(hits) < limit or limit >= _MOST or _is_decided(ranked, top_k, hits[-1].score):
                return ranked[:top_k]
            limit = min(limit * 2, _MOST)

    async def _committed(self, hits: Sequence[Hit]) -> tuple[list[Hit], bool]:
        """The hits of current revisions, and whether one was replaced by a version that may be missing."""
        if not hits:
            return [], False
        keys = [Key(hit.passage.tenant, hit.passage.document_id) for hit in hits]
        current = await self._store.current(set(keys))
        visible = [
            hit for key, hit in zip(keys, hits, strict=True) if current.get(key) == hit.passage.revision
        ]
        if len(visible) == len(hits):
            return visible, False
        others = {
            hit.passage.revision
            for key, hit in zip(keys, hits, strict=True)
            if key in current and current[key] != hit.passage.revision
        }
        return visible, bool(others and others - await self._store.pending(others))


def rank(hits: Sequence[Hit], *, group_by_document: bool) -> list[Hit]:
    """Hits by score, equal scores by document and place; where asked, only the best of each document."""
    ranked = sorted(hits, key=lambda hit: (-hit.score, hit.passage.document_id, hit.passage.number))
    if not group_by_document:
        return ranked
    best: dict[Key, Hit] = {}
    for hit in ranked:
        best.setdefault(Key(hit.passage.tenant, hit.passage.document_id), hit)
    return list(best.values())


def _is_decided(ranked: Sequence[Hit], top_k: int, lowest_score: float) -> bool:
    """Whether no hit beyond the engine's limit can belong to, or tie with, the first ``top_k``."""
    return len(ranked) >= top_k and ranked[top_k - 1].score > lowest_score
