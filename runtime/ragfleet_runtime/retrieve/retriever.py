"""A question's passages: embed it where the mode asks for that, then search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ragfleet_api.spec.retrieval import EmbeddingFailurePolicy
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.model import Embedder
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.reader import PassageReader
from ragfleet_runtime.index.search import Mode, SearchRequest

WITHOUT_EMBEDDING = "embedding"


class Found(NamedTuple):
    """Passages, best first; the mode that found them, and what had to be done without."""

    hits: Sequence[Hit]
    mode: Mode
    degraded: tuple[str, ...] = ()


class Retriever:
    """Finds passages. ``embedder`` is None where the reader embeds questions itself, or nobody does."""

    def __init__(
        self, reader: PassageReader, embedder: Embedder | None, when_embedding_fails: EmbeddingFailurePolicy
    ) -> None:
        self._reader = reader
        self._embedder = embedder
        self._when_embedding_fails = when_embedding_fails

    async def search(self, request: SearchRequest, deadline: Deadline) -> Found:
        """The best passages for the question.

        Raises ProviderError where it can't be embedded and the pipeline doesn't say to do without,
        StorageError where the engine fails, DeadlineError where the time runs out.
        """
        if request.mode == "sparse":
            return Found(await self._reader.search(request, None, deadline), request.mode)
        try:
            vector = None
            if self._embedder is not None:
                vector = await self._embedder.embed_query(
                    request.question, self._embedding_deadline(request.mode, deadline)
                )
            return Found(await self._reader.search(request, vector, deadline), request.mode)
        except ProviderError:
            if request.mode != "hybrid" or self._when_embedding_fails != "SearchSparse":
                raise
        hits = await self._reader.search(request._replace(mode="sparse"), None, deadline)
        return Found(hits, "sparse", (WITHOUT_EMBEDDING,))

    def _embedding_deadline(self, mode: Mode, deadline: Deadline) -> Deadline:
        """All the time there is, or half of it where BM25 stands ready to search without a vector."""
        if mode == "hybrid" and self._when_embedding_fails == "SearchSparse":
            return deadline.at_most(deadline.remaining() / 2)
        return deadline
