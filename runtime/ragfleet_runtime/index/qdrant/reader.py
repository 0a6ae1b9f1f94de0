"""Searching a collection on a Qdrant server."""

from __future__ import annotations

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import Analyzer, query_vector
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.gather import Gathering, key_of
from ragfleet_runtime.index.plan import Planner
from ragfleet_runtime.index.qdrant.documents import QdrantDocumentStore
from ragfleet_runtime.index.qdrant.engine import QdrantEngine
from ragfleet_runtime.index.search import SearchRequest


class QdrantReader:
    """The PassageReader of a Qdrant server: the question goes to it with its vector.

    Which versions are current is looked up in the records after the server has answered, so that what any
    replica has acknowledged is found, and nothing half written.
    """

    def __init__(
        self, engine: QdrantEngine, store: QdrantDocumentStore, analyzer: Analyzer, planner: Planner
    ) -> None:
        self._engine = engine
        self._store = store
        self._analyzer = analyzer
        self._planner = planner

    async def search(
        self, request: SearchRequest, vector: Vector | None = None, deadline: Deadline | None = None
    ) -> list[Hit]:
        """See PassageReader; raises FilterError where the server refuses a filter without an index."""
        if deadline is None:
            return await self._search(request, vector)
        async with deadline.enforced("searching"):
            return await self._search(request, vector)

    async def _search(self, request: SearchRequest, vector: Vector | None) -> list[Hit]:
        if request.is_dense and vector is None:
            raise ValueError(f"a {request.mode} search needs the question's vector")
        sparse = query_vector(self._analyzer.counts(request.question)) if request.is_sparse else {}
        gathering = Gathering(request.top_k, group_by_document=request.group_by_document)
        while True:
            hits = await self._engine.find(self._planner.plan(request, sparse, vector, gathering.limit))
            current = await self._store.current({key_of(hit) for hit in hits}) if hits else {}
            uncertain = gathering.uncertain(hits, current)
            pending = await self._store.pending(uncertain) if uncertain else frozenset[str]()
            found = gathering.take(hits, current, pending)
            if found is not None:
                return found
