"""Searching a collection."""

from __future__ import annotations

from typing import Protocol

from ragfleet_runtime.index.bm25 import Analyzer, query_vector
from ragfleet_runtime.index.edge import EdgeEngine
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.gather import Gathering, key_of
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore
from ragfleet_runtime.lanes import Lane

_THREADS = 1


class PassageReader(Protocol):
    """Finds passages of the documents that are current."""

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


class EmbeddedReader:
    """The PassageReader of the embedded engine: a whole search is one call into a thread.

    A call for each step costs more than the search itself (measured: 0.4 ms against 0.2 ms).
    """

    def __init__(self, engine: EdgeEngine, store: SQLiteDocumentStore, analyzer: Analyzer) -> None:
        self._engine = engine
        self._store = store
        self._analyzer = analyzer
        self._lane = Lane("search", _THREADS)

    async def search(
        self,
        question: str,
        *,
        top_k: int,
        condition: Condition | None = None,
        min_score: float | None = None,
        group_by_document: bool = False,
    ) -> list[Hit]:
        """See PassageReader."""
        return await self._lane.run(self._search, question, top_k, condition, min_score, group_by_document)

    def close(self) -> None:
        """End the threads."""
        self._lane.close()

    def _search(
        self,
        question: str,
        top_k: int,
        condition: Condition | None,
        min_score: float | None,
        group_by_document: bool,
    ) -> list[Hit]:
        query = query_vector(self._analyzer.counts(question))
        gathering = Gathering(top_k, group_by_document=group_by_document)
        while True:
            hits = self._engine.find(query, gathering.limit, condition, min_score)
            current = self._store.find_current({key_of(hit) for hit in hits}) if hits else {}
            found = gathering.take(hits, current, self._store.find_pending)
            if found is not None:
                return found
