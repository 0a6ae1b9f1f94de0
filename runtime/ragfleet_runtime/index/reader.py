"""Searching a collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.model import LocalModel, Vector
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.index.bm25 import Analyzer, query_vector
from ragfleet_runtime.index.edge import EdgeEngine
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.gather import Gathering, key_of
from ragfleet_runtime.index.plan import Planner
from ragfleet_runtime.index.search import SearchRequest
from ragfleet_runtime.index.sqlite import SQLiteDocumentStore
from ragfleet_runtime.lanes import Lane, Together

_MOST_TOGETHER = 16


class PassageReader(Protocol):
    """Finds passages of the documents that are current."""

    async def search(
        self, request: SearchRequest, vector: Vector | None = None, deadline: Deadline | None = None
    ) -> list[Hit]:
        """The best passages, equal scores by id.

        vector: the question's, where the mode needs one and the reader doesn't embed by itself.
        Raises StorageError, DeadlineError, and ProviderError where it embeds by itself and that fails.
        """


class _Search(NamedTuple):
    request: SearchRequest
    vector: Vector | None
    deadline: Deadline | None


class EmbeddedReader:
    """The PassageReader of the embedded engine: a whole search is one call into a thread.

    A call for each step costs more than the search itself (measured: 0.4 ms against 0.2 ms). Questions that
    come while the thread is busy are taken together when it is free: one call, one embedding of all of them.
    """

    def __init__(
        self,
        engine: EdgeEngine,
        store: SQLiteDocumentStore,
        analyzer: Analyzer,
        planner: Planner,
        model: LocalModel | None,
    ) -> None:
        self._engine = engine
        self._store = store
        self._analyzer = analyzer
        self._planner = planner
        self._model = model
        self._lane = Lane("search", 1)
        self._together = Together(self._lane, self._search_all, _MOST_TOGETHER)

    async def search(
        self, request: SearchRequest, vector: Vector | None = None, deadline: Deadline | None = None
    ) -> list[Hit]:
        """See PassageReader. The deadline counts while the search waits: it can't be stopped when it runs."""
        return await self._together.run(_Search(request, vector, deadline))

    def close(self) -> None:
        """End the thread."""
        self._lane.close()

    def _search_all(self, searches: Sequence[_Search]) -> list[list[Hit] | Exception]:
        vectors = self._vectors(searches)
        return [
            self._search_or_error(search, vector) for search, vector in zip(searches, vectors, strict=True)
        ]

    def _vectors(self, searches: Sequence[_Search]) -> list[Vector | ProviderError | None]:
        """The vector of each search that needs one, those that are missing embedded together."""
        vectors: list[Vector | ProviderError | None] = [search.vector for search in searches]
        if self._model is None:
            return vectors
        missing = [
            n for n, search in enumerate(searches) if search.vector is None and search.request.is_dense
        ]
        if not missing:
            return vectors
        try:
            made: Sequence[Vector | ProviderError] = self._model.embed_queries(
                [searches[n].request.question for n in missing]
            )
        except ProviderError as error:
            made = [error] * len(missing)
        for n, vector in zip(missing, made, strict=True):
            vectors[n] = vector
        return vectors

    def _search_or_error(
        self, search: _Search, vector: Vector | ProviderError | None
    ) -> list[Hit] | Exception:
        if isinstance(vector, ProviderError):
            return vector
        try:
            if search.deadline is not None:
                search.deadline.require("waiting for a search's turn")
            return self._search(search.request, vector)
        except Exception as error:
            return error

    def _search(self, request: SearchRequest, vector: Vector | None) -> list[Hit]:
        # No look-up where there is no need: behind a run of the model, which empties the processor's caches,
        # it takes three times as long as by itself (measured on a busy machine: 230 µs against 65 µs).
        sparse = query_vector(self._analyzer.counts(request.question)) if request.is_sparse else {}
        gathering = Gathering(request.top_k, group_by_document=request.group_by_document)
        while True:
            settled = self._store.settled()
            hits = self._engine.find(self._planner.plan(request, sparse, vector, gathering.limit))
            if settled is not None and settled == self._store.settled():
                found = gathering.take_settled(hits)
            else:
                found = self._take(gathering, hits)
            if found is not None:
                return found

    def _take(self, gathering: Gathering, hits: Sequence[Hit]) -> list[Hit] | None:
        """What is gathered while documents are written: the records tell which hits are current."""
        current = self._store.find_current({key_of(hit) for hit in hits}) if hits else {}
        uncertain = gathering.uncertain(hits, current)
        pending = self._store.find_pending(uncertain) if uncertain else frozenset[str]()
        return gathering.take(hits, current, pending)
